package lsp_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The protocol library of Visual Studio Code talks to the program as an editor starts it.
func TestAClientOfOtherHandsIsServed(t *testing.T) {
	folder := client(t)
	program := filepath.Join(t.TempDir(), "tocsin")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/tocsin").CombinedOutput(); err != nil {
		t.Fatalf("build tocsin: %v\n%s", err, said)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "client.mjs"), program, "lsp")
	cmd.Dir = folder
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, said.String())
	}
	var got struct {
		Server     string
		Problems   []diagnostic
		Mended     []diagnostic
		Completion []string
		Hover      struct{ Value string }
		Outline    []string
		Edits      []any
		Exit       int
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got.Server != "tocsin" || len(got.Problems) != 1 || got.Problems[0].Code != "R021" || got.Problems[0].Range.Start.Line != 8 {
		t.Errorf("%s finds %+v", got.Server, got.Problems)
	}
	if len(got.Mended) != 0 || !slices.Contains(got.Completion, "status") || !strings.Contains(got.Hover.Value, "**status**") || len(got.Outline) != 1 || len(got.Edits) != 0 || got.Exit != 0 {
		t.Errorf("got %s", out)
	}
}

// client is a folder with the client and the packages its lock file names, kept in the user's cache. Where there is no Node the test is skipped,
// but not in CI.
func client(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs Node and npm: ", err)
		}
		t.Skip("no Node here: ", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json", "client.mjs"} {
		text, err := os.ReadFile(filepath.Join("testdata", "client", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
		sum.Write(text)
	}
	folder := filepath.Join(cache, "tocsin", "lsp-client-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json")); err == nil {
		return folder
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = folder
	if said, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm ci: %v\n%s", err, said)
		}
		t.Skipf("the client's packages cannot be had: %v\n%s", err, said)
	}
	return folder
}

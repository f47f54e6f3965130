package llm_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

// TestRandomAnswersFromAServerOfOtherHandsShowNothingUnproven asks a protocol mock that we did not write. TOCSIN_LLM_ANSWERS sets how many random
// answers it gives; 20 by default.
func TestRandomAnswersFromAServerOfOtherHandsShowNothingUnproven(t *testing.T) {
	in := (&plant{}).incident(t)
	p := llm.Build(in, options())
	n, err := strconv.Atoi(os.Getenv("TOCSIN_LLM_ANSWERS"))
	if err != nil {
		n = 20
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 9))
	var answers []map[string]any
	for range n {
		answers = append(answers, map[string]any{"content": randomAnswer(r, p).String()})
	}
	answers = append(answers, map[string]any{"content": good().String()},
		map[string]any{"error": map[string]any{"message": "slow down", "type": "rate_limit_error"}, "status": 429, "retryAfter": 1}, map[string]any{"content": good().String()},
		map[string]any{"content": good().String()[:300], "finishReason": "length"}, map[string]any{"content": good().String()},
		map[string]any{"error": map[string]any{"message": "down"}, "status": 500}, map[string]any{"error": map[string]any{"message": "down"}, "status": 500},
		map[string]any{"content": "I cannot help with that."})
	c := triage.DefaultModelConfig()
	c.URL, c.Model, c.AllowCIDRs, c.AllowPlainHTTP = mock(t, answers)+"/v1", "random", []string{"127.0.0.0/8"}, true
	m, _ := open(t, c)
	shown, claims := 0, 0
	ask := func() llm.Outcome {
		o, err := m.Ask(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for range n {
		o := ask()
		claims += o.Report.Claims
		if o.Overlay == nil {
			if o.Failure != llm.FailUnproven {
				t.Fatalf("seed %d: %s", seed, o.Detail)
			}
			continue
		}
		shown++
		for _, x := range claimsOf(o.Overlay) {
			if why := ungrounded(p, x); x.Text != "" && why != "" {
				t.Errorf("seed %d: %q is shown: %s", seed, x.Text, why)
			}
		}
	}
	t.Logf("seed %d: %d random answers with %d claims, %d shown in part", seed, n, claims, shown)
	for _, want := range []llm.Failure{"", "", "", llm.FailBusy, llm.FailUnproven} { // good; busy, then good; cut off, then good; down; refuses
		if o := ask(); o.Failure != want {
			t.Errorf("failure %q (%s), want %q", o.Failure, o.Detail, want)
		}
	}
}

// mock starts the server with answers in their order and gives its address. Without Node the test is skipped, but not in CI.
func mock(t *testing.T, answers []map[string]any) string {
	t.Helper()
	var fixtures []map[string]any
	for i, a := range answers {
		fixtures = append(fixtures, map[string]any{"match": map[string]any{"userMessage": "evidence pack", "sequenceIndex": i}, "response": a})
	}
	b, err := json.Marshal(map[string]any{"fixtures": fixtures})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fixtures.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "mock.mjs", file)
	cmd.Dir = folder(t)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url := strings.TrimSpace(lines.Text()); strings.HasPrefix(url, "http") {
			go func() {
				for lines.Scan() { // what else it says
				}
			}()
			return url
		}
	}
	t.Fatal("the mock did not start")
	return ""
}

// folder has the mock and the package its lock file names, kept in the user's cache.
func folder(t *testing.T) string {
	t.Helper()
	missing := func(what string, err error) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs Node and npm: %s: %v", what, err)
		}
		t.Skipf("%s: %v", what, err)
	}
	if _, err := exec.LookPath("npm"); err != nil {
		missing("no Node here", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json", "mock.mjs"} {
		text, err := os.ReadFile(filepath.Join("testdata", "mock", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
		sum.Write(text)
	}
	dir := filepath.Join(cache, "tocsin", "llm-mock-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil {
		return dir
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		missing("the mock's package cannot be had: "+string(said), err)
	}
	return dir
}

package jsonscan_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// samples yields the third-party log lines of the conformance folder whose path has the given part.
func samples(t *testing.T, part string) map[string]string {
	t.Helper()
	const root = "../../.."
	dir := os.Getenv("TOCSIN_CONFORMANCE")
	if dir == "" {
		dir = "../shared/conformance"
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "intake", "*", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("no conformance samples in %s (set TOCSIN_CONFORMANCE)", dir)
	}
	found := map[string]string{}
	for _, name := range files {
		if !strings.Contains(name, part) {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var c struct{ Input struct{ Message string } }
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found[filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name)] = c.Input.Message
	}
	return found
}

func TestVendorDocumentsAreReadAsTheStrictReaderReadsThem(t *testing.T) {
	read := 0
	for name, msg := range samples(t, "") {
		if msg = strings.TrimSpace(msg); !strings.HasPrefix(msg, "{") {
			continue
		}
		want, strictErr := strictLeaves([]byte(msg))
		v, err := jsonscan.Parse([]byte(msg))
		if (err == nil) != (strictErr == nil) {
			t.Errorf("%s: %v, the strict reader says %v", name, err, strictErr)
		}
		if err != nil {
			t.Logf("%s: refused by both: %v", name, err)
			continue
		}
		var got []leaf
		ourLeaves(v, "$", &got)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(leaf{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		read++
	}
	if read == 0 {
		t.Error("no document was read")
	}
}

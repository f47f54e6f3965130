package cef_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/ingest/format/cef"
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

func TestVendorEventsAreReadWithoutLoss(t *testing.T) {
	read := 0
	for name, msg := range samples(t, "") {
		if !strings.HasPrefix(msg, "CEF:") && !strings.HasPrefix(msg, "LEEF:") {
			continue
		}
		read++
		e, err := cef.Parse([]byte(msg))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Quality&cef.Truncated != 0 || e.Header.Vendor == "" || e.Len() < 3 {
			t.Errorf("%s: quality %b, vendor %q, %d fields", name, e.Quality, e.Header.Vendor, e.Len())
		}
		if e.Quality != 0 {
			t.Logf("%s: quality %b", name, e.Quality)
		}
	}
	if read == 0 {
		t.Error("no event was read")
	}
	for name, msg := range samples(t, "nozomi_cef") {
		e, err := cef.Parse([]byte(msg))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		risk, _ := e.Label("Risk")
		if risk != "9.0" || e.Str("src") != "1.2.3.4" || !strings.Contains(e.Str("msg"), "\n") || e.Header.EventID != "SIGN:MALWARE-DETECTED" {
			t.Errorf("%s: risk %q, src %q, msg %q, id %q", name, risk, e.Str("src"), e.Str("msg"), e.Header.EventID)
		}
	}
}

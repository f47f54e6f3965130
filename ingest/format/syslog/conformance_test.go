package syslog_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
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

func TestBareVendorBodiesStayWhole(t *testing.T) {
	for name, msg := range samples(t, "") {
		m, err := syslog.Parse([]byte(msg), syslog.Context{Received: received})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.HasHeader() {
			t.Logf("%s: host %q, app %q, time %v, body %.60q", name, m.Hostname, m.App, m.Timestamp, m.Body)
			continue
		}
		if string(m.Body) != msg {
			t.Errorf("%s: body %q", name, m.Body)
		}
	}
}

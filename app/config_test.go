package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
)

func TestTheExampleConfigurationIsUnderstood(t *testing.T) {
	cfg, err := app.LoadConfig("../deploy/tocsin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Sources) != 8 || cfg.Sources[3].Token.Env != "TOCSIN_EDR_TOKEN" || len(cfg.Triage.Endpoints) != 1 {
		t.Errorf("read %d sources and %d endpoints", len(cfg.Sources), len(cfg.Triage.Endpoints))
	}
	if want := filepath.Join("..", "deploy", "plant", "zones.csv"); cfg.Enrich.Zones != want {
		t.Errorf("zones are %q, want %q beside the file", cfg.Enrich.Zones, want)
	}
}

func TestConfigurationMistakesNameTheirPlaceAndTheFix(t *testing.T) {
	f := func(text string, says ...string) {
		t.Helper()
		path := filepath.Join(tempDir(t), "t.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := app.LoadConfig(path)
		if err == nil {
			t.Errorf("%q was accepted", text)
			return
		}
		for _, s := range says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q: %v, want it to say %q", text, err, s)
			}
		}
	}
	f("consol: {listen: 127.0.0.1:1}", ":1:1:", "unknown key consol", "did you mean console?")
	f("sources:\n  - {name: a, fromat: okta}", ":2:15:", "unknown key sources[0].fromat", "did you mean format?")
	f("sources: [{name: a, format: otka, file: x}]", "sources[0].format", "did you mean okta?")
	f("sources: [{name: a, format: okta}]", "exactly one of file, stdin, http, topic and topics")
	f("sources: [{name: a, format: okta, file: x}, {name: a, format: okta, file: y}]", `two sources are called "a"`)
	f("console: {listen: 0.0.0.0:8080}", "console.listen", "not on loopback")
	f("tenant: a\ntenant: b", "stands twice")
	f("ingest: {linger: soon}", "soon")
	f("enrich: [x]", ":1:9:", "enrich has keys of its own")
	f("telemetry: {log: {level: loud}}", "telemetry.log.level", "debug, info, warn, error")
	if _, err := app.LoadConfig("/nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("a missing file: %v", err)
	}
}

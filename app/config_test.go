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
	f("clickhouse: {cluster: a b}", "clickhouse.cluster", "letters, digits and underscores")
	f("clickhouse: {protocol: ftp}", "clickhouse.protocol", "write http")
	f("sources: [{name: a/b, format: okta, file: x}]", "sources[0].name", "slash")
	f("sources: [{name: a, format: okta, topic: t}]", "kafka.brokers", "localhost:9092")
	const brokers = "kafka: {brokers: ['localhost:9092']}\n"
	f(brokers+"sources: [{name: a, format: okta, topics: '['}]", "sources[0].topics", "^robot-.*")
	f(brokers+"sources: [{name: a, format: okta, topic: t, start: yesterday}]", "sources[0].start", "earliest, latest or a time")
	f(brokers+"sources: [{name: a, format: okta, topic: t, encoding: avro}]", "sources[0].encoding", "kafka.registry.url")
	f(brokers+"sources: [{name: a, format: okta, topic: t}, {name: b, format: zeek, topic: t}]", "sources[1].topic", `source "a"`)
	f("sources: [{name: a, format: okta, file: x, start: latest}]", "sources[0]", "for sources with a topic")
	f("kafka: {brokers: ['localhost:9092'], dead_letter: t.bad}\nsources: [{name: a, format: okta, topics: '^t.*'}]", "kafka.dead_letter", "for ever")
	f("kafka: {brokers: [localhost]}", "kafka.brokers[0]", "host:port")
	f("kafka: {brokers: ['localhost:9092'], max_batch: 5}", "kafka.max_batch")
	f("kafka: {brokers: ['localhost:9092'], session: 1s}", "kafka.session", "6s")
	f("kafka: {brokers: ['localhost:9092'], sasl: {mechanism: md5, username: u}}", "kafka.sasl")
	f("relay: {partitions: 0}", "relay.partitions", "1 to 1024")
	f("relay: {prefix: 'a b'}", "relay.prefix")
	f("telemetry: {listen: here}", "telemetry.listen", "0.0.0.0:9464")
	f("tenant: a\ntenant: b", "stands twice")
	f("ingest: {linger: soon}", "soon")
	f("enrich: [x]", ":1:9:", "enrich has keys of its own")
	f("telemetry: {log: {level: loud}}", "telemetry.log.level", "debug, info, warn, error")
	if _, err := app.LoadConfig("/nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestRolesSayWhatTheyNeed(t *testing.T) {
	c := app.DefaultConfig()
	c.Sources = []app.SourceConfig{{Name: "a", Format: "okta", File: "x"}}
	if err := c.ValidateRole(app.RoleAll); err != nil {
		t.Errorf("one process needs nothing more: %v", err)
	}
	for _, role := range []app.Role{app.RoleIngest, app.RoleCorrelate, app.RoleTriage} {
		err := c.ValidateRole(role)
		for _, says := range []string{"kafka.brokers", "clickhouse.addr", "engine serve"} {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("role %s: %v, want it to say %s", role, err, says)
			}
		}
		if says := err != nil && strings.Contains(err.Error(), `source "a"`); says != (role == app.RoleIngest) {
			t.Errorf("role %s: %v: only ingest members read sources, and they cannot share a file", role, err)
		}
	}
	if err := c.ValidateRole("boss"); err == nil {
		t.Error("there is no such role")
	}
}

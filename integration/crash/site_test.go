package crash_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
	"github.com/tocsin-siem/tocsin/triage"
)

// site is an installation: a configuration, a store, and the service where it runs.
type site struct {
	t      *testing.T
	b      *broker.Broker
	dir    string
	prefix string // Of topics and group.
	cfg    app.Config
	config string
	ahead  time.Duration
	svc    *service
}

// newSite is one that reads topics of its own prefix; hook is where its incidents are told, "" for nowhere.
func newSite(t *testing.T, b *broker.Broker, prefix, hook string) *site {
	o := &site{t: t, b: b, dir: tempDir(t), prefix: prefix}
	cfg := app.DefaultConfig()
	cfg.Engine.Dir = filepath.Join(o.dir, "engine")
	cfg.Console.Listen = "127.0.0.1:0"
	cfg.Correlate.Checkpoint = time.Second
	cfg.Stitch.Flood.Findings = 0 // What stands alone and what in a digest is up to the order in which findings come.
	cfg.Ingest.Idle = 24 * time.Hour
	cfg.Ingest.Linger = 20 * time.Millisecond
	cfg.Ingest.Batch = 600 // So that batches are matched while the ones before them are written.
	cfg.Kafka.Brokers = []string{b.Addr()}
	cfg.Kafka.Group = prefix
	must(t, app.ScenarioTables(&cfg.Enrich, scenarios.All()[0].Tables, o.dir))
	rules := filepath.Join(o.dir, "rules.yaml")
	must(t, os.WriteFile(rules, []byte(guestRules), 0o600))
	cfg.Rules.Paths = []string{app.Builtin, rules}
	if hook != "" {
		cfg.Triage.Poll = 50 * time.Millisecond
		cfg.Triage.Retry = slices.Repeat([]time.Duration{200 * time.Millisecond}, 50)
		key := filepath.Join(o.dir, "key")
		must(t, os.WriteFile(key, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600))
		cfg.Triage.Endpoints = []triage.EndpointConfig{{Name: "soc", URL: hook, Secret: triage.Secret{File: key}, AllowCIDRs: []string{"127.0.0.0/8"}, AllowPlainHTTP: true, Timeout: time.Minute}}
	}
	o.cfg = cfg
	// Our clock reads the morning after the night, whenever the test runs.
	o.ahead = time.Until(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	return o
}

// source adds a source that reads the topic of its name.
func (o *site) source(name, format string) *app.SourceConfig {
	o.cfg.Sources = append(o.cfg.Sources, app.SourceConfig{Name: name, Format: format, Topic: topic(o.prefix, name), Site: "werk-1", Timezone: "Europe/Berlin"})
	return &o.cfg.Sources[len(o.cfg.Sources)-1]
}

// write writes the configuration as it is now.
func (o *site) write() {
	o.t.Helper()
	text, err := yaml.Marshal(o.cfg)
	must(o.t, err)
	o.config = filepath.Join(o.dir, "tocsin.yaml")
	must(o.t, os.WriteFile(o.config, text, 0o600))
}

func (o *site) start() {
	o.t.Helper()
	o.write()
	o.svc = start(o.t, o.config, o.ahead)
}

// say sends records to a source's topic and waits until they are acknowledged.
func (o *site) say(client *kgo.Client, source string, records ...*kgo.Record) {
	o.t.Helper()
	send(o.t, client, topic(o.prefix, source), records)
	sent(o.t, client)
}

// check is the name of a partition's check on the health page.
func check(source string, partition int) string {
	if partition == 0 {
		return "source " + source
	}
	return fmt.Sprintf("source %s partition %d", source, partition)
}

// readTo is how far the log has a partition, as the health page tells; -1 for not at all.
func (o *site) readTo(source string, partition int) (offset int64) {
	_, rest, found := strings.Cut(o.svc.health(o.t)[check(source, partition)].Detail, "; read to ")
	if _, err := fmt.Sscan(strings.TrimSuffix(rest, "; idle"), &offset); !found || err != nil {
		return -1
	}
	return offset
}

// progress is how many records of all sources the log has.
func (o *site) progress() (n int64) {
	for name, c := range o.svc.health(o.t) {
		if _, rest, found := strings.Cut(c.Detail, "; read to "); found && strings.HasPrefix(name, "source ") {
			var at int64
			_, _ = fmt.Sscan(strings.TrimSuffix(rest, "; idle"), &at)
			n += max(at, 0)
		}
	}
	return n
}

// heard waits until the log has all that the topics of sources have.
func (o *site) heard(sources ...string) {
	o.t.Helper()
	for _, s := range sources {
		for p, want := range ends(o.t, o.b, topic(o.prefix, s)) {
			if want == 0 {
				continue
			}
			eventually(o.t, func() bool {
				select {
				case <-o.svc.done:
					o.t.Fatalf("the service has ended: %v\n%s", o.svc.err, o.svc.log)
				default:
				}
				return o.readTo(s, p) == want
			}, func() string {
				return fmt.Sprintf("partition %d of source %s is read to %d; it is read to %d\n%s", p, s, want, o.readTo(s, p), o.svc.stuck(o.t))
			})
		}
	}
}

func (o *site) sources() (names []string) {
	for i := range o.cfg.Sources {
		names = append(names, o.cfg.Sources[i].Name)
	}
	return names
}

package load_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// patience is how long anything may take that is not measured.
const patience = 6 * time.Minute

// options are what the environment asks for.
type options struct {
	rate, partitions, probes, batch int
	duration, linger, warm          time.Duration
	profiles                        string
}

func optionsFrom(t testing.TB) options {
	t.Helper()
	number := func(name string, otherwise int) int {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			t.Fatalf("%s=%s: give a number, such as %d", name, text, otherwise)
		}
		return n
	}
	span := func(name string, otherwise time.Duration) time.Duration {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			t.Fatalf("%s=%s: give a time, such as %v", name, text, otherwise)
		}
		return d
	}
	usual := app.DefaultConfig().Ingest
	return options{
		rate: number("RATE", 2000), partitions: number("PARTITIONS", 2), probes: number("PROBES", 5), batch: number("BATCH", usual.Batch),
		duration: span("DURATION", 20*time.Second), linger: span("LINGER", usual.Linger),
		warm: span("WARM", 10*time.Second), profiles: os.Getenv("PROFILE"),
	}
}

// TestARecordBecomesAFinding sends records at a steady rate and looks at everything that comes of it. It fails only if something is lost or made
// up: how fast it went is in what it prints.
func TestARecordBecomesAFinding(t *testing.T) {
	o := optionsFrom(t)
	b := broker.StartWith(t, broker.Settings{Heap: "512m", Lasting: true})
	if _, err := engine.Locate(t.Context(), engine.DefaultConfig("unused")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, s := range streams {
		// Half a gigabyte of each partition is kept: minutes that it may be behind, and little enough for any disk.
		b.CreateTopic(s.name, o.partitions, map[string]string{"segment.bytes": "33554432", "retention.bytes": "536870912"})
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &run{t: t, options: o, broker: b}
	r.begin()
	r.feed(ctx)
	r.drain(ctx)
	r.service.stop(t)
	r.report()
	if ctx.Err() != nil {
		t.Skip("interrupted; nothing is held against it")
	}
	r.judge()
}

// run is one test at work.
type run struct {
	t testing.TB
	options
	broker            *broker.Broker
	service, producer *process
	url               string

	mu   sync.Mutex // Guards said.
	said produced

	recorded, streamed latencies
	began              time.Time // When the producer was started.
	watch              *watch
	disk               *disk // Where the store is.
}

// begin starts the service and listens to it.
func (r *run) begin() {
	t := r.t
	t.Helper()
	dir := tempDir(t)
	r.disk = diskOf(dir)
	go r.disk.watch(t.Context())
	cfg := app.DefaultConfig()
	cfg.Engine.Dir = filepath.Join(dir, "engine")
	cfg.Console.Listen = "127.0.0.1:0"
	cfg.Kafka.Brokers = []string{r.broker.Addr()}
	cfg.Ingest.Linger, cfg.Ingest.Batch = r.linger, r.batch
	cfg.Stitch.Flood.Findings = 2000 // More than there are probes: each is to be told.
	for _, s := range streams {
		cfg.Sources = append(cfg.Sources, app.SourceConfig{Name: s.name, Format: s.format, Topic: s.name, Site: "werk-1", Timezone: "UTC"})
	}
	must(t, app.ScenarioTables(&cfg.Enrich, scenarios.All()[0].Tables, dir))
	assets, err := os.OpenFile(cfg.Enrich.Assets, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = assets.WriteString(robotRows())
	must(t, errors.Join(err, assets.Close()))
	rules := filepath.Join(dir, "rules.yaml")
	must(t, os.WriteFile(rules, []byte(probeRule), 0o600))
	cfg.Rules.Paths = []string{app.Builtin, rules}
	text, err := yaml.Marshal(cfg)
	must(t, err)
	config := filepath.Join(dir, "tocsin.yaml")
	must(t, os.WriteFile(config, text, 0o600))

	ready := make(chan string, 1)
	r.service = start(t, func(line string) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "recorded" {
			at, _ := strconv.ParseInt(words[2], 10, 64)
			r.recorded.add(words[1], at)
			return
		}
		ready <- line
	}, serviceArg, config, r.profiles)
	select {
	case r.url = <-ready:
	case <-r.service.done:
		t.Fatalf("the service ended at once: %v", r.service.err)
	case <-time.After(patience):
		t.Fatalf("the service is not ready after %v", patience)
	}
	follow(t.Context(), t, r.url, &r.streamed)
}

// feed has the producer send everything.
func (r *run) feed(ctx context.Context) {
	r.printf("%d records/s for %v into %d topics with %s each, %d probes/s; ingest.linger %v, ingest.batch %d", r.rate, r.duration, len(streams),
		app.Count(r.partitions, "partition"), r.probes, r.linger, r.batch)
	r.began = time.Now()
	r.producer = start(r.t, func(line string) {
		var x produced
		if json.Unmarshal([]byte(line), &x) == nil {
			r.mu.Lock()
			r.said = x
			r.mu.Unlock()
		}
	}, producerArg, r.broker.Addr(), strconv.Itoa(r.rate), r.duration.String(), strconv.Itoa(r.probes))
	r.watch = newWatch(r)
	r.watch.until(ctx, r.producer.done)
	r.producer.stop(r.t)
}

// drain waits until what was produced has been handled, and each probe has been seen.
func (r *run) drain(ctx context.Context) {
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		for end := time.Now().Add(patience); ctx.Err() == nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // Between two questions to another process.
			p := r.progress()
			if m, err := scrape(r.url); err == nil && m.handled() >= p.Records && r.streamed.count() >= int(p.Probes) {
				return
			}
		}
	}()
	r.watch.until(ctx, idle)
	r.watch.end()
}

func (r *run) progress() produced {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

// judge fails the test where something was lost, doubled or refused.
func (r *run) judge() {
	t, p, m := r.t, r.progress(), r.watch.last.metrics
	t.Helper()
	if !p.Done || p.Failed > 0 || p.Records == 0 || p.Probes == 0 {
		t.Errorf("the producer could not do its work: %+v", p)
	}
	if got := m.handled(); got != p.Records {
		t.Errorf("%d of %d records were handled", got, p.Records)
	}
	if n := m.sum("tocsin_ingest_records_total", `outcome="reject"`); n > 0 {
		t.Errorf("%.0f records were rejected", n)
	}
	for name, l := range map[string]*latencies{"recorded": &r.recorded, "streamed": &r.streamed} {
		if got := l.count(); got != int(p.Probes) {
			t.Errorf("incidents of %d probes were %s, %d probes were sent", got, name, p.Probes)
		}
	}
}

func (r *run) printf(format string, args ...any) {
	fmt.Fprintf(r.t.Output(), format+"\n", args...)
}

// tempDir is a folder of the test's own. The engine outlives a service by a moment and may write while the folder is being removed.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tocsin-load-")
	must(t, err)
	t.Cleanup(func() {
		for end := time.Now().Add(patience); os.RemoveAll(dir) != nil && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond)
		}
	})
	return dir
}

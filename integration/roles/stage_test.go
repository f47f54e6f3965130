package roles_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
	"github.com/tocsin-siem/tocsin/triage"
)

const (
	patience       = 5 * time.Minute // A test that needs it all has failed.
	session        = 6 * time.Second // Of the consumer groups: the least there is.
	partitions     = 2               // Of each source's topic.
	hitsPartitions = 4
)

// discard is for what the tests open beside the members.
var discard = slog.New(slog.DiscardHandler)

// stage is a broker and an engine that several runs share.
type stage struct {
	t            *testing.T
	broker       *broker.Broker
	engine       *engine.Process
	engineConfig engine.Config // With an address and a token that stay the same.
	producer     *kgo.Client
	groups       *kafka.Client
	ahead        time.Duration
}

func newStage(t *testing.T) *stage {
	// On a busy machine the broker may take its time without being given up by its own controller, which has to give it up when it was killed.
	s := &stage{t: t, broker: broker.StartWith(t, broker.Settings{Properties: map[string]string{"broker.session.timeout.ms": "6000"}})}
	if _, err := engine.Locate(t.Context(), engine.DefaultConfig("unused")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s.engineConfig = engine.DefaultConfig(filepath.Join(t.TempDir(), "engine"))
	s.engineConfig.Listen, s.engineConfig.Token = broker.FreeAddress(t), rand.Text()
	s.startEngine()
	t.Cleanup(func() { _ = s.engine.Close() })
	var err error
	// Up to 3.9 a request to produce names its topic; later ones carry an id that would have to be asked for.
	s.producer, err = kgo.NewClient(kgo.SeedBrokers(s.broker.Addr()), kgo.MaxVersions(kversion.V3_9_0()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	t.Cleanup(s.producer.Close)
	s.groups = &kafka.Client{Addr: kafka.TCP(s.broker.Addr()), Timeout: time.Minute}
	// Our clock reads the morning after the night, whenever the test runs.
	s.ahead = time.Until(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	return s
}

func (s *stage) startEngine() {
	var err error
	s.engine, err = engine.Start(s.t.Context(), s.engineConfig)
	must(s.t, err)
}

// run is one installation: a database, a consumer group, topics between the roles, and the members that work on them.
type run struct {
	*stage
	t       *testing.T
	name    string
	dir     string
	cfg     app.Config
	config  string
	hook    *receiver
	members []*member
	started map[app.Role]int
	touched string // The incident that an analyst acted on; "": none.
}

// newRun makes an installation. Its name is that of its group and the prefix of its topics.
func (s *stage) newRun(t *testing.T, name string, p *plant) *run {
	t.Helper()
	r := &run{stage: s, t: t, name: name, dir: t.TempDir(), hook: newReceiver(t), started: map[app.Role]int{}}
	cfg := app.DefaultConfig()
	cfg.Kafka.Brokers, cfg.Kafka.Group, cfg.Kafka.Session = []string{s.broker.Addr()}, name, session
	cfg.Relay = app.RelayConfig{Prefix: name, Partitions: hitsPartitions, Replication: 1}
	cfg.ClickHouse.Addr, cfg.ClickHouse.Database, cfg.ClickHouse.Username = []string{s.engine.Addr()}, "run_"+name, engine.User
	cfg.ClickHouse.Password = app.Secret{File: r.file("token", s.engine.Token())}
	cfg.Console.Listen = "127.0.0.1:0"
	cfg.Correlate.Checkpoint = time.Second
	cfg.Correlate.Workers = 1
	cfg.Ingest.Idle = 24 * time.Hour // No source goes idle: then the order of arrival does not matter (N5).
	cfg.Ingest.Linger = 20 * time.Millisecond
	cfg.Telemetry.Metrics.Prometheus = false
	must(t, app.ScenarioTables(&cfg.Enrich, scenarios.All()[0].Tables, r.dir))
	cfg.Enrich.Assets, cfg.Enrich.Identities = r.file("assets.csv", p.assets), r.file("identities.yaml", p.people)
	for _, x := range p.streams {
		cfg.Sources = append(cfg.Sources, app.SourceConfig{Name: x.name, Format: x.format, Topic: name + "." + x.name, Site: "werk-1", Timezone: "Europe/Berlin"})
	}
	cfg.Triage.Poll = 100 * time.Millisecond
	cfg.Triage.Retry = slices.Repeat([]time.Duration{200 * time.Millisecond}, 50)
	key := r.file("key", "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	cfg.Triage.Endpoints = []triage.EndpointConfig{{
		Name: "soc", URL: r.hook.url(), Secret: triage.Secret{File: key}, AllowCIDRs: []string{"127.0.0.0/8"}, AllowPlainHTTP: true, Timeout: time.Minute,
	}}
	r.cfg = cfg
	r.configure()
	_, err := app.ApplyTopics(t.Context(), cfg, app.RoleIngest, discard)
	must(t, err)
	t.Cleanup(func() {
		for _, m := range r.members {
			m.kill()
			if t.Failed() {
				t.Logf("last words of %s:\n%s", m.name, m.log)
			}
		}
	})
	return r
}

// configure writes the configuration that members are started with.
func (r *run) configure() {
	text, err := yaml.Marshal(r.cfg)
	must(r.t, err)
	r.config = r.file("tocsin.yaml", string(text))
}

func (r *run) file(name, text string) string {
	path := filepath.Join(r.dir, name)
	must(r.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// makeTopics creates the topics of the sources.
func (s *stage) makeTopics(prefix string, p *plant, partitions int) {
	for _, x := range p.streams {
		s.broker.CreateTopic(prefix+"."+x.name, partitions, nil)
	}
}

// join starts members of a role; they are ready when it returns.
func (r *run) join(role app.Role, n int) (out []*member) {
	r.t.Helper()
	for range n {
		out = append(out, r.begin(role))
	}
	for _, m := range out {
		m.await()
	}
	return out
}

// begin starts a member and does not wait for it.
func (r *run) begin(role app.Role) *member {
	r.t.Helper()
	r.started[role]++
	m := launch(r.t, fmt.Sprintf("%s-%d", role, r.started[role]), role, r.config, r.ahead)
	r.members = append(r.members, m)
	return m
}

// again starts a member anew under its name and does not wait for it.
func (r *run) again(m *member) *member {
	next := launch(r.t, m.name, m.role, r.config, r.ahead)
	r.members[slices.Index(r.members, m)] = next
	return next
}

// living are the members of a role that run.
func (r *run) living(role app.Role) (out []*member) {
	for _, m := range r.members {
		if m.role == role && !m.ended() {
			out = append(out, m)
		}
	}
	return out
}

// leave ends all members in good order.
func (r *run) leave() {
	r.t.Helper()
	for _, m := range r.members {
		if !m.ended() {
			m.await().leave()
		}
	}
}

// taken is when the broker is told to have taken the first record of each stream, whichever run sends it: formats read that, too.
var taken = time.Now()

// say sends records of a stream: those from one index to another.
func (r *run) say(s *stream, from, to, partitions int) {
	r.t.Helper()
	topic := r.name + "." + s.name
	records := make([]*kgo.Record, 0, to-from)
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Partition: s.partition(i, partitions), Value: s.lines[i], Timestamp: taken.Add(time.Duration(i) * time.Millisecond)})
	}
	if len(records) == 0 {
		return
	}
	must(r.t, r.producer.ProduceSync(r.t.Context(), records...).FirstErr())
}

// teach sends the streams of teachers, one after the other, for they teach each other, too; every ingest member knows what one taught before the
// next.
func (r *run) teach(p *plant) {
	r.t.Helper()
	for _, name := range teachers {
		i := slices.IndexFunc(p.streams, func(s stream) bool { return s.name == name })
		s := &p.streams[i]
		r.say(s, 0, len(s.lines), partitions)
		r.learned([]string{r.name + "." + s.name})
	}
}

// learned waits until the topics of teachers are read, and what they taught has come to every living ingest member.
func (r *run) learned(topics []string) {
	r.t.Helper()
	r.until("the teachers are read", func() string { return r.behind(r.cfg.Kafka.Group, topics) })
	_, next := r.broker.Offsets(r.cfg.Relay.Bindings())
	r.until("all ingest members know the bindings", func() string {
		for _, m := range r.living(app.RoleIngest) {
			if got := m.await().health()["bindings"].Detail; !strings.HasPrefix(got, fmt.Sprintf("read to %d;", next[0])) {
				return fmt.Sprintf("%s says %q, and the topic ends at %d", m.name, got, next[0])
			}
		}
		return ""
	})
}

// behind says what a group has not committed of topics; "" if it has all.
func (r *run) behind(group string, topics []string) string {
	ask := &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{}}
	ends := map[string][]int64{}
	for _, topic := range topics {
		_, ends[topic] = r.broker.Offsets(topic)
		for n := range ends[topic] {
			ask.Topics[topic] = append(ask.Topics[topic], n)
		}
	}
	got, err := r.groups.OffsetFetch(r.t.Context(), ask)
	if err == nil {
		err = got.Error
	}
	if err != nil {
		return err.Error()
	}
	for _, topic := range topics {
		if len(got.Topics[topic]) != len(ends[topic]) {
			return fmt.Sprintf("group %s says nothing of topic %s", group, topic)
		}
		for _, p := range got.Topics[topic] {
			if end := ends[topic][p.Partition]; p.Error != nil || end > 0 && p.CommittedOffset < end {
				return fmt.Sprintf("group %s stands at %d of %d in %s/%d: %v", group, p.CommittedOffset, end, topic, p.Partition, p.Error)
			}
		}
	}
	return ""
}

// sources are the topics of the sources.
func (r *run) sources() (out []string) {
	for _, s := range r.cfg.Sources {
		out = append(out, s.Topic)
	}
	return out
}

// settled waits until all that was produced has gone through all roles and everything owed is delivered.
func (r *run) settled() {
	r.t.Helper()
	r.until("the sources are read", func() string { return r.behind(r.cfg.Kafka.Group, r.sources()) })
	if len(r.living(app.RoleAll)) == 0 {
		r.through()
	}
	r.until("nothing is owed", func() string {
		for _, m := range append(r.living(app.RoleTriage), r.living(app.RoleAll)...) {
			h := m.await().health()
			if m.role == app.RoleTriage && !strings.HasPrefix(h["triage"].Detail, "leading") {
				continue
			}
			if got := h["endpoint soc"].Detail; !strings.HasPrefix(got, "ok, 0 owed") {
				return m.name + ": " + got
			}
			return ""
		}
		return "nobody leads triage"
	})
	r.hook.quiet()
}

// through waits until hits and findings are folded to ends that have stood for five seconds, in which marks that were held back are sent.
func (r *run) through() {
	r.t.Helper()
	var since time.Time
	was := ""
	r.until("hits and findings are folded", func() string {
		late := r.behind(r.cfg.Kafka.Group+".correlate", []string{r.cfg.Relay.Hits()})
		if late == "" {
			late = r.behind(r.cfg.Kafka.Group+".triage", []string{r.cfg.Relay.Findings()})
		}
		_, hits := r.broker.Offsets(r.cfg.Relay.Hits())
		_, findings := r.broker.Offsets(r.cfg.Relay.Findings())
		now := fmt.Sprint(hits, findings)
		if late != "" || now != was {
			was, since = now, time.Now()
			return fmt.Sprintf("%s; ends %s; %s", late, now, r.standing())
		}
		if time.Since(since) < 5*time.Second {
			return "waiting for five quiet seconds"
		}
		return ""
	})
}

// standing is how far correlate and triage members say they are.
func (r *run) standing() string {
	var out []string
	for _, m := range append(r.living(app.RoleCorrelate), r.living(app.RoleTriage)...) {
		if !m.isReady() {
			continue
		}
		for name, c := range m.health() {
			if name == "triage" || strings.HasPrefix(name, "hits") {
				out = append(out, m.name+" "+name+": "+c.Detail)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, " | ")
}

// until asks again and again until nothing is missing.
func (r *run) until(what string, missing func() string) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		m := missing()
		if m == "" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("still not after %v: %s: %s", patience, what, m)
		}
		time.Sleep(100 * time.Millisecond) // Between two questions to other processes; nothing depends on its length.
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sayAll sends all streams but those of teachers.
func (r *run) sayAll(p *plant) {
	r.t.Helper()
	for i := range p.streams {
		if s := &p.streams[i]; !s.teaches() {
			r.say(s, 0, len(s.lines), partitions)
		}
	}
}

package pack_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// tables read the plant's tables as expressions do.
type tables struct{ *enrich.Tables }

func (t tables) InWindow(kind, entity string, at int64) bool { return t.Window(kind, entity, at*1000) }

func (t tables) AssetField(id, field string) event.FieldValue {
	a, ok := t.Asset(id)
	switch {
	case !ok:
	case field == "humans_near" && a.HumansNear == event.True, field == "restricted_area" && a.RestrictedArea == event.True:
		return event.FieldValue{Kind: event.KindBool, Known: true, Num: 1}
	case field == "criticality":
		return event.FieldValue{Kind: event.KindInt, Known: true, Num: int64(a.Criticality)}
	}
	return event.FieldValue{}
}

// run is the live path without store and network.
type run struct {
	t        *testing.T
	tables   tables
	enricher *enrich.Enricher
	engine   *correlate.Engine
	stitcher *incident.Stitcher
	findings []incident.Finding
	events   []event.Event
	now      int64
	batch    event.BatchID
}

func (r *run) Enrich(b *event.Batch) { r.enricher.Enrich(b.Events, b.Sorted) }

func (r *run) Handle(_ context.Context, b *event.Batch) error {
	r.batch.Number++
	for i := range b.Events { // The batch's memory is used again.
		r.events = append(r.events, *b.Events[i].Clone())
	}
	for _, x := range b.Rejects {
		r.t.Errorf("%s: %s: %s: %.200s", x.Format, x.Code, x.Reason, x.Raw)
	}
	for _, m := range b.Marks {
		r.now = max(r.now, m.Newest)
	}
	hits, notes := r.engine.Match(b)
	r.take(r.engine.Fold(hits, b.Marks), notes)
	return nil
}

func (r *run) take(findings []incident.Finding, notes []event.Note) {
	r.findings = append(r.findings, findings...)
	r.stitcher.Apply(findings, notes, r.batch, r.now)
}

func (r *run) clock() int64 { return r.now }

// log is one source's data.
type log struct {
	name, format string
	data         []byte
}

func logsOf(s scenarios.Scenario) []log {
	var out []log
	for i := range s.Sources {
		out = append(out, log{s.Sources[i].Name, s.Sources[i].Format, s.Sources[i].Data()})
	}
	return out
}

// play runs logs through decoding, enrichment, engine and stitching.
func play(t *testing.T, set *rules.Set, plant scenarios.Tables, logs []log) *run {
	t.Helper()
	c := enrich.DefaultConfig()
	c.Assets, c.Identities, c.Zones, c.Schedules = plant.Assets, plant.Identities, plant.Zones, plant.Schedules
	c.Lists = map[string]enrich.List{}
	for name, file := range plant.Lists {
		c.Lists[name] = enrich.List{File: file}
	}
	live, problems := enrich.NewLive(c, scenarios.ReadFile)
	for _, p := range problems {
		t.Fatal(p)
	}
	r := &run{
		t: t, tables: tables{live.Tables()}, enricher: enrich.New(live.Tables, nil, enrich.NewBindings(c.Bindings)),
		engine:   correlate.New(set, correlate.Settings{Lookups: tables{live.Tables()}}),
		stitcher: incident.NewStitcher(incident.DefaultConfig(), live.Tables()),
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var inputs []ingest.Input
	for _, l := range logs {
		f, ok := format.ByName(l.format)
		if !ok {
			t.Fatalf("there is no format %s", l.format)
		}
		inputs = append(inputs, ingest.Input{
			Name: l.name, Format: l.format, Site: "werk-1", Location: zone, IsFile: true,
			Source: ingest.NewStream(t.Context(), l.name, bytes.NewReader(l.data), f, "werk-1", zone, r.clock),
		})
	}
	p, err := ingest.New(ingest.Settings{Config: ingest.DefaultConfig(), Inputs: inputs, Enricher: r, Handler: r, Clock: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Replay(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.take(r.engine.Drain(), nil)
	for _, x := range r.engine.Stats().Rules {
		if x.Errors > 0 {
			t.Errorf("%s: %d times an expression had no result: %s", x.Rule, x.Errors, x.LastError)
		}
	}
	return r
}

func TestEveryScenarioComesToWhatItTells(t *testing.T) {
	set := load(t)
	for _, s := range scenarios.All() {
		t.Run(s.Name, func(t *testing.T) {
			r := play(t, set, s.Tables, logsOf(s))
			found := correlate.Finals(r.findings)
			incidents := r.stitcher.Incidents()
			for _, in := range incidents {
				t.Logf("%s: %s, score %d, owner %s, domains %s, robots %s", in.Title, in.Severity, in.Score, in.Owner, in.Domains, in.Robots)
			}
			for i := range found {
				t.Logf("%s %s %s %v", time.UnixMicro(found[i].Time).UTC().Format("15:04:05"), found[i].Rule.ID, found[i].Severity, found[i].Vars)
			}
			if len(incidents) != s.Expect.Incidents {
				t.Fatalf("%d incidents of %d events, want %d", len(incidents), len(r.events), s.Expect.Incidents)
			}
			if len(r.events) < s.Expect.Records {
				t.Errorf("%d events, want at least %d", len(r.events), s.Expect.Records)
			}
			if len(incidents) == 1 {
				compare(t, s.Expect, incidents[0])
			}
		})
	}
}

func compare(t *testing.T, want scenarios.Expect, in *incident.Incident) {
	t.Helper()
	if in.Severity.String() != want.Severity {
		t.Errorf("severity %s, want %s", in.Severity, want.Severity)
	}
	if d := cmp.Diff(want.Domains, in.Domains); d != "" {
		t.Errorf("domains (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want.Robots, in.Robots); d != "" {
		t.Errorf("robots (-want +got):\n%s", d)
	}
	var fired []string
	for _, f := range in.Findings {
		fired = append(fired, f.Rule.ID)
	}
	for _, id := range want.Rules {
		if !slices.Contains(fired, id) {
			t.Errorf("rule %s did not fire; what fired: %s", id, strings.Join(fired, " "))
		}
	}
}

// rawLogs reads the logs of one folder of testdata/raw; a file is named after its format.
func rawLogs(t *testing.T, folder string) []log {
	t.Helper()
	files, err := filepath.Glob(folder + "/*")
	if err != nil {
		t.Fatal(err)
	}
	var logs []log
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		logs = append(logs, log{name, name, data})
	}
	return logs
}

func firedRules(r *run) []string {
	var out []string
	for _, f := range correlate.Finals(r.findings) {
		out = append(out, f.Rule.ID)
	}
	return out
}

func TestEveryLiveRuleFiresOnRawLogsOfShippedFormats(t *testing.T) {
	set := load(t)
	plant := scenarios.All()[0].Tables
	var fires []string
	for _, s := range scenarios.All() {
		fires = append(fires, firedRules(play(t, set, s.Tables, logsOf(s)))...)
	}
	folders, err := filepath.Glob("testdata/raw/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		id := filepath.Base(folder)
		fired := firedRules(play(t, set, plant, rawLogs(t, folder)))
		if !slices.Contains(fired, id) {
			t.Errorf("%s did not fire; what fired: %s", id, strings.Join(fired, " "))
		}
		fires = append(fires, id)
	}
	for _, r := range set.Rules {
		if r.Status == rules.Live && !slices.Contains(fires, r.ID) {
			t.Errorf("no raw log fires %s: add one to testdata/raw/%s", r.ID, r.ID)
		}
	}
}

// TestTheBackgroundIsSilentBecauseThePlantIsKnown takes away what makes the background harmless and wants the rules to speak then: a
// background that no rule looks at would prove nothing.
func TestTheBackgroundIsSilentBecauseThePlantIsKnown(t *testing.T) {
	set, main := load(t), scenarios.All()[0]
	background := logsOf(main)
	for i := range background {
		background[i].data = withoutTold(t, background[i].data)
	}
	if fired := firedRules(play(t, set, main.Tables, background)); len(fired) > 0 {
		t.Errorf("the background alone fires %s", strings.Join(fired, " "))
	}

	unlisted := main.Tables
	unlisted.Lists = nil
	wantFired(t, firedRules(play(t, set, unlisted, background)), "rb-0011", "rb-0015", "rb-0033", "rb-0040", "rb-0044")

	ticketless := slices.DeleteFunc(slices.Clone(background), func(l log) bool { return l.format == "change_ticket" })
	wantFired(t, firedRules(play(t, set, main.Tables, ticketless)), "rb-0051", "rb-0065")
}

func TestTheRollOutIsSilentBecauseItIsApproved(t *testing.T) {
	set := load(t)
	i := slices.IndexFunc(scenarios.All(), func(s scenarios.Scenario) bool { return s.Name == "maintenance" })
	s := scenarios.All()[i]
	s.Tables.Schedules = ""
	if fired := firedRules(play(t, set, s.Tables, logsOf(s))); len(fired) > 0 {
		t.Errorf("with tickets and without windows %s fires", strings.Join(fired, " "))
	}
	s.Sources = slices.DeleteFunc(s.Sources, func(x scenarios.Source) bool { return x.Format == "change_ticket" })
	wantFired(t, firedRules(play(t, set, s.Tables, logsOf(s))), "rb-0065")
}

func wantFired(t *testing.T, fired []string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if !slices.Contains(fired, id) {
			t.Errorf("%s does not fire; what fires: %s", id, strings.Join(slices.Compact(slices.Sorted(slices.Values(fired))), " "))
		}
	}
}

// told are the marks of what the main scenario tells by hand.
var told = []string{"marc.dupont", "mdupont", "10.20.31.44", "00:00:5e:00:53:85", "192.0.2.188", "20235500103"}

func withoutTold(t *testing.T, data []byte) []byte {
	t.Helper()
	var out []byte
	for line := range bytes.Lines(data) {
		if !slices.ContainsFunc(told, func(mark string) bool { return bytes.Contains(bytes.ToLower(line), []byte(mark)) }) {
			out = append(out, line...)
		}
	}
	return out
}

// TestAScenarioDoesNotDependOnTheOrderOfArrival is law N5 over all rules at once: the enriched events of the main scenario in disorder, cut
// into batches of any size.
func TestAScenarioDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	set, main := load(t), scenarios.All()[0]
	r := play(t, set, main.Tables, logsOf(main))
	least := int64(1) << 62
	for _, x := range set.Rules {
		least = min(least, x.Plan.Lateness)
	}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // Any seed will do; it is printed.
	dice := rand.New(rand.NewPCG(seed, 7))
	want := finals(r.findings)
	for range 3 {
		got := fold(set, r.tables, disorder(dice, r.events, least), func(left int) int { return 1 + dice.IntN(min(left, 900)) })
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("seed %d (-replay +disorder):\n%s", seed, d)
		}
	}
}

package app_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// storedNight lets the service read the main scenario to its end, part of it long after its time, in two runs, and gives its configuration.
func storedNight(t *testing.T) app.Config {
	t.Helper()
	dir := tempDir(t)
	sc := scenarios.All()[0]
	cfg := app.DefaultConfig()
	cfg.Engine.Dir = filepath.Join(dir, "engine")
	cfg.Console.Listen = "127.0.0.1:0"
	cfg.Ingest.Batch = 1000
	must(t, app.ScenarioTables(&cfg.Enrich, sc.Tables, dir))
	files := night(rand.New(rand.NewPCG(1, 1)))
	for i, f := range files {
		path := filepath.Join(dir, f.name+".log")
		lines := bytes.SplitAfter(f.data, []byte("\n"))
		if i%2 == 1 { // The end comes first: what follows is late once all sources have come so far.
			lines = slices.Concat(lines[len(lines)*3/4:], lines[:len(lines)*3/4])
		}
		must(t, os.WriteFile(path, bytes.Join(lines, nil), 0o600))
		cfg.Sources = append(cfg.Sources, app.SourceConfig{Name: f.name, Format: f.format, File: path, Site: "werk-1", Timezone: "Europe/Berlin", Follow: new(false)})
	}
	ahead := time.Until(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	set := app.ServiceSettings{Stdin: strings.NewReader(""), Log: &syncBuffer{}, Clock: func() time.Time { return time.Now().Add(ahead) }}
	all := cfg.Sources
	for _, n := range []int{len(all) - 2, len(all)} {
		cfg.Sources = all[:n]
		must(t, app.Run(t.Context(), cfg, set, nil))
	}
	return cfg
}

// lastOf keeps the last revision of findings.
type lastOf map[event.ID]incident.Finding

func (l lastOf) take(f incident.Finding) { l[f.ID] = f }

// lines are findings as OCSF by id, for comparison byte by byte.
func (l lastOf) lines() map[string]string {
	out := map[string]string{}
	for id, f := range l {
		out[id.String()] = string(incident.AppendFinding(nil, &f))
	}
	return out
}

func TestABacktestOverTheStoreFindsExactlyWhatTheServiceFound(t *testing.T) {
	needEngine(t)
	cfg := storedNight(t)
	stored := lastOf{}
	var firstID, eventID event.ID
	db, err := app.OpenDatabase(t.Context(), cfg, discard, nil, nil)
	must(t, err)
	for f, err := range db.Findings(t.Context(), store.FindingFilter{}) {
		must(t, err)
		stored.take(*f)
		if len(f.Evidence) > 1 && f.State == incident.Final {
			firstID, eventID = f.ID, f.Evidence[0].Event.Event
		}
	}
	must(t, db.Close())

	core, err := app.NewCore(cfg)
	must(t, err)
	found := lastOf{}
	report, err := core.Backtest(t.Context(), cfg, app.BacktestSettings{Announce: found.take, Deployed: core.Rules})
	must(t, err)
	differences(t, "finding", stored.lines(), found.lines())
	late, findings := int64(0), 0
	for _, r := range report.Rules {
		late += r.Late
		findings += r.Findings
	}
	if late == 0 || findings < 5 || report.Events < 1000 {
		t.Errorf("the test is void: %d late, %d findings, %d events", late, findings, report.Events)
	}
	for _, d := range report.Diff {
		if d.In != "both" || d.New.ID != d.Old.ID {
			t.Errorf("the same rules differ in %+v", d.Finding())
		}
	}
	t.Run("a part of the time", func(t *testing.T) { backtestOfAPart(t, cfg, stored, report) })
	t.Run("explain", func(t *testing.T) { explainStored(t, cfg, firstID, eventID) })
	t.Run("a store of roles, which has no log", func(t *testing.T) { backtestOfRows(t, cfg) })
	t.Run("stopped", func(t *testing.T) {
		core, err := app.NewCore(cfg)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		set := app.BacktestSettings{Past: app.PastSettings{Far: func(int, int) { cancel() }}}
		if _, err := core.Backtest(ctx, cfg, set); !errors.Is(err, context.Canceled) {
			t.Errorf("a backtest that was stopped ended with %v", err)
		}
	})
}

// backtestOfAPart begins in the middle: the windows are filled from before, and findings of other times are left out.
func backtestOfAPart(t *testing.T, cfg app.Config, stored lastOf, whole *app.BacktestReport) {
	middle := whole.First + (whole.Newest-whole.First)/2
	core, err := app.NewCore(cfg)
	must(t, err)
	found := lastOf{}
	report, err := core.Backtest(t.Context(), cfg, app.BacktestSettings{From: middle, Announce: found.take})
	must(t, err)
	want := lastOf{}
	for id, f := range stored {
		if f.Time >= middle {
			want[id] = f
		}
	}
	ids := func(l lastOf) (out []string) {
		for id, f := range l {
			if f.State != incident.Withdrawn {
				out = append(out, f.Rule.ID+" "+id.String())
			}
		}
		slices.Sort(out)
		return out
	}
	if d := cmp.Diff(ids(want), ids(found)); d != "" || len(found) == 0 {
		t.Error(d)
	}
	for _, r := range report.Rules {
		if short := r.Rule.Plan.Reach()-r.Rule.Plan.Lateness > middle-whole.First; short != (r.Had < r.Want) {
			t.Errorf("%s: history %d of %d", r.Rule.ID, r.Had, r.Want)
		}
	}
}

// backtestOfRows reads rows that ingest members wrote: in order of time, where nothing is late.
func backtestOfRows(t *testing.T, cfg app.Config) {
	var all event.Batch
	db, err := app.OpenDatabase(t.Context(), cfg, discard, nil, nil)
	must(t, err)
	for e, err := range db.Events(t.Context(), store.EventFilter{}) { // Newest first.
		must(t, err)
		all.Events = append(all.Events, *e)
	}
	must(t, db.Close())
	cfg.ClickHouse.Database = "roles"
	db, err = app.OpenDatabase(t.Context(), cfg, discard, nil, nil)
	must(t, err)
	for i, part := range slices.Collect(slices.Chunk(all.Events, 2000)) {
		must(t, db.AppendRows(t.Context(), &event.Batch{ID: event.BatchID{Epoch: store.RoleEpoch, Number: uint64(i + 1)}, Events: part}))
	}
	must(t, db.Close())

	core, err := app.NewCore(cfg)
	must(t, err)
	found := lastOf{}
	report, err := core.Backtest(t.Context(), cfg, app.BacktestSettings{Announce: found.take, Drain: true})
	must(t, err)
	all.Sort()
	core.Engine.Fold(core.Engine.Hits(&all), nil)
	var want, got []string
	for _, f := range correlate.Finals(core.Engine.Drain()) {
		want = append(want, f.Rule.ID+" "+f.ID.String())
	}
	for _, f := range found {
		if f.State != incident.Withdrawn {
			got = append(got, f.Rule.ID+" "+f.ID.String())
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" || len(want) == 0 || report.Events < 1000 {
		t.Errorf("%d of %d events: %s", report.Events, len(all.Events), d)
	}
	for _, r := range report.Rules {
		if r.Late > 0 {
			t.Errorf("%s: %d late", r.Rule.ID, r.Late)
		}
	}
}

func explainStored(t *testing.T, cfg app.Config, finding, id event.ID) {
	core, err := app.NewCore(cfg)
	must(t, err)
	x, err := core.ExplainFinding(t.Context(), cfg, app.ExplainSettings{}, finding)
	must(t, err)
	if x.Foreign != "" || len(x.Findings) != 1 || len(x.Evidence) < 2 {
		t.Errorf("finding: %q %d findings, %d evidence", x.Foreign, len(x.Findings), len(x.Evidence))
	}
	e, err := core.ExplainEvent(t.Context(), cfg, app.ExplainSettings{}, id)
	must(t, err)
	if !slices.ContainsFunc(e.Hit, func(h correlate.Explanation) bool {
		return slices.ContainsFunc(h.Findings, func(f incident.Finding) bool { return f.ID == finding })
	}) {
		t.Errorf("the event's explanation does not name the finding it is evidence of")
	}
	near, err := core.Near(t.Context(), cfg, app.NearSettings{Last: 24 * 3600 * 1_000_000})
	must(t, err)
	if len(near) == 0 {
		t.Error("nothing came near in a whole night")
	}
}

package app_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// meters are the metrics of rules behind the page that Prometheus reads.
func meters(t *testing.T) (app.RuleMetrics, *httptest.Server) {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Telemetry.Metrics.Prometheus, cfg.Telemetry.Metrics.OTLP = true, ""
	tel, err := app.NewTelemetry(t.Context(), cfg.Telemetry, io.Discard)
	must(t, err)
	t.Cleanup(func() { _ = tel.Close(t.Context()) })
	x, err := app.NewRuleMetrics(tel.Meter)
	must(t, err)
	events, err := tel.Meter.Int64Counter("tocsin.correlate.events")
	must(t, err)
	events.Add(t.Context(), 2000)
	server := httptest.NewServer(tel.Metrics)
	t.Cleanup(server.Close)
	return x, server
}

// worked are the counters of two rules that did something, and of one that was never tried.
func worked() []correlate.RuleStats {
	return []correlate.RuleStats{
		{
			Rule: "busy", Version: 2, Tried: 9000, Hits: 40, Findings: 3, Withdrawn: 1, Errors: 2, Bytes: 2048, Degraded: true, Late: 5, Evicted: 6, Keys: 7,
			MatchTime: 3_000_000, FoldTime: 1_000_000, Excepted: []correlate.ExceptionCount{{ID: "known", Count: 4}, {ID: "unused"}},
		},
		{Rule: "calm", Version: 1, Tried: 10, Hits: 1, MatchTime: 2000},
		{Rule: "idle", Version: 1},
	}
}

func scraped(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	must(t, err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	must(t, err)
	return string(b)
}

func TestTheMetricsOfARuleSayWhatItDidAndTook(t *testing.T) {
	x, server := meters(t)
	now := time.Unix(1_800_000_000, 0)
	if !x.Tell(now, 2000, 4, worked()) {
		t.Fatal("the first time nothing was told")
	}
	x.Flood([]incident.Flooded{{Rule: "busy", From: 1, Folded: 12}})
	page := scraped(t, server.URL)
	for _, want := range []string{
		`tocsin_rule_tries{rule="busy"} 9000`, `tocsin_rule_hits{rule="busy"} 40`, `tocsin_rule_findings{rule="busy"} 3`, `tocsin_rule_withdrawn{rule="busy"} 1`,
		`tocsin_rule_errors{rule="busy"} 2`, `tocsin_rule_memory_bytes{rule="busy"} 2048`, `tocsin_rule_degraded_ratio{rule="busy"} 1`, `tocsin_rule_degraded_ratio{rule="calm"} 0`,
		`tocsin_correlate_late{rule="busy"} 5`, `tocsin_correlate_evictions{rule="busy"} 6`, `tocsin_correlate_keys{rule="busy"} 7`,
		`tocsin_rule_match_time_seconds{rule="busy"} 0.003`, `tocsin_rule_fold_time_seconds{rule="busy"} 0.001`,
		`tocsin_rule_excepted{exception="known",rule="busy"} 4`, `tocsin_rule_flooded_ratio{rule="busy"} 1`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("the page has no line %s", want)
		}
	}
	for _, never := range []string{`rule="idle"`, `exception="unused"`, `tocsin_rule_flooded_ratio{rule="calm"}`} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %s", never)
		}
	}
}

func TestTheMetricsOfRulesAreToldEveryFewSeconds(t *testing.T) {
	x, server := meters(t)
	now := time.Unix(1_800_000_000, 0)
	list := worked()
	x.Tell(now, 1, 4, list)
	list[0].Hits = 41
	if x.Tell(now.Add(time.Second), 1, 4, list) {
		t.Error("told again after a second")
	}
	if page := scraped(t, server.URL); !strings.Contains(page, `tocsin_rule_hits{rule="busy"} 40`) {
		t.Error("the number of hits is not the one that was told")
	}
	if !x.Tell(now.Add(5*time.Second), 1, 4, list) {
		t.Error("not told again after five seconds")
	}
	if page := scraped(t, server.URL); !strings.Contains(page, `tocsin_rule_hits{rule="busy"} 41`) {
		t.Error("the number of hits is not the latest")
	}
}

func TestHealthNamesRulesAboveTheBudgetAndThoseInDigestModeUntilTheyCalmDown(t *testing.T) {
	x, server := meters(t)
	now := time.Unix(1_800_000_000, 0)
	x.Tell(now, 500, 4, worked())
	if got := x.Check(4); got != nil {
		t.Errorf("after few events: %v", got)
	}
	x.Tell(now.Add(time.Minute), 1500, 4, worked())
	got := x.Check(4)
	if len(got) != 1 || got[0].Name != "rule cost" || !got[0].Good || !strings.Contains(got[0].Detail, "busy (4.5)") || strings.Contains(got[0].Detail, "calm") {
		t.Errorf("health says %v, want rule busy at 4.5 tries an event", got)
	}
	x.Flood([]incident.Flooded{{Rule: "busy", From: 1_800_000_000_000_000, Folded: 12}})
	got = x.Check(4)
	if len(got) != 2 || got[1].Name != "rule floods" || !strings.Contains(got[1].Detail, "busy (12 findings since 2027-01-15 08:00:00 UTC)") {
		t.Errorf("health says %v, want the flood of rule busy", got)
	}
	x.Flood(nil)
	if got = x.Check(4); len(got) != 1 {
		t.Errorf("after the flood health says %v", got)
	}
	if page := scraped(t, server.URL); !strings.Contains(page, `tocsin_rule_flooded_ratio{rule="busy"} 0`) {
		t.Error("after the flood the metric does not go back to 0")
	}
}

func TestTheCountersOfPartitionsAddUp(t *testing.T) {
	list := worked()
	two := worked()
	two[0].Degraded = false
	want := worked()
	for i := range want {
		w := &want[i]
		w.Tried, w.Hits, w.Findings, w.Withdrawn, w.Errors, w.Bytes = 2*w.Tried, 2*w.Hits, 2*w.Findings, 2*w.Withdrawn, 2*w.Errors, 2*w.Bytes
		w.Late, w.Evicted, w.Keys, w.MatchTime, w.FoldTime = 2*w.Late, 2*w.Evicted, 2*w.Keys, 2*w.MatchTime, 2*w.FoldTime
		for j := range w.Excepted {
			w.Excepted[j].Count *= 2
		}
	}
	if diff := cmp.Diff(want, app.SumStats([]correlate.Stats{{Rules: list}, {Rules: two}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(worked(), list); diff != "" {
		t.Errorf("adding up changed a partition's own (-want +got):\n%s", diff)
	}
}

func loaded(t *testing.T, text string) *rules.Set {
	t.Helper()
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, ".")
	if set == nil {
		t.Fatalf("rules do not load: %v", problems)
	}
	return set
}

const threeRules = `id: busy
version: 2
title: A busy rule
status: shadow
match: {event: {id: a, class: api_activity, bind: {robot: robot}}}
---
id: calm
version: 1
title: A calm rule
status: shadow
match: {event: {id: a, class: api_activity, bind: {robot: robot}}}
---
id: idle
version: 1
title: An idle rule
status: "off"
match: {event: {id: a, class: api_activity, bind: {robot: robot}}}
`

func TestTheCostOfRulesIsWhatTheMetricsSayTheCostliestFirst(t *testing.T) {
	x, server := meters(t)
	x.Tell(time.Unix(1_800_000_000, 0), 2000, 4, append(worked(), correlate.RuleStats{Rule: "gone", Version: 1, Tried: 3, Hits: 1}))
	x.Flood([]incident.Flooded{{Rule: "busy", Folded: 12}})
	set := loaded(t, threeRules)
	var costs app.RuleCosts
	must(t, costs.Ask(t.Context(), http.DefaultClient, server.URL))
	list := costs.List(set)
	want := []app.RuleCost{
		{
			Rule: "busy", Version: 2, Title: "A busy rule", Status: "shadow", Hits: 40, Findings: 3, Withdrawn: 1, Errors: 2, Tries: 9000,
			Match: 0.003, Fold: 0.001, PerEvent: 2000, Memory: 2048, Flooded: true, Degraded: true,
		},
		{Rule: "calm", Version: 1, Title: "A calm rule", Status: "shadow", Hits: 1, Tries: 10, Match: 0.000002, PerEvent: 1},
		{Rule: "gone", Hits: 1, Tries: 3},
		{Rule: "idle", Version: 1, Title: "An idle rule", Status: "off"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("costs (-want +got):\n%s", diff)
	}
	var text bytes.Buffer
	must(t, app.WriteRuleCosts(&text, list))
	wantText := `ID    HITS  FINDINGS  TRIES  MATCH  FOLD  NS/EVENT  MEMORY   NOTE
busy  40    3         9000   3ms    1ms   2000.0    2.0 KiB  flooded, degraded, 2 errors
calm  1     0         10     2µs    0s    1.0       0 B      
gone  1     0         3      0s     0s    -         0 B      not in these files
idle  0     0         0      0s     0s    -         0 B      
`
	if diff := cmp.Diff(wantText, text.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	text.Reset()
	must(t, app.WriteRuleCostsJSON(&text, list[1:2]))
	if want := `{"rule":"calm","version":1,"title":"A calm rule","status":"shadow","hits":1,"findings":0,"withdrawn":0,"errors":0,"tries":10,"match_seconds":0.000002,"fold_seconds":0,"ns_per_event":1,"memory_bytes":0,"flooded":false,"degraded":false}` + "\n"; text.String() != want {
		t.Errorf("JSON is %s, want %s", text.String(), want)
	}
	must(t, costs.Ask(t.Context(), http.DefaultClient, server.URL)) // A second member that did the same.
	if list = costs.List(set); list[0].Hits != 80 || list[0].PerEvent != 2000 || costs.Events != 4000 {
		t.Errorf("two members have %d hits of the rule at %v ns an event of %d, want 80 at 2000 of 4000", list[0].Hits, list[0].PerEvent, costs.Events)
	}
}

func TestWhatIsNoTocsinIsNotTakenForOneWithIdleRules(t *testing.T) {
	for name, body := range map[string]string{"another program": "go_goroutines 3\n", "no metrics": "<html>\n", "nothing": ""} {
		var costs app.RuleCosts
		if err := costs.Read(strings.NewReader(body)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	var costs app.RuleCosts
	if err := costs.Ask(t.Context(), http.DefaultClient, gone.URL); err == nil || !strings.Contains(err.Error(), "telemetry.metrics.prometheus") {
		t.Errorf("an address without metrics gives %v", err)
	}
}

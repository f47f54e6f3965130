package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// demo plays scenarios as `tocsin demo --once --json` does.
func demo(t *testing.T, list []scenarios.Scenario) []byte {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Console.Listen = "127.0.0.1:0"
	var out, talk bytes.Buffer
	if err := app.Demo(t.Context(), cfg, app.DemoSettings{Scenarios: list, Once: true, JSON: true, Out: &out, Talk: &talk}); err != nil {
		t.Fatalf("the demo failed: %v\n%s", err, &talk)
	}
	return out.Bytes()
}

// shown is what a test looks at in an incident's JSON.
type shown struct {
	Severity string `json:"severity"`
	Findings []struct {
		UID       string `json:"uid"`
		Analytics struct {
			UID string `json:"uid"`
		} `json:"analytic"`
	} `json:"finding_info_list"`
	Unmapped struct {
		Tocsin struct {
			Domains []string `json:"domains"`
			Robots  []string `json:"robots"`
		} `json:"tocsin"`
	} `json:"unmapped"`
}

// shownIn reads the incidents among lines of findings and incidents.
func shownIn(t *testing.T, lines []byte) (out []shown) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var kind struct {
			Class int `json:"class_uid"`
		}
		var x shown
		if err := json.Unmarshal(line, &kind); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if kind.Class != 2005 {
			continue
		}
		must(t, json.Unmarshal(line, &x))
		out = append(out, x)
	}
	return out
}

// groups are incidents as sets of findings.
func groups(list []shown) (out []string) {
	for _, x := range list {
		var ids []string
		for _, f := range x.Findings {
			ids = append(ids, f.UID)
		}
		slices.Sort(ids)
		out = append(out, strings.Join(ids, " "))
	}
	slices.Sort(out)
	return out
}

// replayed plays a scenario without a store.
func replayed(t *testing.T, sc scenarios.Scenario) []byte {
	t.Helper()
	cfg := app.DefaultConfig()
	dir := tempDir(t)
	must(t, app.ScenarioTables(&cfg.Enrich, sc.Tables, dir))
	core, err := app.NewCore(cfg)
	must(t, err)
	inputs, err := app.ScenarioInputs(sc, dir)
	must(t, err)
	result, err := core.Replay(t.Context(), app.ReplaySettings{Inputs: inputs, Drain: true})
	must(t, err)
	var out bytes.Buffer
	must(t, app.WriteResult(&out, result, true))
	return out.Bytes()
}

func TestEveryScenarioComesToWhatItPromisesAndReplayAgreesWithTheDemo(t *testing.T) {
	needEngine(t)
	for _, sc := range scenarios.All() {
		t.Run(sc.Name, func(t *testing.T) {
			played := demo(t, []scenarios.Scenario{sc})
			list := shownIn(t, played)
			if len(list) != sc.Expect.Incidents {
				t.Fatalf("%d incidents, want %d:\n%s", len(list), sc.Expect.Incidents, played)
			}
			for _, x := range list {
				if got := strings.ToLower(x.Severity); got != sc.Expect.Severity {
					t.Errorf("severity %s, want %s", got, sc.Expect.Severity)
				}
				contains(t, "domain", x.Unmapped.Tocsin.Domains, sc.Expect.Domains)
				contains(t, "robot", x.Unmapped.Tocsin.Robots, sc.Expect.Robots)
				var rules []string
				for _, f := range x.Findings {
					rules = append(rules, f.Analytics.UID)
				}
				if len(rules) > 0 {
					contains(t, "rule", rules, sc.Expect.Rules)
				}
			}
			once, again := replayed(t, sc), replayed(t, sc)
			if !bytes.Equal(once, again) {
				t.Errorf("the same input gave other bytes:\n%s", cmp.Diff(string(once), string(again)))
			}
			if diff := cmp.Diff(groups(shownIn(t, once)), groups(list)); diff != "" {
				t.Errorf("incidents as sets of findings (-replay +demo):\n%s", diff)
			}
		})
	}
}

func contains(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s %s is missing among %v", what, w, got)
		}
	}
}

func TestAllScenariosPlayTogether(t *testing.T) {
	needEngine(t)
	want := 0
	for _, sc := range scenarios.All() {
		want += sc.Expect.Incidents
	}
	if list := shownIn(t, demo(t, scenarios.All())); len(list) < want {
		t.Errorf("%d incidents, want at least the %d of the scenarios alone", len(list), want)
	}
}

// In the demo's console an analyst can act, although all logs have been read.
func TestTheDemoStaysOpenForAnalysts(t *testing.T) {
	needEngine(t)
	cfg := app.DefaultConfig()
	cfg.Console.Listen = "127.0.0.1:0"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	talk := &syncBuffer{}
	ended := make(chan error, 1)
	go func() {
		sc := slices.IndexFunc(scenarios.All(), func(s scenarios.Scenario) bool { return s.Name == "malfunction" })
		ended <- app.Demo(ctx, cfg, app.DemoSettings{Scenarios: scenarios.All()[sc : sc+1], Out: io.Discard, Talk: talk})
	}()
	eventually(t, func() bool { return strings.Contains(talk.String(), "The console shows it at ") }, func() string { return "the demo has been played:\n" + talk.String() })
	_, rest, _ := strings.Cut(talk.String(), "The console shows it at ")
	o := &outlet{t: t, svc: &service{url: strings.TrimSuffix(strings.Fields(rest)[0], "/"), log: talk}}
	var id string
	var revision int
	_, body, err := get(t, o.svc.url+"/api/v1/incidents?as=ocsf&limit=1000")
	must(t, err)
	var doc struct {
		Unmapped struct {
			Tocsin struct {
				ID       string
				Revision int
			}
		}
	}
	must(t, json.Unmarshal([]byte(body), &doc))
	id, revision = doc.Unmapped.Tocsin.ID, doc.Unmapped.Tocsin.Revision
	if status, page := o.act(id, revision, url.Values{"action": {"acknowledge"}}); status != http.StatusSeeOther {
		t.Errorf("acknowledging got %d\n%s", status, page)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the demo ended with %v", err)
	}
}

// What a crash takes from enrichment's memory comes again from the log, byte for byte.
func TestBindingsLearnedAgainFromTheLogAreTheSame(t *testing.T) {
	sc := scenarios.All()[0]
	cfg := app.DefaultConfig()
	dir := tempDir(t)
	must(t, app.ScenarioTables(&cfg.Enrich, sc.Tables, dir))
	first, err := app.NewCore(cfg)
	must(t, err)
	second, err := app.NewCore(cfg)
	must(t, err)
	inputs, err := app.ScenarioInputs(sc, dir)
	must(t, err)
	h := &relearner{t: t, to: second}
	var list []ingest.Input
	for _, in := range inputs {
		source, err := in.Open(func() int64 { return 0 })
		must(t, err)
		list = append(list, ingest.Input{Name: in.Name, Format: in.Format, Site: in.Site, Location: in.Location, Source: source, IsFile: true})
	}
	small := ingest.DefaultConfig()
	small.Batch = 100
	p, err := ingest.New(ingest.Settings{Config: small, Inputs: list, Enricher: first.Enricher, Handler: h, Clock: func() int64 { return 0 }})
	must(t, err)
	must(t, p.Replay(t.Context()))
	must(t, second.Relearn(&h.before))
	if h.learned == 0 {
		t.Fatal("the test is void: nothing was learned")
	}
	if !bytes.Equal(first.BindingState(), second.BindingState()) {
		t.Error("the bindings differ from those of the undisturbed run")
	}
}

// relearner reads what a batch taught when the next one has been enriched, as a log that takes its time does.
type relearner struct {
	t       *testing.T
	to      *app.Core
	learned int
	before  event.Batch
}

// Handle implements ingest.Handler.
func (r *relearner) Handle(_ context.Context, b *event.Batch) error {
	r.learned += len(b.Learned)
	defer func() { r.before.Learned = b.Learned }()
	return r.to.Relearn(&r.before)
}

func TestABrokenConfigurationSaysWhereAndWhat(t *testing.T) {
	dir := tempDir(t)
	for text, want := range map[string]string{
		"tenent: x\n":          "tocsin.yaml:1:1: unknown key tenent (did you mean tenant?)",
		"ingest:\n  bach: 5\n": "tocsin.yaml:2:3: unknown key ingest.bach (did you mean batch?)",
		"sources:\n  - name: a\n    format: oktaa\n    file: x\n": `sources[0].format: there is no format "oktaa"; did you mean okta?`,
		"console: {listen: 0.0.0.0:8080}\n":                       "console.listen: \"0.0.0.0:8080\" is not on loopback",
		"tenant: a\ntenant: b\n":                                  "tenant",
	} {
		path := filepath.Join(dir, "tocsin.yaml")
		must(t, writeFile(path, text))
		_, err := app.LoadConfig(path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
	if _, err := app.LoadConfig(filepath.Join(dir, "none.yaml")); err == nil || !strings.Contains(fmt.Sprint(err), "name another file with --config") {
		t.Errorf("a missing file gives %v", err)
	}
}

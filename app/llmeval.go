package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

// EvalSettings is what `tocsin llm eval` asks for.
type EvalSettings struct {
	Scenarios []scenarios.Scenario
	Store     bool     // The latest incidents of the configured store, too.
	Limit     int      // How many of those.
	Models    []string // Asked one after the other; none: the configured one.
	Runs      int      // Questions about each incident.
	Again     int      // How often a question is asked again where the server gave no answer: it may be starting.
	Talk      io.Writer
	Progress  func(engine.Progress)
}

// EvalCase is one question of an evaluation.
type EvalCase struct {
	Incident  string         `json:"incident"`
	From      string         `json:"from"` // Scenario, or store.
	Of        string         `json:"model"`
	Run       int            `json:"run"`
	Failure   string         `json:"failure,omitempty"` // Why nothing was shown.
	Detail    string         `json:"detail,omitempty"`
	Model     string         `json:"assessment,omitempty"` // The model's, if it was shown.
	Rules     string         `json:"rules_assessment"`
	Claims    int            `json:"claims"`
	Shown     int            `json:"shown"`
	Proven    int            `json:"proven"` // Claims that the verifier let through, shown or not.
	Dropped   map[string]int `json:"dropped,omitempty"`
	Input     int            `json:"input_tokens"`
	Output    int            `json:"output_tokens"`
	Tries     int            `json:"tries"`
	Again     int            `json:"asked_again,omitempty"` // For want of a server.
	Mode      string         `json:"mode"`
	Seconds   float64        `json:"seconds"`
	Omissions int            `json:"events_left_out"`
}

// EvalReport sums up an evaluation.
type EvalReport struct {
	Model     string         `json:"model"`
	Questions int            `json:"questions"`
	Fallbacks int            `json:"fallbacks"`
	Failures  map[string]int `json:"failures"`
	Claims    int            `json:"claims"`
	Shown     int            `json:"shown"`
	Proven    int            `json:"proven"`
	Dropped   map[string]int `json:"dropped"`
	Agree     int            `json:"agree_with_rules"` // Of the shown ones.
	Again     int            `json:"asked_again"`      // For want of a server; such a try counts nowhere else.
	Input     int            `json:"input_tokens"`
	Output    int            `json:"output_tokens"`
	Seconds   float64        `json:"seconds"`
	Cases     []EvalCase     `json:"cases"`
}

// evaluated is an incident to ask about.
type evaluated struct {
	in   *incident.Incident
	from string
}

// Evaluate asks the configured model about incidents and says what came of it. A failing model is a result; the error is that of anything else.
func Evaluate(ctx context.Context, cfg Config, set EvalSettings) (*EvalReport, error) {
	list, err := evalIncidents(ctx, cfg, set)
	if err != nil {
		return nil, err
	}
	r := &EvalReport{Failures: map[string]int{}, Dropped: map[string]int{}, Cases: []EvalCase{}}
	models := set.Models
	if len(models) == 0 {
		models = []string{cfg.Triage.LLM.Model}
	}
	if r.Model = models[0]; len(models) > 1 {
		r.Model = fmt.Sprintf("%s and %d more", models[0], len(models)-1)
	}
	for _, name := range models {
		cfg.Triage.LLM.Model = name
		if err := r.ask(ctx, cfg, set, list); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ask asks one model.
func (r *EvalReport) ask(ctx context.Context, cfg Config, set EvalSettings, list []evaluated) error {
	model, err := llm.Open(cfg.Triage.LLM)
	if err != nil {
		return err
	}
	for run := range max(1, set.Runs) {
		for _, x := range list {
			began := time.Now()
			o, again, err := askPatiently(ctx, model, x.in, set.Again)
			if err != nil {
				return err
			}
			c := evalCase(x, run+1, o, time.Since(began))
			c.Of, c.Again = cfg.Triage.LLM.Model, again
			r.add(c)
			if set.Talk != nil {
				fmt.Fprintf(set.Talk, "%s %s %s run %d: %s, %d of %d claims shown, %.1f s\n", c.Of, c.From, c.Incident, c.Run, cmp.Or(c.Failure, "shown"), c.Shown, c.Claims, c.Seconds)
			}
		}
	}
	return nil
}

// evalPause is how long an evaluation waits for a server that gave no answer.
const evalPause = 3 * time.Second

// askPatiently asks, and up to limit times again while the server gives no answer; it says how often it did.
func askPatiently(ctx context.Context, model *llm.Model, in *incident.Incident, limit int) (o llm.Outcome, again int, err error) {
	for {
		o, err = model.Ask(ctx, in)
		if err != nil || o.Failure != llm.FailServer || again >= limit {
			return o, again, err
		}
		again++
		select {
		case <-ctx.Done():
			return o, again, ctx.Err()
		case <-time.After(evalPause):
		}
	}
}

func evalCase(x evaluated, run int, o llm.Outcome, took time.Duration) EvalCase {
	c := EvalCase{
		Incident: event.FormatID(event.IncidentPrefix, x.in.ID), From: x.from, Run: run, Failure: string(o.Failure), Detail: o.Detail, Rules: triage.Answer(x.in).Assessment,
		Claims: o.Report.Claims, Proven: o.Report.Claims - len(o.Report.Drops), Dropped: map[string]int{}, Input: o.Usage.Input, Output: o.Usage.Output, Tries: o.Tries, Mode: o.Mode,
		Seconds: took.Seconds(),
	}
	for _, d := range o.Report.Drops {
		c.Dropped[string(d.Reason)]++
	}
	if o.Overlay != nil {
		c.Model, c.Shown = o.Overlay.Assessment, c.Proven
		for _, l := range o.Overlay.LeftOut {
			c.Omissions += l.Events
		}
	}
	return c
}

func (r *EvalReport) add(c EvalCase) {
	r.Questions++
	r.Again += c.Again
	r.Claims, r.Shown, r.Proven = r.Claims+c.Claims, r.Shown+c.Shown, r.Proven+c.Proven
	r.Input, r.Output, r.Seconds = r.Input+c.Input, r.Output+c.Output, r.Seconds+c.Seconds
	if c.Failure != "" {
		r.Fallbacks++
		r.Failures[c.Failure]++
	} else if c.Model == c.Rules {
		r.Agree++
	}
	for reason, n := range c.Dropped {
		r.Dropped[reason] += n
	}
	r.Cases = append(r.Cases, c)
}

// evalIncidents are the incidents of scenarios, played without a store, and of the store.
func evalIncidents(ctx context.Context, cfg Config, set EvalSettings) ([]evaluated, error) {
	var out []evaluated
	for _, sc := range set.Scenarios {
		list, err := ScenarioIncidents(ctx, cfg, sc)
		if err != nil {
			return nil, err
		}
		for _, in := range list {
			out = append(out, evaluated{in, sc.Name})
		}
	}
	if !set.Store {
		return out, nil
	}
	db, err := openBeside(ctx, cfg, set.Progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	list, err := collect(db.Incidents(ctx, store.IncidentFilter{Limit: set.Limit, Status: []incident.Status{incident.Open, incident.Acknowledged, incident.Closed}}))
	if err != nil {
		return nil, err
	}
	for _, in := range list {
		out = append(out, evaluated{in, "store"})
	}
	return out, nil
}

// ScenarioIncidents are the incidents that a scenario comes to with the configured rules, by the time of their first evidence.
func ScenarioIncidents(ctx context.Context, cfg Config, sc scenarios.Scenario) ([]*incident.Incident, error) {
	dir, err := os.MkdirTemp("", "tocsin-scenario-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	inputs, err := scenarioInputs(sc, "", dir)
	if err != nil {
		return nil, err
	}
	if err := ScenarioTables(&cfg.Enrich, sc.Tables, dir); err != nil {
		return nil, err
	}
	core, err := NewCore(cfg)
	if err != nil {
		return nil, err
	}
	got, err := core.Replay(ctx, ReplaySettings{Inputs: inputs, Drain: true})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(got.Incidents, func(a, b *incident.Incident) int { return int(min(max(a.First-b.First, -1), 1)) })
	return got.Incidents, nil
}

// StoredIncident reads one incident of the configured store.
func StoredIncident(ctx context.Context, cfg Config, id event.ID, progress func(engine.Progress)) (*incident.Incident, error) {
	db, err := openBeside(ctx, cfg, progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	return reader{db.DB}.Incident(ctx, id)
}

// WriteEval writes an evaluation as text.
func WriteEval(w io.Writer, r *EvalReport) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	share := func(n, of int) string {
		if of == 0 {
			return "-"
		}
		return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of))
	}
	fmt.Fprintf(t, "model\t%s\n", r.Model)
	fmt.Fprintf(t, "questions\t%d\n", r.Questions)
	fmt.Fprintf(t, "fallbacks\t%d (%s)%s\n", r.Fallbacks, share(r.Fallbacks, r.Questions), counts(r.Failures))
	if r.Again > 0 {
		fmt.Fprintf(t, "asked again\t%d, for want of a server\n", r.Again)
	}
	fmt.Fprintf(t, "claims\t%d\n", r.Claims)
	fmt.Fprintf(t, "proven\t%d (%s)\n", r.Proven, share(r.Proven, r.Claims))
	fmt.Fprintf(t, "shown\t%d (%s)\n", r.Shown, share(r.Shown, r.Claims))
	fmt.Fprintf(t, "dropped\t%d%s\n", r.Claims-r.Proven, counts(r.Dropped))
	fmt.Fprintf(t, "agree with the rules\t%d of %d shown\n", r.Agree, r.Questions-r.Fallbacks)
	fmt.Fprintf(t, "tokens\t%d in, %d out\n", r.Input, r.Output)
	fmt.Fprintf(t, "time\t%.1f s, %.1f s a question\n", r.Seconds, r.Seconds/float64(max(1, r.Questions)))
	return t.Flush()
}

// counts lists counts by name, the most first.
func counts(m map[string]int) string {
	names := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(names, func(a, b string) int { return m[b] - m[a] })
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%s %d", n, m[n]))
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, ", ")
}

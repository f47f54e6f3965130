package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/rules"
)

// attemptFile is what the text of an attempt is called.
const attemptFile = "editor.yaml"

// Try implements console.Rules. The text stands alone: rules it listens to must be in it.
func (b *ruleBook) Try(ctx context.Context, t console.RuleAttempt) (*console.RuleTrial, error) {
	done, err := b.begin(&ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	out := &console.RuleTrial{}
	set := checkText(t.Text, b.s.now(), out)
	if set == nil {
		return out, nil
	}
	for _, r := range set.Rules {
		out.Loaded = append(out.Loaded, r.ID)
		for _, x := range testsOf(ctx, r, &RuleTestSettings{}) {
			out.Tests = append(out.Tests, testedOf(&x))
		}
	}
	if strings.TrimSpace(t.Records) != "" {
		if out.Played, err = b.play(ctx, set, t); err != nil {
			return nil, b.blame(ctx, err)
		}
	}
	if t.Days > 0 {
		if out.Past, err = b.past(ctx, set, t.Days); err != nil {
			return nil, b.blame(ctx, err)
		}
		out.PastDays = t.Days
	}
	return out, b.blame(ctx, ctx.Err())
}

// checkText lints a text as `tocsin rules lint` does a file; nil if it does not load.
func checkText(text string, now int64, out *console.RuleTrial) *rules.Set {
	set, problems := rules.Load(rules.Texts{attemptFile: []byte(text)}, attemptFile)
	if set != nil {
		problems = append(problems, set.CheckClasses(EmittedClasses())...)
		problems = append(problems, set.CheckExceptions(now)...)
	}
	for _, p := range problems {
		out.Problems = append(out.Problems, console.RuleProblem{
			Line: p.Line, Column: p.Column, Code: p.Code, Error: p.Severity == rules.Error, Message: p.Message, Hint: p.Hint,
		})
	}
	if neat, broken := rules.Format(attemptFile, []byte(text)); len(broken) == 0 && string(neat) != text {
		out.Neat = string(neat)
	}
	return set
}

func testedOf(x *RuleTest) console.RuleTested {
	t := console.RuleTested{Rule: x.Rule, Test: x.Test, Line: x.Line, Passed: x.Passed(), Difference: x.Difference}
	for i := range x.Variants {
		v := &x.Variants[i]
		if v.Passed() {
			t.Variants++
			continue
		}
		if t.Difference == "" {
			t.Difference = v.Name + ", " + v.Changed + "\nwanted: " + strings.Join(v.Wanted, "; ") + "\ngot: " + strings.Join(v.Got, "; ")
		}
	}
	return t
}

// play puts pasted records through decoding, enrichment and the rules of the text.
func (b *ruleBook) play(ctx context.Context, set *rules.Set, t console.RuleAttempt) (*console.RulePlayed, error) {
	f, known := format.ByName(t.Format)
	if !known {
		return nil, fmt.Errorf("%w: there is no format %q; %s", console.ErrQuestion, t.Format, suggestion(t.Format, formatNames()))
	}
	core, err := newCore(b.s.cfg, b.s.core.Live, set)
	if err != nil {
		return nil, err
	}
	in := ReplayInput{Name: "editor", Format: f.Name, Location: time.UTC, Open: func(clock func() int64) (ingest.Source, error) {
		return ingest.NewStream(ctx, "editor", strings.NewReader(t.Records), f, "", time.UTC, clock), nil
	}}
	p := &past{cfg: b.s.cfg, core: core, set: PastSettings{Inputs: []ReplayInput{in}, Received: b.s.now()}}
	out := &console.RulePlayed{}
	var events []event.Event
	if err := p.files(ctx, func(x *event.Batch) error {
		for i := range x.Events {
			events = append(events, *x.Events[i].Clone())
		}
		for _, r := range x.Rejects {
			out.Rejects = append(out.Rejects, r.Reason)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	out.Events = len(events)
	for _, r := range set.Rules {
		x := correlate.Explain(r, events, correlate.Question{Lookups: lookups{core.Live.Tables}})
		steps := nearSteps(&x)
		for i := range steps {
			steps[i].Name = r.ID + " " + steps[i].Name
		}
		fates, _ := nearFates(&x, false)
		out.Steps, out.Fates = append(out.Steps, steps...), append(out.Fates, fates...)
		for _, f := range x.Findings {
			out.Findings = append(out.Findings, foundLine(&f))
		}
	}
	return out, nil
}

// foundLine is a finding in one line.
func foundLine(f *incident.Finding) string {
	parts := []string{f.Rule.ID, time.UnixMicro(f.Time).UTC().Format(time.DateTime), f.Severity.String(), fmt.Sprintf("score %d", f.Score)}
	for _, v := range f.Vars {
		if v.Value != "" {
			parts = append(parts, v.Name+"="+v.Value)
		}
	}
	return strings.Join(parts, " ")
}

// past runs the rules of the text over the last days, beside those of the same ids that are in force.
func (b *ruleBook) past(ctx context.Context, set *rules.Set, days int) ([]console.RulePast, error) {
	core := *b.s.core
	core.Rules = set
	now := b.s.now()
	report, err := core.Backtest(ctx, b.s.cfg, BacktestSettings{
		Past: PastSettings{Store: b.s.db}, From: now - int64(days)*24*time.Hour.Microseconds(), To: now, Rules: idsOf(set), Deployed: inForce(b.s.keeper.Set(), set),
	})
	if err != nil {
		return nil, err
	}
	diff := map[string][2]int{}
	for _, d := range report.Diff {
		n := diff[d.Finding().Rule]
		switch d.In {
		case "new":
			n[0]++
		case "deployed":
			n[1]++
		}
		diff[d.Finding().Rule] = n
	}
	var out []console.RulePast
	for _, r := range report.Rules {
		x := console.RulePast{Rule: r.Rule.ID, Findings: r.Findings, PerDay: float64(r.Findings) / float64(days), New: diff[r.Rule.ID][0], Gone: diff[r.Rule.ID][1]}
		for _, e := range r.Top {
			x.Top = append(x.Top, fmt.Sprintf("%s (%d)", e.Entity, e.Count))
		}
		if r.PerEvent > 0 {
			x.Cost = cost(r.PerEvent) + " an event"
		}
		out = append(out, x)
	}
	return out, nil
}

func idsOf(set *rules.Set) []string {
	var out []string
	for _, r := range set.Rules {
		out = append(out, r.ID)
	}
	return out
}

// inForce are the rules in force that a text replaces.
func inForce(force, set *rules.Set) *rules.Set {
	out := &rules.Set{Hash: force.Hash}
	for _, r := range force.Rules {
		if set.Rule(r.ID) != nil {
			out.Rules = append(out.Rules, r)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

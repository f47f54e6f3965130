package correlate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// TestResult is the outcome of one test of a rule.
type TestResult struct {
	Rule, Test string
	File       string
	Line       int
	Passed     bool
	Difference string             // What was wanted and what came, line by line; "" if passed.
	Findings   []incident.Finding // What came, final.
	Errors     int64              // Expressions without a result.
}

// RunTest runs one test of a rule through the engine, whatever the rule's status: the events as one batch, then event time past every deadline.
// Findings are compared in order of time; of each expected one only what it states.
func RunTest(r *rules.Rule, t *rules.Test) TestResult {
	live := *r
	live.Status = rules.Live
	e := New(alone(&live), Settings{Lookups: &t.Given})
	e.seed(t)
	var b event.Batch
	for i := range t.Events {
		b.Events = append(b.Events, *t.Events[i].Event)
	}
	b.Sort()
	hits, _ := e.Match(&b)
	e.readUp(&b)
	e.Fold(hits, nil)
	found := of(r, Finals(e.Drain()))
	stats := e.statsOf(r.ID)
	out := TestResult{Rule: r.ID, Test: t.Name, File: r.File, Line: t.Line, Findings: found, Errors: stats.Errors}
	out.Difference = difference(t, found)
	if out.Difference != "" && stats.Errors > 0 {
		out.Difference += fmt.Sprintf("  %d times an expression had no result: %s\n", stats.Errors, stats.LastError)
	}
	if out.Difference != "" && stats.Nulls > 0 {
		out.Difference += fmt.Sprintf("  %d times an event satisfied a step but had no value for %s\n", stats.Nulls, stats.NullOf)
	}
	out.Passed = out.Difference == ""
	return out
}

// alone is a set of one rule and those it listens to.
func alone(r *rules.Rule) *rules.Set { return &rules.Set{Rules: r.WithUpstream()} }

// of keeps the findings of a rule.
func of(r *rules.Rule, found []incident.Finding) []incident.Finding {
	if len(r.Upstream) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(f incident.Finding) bool { return f.Rule.ID != r.ID })
}

// statsOf are the counters of one rule.
func (e *Engine) statsOf(id string) RuleStats {
	for _, s := range e.Stats().Rules {
		if s.Rule == id {
			return s
		}
	}
	return RuleStats{}
}

// readUp says that event time is known to have gone as far as these events, without moving W.
func (e *Engine) readUp(b *event.Batch) {
	if n := len(b.Sorted); n > 0 {
		e.fold.newest = max(e.fold.newest, b.Events[b.Sorted[n-1]].Time)
	}
}

// seed gives what a test takes as remembered.
func (e *Engine) seed(t *rules.Test) {
	for _, r := range e.fold.rules {
		for _, g := range r.gates {
			id := r.plan.Branches[g.branch].Steps[g.step].ID
			for _, s := range t.Given.Seen {
				if s.Step == id {
					g.seedSeen(joinPer(s.Per), s.Values, t.Start-1)
				}
			}
			for _, s := range t.Given.Usual {
				if s.Step == id {
					g.seedUsual(joinPer(s.Per), s.Median, t.Start-1)
				}
			}
		}
	}
}

// joinPer is the name of a register, as perKey makes it.
func joinPer(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values, keySeparator) + keySeparator
}

// seedSeen tells `new` of a gate values that were seen before t.
func (g *gate) seedSeen(per string, values []string, t int64) {
	for _, m := range g.mods {
		if n, ok := m.(*newMemory); ok {
			n.seed(per, values, t)
		}
	}
}

// seedUsual tells a baseline of a gate what is usual, with the learning time over at t.
func (g *gate) seedUsual(per string, median float64, t int64) {
	usual := amountOf(numberValue(median))
	for _, m := range g.mods {
		switch m := m.(type) {
		case *spikeMemory:
			r := &spikeRegister{passed: never, newest: never, dirty: -1}
			r.seeded, r.given, r.first = true, usual, t-m.Learn
			m.all.add(per, r)
		case *fallMemory:
			r := &fallRegister{passed: never}
			r.seeded, r.given, r.first = true, usual, t-m.Learn
			m.all.add(per, r)
		}
	}
}

// Finals are the last revisions of findings that stand, in order of time and id.
func Finals(all []incident.Finding) []incident.Finding {
	last := map[event.ID]int{}
	var out []incident.Finding
	for _, f := range all {
		i, seen := last[f.ID]
		switch {
		case !seen:
			last[f.ID] = len(out)
			out = append(out, f)
		case f.Revision > out[i].Revision:
			out[i] = f
		}
	}
	out = slices.DeleteFunc(out, func(f incident.Finding) bool { return f.State == incident.Withdrawn })
	slices.SortFunc(out, func(a, b incident.Finding) int {
		if a.Time != b.Time {
			return int(min(max(a.Time-b.Time, -1), 1))
		}
		return a.ID.Compare(b.ID)
	})
	return out
}

// difference says what is wrong, one line for each finding; "" if nothing is.
func difference(t *rules.Test, got []incident.Finding) string {
	var b strings.Builder
	for i := range max(len(t.Fires), len(got)) {
		switch {
		case i >= len(got):
			fmt.Fprintf(&b, "  missing:    finding at %s (line %d)\n", span(t.Fires[i].At), t.Fires[i].Line)
		case i >= len(t.Fires):
			fmt.Fprintf(&b, "  unexpected: %s\n", describe(t, &got[i]))
		default:
			if wrong := unlike(t, &t.Fires[i], &got[i]); wrong != "" {
				fmt.Fprintf(&b, "  different:  wanted %s; got %s\n", wrong, describe(t, &got[i]))
			}
		}
	}
	return b.String()
}

// unlike says what a finding should have been; "" if it is.
func unlike(t *rules.Test, want *rules.Fire, got *incident.Finding) string {
	var wrong []string
	if got.Time != t.Start+want.At {
		wrong = append(wrong, "time "+offset(want.At))
	}
	for _, w := range want.Vars {
		if !slices.ContainsFunc(got.Vars, w.Matches) {
			wrong = append(wrong, w.Name+" = "+w.Value)
		}
	}
	if want.Severity != 0 && want.Severity != got.Severity {
		wrong = append(wrong, "severity "+want.Severity.String())
	}
	if want.Score >= 0 && want.Score != got.Score {
		wrong = append(wrong, fmt.Sprintf("score %d", want.Score))
	}
	return strings.Join(wrong, ", ")
}

func describe(t *rules.Test, f *incident.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "finding at %s, severity %s, score %d", offset(f.Time-t.Start), f.Severity, f.Score)
	for _, v := range f.Vars {
		fmt.Fprintf(&b, ", %s = %s", v.Name, v.Value)
	}
	b.WriteString("; evidence")
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, " %s at %s", e.Step, offset(e.Event.Time-t.Start))
	}
	return b.String()
}

// offset writes a time relative to a test's start.
func offset(micros int64) string {
	if micros < 0 {
		return "-" + span(-micros)
	}
	return span(micros)
}

package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// Bounds on what an explanation lists; counts go on.
const (
	maxExplainedHits  = 50
	maxExplainedFates = 500
)

// Question says what is to be explained.
type Question struct {
	Entity  string // Canonical id, or a key as events spell it; "" for all.
	Lookups expression.Lookups
}

// Explanation says why a rule matched or did not: what happened at each step, and what became of every chain, window and match.
type Explanation struct {
	Rule     incident.RuleRef
	Steps    []ExplainedStep
	Fates    []Fate // In order of time.
	Findings []incident.Finding
	More     int // Fates left out.
}

// ExplainedStep is what the events did at one step, guard or until.
type ExplainedStep struct {
	ID         string // Of the step; guard 1, until 1 … of others.
	Classes    []string
	Where      string
	Seen       int // Events of its classes.
	False      int // For which where was false,
	Failed     int // or had no result,
	Unbound    int // or a variable had no value.
	Excepted   int // or an exception made them invisible.
	Variable   string
	Error      string
	Matched    int
	Hits       []*event.Ref // The first of those that matched.
	Misses     []*event.Ref // The first of those for which where was false.
	Exceptions []string     // Those that held, each with its owner and reason.
}

// Fate is what became of a hit, chain, window or match, and why.
type Fate struct {
	At     int64 // Event time, microseconds.
	Text   string
	Key    string
	Events []*event.Ref // What it is about, oldest first.
	By     *event.Ref   // The event that caused it; nil if time did.
}

// Explain folds events through one rule again, whatever its status, and reports every step. Events may come in any order; none is late.
func Explain(r *rules.Rule, events []event.Event, q Question) Explanation {
	live := *r
	live.Status = rules.Live
	x := &explainer{question: q, rule: &live, out: Explanation{Rule: r.Ref()}}
	e := New(alone(&live), Settings{Lookups: q.Lookups, observe: x.observe})
	b := event.Batch{Events: events}
	Sort(&b)
	x.steps(e.matcher, q.Lookups, &b)
	hits, _ := e.Match(&b)
	e.Fold(hits, nil)
	if n := len(b.Sorted); n > 0 {
		x.now = b.Events[b.Sorted[n-1]].Time
	}
	x.open(e.fold.byID[r.ID])
	for _, f := range of(r, Finals(e.Drain())) {
		if slices.ContainsFunc(f.Evidence, func(v incident.Evidence) bool { return x.about(v.Event) }) {
			x.out.Findings = append(x.out.Findings, f)
		}
	}
	slices.SortStableFunc(x.out.Fates, func(a, b Fate) int { return cmp.Compare(a.At, b.At) })
	return x.out
}

type explainer struct {
	question Question
	rule     *rules.Rule
	now      int64
	told     map[string]bool
	out      Explanation
}

// about reports whether an event names the entity asked for.
func (x *explainer) about(r *event.Ref) bool {
	return x.question.Entity == "" || slices.ContainsFunc(r.Entities, func(e event.EntityRef) bool {
		return e.ID == x.question.Entity || e.Key == x.question.Entity || e.Kind.String()+":"+e.Key == x.question.Entity
	})
}

// steps goes through the match phase with every target tried, counting why events fall out.
func (x *explainer) steps(m *Matcher, l expression.Lookups, b *event.Batch) {
	s := m.NewScratch(l)
	for i := range m.targets {
		t := &m.targets[i]
		if t.rule != x.rule {
			continue // One it listens to.
		}
		out := ExplainedStep{ID: nameOf(t.rule.Plan, int(t.branch), int(t.step))}
		out.Classes = t.ClassNames()
		if t.Where != nil {
			out.Where = t.Where.String()
		}
		for _, j := range b.Sorted {
			x.step(s, t, &b.Events[j], &out)
		}
		x.out.Steps = append(x.out.Steps, out)
	}
}

func (x *explainer) step(s *Scratch, t *target, e *event.Event, out *ExplainedStep) {
	if !slices.ContainsFunc(t.Classes, func(c event.ClassRef) bool { return c.Matches(e) }) {
		return
	}
	ref := event.RefOf(e)
	if !x.about(ref) {
		return
	}
	out.Seen++
	if t.Where != nil {
		ok, err := t.Where.Match(s.machine, e)
		switch {
		case err != nil:
			out.Failed++
			out.Error = err.Error()
			return
		case !ok:
			out.False++
			if len(out.Misses) < maxExplainedHits {
				out.Misses = append(out.Misses, ref)
			}
			return
		}
	}
	if i := s.excepted(t, e); i >= 0 {
		out.Excepted++
		if x := exceptionWords(&t.rule.Exceptions[i]); !slices.Contains(out.Exceptions, x) {
			out.Exceptions = append(out.Exceptions, x)
		}
		return
	}
	if _, ok := s.bind(t, e); !ok {
		out.Unbound++
		out.Variable = s.counts[t.index].nullOf
		return
	}
	out.Matched++
	if len(out.Hits) < maxExplainedHits {
		out.Hits = append(out.Hits, ref)
	}
}

// nameOf names a step, guard or until as people do.
func nameOf(p *rules.Plan, branch, step int) string {
	b := &p.Branches[branch]
	switch n := step - len(b.Steps); {
	case n < 0:
		return b.Steps[step].ID
	case n < len(b.Guards):
		return fmt.Sprintf("guard %d", n+1)
	default:
		return fmt.Sprintf("until %d", n-len(b.Guards)+1)
	}
}

// add notes a fate if it is about the entity asked for.
func (x *explainer) add(f Fate) {
	slices.SortFunc(f.Events, compareRefs)
	if !slices.ContainsFunc(f.Events, x.about) {
		return
	}
	key := fmt.Sprint(f.At, f.Text, f.Events[0].Event, len(f.Events))
	if x.told[key] {
		return
	}
	if x.told == nil {
		x.told = map[string]bool{}
	}
	x.told[key] = true
	if len(x.out.Fates) >= maxExplainedFates {
		x.out.More++
		return
	}
	x.out.Fates = append(x.out.Fates, f)
}

// observe turns traces of the fold into fates.
func (x *explainer) observe(t trace) {
	if t.Rule != x.rule {
		return
	}
	f := Fate{At: t.At}
	if t.Cell != nil {
		f.At, f.Key, f.By = t.Cell.time(), t.Cell.Key, t.Cell.Ref
	}
	who := ""
	if t.Cell != nil {
		who = nameOf(t.Rule.Plan, int(t.Cell.Branch), int(t.Cell.Step))
	}
	switch t.Kind {
	case traceReached:
		if t.Link == nil {
			return
		}
		f.Text, f.Events, f.By = "reached step "+who, linkRefs(t.Link), nil
	case traceCounted:
		f.Text, f.Events, f.By = fmt.Sprintf("counts %d of %d", t.Count, t.Rule.Plan.Branches[t.Branch].AtLeast), []*event.Ref{t.Cell.Ref}, nil
	case traceComplete:
		f.Text, f.Events, f.By = "complete", matchRefs(t.Match), nil
	case traceExpired:
		f.Text, f.Events, f.Key = "expired: nothing followed in time", linkRefs(t.Link), t.Link.hits[0].Key
	case traceKilled:
		f.Text = "killed through " + who
		f.Events = about(t)
	case traceRefused:
		f.Text, f.At = "refused through "+who+": it came before", t.Other.time()
		f.Events = about(t)
	case traceBlocked:
		f.Text, f.Events, f.By = "ignored: an until keeps the rule quiet", []*event.Ref{t.Cell.Ref}, t.Other.Ref
	case traceGated:
		f.Text, f.Events, f.By = "passed over at step "+who+": "+t.Why, []*event.Ref{t.Cell.Ref}, nil
	case traceThrottled:
		f.Text, f.Events, f.By = "throttled: counted into the finding at "+clock(t.At), matchRefs(t.Match), nil
	case traceHeard:
		x.heard(who, t.Cell.Ref)
		return
	case traceExcepted:
		f.Text, f.Events, f.By = "no finding: "+t.Why, matchRefs(t.Match), nil
	case traceLate:
		f.Text, f.Events, f.By = "late: it arrived after the rule had passed its time", []*event.Ref{t.Cell.Ref}, nil
	case traceEvicted:
		f.Text, f.Events, f.By = "evicted: the rule's memory was full", []*event.Ref{t.Cell.Ref}, nil
	default:
		return
	}
	x.add(f)
}

// heard counts a finding of another rule at the step that listens to it.
func (x *explainer) heard(step string, ref *event.Ref) {
	for i := range x.out.Steps {
		s := &x.out.Steps[i]
		if s.ID != step || !x.about(ref) {
			continue
		}
		s.Seen++
		s.Matched++
		if len(s.Hits) < maxExplainedHits {
			s.Hits = append(s.Hits, ref)
		}
	}
}

// about is what a guard spoke against.
func about(t trace) []*event.Ref {
	switch {
	case t.Match != nil:
		return matchRefs(t.Match)
	case t.Link != nil:
		return linkRefs(t.Link)
	default:
		return []*event.Ref{t.Other.Ref}
	}
}

// open tells of what is still waiting when the events end.
func (x *explainer) open(r *ruleState) {
	for _, key := range sortedKeys(r.parts) {
		k := r.parts[key]
		for i := range k.head.branches {
			b, st := &r.branches[i], &k.head.branches[i]
			for j := range st.slots {
				for _, l := range st.slots[j] {
					x.add(Fate{At: x.now, Key: key, Events: linkRefs(l), Text: x.waiting("step "+b.Steps[j+1].ID, l.first+b.Within)})
				}
			}
			for j := range st.pools {
				for _, w := range st.pools[j] {
					x.add(Fate{At: x.now, Key: key, Events: []*event.Ref{w.Ref}, Text: x.waiting("more for step "+b.Steps[j].ID+", or what comes before it", w.time()+b.Within)})
				}
			}
			for _, g := range st.groups {
				if n := len(g.cells); n > 0 {
					text := x.waiting(fmt.Sprintf("more: it counts %d of %d", n, b.AtLeast), g.cells[n-1].time()+b.Within)
					x.add(Fate{At: x.now, Key: key, Events: refsOf(g.cells), Text: text})
				}
			}
		}
		for _, m := range k.matches {
			if m.deadline > m.time() && m.killer == nil {
				x.add(Fate{At: m.time(), Key: key, Events: matchRefs(m.match), Text: "waits until " + clock(m.deadline) + " for a guard to speak"})
			}
		}
	}
}

func (x *explainer) waiting(what string, until int64) string {
	if until < x.now {
		return "waited for " + what + " until " + clock(until) + ", in vain"
	}
	return "waits for " + what + " until " + clock(until)
}

func linkRefs(l *link) []*event.Ref {
	var out []*event.Ref
	for ; l != nil; l = l.prev {
		out = append(out, refsOf(l.hits)...)
	}
	return out
}

func matchRefs(m *match) []*event.Ref {
	var out []*event.Ref
	for _, e := range m.steps {
		out = append(out, refsOf(e.hits)...)
	}
	return out
}

func refsOf(cells []*cell) []*event.Ref {
	out := make([]*event.Ref, len(cells))
	for i, c := range cells {
		out[i] = c.Ref
	}
	return out
}

// String is the explanation as plain text.
func (x Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s version %d: %s\n", x.Rule.ID, x.Rule.Version, x.Rule.Title)
	for i := range x.Steps {
		s := &x.Steps[i]
		fmt.Fprintf(&b, "\n%s (%s): %d of %d events\n", s.ID, strings.Join(s.Classes, ", "), s.Matched, s.Seen)
		if s.False > 0 {
			fmt.Fprintf(&b, "  %d for which this was false: %s\n", s.False, s.Where)
		}
		if s.Failed > 0 {
			fmt.Fprintf(&b, "  %d without a result: %s\n", s.Failed, s.Error)
		}
		if s.Unbound > 0 {
			fmt.Fprintf(&b, "  %d without a value for %s\n", s.Unbound, s.Variable)
		}
		for _, x := range s.Exceptions {
			fmt.Fprintf(&b, "  some of %d not seen: %s\n", s.Excepted, x)
		}
		for _, r := range s.Hits {
			fmt.Fprintf(&b, "  %s %s\n", clock(r.Time), r.Summary)
		}
	}
	b.WriteString("\nWhat became of them\n")
	for _, f := range x.Fates {
		times := make([]string, len(f.Events))
		for i, r := range f.Events {
			times[i] = clock(r.Time)[11:]
		}
		fmt.Fprintf(&b, "  %s [%s] %s", clock(f.At), strings.Join(times, " "), f.Text)
		if f.By != nil {
			fmt.Fprintf(&b, " (%s: %s)", clock(f.By.Time)[11:], f.By.Summary)
		}
		b.WriteByte('\n')
	}
	if x.More > 0 {
		fmt.Fprintf(&b, "  and %d more\n", x.More)
	}
	fmt.Fprintf(&b, "\n%d findings\n", len(x.Findings))
	for i := range x.Findings {
		fmt.Fprintf(&b, "  %s score %d\n", clock(x.Findings[i].Time), x.Findings[i].Score)
	}
	return b.String()
}

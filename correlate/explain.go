package correlate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// Bounds on an explanation: what it lists (counts go on), and what it keeps while events pass.
const (
	maxExplainedHits  = 50
	maxExplainedFates = 500
	maxHeldHits       = 2_000_000
)

// ErrTooMuch says that more hits came than an explanation keeps.
var ErrTooMuch = errors.New("more than 2000000 hits of the rule: narrow the time")

// Question says what is to be explained. Everything that comes is folded; the bounds say what is told.
type Question struct {
	Entity   string     // Canonical id, or a key as events spell it; "" for all.
	Events   []event.ID // Only what one of these took part in; empty for all.
	From, To int64      // Only what happened then, microseconds, From inclusive, To exclusive; 0 for no bound.
	Finding  event.ID   // Only this finding, with what the throttle counted into it; zero for all.
	At       int64      // Of what a step lists, the nearest to this time; 0 for the first.
	Lookups  expression.Lookups
	MaxKeys  int // That the rule may have, as Settings say; 0: their default.
}

// Explanation says why a rule matched or did not: what happened at each step, and what became of every chain, window and match.
type Explanation struct {
	Rule     incident.RuleRef
	Steps    []ExplainedStep
	Fates    []Fate // In order of time.
	Findings []incident.Finding
	Evidence []ExplainedEvidence // Of the events asked for.
	Guards   []ExplainedGuard    // What guards of the findings looked at.
	More     int                 // Fates left out.
	Events   int                 // That came.
	Entity   string              // That was asked for; "" for all.
	Named    int                 // Of the events that came, those that name it.
	First    int64               // Time of the earliest of them, microseconds,
	Newest   int64               // and of the newest; 0 if none came.
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
	Hits       []*event.Ref // Some of those that matched: the nearest or the first.
	Misses     []Miss       // And of those that did not.
	Exceptions []string     // Those that held, each with its owner and reason.
}

// Miss is an event of a step's class that did not satisfy the step, and why.
type Miss struct {
	Ref     *event.Ref
	Reasons []string
}

// ExplainedEvidence is an event with what the step's condition read of it.
type ExplainedEvidence struct {
	Step string
	Ref  *event.Ref
	Read []expression.Operand
}

// Explain folds events through one rule again, whatever its status, and reports every step. Events may come in any order; none is late.
func Explain(r *rules.Rule, events []event.Event, q Question) Explanation {
	x := NewExplainer(r, q)
	_ = x.Add(&event.Batch{Events: events})
	return x.End()
}

// Explainer is an explanation that is made batch by batch. It keeps the rule's hits and no events. Hits that come later than the watermark of
// the batches before are late, as they were when the batches first came; the others are folded in order at the end. It is not safe for
// concurrent use.
type Explainer struct {
	question Question
	rule     *rules.Rule
	engine   *Engine
	scratch  *Scratch
	targets  []*target         // By step of the explanation.
	why      []*expression.Why // The same.
	hits     []event.Hit
	frontier int64
	told     map[string]bool
	partials map[string][]partial
	counting map[string]Fate // By key: a window that lacks one.
	out      Explanation
}

// NewExplainer starts an explanation of one rule.
func NewExplainer(r *rules.Rule, q Question) *Explainer {
	live := *r
	live.Status = rules.Live
	x := &Explainer{question: q, rule: &live, frontier: never, told: map[string]bool{}, partials: map[string][]partial{}, counting: map[string]Fate{}}
	x.out.Rule, x.out.Entity = r.Ref(), q.Entity
	x.engine = New(alone(&live), Settings{Lookups: q.Lookups, MaxKeys: q.MaxKeys, MaxHits: maxHeldHits, MaxBytes: forever, observe: x.observe})
	x.scratch = x.engine.matcher.NewScratch(q.Lookups)
	for i := range x.engine.matcher.targets {
		t := &x.engine.matcher.targets[i]
		if t.rule != x.rule {
			continue // One it listens to.
		}
		s := ExplainedStep{ID: nameOf(t.rule.Plan, int(t.branch), int(t.step)), Classes: t.ClassNames()}
		var why *expression.Why
		if t.Where != nil {
			s.Where, why = t.Where.String(), t.Where.Why()
		}
		x.out.Steps, x.why, x.targets = append(x.out.Steps, s), append(x.why, why), append(x.targets, t)
	}
	return x
}

// Add takes in a batch with its marks. The explanation shares nothing with it. An error says that there was too much.
func (x *Explainer) Add(b *event.Batch) error {
	if len(b.Sorted) != len(b.Events) {
		b.Sort()
	}
	x.engine.readUp(b)
	for _, i := range b.Sorted {
		e := &b.Events[i]
		x.out.Events++
		x.out.First, x.out.Newest = min(cmp.Or(x.out.First, e.Time), e.Time), max(x.out.Newest, e.Time)
		if x.question.Entity != "" && x.named(e.Entities) {
			x.out.Named++
		}
		for j := range x.out.Steps {
			x.step(j, e)
		}
	}
	for _, h := range x.engine.Hits(b) {
		if w := x.passed(h.Rule); h.Ref.Time <= w {
			if h.Rule == x.rule.ID {
				x.add(Fate{At: h.Ref.Time, Kind: "late", Text: "late: when it arrived, everything up to " + clock(w) + " was decided", Key: h.Key, Events: []*event.Ref{h.Ref}})
			}
			continue
		}
		if len(x.hits) == maxHeldHits {
			return ErrTooMuch
		}
		x.hits = append(x.hits, h)
	}
	if f, ok := event.Frontier(b.Marks); ok {
		x.frontier = max(x.frontier, f)
	}
	return nil
}

// passed is the watermark of the rule, or of one it listens to.
func (x *Explainer) passed(rule string) int64 {
	if x.frontier == never {
		return never
	}
	return x.frontier - x.engine.fold.byID[rule].plan.Lateness
}

// End folds what has come and gives the explanation.
func (x *Explainer) End() Explanation {
	x.engine.Fold(x.hits, nil)
	x.open(x.engine.fold.byID[x.rule.ID])
	for _, key := range sortedNames(x.counting) {
		x.add(x.counting[key])
	}
	for _, f := range of(x.rule, Finals(x.engine.Drain())) {
		if !x.question.Finding.IsZero() && f.ID != x.question.Finding {
			continue
		}
		if x.within(f.Time) && slices.ContainsFunc(f.Evidence, func(v incident.Evidence) bool { return x.about(v.Event) }) {
			x.out.Findings = append(x.out.Findings, f)
			x.guards(&f)
		}
	}
	slices.SortStableFunc(x.out.Fates, func(a, b Fate) int { return cmp.Compare(a.At, b.At) })
	for i := range x.out.Steps {
		s := &x.out.Steps[i]
		slices.SortFunc(s.Hits, compareRefs)
		slices.SortFunc(s.Misses, func(a, b Miss) int { return compareRefs(a.Ref, b.Ref) })
	}
	return x.out
}

// about reports whether an event is, or names, what is asked for.
func (x *Explainer) about(r *event.Ref) bool { return x.aboutAny(r.Event, r.Entities) }

func (x *Explainer) aboutAny(id event.ID, entities []event.EntityRef) bool {
	if len(x.question.Events) > 0 && !slices.Contains(x.question.Events, id) {
		return false
	}
	return x.question.Entity == "" || x.named(entities)
}

// named reports whether the entity asked for is among those of an event.
func (x *Explainer) named(entities []event.EntityRef) bool {
	return slices.ContainsFunc(entities, func(e event.EntityRef) bool {
		return e.ID == x.question.Entity || e.Key == x.question.Entity || e.Kind.String()+":"+e.Key == x.question.Entity
	})
}

// within reports whether a time is to be told of.
func (x *Explainer) within(t int64) bool {
	return t >= x.question.From && (x.question.To == 0 || t < x.question.To)
}

// step puts an event to one step, counting why it falls out.
func (x *Explainer) step(i int, e *event.Event) {
	t := x.targets[i]
	if !x.within(e.Time) || !slices.ContainsFunc(t.Classes, func(c event.ClassRef) bool { return c.Matches(e) }) {
		return
	}
	if !x.aboutAny(e.Envelope.ID, e.Entities) {
		return
	}
	ref := event.RefOf(e)
	out := &x.out.Steps[i]
	out.Seen++
	var reason expression.Reason
	if t.Where != nil {
		ok, err := t.Where.Match(x.scratch.machine, e)
		if err != nil {
			out.Failed++
			out.Error = err.Error()
		} else if !ok {
			out.False++
		}
		if !ok && !x.nearer(len(out.Misses), func(i int) *event.Ref { return out.Misses[i].Ref }, ref) {
			return
		}
		reason = x.why[i].Of(x.scratch.machine, e)
		if !ok {
			x.miss(out, ref, words(reason.Against())...)
			return
		}
	}
	if i := x.scratch.excepted(t, e); i >= 0 {
		out.Excepted++
		text := exceptionWords(&t.rule.Exceptions[i])
		if !slices.Contains(out.Exceptions, text) {
			out.Exceptions = append(out.Exceptions, text)
		}
		x.miss(out, ref, text)
		return
	}
	if _, ok := x.scratch.bind(t, e); !ok {
		out.Unbound++
		out.Variable = x.scratch.counts[t.index].nullOf
		x.miss(out, ref, "no value for the variable "+out.Variable+", by which the steps join")
		return
	}
	out.Matched++
	if len(x.question.Events) > 0 && len(x.out.Evidence) < maxExplainedHits {
		x.out.Evidence = append(x.out.Evidence, ExplainedEvidence{Step: out.ID, Ref: ref, Read: reason.Read()})
	}
	at := func(i int) *event.Ref { return out.Hits[i] }
	if !x.nearer(len(out.Hits), at, ref) {
		return
	}
	out.Hits = append(out.Hits, ref)
	if n := len(out.Hits); n > maxExplainedHits {
		i := x.farthest(n, at)
		out.Hits = slices.Delete(out.Hits, i, i+1)
	}
}

// miss lists an event that did not satisfy a step.
func (x *Explainer) miss(out *ExplainedStep, ref *event.Ref, reasons ...string) {
	at := func(i int) *event.Ref { return out.Misses[i].Ref }
	if !x.nearer(len(out.Misses), at, ref) {
		return
	}
	out.Misses = append(out.Misses, Miss{ref, reasons})
	if n := len(out.Misses); n > maxExplainedHits {
		i := x.farthest(n, at)
		out.Misses = slices.Delete(out.Misses, i, i+1)
	}
}

func words(list []expression.Reason) []string {
	out := make([]string, 0, len(list))
	for i := range list {
		out = append(out, list[i].String())
	}
	return out
}

// nearer reports whether an event belongs on a list of at most maxExplainedHits: those nearest to the time asked for, or the first.
func (x *Explainer) nearer(n int, at func(int) *event.Ref, ref *event.Ref) bool {
	if n < maxExplainedHits {
		return true
	}
	return x.question.At != 0 && x.distance(ref) < x.distance(at(x.farthest(n, at)))
}

func (x *Explainer) farthest(n int, at func(int) *event.Ref) (worst int) {
	for i := range n {
		if x.distance(at(i)) > x.distance(at(worst)) {
			worst = i
		}
	}
	return worst
}

func (x *Explainer) distance(r *event.Ref) int64 {
	return max(r.Time-x.question.At, x.question.At-r.Time)
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

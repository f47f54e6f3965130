package correlate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// spans stretches the findings of a test to the edge of `within` by moving their first or their last event. What must come of that follows from
// the span alone if the event keeps its place among all hits of its key and still satisfies its step; where it does not, nothing is derived.
func (c *course) spans(v *Variant) {
	var s *stretcher
	for i := range c.plain {
		if i == maxSpans {
			break
		}
		f := &c.plain[i]
		within, open, ok := c.spanOf(f)
		if !ok {
			continue
		}
		if s == nil {
			s = newStretcher(c)
		}
		move, why := s.derive(f, within, open)
		if why != "" {
			v.Note = "no span derived for the finding at " + offset(f.Time-c.test.Start) + ": " + why
			continue
		}
		c.stretch(v, f, move)
	}
}

// spanOf is the span that bounds a finding, and whether its far end is outside of it; ok is false for one that no span bounds.
func (c *course) spanOf(f *incident.Finding) (within int64, open, ok bool) {
	p := c.rule.Plan
	if len(f.Evidence) < 2 || f.Rule.ID != c.rule.ID || len(f.Upstream) > 0 {
		return 0, false, false
	}
	if p.AtLeast > 1 {
		return p.Within, false, p.Within > 0
	}
	for i := range p.Branches {
		b := &p.Branches[i]
		if slices.ContainsFunc(b.Steps, func(s rules.Step) bool { return s.ID == f.Evidence[0].Step }) {
			return b.Within, b.Kind == rules.Count, b.Within > 0
		}
	}
	return 0, false, false
}

// move is an event at another time: at the edge of the span, and one millisecond beyond.
type move struct {
	index        int // Of the event, as written.
	edge, beyond int64
}

// stretch runs a test with an event moved to the edge, and beyond it.
func (c *course) stretch(v *Variant, f *incident.Finding, m move) {
	at := func(t int64) []incident.Finding {
		events := slices.Clone(c.written)
		events[m.index].Time = t
		return c.run([][]event.Event{events})
	}
	moved := func(t int64, what string) string {
		return fmt.Sprintf("event %s moved to %s, %s", c.name(m.index), offset(t-c.test.Start), what)
	}
	first, last := f.Evidence[0].Event.Event, f.Evidence[len(f.Evidence)-1].Event.Event
	v.Runs += 2
	if !v.Passed() {
		return
	}
	found := at(m.edge)
	if !slices.ContainsFunc(found, func(o incident.Finding) bool { return sameEvidence(f, &o) }) {
		v.Changed = moved(m.edge, "exactly the edge of within: the finding must still come")
		v.Wanted, v.Got = c.lines([]incident.Finding{*f}), c.lines(found)
		return
	}
	found = at(m.beyond)
	if slices.ContainsFunc(found, func(o incident.Finding) bool { return has(&o, first) && has(&o, last) }) {
		v.Changed = moved(m.beyond, "1 ms beyond within: the finding must not come")
		v.Got = c.lines(found)
	}
}

func sameEvidence(a, b *incident.Finding) bool {
	return slices.EqualFunc(a.Evidence, b.Evidence, func(x, y incident.Evidence) bool { return x.Event.Event == y.Event.Event && x.Step == y.Step })
}

func has(f *incident.Finding, id event.ID) bool {
	return slices.ContainsFunc(f.Evidence, func(e incident.Evidence) bool { return e.Event.Event == id })
}

// stretcher knows the hits of a test as written.
type stretcher struct {
	*course
	hits  [][]event.Hit // By event, as written.
	gated map[event.ID]bool
}

func newStretcher(c *course) *stretcher {
	s := &stretcher{course: c, gated: map[event.ID]bool{}}
	watch := func(t trace) {
		if t.Kind == traceGated {
			s.gated[t.Cell.Ref.Event] = true
		}
	}
	e := New(&rules.Set{Rules: []*rules.Rule{c.rule}}, Settings{Lookups: &c.test.Given, observe: watch})
	e.seed(c.test)
	var all []event.Hit
	for i := range c.written {
		s.hits = append(s.hits, s.hitsOf(c.written[i]))
		all = append(all, s.hits[i]...)
	}
	e.Fold(all, nil)
	return s
}

func (s *stretcher) hitsOf(e event.Event) []event.Hit {
	b := event.Batch{Events: []event.Event{e}}
	b.Sort()
	hits, _ := s.engine.Match(&b)
	return slices.Clone(hits)
}

// derive finds an event to move, or says why none can be.
func (s *stretcher) derive(f *incident.Finding, within int64, open bool) (move, string) {
	n := len(f.Evidence) - 1
	first, last := f.Evidence[0], f.Evidence[n]
	switch {
	case f.Truncated > 0:
		return move{}, "its evidence was cut"
	case last.Event.Time != f.Time:
		return move{}, "no event completes it"
	case first.Event.Time >= f.Evidence[1].Event.Time || f.Evidence[n-1].Event.Time >= last.Event.Time:
		return move{}, "several events stand at one end of it"
	}
	if why := cmp.Or(s.unordered(f), s.unfit(f)); why != "" {
		return move{}, why
	}
	edge := within
	if open {
		edge -= millisecond
	}
	back := move{index: s.indexOf(first), edge: last.Event.Time - edge, beyond: last.Event.Time - edge - millisecond}
	why := s.crosses(back, first.Event.Time)
	if why == "" {
		return back, ""
	}
	forth := move{index: s.indexOf(last), edge: first.Event.Time + edge, beyond: first.Event.Time + edge + millisecond}
	if s.crosses(forth, last.Event.Time) == "" {
		return forth, ""
	}
	return move{}, why
}

func (s *stretcher) indexOf(e incident.Evidence) int {
	return slices.IndexFunc(s.written, func(x event.Event) bool { return x.Envelope.ID == e.Event.Event })
}

// unordered says that steps follow each other in another order than written, within the order tolerance.
func (s *stretcher) unordered(f *incident.Finding) string {
	for i := range s.rule.Plan.Branches {
		b := &s.rule.Plan.Branches[i]
		if b.Kind != rules.Sequence || b.OrderTolerance == 0 {
			continue
		}
		at := func(e incident.Evidence) int {
			return slices.IndexFunc(b.Steps, func(x rules.Step) bool { return x.ID == e.Step })
		}
		if !slices.IsSortedFunc(f.Evidence, func(x, y incident.Evidence) int { return at(x) - at(y) }) {
			return "steps are swapped within the order tolerance"
		}
	}
	return ""
}

// unfit says what else than the span would decide about a stretched match.
func (s *stretcher) unfit(f *incident.Finding) string {
	p := s.rule.Plan
	byBranch := map[uint8]int{}
	var distinct []string
	for i := range s.hits {
		for _, h := range s.hits[i] {
			if h.Key != f.Key {
				continue
			}
			b := &p.Branches[h.Branch]
			if int(h.Step) >= len(b.Steps) {
				return "a guard or until is hit"
			}
			if !has(f, h.Ref.Event) {
				continue
			}
			if b.Measure != nil {
				return "values decide, and not how many events there are"
			}
			byBranch[h.Branch]++
			if b.Kind == rules.Count && b.Distinct >= 0 {
				v, _ := text(h.Fields[b.Distinct])
				distinct = append(distinct, v)
			}
		}
	}
	if p.AtLeast > 1 {
		for _, n := range byBranch {
			if n > 1 {
				return "a branch has several events"
			}
		}
		return ""
	}
	if len(distinct) != len(slices.Compact(slices.Sorted(slices.Values(distinct)))) {
		return "a value is counted twice"
	}
	return ""
}

// crosses says what keeps an event from being moved: it would pass another hit, or be another hit itself.
func (s *stretcher) crosses(m move, was int64) string {
	low, high := min(m.beyond, was), max(m.beyond, was)
	if low == high || (m.beyond-was > 0) != (m.beyond-m.edge > 0) {
		return "it already has the whole span"
	}
	for i := range s.hits {
		for _, h := range s.hits[i] {
			switch gated := s.gateOf(h); {
			case i == m.index && gated:
				return "the step of event " + s.name(i) + " remembers"
			case i == m.index || gated && s.gated[h.Ref.Event]:
			case h.Key == s.hits[m.index][0].Key && h.Ref.Time >= low && h.Ref.Time <= high:
				return "event " + s.name(m.index) + " would pass event " + s.name(i)
			}
		}
	}
	for _, t := range []int64{m.edge, m.beyond} {
		e := s.written[m.index]
		e.Time = t
		if !slices.EqualFunc(s.hits[m.index], s.hitsOf(e), s.same) {
			return "event " + s.name(m.index) + " satisfies other steps at another time"
		}
	}
	return ""
}

// gateOf reports whether the step of a hit lets hits pass by what it remembers.
func (s *stretcher) gateOf(h event.Hit) bool {
	b := &s.rule.Plan.Branches[h.Branch]
	if int(h.Step) >= len(b.Steps) {
		return false
	}
	return slices.ContainsFunc(s.engine.fold.byID[s.rule.ID].gates, func(g *gate) bool { return g.branch == int(h.Branch) && g.step == int(h.Step) })
}

// same reports whether a hit of the event at another time means the same to the fold; pairs of hits are compared by their fields too.
func (s *stretcher) same(a, b event.Hit) bool {
	if a.Branch != b.Branch || a.Step != b.Step || a.Key != b.Key || !slices.Equal(a.Vars, b.Vars) {
		return false
	}
	return s.rule.Plan.Branches[a.Branch].Kind != rules.Consecutive ||
		slices.EqualFunc(a.Fields, b.Fields, func(x, y event.FieldValue) bool { return x.Known == y.Known && same(x, y) })
}

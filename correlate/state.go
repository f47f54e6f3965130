package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// state is what a scan of one partition carries from hit to hit. It is a function of the hits scanned so far and of the guards beside them.
// Chains are immutable and shared between states; the slices around them are not.
type state struct {
	branches []branchState
	parts    [][]*match // `any` with at_least: unconsumed matches by branch, oldest first.
}

// branchState is the state of one branch; each kind uses its own part of it.
type branchState struct {
	served event.ID // The event that last served a step, which is step: it serves no other.
	step   uint8
	slots  [][]*link   // Sequence: chains that have reached a step, oldest first.
	pools  [][]waiting // Sequence with at_least or tolerance, and all: unconsumed hits by step, in order.
	groups []group     // Count and consecutive: hits in the window, by what the step binds beside the key.
}

// link is a chain up to a step: the hits that satisfied it and the chain before.
type link struct {
	prev        *link
	step        int
	hits        []*cell
	first, last int64    // Span of the whole chain.
	vars        []string // What the chain has bound beside the key; nil where the branch binds nothing beside it.
	swapped     bool     // A hit stands before its predecessor, within the order tolerance.
}

// waiting is an unconsumed hit with the chain it would follow.
type waiting struct {
	*cell
	pred *link
}

// group is the window of a count or consecutive. The backing array of cells is shared with copies: it is only appended to and cut, and
// a copy is clipped, so that two of them never write the same place.
type group struct {
	vars   []string // nil where the branch binds nothing beside the key.
	cells  []*cell
	prev   *cell            // Consecutive: the hit before.
	values map[string]int32 // Distinct: how often each value is in cells; nil if it has to be counted anew.
}

func newState(p *program) state {
	s := state{branches: make([]branchState, len(p.branches))}
	for i := range p.branches {
		s.branches[i].slots = make([][]*link, len(p.branches[i].Steps))
		s.branches[i].pools = make([][]waiting, len(p.branches[i].Steps))
	}
	if p.plan.AtLeast > 1 {
		s.parts = make([][]*match, len(p.branches))
	}
	return s
}

// copyFrom makes s a copy of t, keeping the memory of s where it can.
func (s *state) copyFrom(t *state) {
	if s.branches == nil {
		s.branches = make([]branchState, len(t.branches))
		s.parts = make([][]*match, len(t.parts))
	}
	for i := range t.branches {
		s.branches[i].copyFrom(&t.branches[i])
	}
	for i := range t.parts {
		s.parts[i] = append(s.parts[i][:0], t.parts[i]...)
	}
}

func (s *branchState) copyFrom(t *branchState) {
	s.served, s.step = t.served, t.step
	if s.slots == nil {
		s.slots = make([][]*link, len(t.slots))
		s.pools = make([][]waiting, len(t.pools))
	}
	for i := range t.slots {
		s.slots[i] = append(s.slots[i][:0], t.slots[i]...)
	}
	for i := range t.pools {
		s.pools[i] = append(s.pools[i][:0], t.pools[i]...)
	}
	clear(s.groups)
	s.groups = s.groups[:0]
	for _, g := range t.groups {
		s.groups = append(s.groups, group{vars: g.vars, cells: slices.Clip(g.cells), prev: g.prev})
	}
}

// equal reports whether the same hits would have the same effect on both.
func (s *state) equal(t *state) bool {
	for i := range s.branches {
		if !s.branches[i].equal(&t.branches[i]) {
			return false
		}
	}
	for i := range s.parts {
		if !slices.EqualFunc(s.parts[i], t.parts[i], sameMatch) {
			return false
		}
	}
	return true
}

func (s *branchState) equal(t *branchState) bool {
	if s.served != t.served || s.step != t.step || len(s.groups) != len(t.groups) {
		return false
	}
	for i := range s.slots {
		if !slices.EqualFunc(s.slots[i], t.slots[i], sameLink) {
			return false
		}
		if !slices.EqualFunc(s.pools[i], t.pools[i], func(a, b waiting) bool { return a.cell == b.cell && sameLink(a.pred, b.pred) }) {
			return false
		}
	}
	return slices.EqualFunc(s.groups, t.groups, func(a, b group) bool {
		return a.prev == b.prev && slices.Equal(a.vars, b.vars) && sameCells(a.cells, b.cells)
	})
}

// sameCells looks at the ends first: that is where windows differ.
func sameCells(a, b []*cell) bool {
	n := len(a)
	return n == len(b) && (n == 0 || a[0] == b[0] && a[n-1] == b[n-1] && slices.Equal(a, b))
}

func sameLink(a, b *link) bool {
	for a != b {
		if a == nil || b == nil || a.step != b.step || a.swapped != b.swapped || !slices.Equal(a.hits, b.hits) {
			return false
		}
		a, b = a.prev, b.prev
	}
	return true
}

// at is the chain as it was when it had reached a step.
func (l *link) at(step int) *link {
	for l != nil && l.step > step {
		l = l.prev
	}
	return l
}

// alive is the last event time at which something in the state can still matter; 0 if there is nothing.
func (s *state) alive(p *program) int64 {
	var t int64
	for i := range s.branches {
		b, memory := &s.branches[i], p.branches[i].memory
		for j := range b.slots {
			for _, l := range b.slots[j] {
				t = max(t, l.last+memory)
			}
			for _, w := range b.pools[j] {
				t = max(t, w.time()+memory)
			}
		}
		for _, g := range b.groups {
			if n := len(g.cells); n > 0 {
				t = max(t, g.cells[n-1].time()+memory)
			}
			if g.prev != nil {
				t = max(t, g.prev.time()+memory)
			}
		}
	}
	for _, list := range s.parts {
		for _, m := range list {
			t = max(t, m.time()+p.plan.Within)
		}
	}
	return t
}

package correlate

import (
	"slices"
)

// sequence offers a hit to step i of an ordered chain; a chain of one step is an event. A step remembers the newest chain that reached it
// (for every assignment of variables beside the key); the chain it came from stays, so a newer hit of the same step can replace it.
func (s *scan) sequence(b *branch, st *branchState, i int, c *cell) served {
	s.expire(b, st, c.time())
	if b.parts[i].AtLeast > 1 {
		return s.gather(b, st, i, c)
	}
	hits := []*cell{c}
	if i == 0 {
		l := s.extend(b, nil, 0, hits)
		if l != nil {
			s.place(b, st, l, c)
		}
		return served(l != nil)
	}
	for l := range s.preceding(b, st, i, c) {
		if next := s.extend(b, l, i, hits); next != nil {
			s.place(b, st, next, c)
			return true
		}
	}
	if b.OrderTolerance > 0 {
		st.pools[i] = append(st.pools[i], waiting{cell: c})
	}
	return false
}

// preceding yields the chains that c may continue at step i, the one to prefer first: the newest, or with SelectFirst the oldest.
func (s *scan) preceding(b *branch, st *branchState, i int, c *cell) func(func(*link) bool) {
	return func(yield func(*link) bool) {
		slot := st.slots[i-1]
		for j := range slot {
			l := slot[len(slot)-1-j]
			if b.SelectFirst {
				l = slot[j]
			}
			if b.parts[i].agrees(l.vars, c.Vars) && !l.usesEvent(c) && !yield(l) {
				return
			}
		}
	}
}

// extend is the chain with one more step, or nil if the span is too long or a before-guard refuses.
func (s *scan) extend(b *branch, l *link, i int, hits []*cell) *link {
	next := &link{prev: l, step: i, hits: hits, first: hits[0].time(), last: hits[len(hits)-1].time()}
	if l != nil {
		next.swapped = l.swapped || compare(hits[0], l.hits[len(l.hits)-1]) < 0
		next.first, next.last = min(next.first, l.first), max(next.last, l.last)
		next.vars = l.vars
	}
	if next.last-next.first > b.Within && (i > 0 || len(hits) > 1) {
		return nil
	}
	if !b.simple {
		for _, c := range hits {
			next.vars = b.parts[i].merge(next.vars, c.Vars)
		}
	}
	if s.refused(b, next) {
		return nil
	}
	return next
}

// place puts a chain where it now stands, or completes it. c is the hit of the scan.
func (s *scan) place(b *branch, st *branchState, l *link, c *cell) {
	if l.step == len(b.Steps)-1 {
		found := l.evidence(b.index)
		m := &match{at: c, branch: b.index, steps: found, bound: l.vars, first: l.first, swapped: l.swapped}
		st.consume(found)
		s.complete(m)
		return
	}
	slot := st.slots[l.step]
	if !b.SelectFirst {
		slot = slices.DeleteFunc(slot, func(o *link) bool { return slices.Equal(o.vars, l.vars) })
	}
	if len(slot) >= s.limit {
		slot = slices.Delete(slot, 0, 1)
		s.full()
	}
	st.slots[l.step] = append(slot, l)
	s.trace(trace{Kind: traceReached, Cell: c, Link: l, Branch: b.index})
	if b.OrderTolerance > 0 {
		s.advance(b, st, l, c)
	}
}

// advance lets a chain go on with hits of the next step that came before it, within the order tolerance; the newest first.
func (s *scan) advance(b *branch, st *branchState, l *link, c *cell) {
	i := l.step + 1
	x := &b.parts[i]
	since := l.hits[len(l.hits)-1].time() - b.OrderTolerance
	if x.AtLeast > 1 {
		for j := range st.pools[i] {
			w := &st.pools[i][j]
			if w.time() >= since && x.agrees(l.vars, w.Vars) && !l.usesEvent(w.cell) {
				w.pred = l
			}
		}
		s.satisfy(b, st, i, c, l.vars)
		return
	}
	for _, w := range slices.Backward(st.pools[i]) {
		if w.time() < since || !x.agrees(l.vars, w.Vars) || l.usesEvent(w.cell) {
			continue
		}
		if next := s.extend(b, l, i, []*cell{w.cell}); next != nil {
			s.place(b, st, next, c)
			return
		}
	}
}

// gather collects hits for a step that needs several.
func (s *scan) gather(b *branch, st *branchState, i int, c *cell) served {
	x := &b.parts[i]
	w := waiting{cell: c}
	if i > 0 {
		for l := range s.preceding(b, st, i, c) {
			w.pred = l
			break
		}
		if w.pred == nil && b.OrderTolerance == 0 {
			return false
		}
	}
	if x.Distinct >= 0 {
		value, ok := text(c.Fields[x.Distinct])
		if !ok {
			return false
		}
		st.pools[i] = slices.DeleteFunc(st.pools[i], func(o waiting) bool {
			v, _ := text(o.Fields[x.Distinct])
			return v == value && x.agrees(b.bound(nil, c), o.Vars)
		})
	}
	st.pools[i] = append(st.pools[i], w)
	if b.simple {
		st.pools[i] = st.pools[i][max(0, len(st.pools[i])-x.AtLeast):]
	}
	done := s.satisfy(b, st, i, c, b.bound(nil, c))
	return served(done || i == 0 || w.pred != nil) // What only waits for its predecessor may serve an earlier step.
}

// satisfy makes a chain of the newest hits of step i that agree, if there are enough of them and their first may follow its predecessor.
func (s *scan) satisfy(b *branch, st *branchState, i int, c *cell, vars []string) bool {
	x := &b.parts[i]
	var hits []*cell
	var pred *link
	for _, w := range slices.Backward(st.pools[i]) {
		if !x.agrees(vars, w.Vars) {
			continue
		}
		hits, pred = append(hits, w.cell), w.pred
		if len(hits) == x.AtLeast {
			break
		}
	}
	if len(hits) < x.AtLeast || i > 0 && pred == nil {
		return false
	}
	slices.Reverse(hits)
	next := s.extend(b, pred, i, hits)
	if next != nil {
		s.place(b, st, next, c)
	}
	return next != nil
}

// expire drops what can no longer complete within the span.
func (s *scan) expire(b *branch, st *branchState, t int64) {
	for i, slot := range st.slots {
		if len(slot) == 0 || slices.IndexFunc(slot, func(l *link) bool { return t-l.first > b.Within }) < 0 {
			continue
		}
		st.slots[i] = slices.DeleteFunc(slot, func(l *link) bool {
			dead := t-l.first > b.Within
			if dead {
				s.trace(trace{Kind: traceExpired, Link: l, At: l.first + b.Within, Branch: b.index})
			}
			return dead
		})
	}
	for i, pool := range st.pools {
		limit := b.Within
		if b.parts[i].AtLeast <= 1 {
			limit = b.OrderTolerance * int64(i) // Its predecessor may itself be early.
		}
		if len(pool) > 0 && t-pool[0].time() > limit {
			st.pools[i] = slices.DeleteFunc(pool, func(w waiting) bool { return t-w.time() > limit })
		}
	}
}

// consume removes everything that uses an event of the evidence.
func (st *branchState) consume(found []evidence) {
	used := func(c *cell) bool {
		return slices.ContainsFunc(found, func(e evidence) bool {
			return slices.ContainsFunc(e.hits, func(h *cell) bool { return h.Ref.Event == c.Ref.Event })
		})
	}
	for i, slot := range st.slots {
		if len(slot) > 0 {
			st.slots[i] = slices.DeleteFunc(slot, func(l *link) bool { return l.any(used) })
		}
	}
	for i, pool := range st.pools {
		if len(pool) > 0 {
			st.pools[i] = slices.DeleteFunc(pool, func(w waiting) bool { return used(w.cell) || w.pred.any(used) })
		}
	}
}

// any reports whether a hit of the chain is one of those.
func (l *link) any(of func(*cell) bool) bool {
	for ; l != nil; l = l.prev {
		if slices.ContainsFunc(l.hits, of) {
			return true
		}
	}
	return false
}

func (l *link) usesEvent(c *cell) bool {
	return l.any(func(o *cell) bool { return o.Ref.Event == c.Ref.Event })
}

// evidence is the chain's hits by step, first step first.
func (l *link) evidence(branch int) []evidence {
	found := make([]evidence, l.step+1)
	for ; l != nil; l = l.prev {
		found[l.step] = evidence{branch: branch, step: l.step, hits: l.hits}
	}
	return found
}

package correlate

import (
	"slices"
)

// group finds the window for what c binds beside the key, dropping windows that have become irrelevant on the way.
func (s *scan) group(b *branch, st *branchState, c *cell) *group {
	vars := b.bound(nil, c)
	if b.simple && len(st.groups) == 1 {
		return &st.groups[0]
	}
	t := c.time()
	st.groups = slices.DeleteFunc(st.groups, func(g group) bool {
		n := len(g.cells)
		return (n == 0 || t-g.cells[n-1].time() > b.memory) && (g.prev == nil || t-g.prev.time() > b.memory)
	})
	for i := range st.groups {
		if slices.Equal(st.groups[i].vars, vars) {
			return &st.groups[i]
		}
	}
	st.groups = append(st.groups, group{vars: vars})
	return &st.groups[len(st.groups)-1]
}

// count offers a hit to a window (t − within, t]. Reaching the number completes the match and consumes the whole window.
func (s *scan) count(b *branch, st *branchState, c *cell) served {
	value := ""
	if b.Distinct >= 0 {
		v, ok := text(c.Fields[b.Distinct])
		if !ok {
			return false
		}
		value = v
	}
	if _, ok := measured(b, c); !ok {
		return false
	}
	g := s.group(b, st, c)
	for len(g.cells) > 0 && g.cells[0].time() <= c.time()-b.Within {
		s.drop(b, g)
	}
	g.cells = append(g.cells, c)
	if b.Distinct >= 0 {
		g.tally(b.Distinct)
		g.values[value]++
	}
	if len(g.cells) > s.limit {
		s.drop(b, g)
		s.full()
	}
	n := len(g.cells)
	if b.Distinct >= 0 {
		n = len(g.values)
	}
	if n < b.AtLeast || b.Measure != nil && !reached(b, g.cells) {
		s.trace(trace{Kind: traceCounted, Cell: c, Branch: b.index, Count: n})
		return true
	}
	m := &match{at: c, branch: b.index, steps: []evidence{{branch: b.index, hits: g.cells}}, bound: g.vars, first: g.cells[0].time()}
	if s.refusedMatch(b, m) {
		return true
	}
	g.cells, g.values = nil, nil
	s.complete(m)
	return true
}

// tally counts the values of all cells but the last anew where a copy has lost them.
func (g *group) tally(field int) {
	if g.values != nil {
		return
	}
	g.values = make(map[string]int32)
	for _, c := range g.cells[:len(g.cells)-1] {
		v, _ := text(c.Fields[field])
		g.values[v]++
	}
}

func (s *scan) drop(b *branch, g *group) {
	if g.values != nil {
		v, _ := text(g.cells[0].Fields[b.Distinct])
		if g.values[v]--; g.values[v] == 0 {
			delete(g.values, v)
		}
	}
	s.trace(trace{Kind: traceLeft, Cell: g.cells[0], Branch: b.index, At: g.cells[0].time() + b.Within})
	g.cells = g.cells[1:]
}

// consecutive compares a hit with the one before it and counts the pairs that satisfy the condition within the span.
func (s *scan) consecutive(b *branch, st *branchState, c *cell) served {
	g := s.group(b, st, c)
	prev := g.prev
	g.prev = c
	if prev == nil || c.time()-prev.time() > b.memory || b.When != nil && !s.eval.bool(b.When, s.eval.match(s.program, nil, nil), &c.Hit, &prev.Hit) {
		return true
	}
	for len(g.cells) > 0 && c.time()-g.cells[0].time() > b.Within {
		s.drop(b, g)
	}
	g.cells = append(g.cells, c)
	if len(g.cells) < max(1, b.AtLeast) {
		s.trace(trace{Kind: traceCounted, Cell: c, Other: prev, Branch: b.index, Count: len(g.cells)})
		return true
	}
	m := &match{at: c, branch: b.index, steps: []evidence{{branch: b.index, hits: g.cells}}, bound: g.vars, first: g.cells[0].time()}
	if s.refusedMatch(b, m) {
		return true
	}
	g.cells = nil
	s.complete(m)
	return true
}

// all offers a hit to a step of an unordered pattern: complete once enough steps have what they need within the span.
func (s *scan) all(b *branch, st *branchState, i int, c *cell) served {
	for j, pool := range st.pools {
		if len(pool) > 0 && c.time()-pool[0].time() > b.Within {
			st.pools[j] = slices.DeleteFunc(pool, func(w waiting) bool { return c.time()-w.time() > b.Within })
		}
	}
	x := &b.parts[i]
	pool := st.pools[i]
	if x.Distinct >= 0 {
		value, ok := text(c.Fields[x.Distinct])
		if !ok {
			return false
		}
		pool = slices.DeleteFunc(pool, func(o waiting) bool {
			v, _ := text(o.Fields[x.Distinct])
			return v == value && slices.Equal(b.bound(nil, o.cell), b.bound(nil, c))
		})
	}
	pool = append(pool, waiting{cell: c})
	if b.simple {
		pool = pool[max(0, len(pool)-max(1, x.AtLeast)):]
	} else if len(pool) > s.limit {
		pool = pool[1:]
		s.full()
	}
	st.pools[i] = pool
	s.unite(b, st, i, c)
	return true
}

// unite looks for enough steps that agree with c, which has just been added to step i; each step gives its newest hits.
func (s *scan) unite(b *branch, st *branchState, i int, c *cell) {
	need := b.AtLeast
	if need == 0 {
		need = len(b.Steps)
	}
	own := s.newest(b, st, i, b.bound(nil, c))
	if own == nil {
		return
	}
	u := choice{b: b, s: s, st: st, need: need, first: i, tries: 4096}
	found, bound := u.search(0, []evidence{{branch: b.index, step: i, hits: own}}, b.bound(nil, c))
	if found == nil {
		s.trace(trace{Kind: traceReached, Cell: c, Branch: b.index})
		return
	}
	slices.SortFunc(found, func(x, y evidence) int { return x.step - y.step })
	first := c.time()
	for _, e := range found {
		first = min(first, e.hits[0].time())
	}
	m := &match{at: c, branch: b.index, steps: found, bound: bound, first: first}
	if s.refusedMatch(b, m) {
		return
	}
	st.consume(found)
	s.complete(m)
}

// choice is the search for steps that agree: newest first, with a bound on how much is tried.
type choice struct {
	b     *branch
	s     *scan
	st    *branchState
	need  int
	first int
	tries int
}

func (u *choice) search(step int, found []evidence, bound []string) ([]evidence, []string) {
	if len(found) == u.need {
		return found, bound
	}
	if step == len(u.b.Steps) || u.tries == 0 || len(found)+len(u.b.Steps)-step < u.need {
		return nil, nil
	}
	if step == u.first {
		return u.search(step+1, found, bound)
	}
	x := &u.b.parts[step]
	pool := u.st.pools[step]
	for _, w := range slices.Backward(pool) {
		if u.tries--; u.tries <= 0 {
			break
		}
		if !x.agrees(bound, w.Vars) || slices.ContainsFunc(found, func(e evidence) bool {
			return slices.ContainsFunc(e.hits, func(h *cell) bool { return h.Ref.Event == w.Ref.Event })
		}) {
			continue
		}
		merged := bound
		if !u.b.simple {
			merged = x.merge(bound, w.Vars)
		}
		hits := u.s.newest(u.b, u.st, step, merged)
		if hits == nil {
			continue
		}
		if f, v := u.search(step+1, append(slices.Clip(found), evidence{branch: u.b.index, step: step, hits: hits}), merged); f != nil {
			return f, v
		}
		if u.b.simple {
			break
		}
	}
	return u.search(step+1, found, bound)
}

// newest gives the newest hits of a step that agree, as many as it needs; nil if there are not enough.
func (s *scan) newest(b *branch, st *branchState, i int, vars []string) []*cell {
	x := &b.parts[i]
	need := max(1, x.AtLeast)
	hits := make([]*cell, 0, need)
	for _, w := range slices.Backward(st.pools[i]) {
		if b.simple || compatible(vars, b.bound(nil, w.cell)) {
			if hits = append(hits, w.cell); len(hits) == need {
				slices.Reverse(hits)
				return hits
			}
		}
	}
	return nil
}

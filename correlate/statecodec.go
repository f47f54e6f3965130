package correlate

import "slices"

func (w *writer) state(s *state) {
	w.uint(uint64(len(s.branches)))
	for i := range s.branches {
		b := &s.branches[i]
		w.id(b.served)
		w.b = append(w.b, b.step)
		w.uint(uint64(len(b.slots)))
		for j := range b.slots {
			w.uint(uint64(len(b.slots[j])))
			for _, l := range b.slots[j] {
				w.link(l)
			}
			w.uint(uint64(len(b.pools[j])))
			for _, x := range b.pools[j] {
				w.cell(x.cell)
				w.link(x.pred)
			}
		}
		w.uint(uint64(len(b.groups)))
		for _, g := range b.groups {
			w.maybeTexts(g.vars)
			w.cellList(g.cells)
			w.maybeCell(g.prev)
		}
	}
	w.uint(uint64(len(s.parts)))
	for _, list := range s.parts {
		w.uint(uint64(len(list)))
		for _, m := range list {
			w.match(m)
		}
	}
}

// link writes a chain, which may be nil; the chain before it comes first.
func (w *writer) link(l *link) {
	w.bool(l != nil)
	if l == nil || !numbered(w, w.links, l) {
		return
	}
	w.b = append(w.b, byte(l.step))
	w.cellList(l.hits)
	w.int(l.first)
	w.int(l.last)
	w.maybeTexts(l.vars)
	w.bool(l.swapped)
	w.link(l.prev)
}

func (w *writer) match(m *match) {
	if !numbered(w, w.matches, m) {
		return
	}
	w.cell(m.at)
	w.int(int64(m.branch))
	w.maybeTexts(m.bound)
	w.int(m.first)
	w.bool(m.swapped)
	w.uint(uint64(len(m.steps)))
	for _, e := range m.steps {
		w.b = append(w.b, byte(e.branch), byte(e.step))
		w.cellList(e.hits)
	}
	w.uint(uint64(len(m.parts)))
	for _, p := range m.parts {
		w.match(p)
	}
}

func (r *reader) state() state {
	s := state{branches: make([]branchState, r.count(20))}
	for i := range s.branches {
		b := &s.branches[i]
		b.served, b.step = r.id(), r.byte()
		n := r.count(2)
		b.slots, b.pools = make([][]*link, n), make([][]waiting, n)
		for j := range n {
			for range r.count(1) {
				b.slots[j] = append(b.slots[j], r.link(0))
			}
			for range r.count(2) {
				b.pools[j] = append(b.pools[j], waiting{cell: r.cell(), pred: r.link(0)})
			}
		}
		for range r.count(3) {
			b.groups = append(b.groups, group{vars: r.maybeTexts(), cells: r.cellList(), prev: r.maybeCell()})
		}
	}
	if n := r.count(1); n > 0 {
		s.parts = make([][]*match, n)
	}
	for i := range s.parts {
		for range r.count(1) {
			s.parts[i] = append(s.parts[i], r.match(0))
		}
	}
	return s
}

func (r *reader) link(depth int) *link {
	if !r.bool() {
		return nil
	}
	l, fresh := number(r, r.links)
	if !fresh {
		return l
	}
	if depth > 64 {
		r.fail()
		return nil
	}
	l = &link{}
	r.links = append(r.links, l)
	l.step, l.hits, l.first, l.last, l.vars, l.swapped = int(r.byte()), r.cellList(), r.time(), r.time(), r.maybeTexts(), r.bool()
	l.prev = r.link(depth + 1)
	if len(l.hits) == 0 || l.prev == nil && l.step != 0 || l.prev != nil && l.prev.step != l.step-1 {
		r.fail()
		l.prev = nil
	}
	return l
}

func (r *reader) match(depth int) *match {
	m, fresh := number(r, r.matches)
	if !fresh {
		if m == nil {
			r.fail()
			m = &match{at: r.cell()}
		}
		return m
	}
	m = &match{}
	r.matches = append(r.matches, m)
	m.at, m.branch, m.bound, m.first, m.swapped = r.cell(), int(r.int()), r.maybeTexts(), r.time(), r.bool()
	for range r.count(3) {
		e := evidence{branch: int(r.byte()), step: int(r.byte()), hits: r.cellList()}
		if len(e.hits) == 0 {
			r.fail()
		}
		m.steps = append(m.steps, e)
	}
	for range r.count(1) {
		if depth > 0 {
			r.fail()
			break
		}
		m.parts = append(m.parts, r.match(depth+1))
	}
	return m
}

// The checks below hold what was read against the rule: a snapshot that passed its checksum may still come from another program.

func (r *ruleState) sound(c *cell, key string) bool {
	if c == nil || c.Ref == nil || c.time() < never/2 || c.time() > forever/2 || int(c.Branch) >= len(r.branches) || int(c.Step) >= len(r.branches[c.Branch].parts) || c.Key != key {
		return false
	}
	x := r.branches[c.Branch].parts[c.Step].Step
	return len(c.Vars) == len(r.plan.Vars) && len(c.Fields) == len(x.Fields)+len(x.Values)+x.Outputs()
}

func (r *ruleState) soundList(list []*cell, key string) bool {
	return !slices.ContainsFunc(list, func(c *cell) bool { return !r.sound(c, key) }) && slices.IsSortedFunc(list, compare)
}

func (r *ruleState) soundVars(vars []string) bool {
	return vars == nil || len(vars) == len(r.plan.Vars)
}

func (r *ruleState) soundLink(l *link, branch int, key string) bool {
	for ; l != nil; l = l.prev {
		if l.step >= len(r.branches[branch].Steps) || !r.soundVars(l.vars) || !r.soundStep(l.hits, branch, l.step, key) {
			return false
		}
	}
	return true
}

// soundStep reports whether hits are of one step.
func (r *ruleState) soundStep(hits []*cell, branch, step int, key string) bool {
	return len(hits) > 0 && !slices.ContainsFunc(hits, func(c *cell) bool { return !r.sound(c, key) || int(c.Branch) != branch || int(c.Step) != step })
}

func (r *ruleState) soundMatch(m *match, key string) bool {
	if m == nil || !r.sound(m.at, key) || !r.soundVars(m.bound) || len(m.steps) == 0 {
		return false
	}
	if m.parts == nil && (m.branch < 0 || m.branch >= len(r.branches)) {
		return false
	}
	for _, e := range m.steps {
		if e.branch < 0 || e.branch >= len(r.branches) || e.step < 0 || e.step >= len(r.branches[e.branch].Steps) || !r.soundStep(e.hits, e.branch, e.step, key) {
			return false
		}
	}
	return !slices.ContainsFunc(m.parts, func(p *match) bool { return p.parts != nil || !r.soundMatch(p, key) })
}

func (r *ruleState) soundState(s *state, key string) bool {
	if len(s.branches) != len(r.branches) || len(s.parts) != 0 && len(s.parts) != len(r.branches) || r.plan.AtLeast > 1 && len(s.parts) == 0 {
		return false
	}
	for i := range s.branches {
		b := &s.branches[i]
		if len(b.slots) != len(r.branches[i].Steps) {
			return false
		}
		for j := range b.slots {
			for _, l := range b.slots[j] {
				if l == nil || l.step != j || !r.soundLink(l, i, key) {
					return false
				}
			}
			for _, w := range b.pools[j] {
				if !r.soundStep([]*cell{w.cell}, i, j, key) || w.pred != nil && (w.pred.step != j-1 || !r.soundLink(w.pred, i, key)) {
					return false
				}
			}
		}
		for _, g := range b.groups {
			if !r.soundVars(g.vars) || len(g.cells) > 0 && !r.soundStep(g.cells, i, 0, key) || g.prev != nil && !r.soundStep([]*cell{g.prev}, i, 0, key) {
				return false
			}
		}
	}
	return !slices.ContainsFunc(s.parts, func(list []*match) bool {
		return slices.ContainsFunc(list, func(m *match) bool { return !r.soundMatch(m, key) })
	})
}

package correlate

import "github.com/tocsin-siem/tocsin/rules"

// A window that counts distinct values keeps how often each is in it. A copy of a state has no such tally, and counting anew looks at the whole
// window. A rescan begins with the copy of a state that lies a little before the newest: what the tally there was follows from the newest
// one and the hits between them.

// lend gives the tallies of s to t, where their windows overlap, changed by the hits that are in one of them alone; s is left without.
func (s *state) lend(p *program, t *state) {
	for i := range s.branches {
		b := &p.branches[i]
		from, to := s.branches[i].groups, t.branches[i].groups
		if b.Kind == rules.Count && b.Distinct >= 0 && len(from) == 1 && len(to) == 1 {
			from[0].lend(&to[0], b.Distinct)
		}
	}
}

func (g *group) lend(to *group, field int) {
	if g.values == nil || to.values != nil || len(g.cells) == 0 || len(to.cells) == 0 {
		return
	}
	a, b := g.cells, to.cells
	first, last := a[0], a[len(a)-1]
	if compare(b[0], first) > 0 {
		first = b[0]
	}
	if end := b[len(b)-1]; compare(end, last) < 0 {
		last = end
	}
	a0, a1, ok := within(a, first, last)
	b0, b1, fine := within(b, first, last)
	if !ok || !fine || a1-a0 != b1-b0 {
		return
	}
	to.values, g.values = g.values, nil
	to.count(a[:a0], field, -1)
	to.count(a[a1:], field, -1)
	to.count(b[:b0], field, 1)
	to.count(b[b1:], field, 1)
}

// within gives the range of sorted cells from first to last; ok is false if one of them is not there.
func within(cells []*cell, first, last *cell) (from, to int, ok bool) {
	from, ok = find(cells, first)
	to, found := find(cells, last)
	return from, to + 1, ok && found && from <= to
}

// count adds to the tally how often the values of cells occur.
func (g *group) count(cells []*cell, field int, by int32) {
	for _, c := range cells {
		v, _ := text(c.Fields[field])
		if g.values[v] += by; g.values[v] == 0 {
			delete(g.values, v)
		}
	}
}

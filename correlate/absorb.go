package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/rules"
)

// A hit out of order makes no difference to a count but that it is in the windows, as long as no window can be full: if there are fewer hits (or
// values) in everything that may still change than the count needs, none completes, whatever the order. Then the hit goes into the newest
// window and nothing is scanned again. What may still change is the window before the buffer, and the buffer.

// absorbs reports whether a rule is such a count, and nothing beside it.
func (r *ruleState) absorbs() bool {
	if len(r.branches) != 1 || len(r.gates) > 0 || len(r.rule.Upstream) > 0 || len(r.branches[0].parts) != 1 { // Gates and findings take hits back.
		return false
	}
	b := &r.branches[0]
	return b.Kind == rules.Count && b.simple && b.Measure == nil
}

// absorb takes the changes of a batch in; false if they need a rescan.
func (k *partition) absorb(s *scan) bool {
	if !k.rule.absorbing || len(k.head.branches[0].groups) != 1 || !k.short(s) {
		return false
	}
	g := &k.head.branches[0].groups[0]
	m := k.marksBefore(k.changes[0].at)
	for _, c := range k.changes {
		s.put(g, c.at)
	}
	k.marks = slices.Delete(k.marks, m, len(k.marks)) // Their windows lack the hits.
	k.fresh = s.every
	if k.behind != nil {
		at, _ := find(k.buf, k.behind)
		for _, c := range k.buf[at:] {
			k.scanOne(s, c)
		}
	}
	return true
}

// short reports whether everything that may still change is too little for a match.
func (k *partition) short(s *scan) bool {
	b := &s.branches[0]
	before := k.before()
	n := len(before) + len(k.buf)
	if b.Distinct < 0 || n > s.limit {
		return n < b.AtLeast && n <= s.limit
	}
	if k.values == nil {
		k.values = map[string]int32{}
		k.weigh(before, 1)
		k.weigh(k.buf, 1)
	}
	return len(k.values) < b.AtLeast
}

// before is the window of a count before the buffer.
func (k *partition) before() []*cell {
	if groups := k.base.branches[0].groups; len(groups) > 0 {
		return groups[0].cells
	}
	return nil
}

// weigh counts the values of hits in or out.
func (k *partition) weigh(cells []*cell, by int32) {
	field := k.rule.branches[0].Distinct
	for _, c := range cells {
		v, ok := text(c.Fields[field])
		if !ok {
			continue
		}
		if k.values[v] += by; k.values[v] == 0 {
			delete(k.values, v)
		}
	}
}

// put puts a hit into a window that newer ones are in already, and drops what is too old for the newest.
func (s *scan) put(g *group, c *cell) {
	b := &s.branches[0]
	value := ""
	if b.Distinct >= 0 {
		v, ok := text(c.Fields[b.Distinct])
		if !ok {
			return
		}
		if value = v; g.values == nil {
			g.values = map[string]int32{}
			g.count(g.cells, b.Distinct, 1)
		}
	}
	at, _ := find(g.cells, c)
	g.cells = slices.Insert(g.cells, at, c) // States that share the array end before c.
	if b.Distinct >= 0 {
		g.values[value]++
	}
	for oldest := g.cells[len(g.cells)-1].time() - b.Within; g.cells[0].time() <= oldest; {
		s.drop(b, g)
	}
}

// advance moves the state before the buffer over the hits up to w where no stored state does, which absorbing leaves none of.
func (k *partition) advance(s *scan, w int64) {
	n := from(k.buf, w+1)
	if n < 4*s.every || n == len(k.buf) || !k.rule.absorbing {
		return
	}
	old := k.before()
	s.quiet(k.rule, k)
	s.st, s.guards, s.found = &k.base, k.guards, s.found[:0]
	for _, c := range k.buf[:n] {
		s.apply(c)
	}
	s.found = s.found[:0] // Final, and told.
	k.marks = slices.Delete(k.marks, 0, k.marksBefore(k.buf[n]))
	k.drop(old, n)
}

// drop forgets the first n hits of the buffer, of which and of the window that was before them the window now before the rest may hold some.
func (k *partition) drop(old []*cell, n int) {
	if k.values != nil {
		now := k.before()
		for _, gone := range [][]*cell{old, k.buf[:n]} {
			end := len(gone)
			if len(now) > 0 {
				end, _ = find(gone, now[0])
			}
			k.weigh(gone[:end], -1)
		}
	}
	clear(k.buf[:n])
	k.buf = k.buf[n:]
}

package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// scan walks hits of one partition in order and changes a state by them (N2). It finds matches; what becomes of them is decided later,
// since a guard after the match and the throttle look at more than the hits so far.
type scan struct {
	*program
	guards  [][]*cell // The partition's guards and untils, by part.memory.
	st      *state
	eval    *evaluator
	found   []*match // In order of completion.
	observe func(trace)
	rule    *ruleState // Whose scan it is,
	key     *partition // and of which key.
	silent  bool       // What is scanned has been scanned before: nothing is counted.
	limit   int        // Hits kept per window.
	every   int        // Hits between stored states.
}

// with points the scan at a rule and partition.
func (s *scan) with(r *ruleState, k *partition) *scan {
	s.program, s.guards, s.rule, s.key, s.silent = r.program, k.guards, r, k, false
	return s
}

// quiet is with for hits that were scanned before.
func (s *scan) quiet(r *ruleState, k *partition) *scan {
	s.with(r, k).silent = true
	return s
}

// full is called when a window had to drop hits because of the budget.
func (s *scan) full() {
	if !s.silent {
		s.rule.stats.Evicted++
		s.key.degraded = true
	}
}

// failed counts an expression without a result.
func (s *scan) failed(error) {
	if !s.silent && s.rule != nil {
		s.rule.stats.Errors++
	}
}

// served is returned by the kinds: did the hit serve the step it was offered to?
type served bool

// apply offers one hit.
func (s *scan) apply(c *cell) {
	b, st := &s.branches[c.Branch], &s.st.branches[c.Branch]
	x := &b.parts[c.Step]
	if x.guard != nil {
		s.forbid(b, st, x, c)
		return
	}
	if st.served == c.Ref.Event && st.step != c.Step || s.blocked(b, x, c) {
		return
	}
	var ok served
	switch b.Kind {
	case rules.Event, rules.Sequence:
		ok = s.sequence(b, st, int(c.Step), c)
	case rules.All:
		ok = s.all(b, st, int(c.Step), c)
	case rules.Count:
		ok = s.count(b, st, c)
	case rules.Consecutive:
		ok = s.consecutive(b, st, c)
	}
	if ok {
		st.served, st.step = c.Ref.Event, c.Step
	}
}

// complete makes a match of a branch. All evidence is consumed by the caller, whatever becomes of the match.
func (s *scan) complete(m *match) {
	if s.plan.AtLeast <= 1 {
		s.emit(m)
		return
	}
	s.gatherBranches(m)
}

func (s *scan) emit(m *match) {
	s.found = append(s.found, m)
	s.trace(trace{Kind: traceComplete, Cell: m.at, Match: m})
}

// gatherBranches counts the branches of an `any` with at_least: the newest unconsumed match of each, agreeing with m and within its span.
func (s *scan) gatherBranches(m *match) {
	parts := s.st.parts
	for i := range parts {
		parts[i] = slices.DeleteFunc(parts[i], func(o *match) bool { return m.time()-o.time() > s.plan.Within })
	}
	chosen := []*match{m}
	vars := m.bound
	for i := range parts {
		if i == m.branch {
			continue
		}
		for _, o := range slices.Backward(parts[i]) {
			if compatible(vars, o.bound) && !o.shares(m) {
				chosen, vars = append(chosen, o), union(vars, o.bound)
				break
			}
		}
		if len(chosen) == s.plan.AtLeast {
			break
		}
	}
	if len(chosen) < s.plan.AtLeast {
		at := m.branch
		if s.branches[at].simple {
			parts[at] = parts[at][:0]
		}
		parts[at] = append(parts[at], m)
		return
	}
	for i := range parts {
		parts[i] = slices.DeleteFunc(parts[i], func(o *match) bool { return slices.Contains(chosen, o) })
	}
	s.emit(joinMatches(chosen, vars))
}

// forbid lets a guard or until kill what is open in its gap.
func (s *scan) forbid(b *branch, st *branchState, x *part, c *cell) {
	until := int(c.Step) >= len(b.Steps)+len(b.Guards)
	if !until && !x.guard.Between {
		return
	}
	first, last := x.guard.From, x.guard.To
	if until || first < 0 || last < 0 {
		first, last = -1, len(b.Steps)
	}
	for j := range st.slots {
		if j < first || j >= last {
			continue
		}
		st.slots[j] = slices.DeleteFunc(st.slots[j], func(l *link) bool {
			dead := x.agrees(l.vars, c.Vars) && s.holds(x, c, l.evidence(b.index))
			if dead {
				s.trace(trace{Kind: traceKilled, Cell: c, Link: l, Branch: b.index})
			}
			return dead
		})
	}
	for j := range st.pools {
		inGap := j-1 >= first && j-1 < last
		st.pools[j] = slices.DeleteFunc(st.pools[j], func(w waiting) bool {
			if b.Kind != rules.All && !until && (!inGap || j > 0 && w.pred == nil) {
				return false // Not in the gap, or so early that it stands in none.
			}
			return s.kills(b, x, c, w)
		})
	}
	for j := range st.groups {
		g := &st.groups[j]
		if len(g.cells) > 0 && x.agrees(g.vars, c.Vars) && s.holds(x, c, []evidence{{branch: b.index, hits: g.cells}}) {
			s.trace(trace{Kind: traceKilled, Cell: c, Other: g.cells[len(g.cells)-1], Branch: b.index})
			g.cells, g.values = nil, nil
		}
	}
}

// kills reports whether a guard's hit speaks against one hit that waits.
func (s *scan) kills(b *branch, x *part, guard *cell, w waiting) bool {
	own := evidence{branch: b.index, step: int(w.Step), hits: []*cell{w.cell}}
	var vars []string
	found := []evidence{own}
	if w.pred != nil {
		vars, found = w.pred.vars, append(w.pred.evidence(b.index), own)
	}
	if !x.agrees(b.bound(vars, w.cell), guard.Vars) || !s.holds(x, guard, found) {
		return false
	}
	s.trace(trace{Kind: traceKilled, Cell: guard, Other: w.cell, Branch: b.index})
	return true
}

// blocked reports whether an until is still quieting this hit.
func (s *scan) blocked(b *branch, x *part, c *cell) bool {
	for j := len(b.Steps) + len(b.Guards); j < len(b.parts); j++ {
		u := &b.parts[j]
		if u.guard.QuietFor == 0 {
			continue
		}
		list := s.guards[u.memory]
		end, _ := find(list, c)
		for _, g := range slices.Backward(list[:end]) {
			if c.time()-g.time() > u.guard.QuietFor {
				break
			}
			if g.Ref.Event != c.Ref.Event && u.agrees(b.bound(nil, c), g.Vars) && s.holds(u, g, nil) {
				s.trace(trace{Kind: traceBlocked, Cell: c, Other: g, Branch: b.index})
				return true
			}
		}
	}
	return false
}

// holds evaluates a guard's condition over the evidence so far.
func (s *scan) holds(x *part, guard *cell, found []evidence) bool {
	return x.guard.When == nil || s.eval.bool(x.guard.When, s.eval.match(s.program, found, nil), &guard.Hit, nil)
}

// bound gives the variables beside the key after c joined what has vars; nil where there are none.
func (b *branch) bound(vars []string, c *cell) []string {
	if b.simple {
		return nil
	}
	return b.parts[c.Step].merge(vars, c.Vars)
}

func (s *scan) trace(t trace) {
	if s.observe != nil {
		t.Rule = s.program.rule
		s.observe(t)
	}
}

// evidence is the hits that satisfied one step.
type evidence struct {
	branch, step int
	hits         []*cell
}

// match is a completed pattern. It is immutable.
type match struct {
	at      *cell // The completing hit.
	branch  int
	steps   []evidence
	bound   []string // Variables beside the key; nil where there are none.
	first   int64
	swapped bool
	parts   []*match // The branches' matches, for `any` with at_least.
}

func (m *match) time() int64 { return m.at.time() }

// shares reports whether two matches have an event in common.
func (m *match) shares(o *match) bool {
	for _, e := range o.steps {
		for _, c := range e.hits {
			if m.has(c.Ref.Event) {
				return true
			}
		}
	}
	return false
}

func (m *match) has(id event.ID) bool {
	for _, e := range m.steps {
		if slices.ContainsFunc(e.hits, func(c *cell) bool { return c.Ref.Event == id }) {
			return true
		}
	}
	return false
}

func sameMatch(a, b *match) bool {
	return a == b || a.at == b.at && a.branch == b.branch && a.swapped == b.swapped &&
		slices.EqualFunc(a.steps, b.steps, func(x, y evidence) bool {
			return x.branch == y.branch && x.step == y.step && slices.Equal(x.hits, y.hits)
		})
}

// joinMatches makes the match of an `any` with at_least of its branches' matches; the first one completed it.
func joinMatches(chosen []*match, vars []string) *match {
	m := &match{at: chosen[0].at, branch: -1, bound: vars, first: chosen[0].first}
	m.parts = chosen
	for _, o := range chosen {
		m.steps = append(m.steps, o.steps...)
		m.first = min(m.first, o.first)
		m.swapped = m.swapped || o.swapped
	}
	slices.SortStableFunc(m.steps, func(a, b evidence) int { return a.branch - b.branch })
	return m
}

func compatible(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != "" && b[i] != "" && a[i] != b[i] {
			return false
		}
	}
	return true
}

func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	u := slices.Clone(a)
	for i := range min(len(a), len(b)) {
		if u[i] == "" {
			u[i] = b[i]
		}
	}
	return u
}

package correlate

import "slices"

// A guard with a length is not part of the scanned state: whether one of its hits stands in a stretch of time follows from the partition's
// sorted list of guard hits, and only a before-guard bears on what the scan does next.

// refused reports whether a before-guard that is decided at the chain's last step speaks against the chain.
func (s *scan) refused(b *branch, l *link) bool {
	if len(b.Guards) == 0 {
		return false
	}
	for j := range b.Guards {
		x := &b.parts[len(b.Steps)+j]
		if x.guard.Before == 0 || x.decide != l.step {
			continue
		}
		about := l.at(max(0, x.guard.Of))
		if g := s.preceded(x, about.hits[0], l.vars, l.evidence(b.index)); g != nil {
			s.trace(trace{Kind: traceRefused, Cell: g, Other: about.hits[0], Link: l, Branch: b.index})
			return true
		}
	}
	return false
}

// refusedMatch is refused for the kinds that decide all of their before-guards when they complete.
func (s *scan) refusedMatch(b *branch, m *match) bool {
	for j := range b.Guards {
		x := &b.parts[len(b.Steps)+j]
		if x.guard.Before == 0 {
			continue
		}
		about := m.earliest()
		if i := slices.IndexFunc(m.steps, func(e evidence) bool { return e.step == x.guard.Of }); i >= 0 {
			about = m.steps[i].hits[0]
		}
		if g := s.preceded(x, about, m.bound, m.steps); g != nil {
			s.trace(trace{Kind: traceRefused, Cell: g, Other: about, Branch: b.index, Match: m})
			return true
		}
	}
	return false
}

// preceded finds a hit of a before-guard in its stretch, the newest first; both ends are inside.
func (s *scan) preceded(x *part, about *cell, vars []string, found []evidence) *cell {
	list := s.guards[x.memory]
	end, _ := find(list, about)
	for _, g := range slices.Backward(list[:end]) {
		if about.time()-g.time() > x.guard.Before {
			return nil
		}
		if s.speaks(x, g, vars, found) {
			return g
		}
	}
	return nil
}

// speaks reports whether a guard's hit is about this match. An event does not forbid what it is itself part of.
func (s *scan) speaks(x *part, g *cell, vars []string, found []evidence) bool {
	for _, e := range found {
		if slices.ContainsFunc(e.hits, func(c *cell) bool { return c.Ref.Event == g.Ref.Event }) {
			return false
		}
	}
	return x.agrees(vars, g.Vars) && s.holds(x, g, found)
}

// deadline is the event time at which nothing within lateness can add to or speak against the match any more: its completing time plus the
// longest `after`.
func (s *scan) deadline(m *match) int64 {
	t := m.time()
	s.eachAfter(m, func(x *part, about *cell, _ *match) bool {
		t = max(t, about.time()+x.guard.After)
		return true
	})
	return t
}

// followed finds the hit of an after-guard that kills the match, if there is one by now.
func (s *scan) followed(m *match) (killer *cell) {
	s.eachAfter(m, func(x *part, about *cell, of *match) bool {
		list := s.guards[x.memory]
		at, _ := find(list, about)
		for _, g := range list[at:] {
			if g.time()-about.time() > x.guard.After {
				break
			}
			if s.speaks(x, g, of.bound, of.steps) {
				killer = g
				return false
			}
		}
		return true
	})
	return killer
}

// eachAfter calls f for every after-guard of the match, with the hit its stretch starts from, until f is false.
func (s *scan) eachAfter(m *match, f func(x *part, about *cell, of *match) bool) {
	if s.after == 0 {
		return
	}
	parts := m.parts
	if parts == nil {
		parts = []*match{m}
	}
	for _, o := range parts {
		b := &s.branches[o.branch]
		for j := range b.Guards {
			x := &b.parts[len(b.Steps)+j]
			if x.guard.After == 0 {
				continue
			}
			about := m.at
			if i := slices.IndexFunc(o.steps, func(e evidence) bool { return e.step == x.guard.Of }); i >= 0 {
				about = o.steps[i].hits[len(o.steps[i].hits)-1]
			}
			if !f(x, about, o) {
				return
			}
		}
	}
}

// earliest is the first hit of the evidence.
func (m *match) earliest() *cell {
	first := m.at
	for _, e := range m.steps {
		for _, c := range e.hits {
			if compare(c, first) < 0 {
				first = c
			}
		}
	}
	return first
}

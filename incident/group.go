package incident

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// group is findings that belong together.
type group struct {
	members []*member // by (time, id)
	label   event.ID  // the touched incident that holds it; zero if none
	first   int64
	last    int64
}

// regroup works out the components around the touched findings anew and gives each an incident.
func (s *Stitcher) regroup(touched, lost map[event.ID]bool, now int64) []Change {
	nodes := s.closure(touched)
	groups := s.components(nodes)
	homes := map[event.ID]bool{}
	for id := range lost {
		homes[id] = true
	}
	for _, m := range nodes {
		if m.home != (event.ID{}) {
			homes[m.home] = true
		}
	}
	taken := map[event.ID]bool{}
	var changes []Change
	assigned := make([]event.ID, len(groups))
	for i, g := range groups { // touched incidents first: they keep theirs
		if g.label != (event.ID{}) {
			assigned[i] = g.label
			taken[g.label] = true
		}
	}
	for i, g := range groups {
		if assigned[i] == (event.ID{}) {
			assigned[i] = s.choose(g, taken)
			taken[assigned[i]] = true
		}
	}
	for i, g := range groups {
		changes = append(changes, s.settle(assigned[i], g, now)...)
	}
	for _, id := range sorted(homes) {
		if !taken[id] {
			changes = append(changes, s.vacate(id, now)...)
		}
	}
	return changes
}

// closure is the touched findings and all that links reach from them, by (time, id).
func (s *Stitcher) closure(touched map[event.ID]bool) []*member {
	seen := map[event.ID]bool{}
	queue, out := sorted(touched), []*member(nil)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		m := s.findings[id]
		if m == nil || seen[id] {
			continue
		}
		seen[id] = true
		out = append(out, m)
		for other := range m.links {
			queue = append(queue, other)
		}
		if in := s.incidents[m.home]; in != nil {
			for _, f := range in.Findings {
				queue = append(queue, f.ID)
			}
		}
	}
	slices.SortFunc(out, byTime)
	return out
}

func byTime(a, b *member) int {
	return cmp.Or(cmp.Compare(a.finding.Time, b.finding.Time), a.finding.ID.Compare(b.finding.ID))
}

func sorted(set map[event.ID]bool) []event.ID {
	out := make([]event.ID, 0, len(set))
	for id := range set {
		out = append(out, id)
	}
	slices.SortFunc(out, event.ID.Compare)
	return out
}

// components unites the nodes along their links, earliest links first, unless that would make an incident too long or bring two touched
// incidents together. The result does not depend on the order of arrival.
func (s *Stitcher) components(nodes []*member) []*group {
	of := map[event.ID]*group{}
	byLabel := map[event.ID]*group{}
	for _, m := range nodes {
		g := &group{members: []*member{m}, first: m.finding.First, last: m.finding.Time}
		if in := s.incidents[m.home]; in != nil && in.Touched && in.Status != Merged {
			if in.Status != Closed || s.cfg.Reopen || s.holds(in, m) {
				g.label = in.ID
			}
		}
		if same := byLabel[g.label]; same != nil && g.label != (event.ID{}) {
			unite(of, same, g)
			of[m.finding.ID] = same
			continue
		}
		if g.label != (event.ID{}) {
			byLabel[g.label] = g
		}
		of[m.finding.ID] = g
	}
	for _, l := range linksOf(nodes) {
		a, b := of[l.A], of[l.B]
		if a == nil || b == nil || a == b || !s.mayUnite(a, b) {
			continue
		}
		unite(of, a, b)
	}
	var out []*group
	seen := map[*group]bool{}
	for _, m := range nodes {
		g := of[m.finding.ID]
		if seen[g] {
			continue
		}
		seen[g] = true
		slices.SortFunc(g.members, byTime)
		out = append(out, g)
	}
	return out
}

// holds reports whether the incident already has the finding.
func (s *Stitcher) holds(in *Incident, m *member) bool {
	return slices.ContainsFunc(in.Findings, func(f Finding) bool { return f.ID == m.finding.ID })
}

func linksOf(nodes []*member) []Link {
	at := map[event.ID]int64{}
	for _, m := range nodes {
		at[m.finding.ID] = m.finding.Time
	}
	var out []Link
	for _, m := range nodes {
		for _, l := range m.links {
			if l.A == m.finding.ID {
				out = append(out, l)
			}
		}
	}
	slices.SortFunc(out, func(x, y Link) int {
		return cmp.Or(cmp.Compare(max(at[x.A], at[x.B]), max(at[y.A], at[y.B])), x.A.Compare(y.A), x.B.Compare(y.B))
	})
	return out
}

func (s *Stitcher) mayUnite(a, b *group) bool {
	if a.label != (event.ID{}) && b.label != (event.ID{}) && a.label != b.label {
		return false
	}
	if in := s.incidents[cmp.Or(a.label, b.label)]; in != nil && in.Status == Closed && !s.cfg.Reopen {
		return false
	}
	return max(a.last, b.last)-min(a.first, b.first) <= s.cfg.MaxSpan
}

func unite(of map[event.ID]*group, a, b *group) {
	a.members = append(a.members, b.members...)
	a.first, a.last = min(a.first, b.first), max(a.last, b.last)
	if a.label == (event.ID{}) {
		a.label = b.label
	}
	for _, m := range b.members {
		of[m.finding.ID] = a
	}
}

// choose picks the incident of an unlabelled group: the oldest that its findings are in and nobody has taken, else a new one named after
// its first finding.
func (s *Stitcher) choose(g *group, taken map[event.ID]bool) event.ID {
	var best *Incident
	for _, m := range g.members {
		in := s.incidents[m.home]
		if in == nil || in.Status == Merged || in.Touched || taken[in.ID] {
			continue
		}
		if best == nil || byOpening(in, best) < 0 {
			best = in
		}
	}
	if best != nil {
		return best.ID
	}
	id := event.NewID("incident", string(g.members[0].finding.ID[:]))
	for n := 0; taken[id] || s.incidents[id] != nil; n++ {
		id = event.NewID("incident", string(id[:]))
	}
	return id
}

// settle makes the group's findings the incident's, and says what changed.
func (s *Stitcher) settle(id event.ID, g *group, now int64) []Change {
	old := s.incidents[id]
	split := old == nil && slices.ContainsFunc(g.members, func(m *member) bool { return s.incidents[m.home] != nil })
	for _, m := range g.members {
		m.home = id
	}
	in := s.build(id, old, g, now)
	kind, fields := compare(old, in)
	switch {
	case old == nil:
		kind = ChangeOpened
		if split {
			kind = ChangeSplit
		}
	case old.Status == Closed && grew(old, in):
		in.Status, in.Verdict, in.ClosedAt = Open, "", 0
		in.Reopened++
		kind, fields = ChangeReopened, append(fields, "status")
	case len(fields) == 0:
		in.Revision, in.Updated = old.Revision, old.Updated
		s.incidents[id] = in
		return nil
	}
	if kind == ChangeEscalated && in.Snoozed != 0 { // It is no longer what somebody wanted not to see.
		in.Snoozed, fields = 0, append(fields, "snoozed")
	}
	s.incidents[id] = in
	return []Change{{Kind: kind, Fields: fields, Actor: "rule:" + latest(g).Rule.ID, Incident: in}}
}

func latest(g *group) *Finding { return &g.members[len(g.members)-1].finding }

// vacate ends an incident whose findings all went elsewhere or were withdrawn.
func (s *Stitcher) vacate(id event.ID, now int64) []Change {
	old := s.incidents[id]
	if old == nil || old.Status == Merged {
		return nil
	}
	in := *old
	in.Revision++
	in.Updated = now
	for _, f := range old.Findings {
		if m := s.findings[f.ID]; m != nil && m.home != id {
			in.Status, in.MergedInto, in.Findings, in.Links = Merged, m.home, nil, nil
			s.incidents[id] = &in
			return []Change{{Kind: ChangeMerged, Fields: []string{"findings", "merged_into", "status"}, Actor: "system", Incident: &in}}
		}
	}
	in.Findings, in.Links = nil, nil
	in.Status, in.Verdict, in.ClosedAt = Closed, RuleFalsePositive, now
	s.incidents[id] = &in
	return []Change{{Kind: ChangeClosed, Fields: []string{"findings", "status", "verdict"}, Actor: "system", Incident: &in}}
}

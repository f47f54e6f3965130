package incident

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// anchor sets the moments that durations are measured from and that findings tell. A moment once found only moves to an earlier one: findings
// that go elsewhere do not make an incident younger.
func (s *Stitcher) anchor(in *Incident, g *group, now int64) {
	var first *event.Ref
	for _, m := range g.members {
		in.Arrived = earlier(in.Arrived, m.finding.Seen)
		in.Alerted = earlier(in.Alerted, m.told)
		for _, ev := range m.finding.Evidence {
			r := ev.Event
			if first == nil || cmp.Or(cmp.Compare(r.Time, first.Time), cmp.Compare(r.Received, first.Received)) < 0 {
				first = r
			}
		}
	}
	if first != nil {
		in.Ingested = earlier(in.Ingested, first.Received)
	}
	if in.Alerted == 0 {
		in.Alerted = now
	}
}

// earlier is the smaller of two moments; 0 is not known.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// sitesOf are the plants of the incident's entities, sensors and context left out, and of the sources of its evidence.
func (s *Stitcher) sitesOf(in *Incident) []string {
	var out []string
	add := func(site string) {
		if at, has := slices.BinarySearch(out, site); site != "" && !has {
			out = slices.Insert(out, at, site)
		}
	}
	for i := range in.Findings {
		for _, ev := range in.Findings[i].Evidence {
			add(ev.Event.Site)
		}
	}
	if s.dir == nil {
		return out
	}
	for i := range in.Entities {
		m := &in.Entities[i]
		if m.Strength != event.Context && slices.ContainsFunc(m.Roles, func(r event.Role) bool { return r < event.RoleReporter }) {
			add(s.dir.Site(m.ID))
		}
	}
	return out
}

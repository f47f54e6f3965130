package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// lanes is the order of domains on a page.
var lanes = []string{"identity", "network_access", "endpoint", "device_management", "network", "ot", "robot", "change"}

// build makes the next revision of an incident from its findings.
func (s *Stitcher) build(id event.ID, old *Incident, g *group, now int64) *Incident {
	in := &Incident{ID: id, Status: Open, Opened: now}
	if old != nil {
		*in = *old
	}
	in.Revision++
	in.Updated = now
	in.First, in.Last = g.first, g.last
	in.Findings, in.Links = nil, manualLinks(in.Links, g)
	for _, m := range g.members {
		in.Findings = append(in.Findings, m.finding)
	}
	in.Links = append(in.Links, linksOf(g.members)...)
	in.Entities = s.membersOf(g)
	in.Domains, in.Robots, in.Sites = domainsOf(in), robotsOf(in), s.sitesOf(in)
	s.anchor(in, g, now)
	in.Score = scoreOf(in.Findings)
	in.Severity = severityOf(in)
	in.Owner, in.OwnerWhy = s.ownerOf(in)
	in.Title = titleOf(in)
	in.Changed = s.notes.between(in, in.First-s.cfg.Lookback, in.Last)
	return in
}

// manualLinks keeps the links analysts made between findings that are still here.
func manualLinks(links []Link, g *group) []Link {
	has := func(id event.ID) bool {
		return slices.ContainsFunc(g.members, func(m *member) bool { return m.finding.ID == id })
	}
	var out []Link
	for _, l := range links {
		if l.Manual != "" && has(l.A) && has(l.B) {
			out = append(out, l)
		}
	}
	return out
}

func (s *Stitcher) membersOf(g *group) []Member {
	byID := map[string]*Member{}
	for _, m := range g.members {
		met := map[string]bool{}
		for _, ev := range m.finding.Evidence {
			for _, x := range ev.Event.Entities {
				e := byID[x.ID]
				if e == nil {
					e = &Member{ID: x.ID, Kind: kindOf(x), Hub: s.hubs.is(x.ID, g.last, s.cfg)}
					byID[x.ID] = e
				}
				e.Strength = max(e.Strength, x.Strength)
				if !slices.Contains(e.Roles, x.Role) {
					e.Roles = append(e.Roles, x.Role)
					slices.Sort(e.Roles)
				}
				if !met[x.ID] {
					met[x.ID] = true
					e.Findings++
				}
			}
		}
	}
	out := make([]Member, 0, len(byID))
	for _, e := range byID {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return out
}

func domainsOf(in *Incident) []string {
	seen := map[string]bool{}
	for _, f := range in.Findings {
		for _, ev := range f.Evidence {
			seen[ev.Event.Domain] = true
		}
	}
	var out []string
	for _, d := range lanes {
		if seen[d] {
			out = append(out, d)
		}
	}
	return out
}

func robotsOf(in *Incident) []string {
	var out []string
	for _, m := range in.Entities {
		if m.Kind == event.EntityRobot && slices.ContainsFunc(m.Roles, func(r event.Role) bool { return r < event.RoleReporter }) {
			out = append(out, m.ID)
		}
	}
	return out
}

// scoreOf adds up what each rule found, its best finding once: each takes its share of what is left to 100.
func scoreOf(findings []Finding) int {
	best := map[string]int{}
	var order []string
	for _, f := range findings {
		if _, seen := best[f.Rule.ID]; !seen {
			order = append(order, f.Rule.ID)
		}
		best[f.Rule.ID] = max(best[f.Rule.ID], f.Score)
	}
	rest := 1.0
	for _, rule := range order {
		rest *= 1 - float64(min(best[rule], 99))/100
	}
	return int(100*(1-rest) + 0.5)
}

// severityOf is the highest of the findings; a chain over three domains or more that scores 90 is one step worse.
func severityOf(in *Incident) Severity {
	var top Severity
	for _, f := range in.Findings {
		top = max(top, f.Severity)
	}
	if len(in.Domains) >= 3 && in.Score >= 90 && top >= Medium && top < Critical {
		top++
	}
	return top
}

// titleOf is the worst finding's title with the robots it is about.
func titleOf(in *Incident) string {
	if len(in.Findings) == 0 {
		return in.Title
	}
	worst := slices.MaxFunc(in.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Score, b.Score), cmp.Compare(len(a.Evidence), len(b.Evidence)), b.ID.Compare(a.ID))
	})
	title := worst.Rule.Title
	switch len(in.Robots) {
	case 0:
	case 1:
		title += ": " + bare(in.Robots[0])
	default:
		title += fmt.Sprintf(": %s and %s", bare(in.Robots[0]), more(len(in.Robots)-1, "robot"))
	}
	if n := len(in.Findings) - 1; n > 0 {
		title += " (and " + more(n, "finding") + ")"
	}
	return title
}

// more is "1 more robot" or "3 more robots".
func more(n int, one string) string {
	if n > 1 {
		one += "s"
	}
	return fmt.Sprintf("%d more %s", n, one)
}

// bare is an entity id without its kind.
func bare(id string) string {
	if _, name, ok := strings.Cut(id, ":"); ok {
		return name
	}
	return id
}

// compare tells what is materially different between two revisions. A finding that merely became final is not.
func compare(old, in *Incident) (ChangeKind, []string) {
	if old == nil {
		return ChangeOpened, nil
	}
	var fields []string
	note := func(name string, same bool) {
		if !same {
			fields = append(fields, name)
		}
	}
	note("changed_before", len(old.Changed) == len(in.Changed))
	note("domains", slices.Equal(old.Domains, in.Domains))
	note("findings", sameFindings(old, in))
	note("owner", old.Owner == in.Owner)
	note("robots", slices.Equal(old.Robots, in.Robots))
	note("score", old.Score == in.Score)
	note("severity", old.Severity == in.Severity)
	if in.Severity > old.Severity {
		return ChangeEscalated, fields
	}
	return ChangeUpdated, fields
}

func sameFindings(old, in *Incident) bool {
	return slices.EqualFunc(old.Findings, in.Findings, func(a, b Finding) bool {
		return a.ID == b.ID && len(a.Evidence) == len(b.Evidence) && a.Score == b.Score && a.Severity == b.Severity && a.Repeats == b.Repeats
	})
}

// grew reports whether in has a finding old has not.
func grew(old, in *Incident) bool {
	for _, f := range in.Findings {
		if !slices.ContainsFunc(old.Findings, func(g Finding) bool { return g.ID == f.ID }) {
			return true
		}
	}
	return false
}

// ownerOf decides which team an incident goes to: safety before robots before OT before facilities before IT, by what the inventory says
// of the entities, else by the domains.
func (s *Stitcher) ownerOf(in *Incident) (team, why string) {
	for _, f := range in.Findings {
		if f.Rule.Owner == "safety" {
			return "safety", "rule " + f.Rule.ID + " asks for safety"
		}
	}
	if s.dir != nil {
		for _, robot := range in.Robots {
			if t := s.dir.OwnerTeam(robot); t != "" {
				return t, "inventory: owner of " + bare(robot)
			}
		}
	}
	switch {
	case len(in.Robots) > 0:
		return "robot-operations", "a robot is affected"
	case slices.Contains(in.Domains, "ot"):
		return "ot", "OT systems are affected"
	}
	if s.dir != nil {
		for _, m := range in.Entities {
			if t := s.dir.OwnerTeam(m.ID); t != "" && m.Kind == event.EntityDevice {
				return t, "inventory: owner of " + bare(m.ID)
			}
		}
	}
	for _, f := range in.Findings {
		if f.Rule.Owner != "" {
			return f.Rule.Owner, "rule " + f.Rule.ID + " names the team"
		}
	}
	return "it", "no robot or OT system is affected"
}

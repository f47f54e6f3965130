package triage

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/incident"
)

// Noise is how much work goes into what need not have been.
type Noise struct {
	Incidents      int `json:"incidents"` // Those merged into others are left out, but for Merged.
	Findings       int `json:"findings"`
	Open           int `json:"open"`
	Closed         int `json:"closed"`          // By people.
	ClosedUnviewed int `json:"closed_unviewed"` // Of those, without anybody having opened its page.
	Withdrawn      int `json:"withdrawn"`       // Closed by us, because their findings did not stand.
	Merged         int `json:"merged"`          // By people.
	Detached       int `json:"detached"`        // Incidents out of which people took findings.
	Reopened       int `json:"reopened"`        // Incidents that were reopened.
	Understood     int `json:"understood"`
	Revised        int `json:"revised"`       // Of those, with answers that were changed later.
	Worked         int `json:"worked"`        // Incidents that people acted on.
	AnalystHours   int `json:"analyst_hours"` // Hours in which somebody acted on one, each person's counted.
}

// Share is a of b; -1 where there is nothing to share.
func Share(a, b int) float64 {
	if b == 0 {
		return -1
	}
	return float64(a) / float64(b)
}

// FindingsEach is how many findings an incident has; -1 where there is none.
func (n Noise) FindingsEach() float64 { return Share(n.Findings, n.Incidents) }

// PerHour is how many incidents an analyst works on in an hour; -1 where nobody has worked.
func (n Noise) PerHour() float64 { return Share(n.Worked, n.AnalystHours) }

// NoiseOf adds up.
func NoiseOf(list []Measured) Noise {
	var n Noise
	count := func(to *int, when bool) {
		if when {
			*to++
		}
	}
	hours := map[WorkHour]bool{}
	for i := range list {
		m := &list[i]
		for _, h := range m.Hours { // merging is work, too
			hours[h] = true
		}
		count(&n.Worked, len(m.Hours) > 0)
		merged, closed := m.Status == incident.Merged, m.Status == incident.Closed
		if merged {
			count(&n.Merged, m.Touched)
			continue
		}
		n.Incidents++
		n.Findings += m.Findings
		count(&n.Open, !closed)
		count(&n.Closed, closed && m.Touched)
		count(&n.ClosedUnviewed, closed && m.Touched && m.Viewed == 0)
		count(&n.Withdrawn, closed && !m.Touched)
		count(&n.Detached, m.Detached > 0)
		count(&n.Reopened, m.Reopened > 0)
		count(&n.Understood, m.Understood != 0)
		count(&n.Revised, m.Understood != 0 && m.Revised > 0)
	}
	n.AnalystHours = len(hours)
	return n
}

// Precision is how often a rule was right, by what people decided of the incidents it had part in.
type Precision struct {
	Rule      string `json:"rule"`
	Incidents int    `json:"incidents"`
	Labelled  int    `json:"labelled"` // Closed with a verdict that says whether it was right to report; not undetermined, duplicate or test.
	Threats   int    `json:"threats"`  // Of those: intrusion, misuse or policy violation.
	Wrong     int    `json:"wrong"`    // Of those: false positive.
}

// Share is how much of what the rule reported was worth it, malfunctions and authorised work included; -1 where nobody has said.
func (p Precision) Share() float64 { return Share(p.Labelled-p.Wrong, p.Labelled) }

// Precisions lists the rules, those with the most false positives first.
func Precisions(list []Measured) []Precision {
	byRule := map[string]*Precision{}
	for i := range list {
		m := &list[i]
		if m.Status == incident.Merged || m.Status == incident.Closed && !m.Touched {
			continue
		}
		for _, rule := range m.Rules {
			p := byRule[rule]
			if p == nil {
				p = &Precision{Rule: rule}
				byRule[rule] = p
			}
			p.Incidents++
			p.label(m.Verdict)
		}
	}
	out := make([]Precision, 0, len(byRule))
	for _, rule := range slices.Sorted(maps.Keys(byRule)) {
		out = append(out, *byRule[rule])
	}
	slices.SortStableFunc(out, func(a, b Precision) int {
		return cmp.Or(cmp.Compare(b.Wrong, a.Wrong), cmp.Compare(b.Incidents, a.Incidents))
	})
	return out
}

func (p *Precision) label(v incident.Verdict) {
	switch v {
	case incident.Intrusion, incident.Misuse, incident.PolicyViolation:
		p.Labelled++
		p.Threats++
	case incident.AuthorisedActivity, incident.Malfunction:
		p.Labelled++
	case incident.RuleFalsePositive:
		p.Labelled++
		p.Wrong++
	}
}

// Group is the incidents that have something in common.
type Group struct {
	Name    string   `json:"name"`
	Noise   Noise    `json:"noise"`
	Spreads []Spread `json:"durations"`
}

// groupings are what incidents can be grouped by. An incident with several values is in each of their groups.
var groupings = map[string]func(*Measured) []string{
	"team": func(m *Measured) []string { return []string{m.Team} },
	"rule": func(m *Measured) []string { return m.Rules },
	"zone": func(m *Measured) []string { return m.Zones },
	"site": func(m *Measured) []string { return m.Sites },
	"severity": func(m *Measured) []string {
		return []string{m.Severity.String()}
	},
}

// Groupings lists what Groups can group by.
func Groupings() []string { return []string{"team", "rule", "zone", "site", "severity"} }

// Groups measures the incidents by what they have in common, the largest group first; ok is false for a grouping that does not exist. Incidents
// without a value stand under "".
func Groups(list []Measured, by string, now int64) (out []Group, ok bool) {
	of, ok := groupings[by]
	if !ok {
		return nil, false
	}
	members := map[string][]Measured{}
	for i := range list {
		names := of(&list[i])
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			members[name] = append(members[name], list[i])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		out = append(out, Group{Name: name, Noise: NoiseOf(members[name]), Spreads: Spreads(members[name], now)})
	}
	slices.SortStableFunc(out, func(a, b Group) int { return cmp.Compare(b.Noise.Incidents, a.Noise.Incidents) })
	return out, true
}

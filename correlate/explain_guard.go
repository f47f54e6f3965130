package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// ExplainedGuard is the stretch of time that a guard of a finding looked at, and what stood there.
type ExplainedGuard struct {
	Finding  event.ID
	ID       string // guard 1 …
	From, To int64  // Microseconds, both inside.
	Hits     []*event.Ref
}

// guards tells what the guards of a finding looked at: hits there were about something else, or their condition did not hold, since the
// finding stands.
func (x *Explainer) guards(f *incident.Finding) {
	for i := range x.rule.Plan.Branches {
		b := &x.rule.Plan.Branches[i]
		if !slices.ContainsFunc(b.Steps, func(s rules.Step) bool { return s.ID == f.Evidence[0].Step }) {
			continue
		}
		for j := range b.Guards {
			g := &b.Guards[j]
			from, to := stretch(b, g, f)
			out := ExplainedGuard{Finding: f.ID, ID: nameOf(x.rule.Plan, i, len(b.Steps)+j), From: from, To: to}
			for k := range x.hits {
				h := &x.hits[k]
				if h.Rule == x.rule.ID && int(h.Branch) == i && int(h.Step) == len(b.Steps)+j && h.Key == f.Key && h.Ref.Time >= from && h.Ref.Time <= to && len(out.Hits) < maxExplainedHits {
					out.Hits = append(out.Hits, h.Ref)
				}
			}
			x.out.Guards = append(x.out.Guards, out)
		}
	}
}

// stretch is the time a guard looks at.
func stretch(b *rules.Branch, g *rules.Guard, f *incident.Finding) (from, to int64) {
	at := func(step int, otherwise int64) int64 {
		if step < 0 || step >= len(b.Steps) {
			return otherwise
		}
		for _, e := range f.Evidence {
			if e.Step == b.Steps[step].ID {
				return e.Event.Time
			}
		}
		return otherwise
	}
	switch {
	case g.Between:
		return at(g.From, f.First), at(g.To, f.Time)
	case g.Before > 0 && g.After > 0:
		return at(g.Of, f.First) - g.Before, at(g.Of, f.Time) + g.After
	case g.Before > 0:
		to = at(g.Of, f.First)
		return to - g.Before, to
	default:
		from = at(g.Of, f.Time)
		return from, from + g.After
	}
}

package console

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Surroundings reads what else the entities of an incident did. Times are microseconds of event time; sites nil is all of them.
type Surroundings interface {
	Around(ctx context.Context, entities []string, from, to int64, sites []string, limit int) (events []*event.Event, more bool, err error)
	// Events are those of these that the store still has, oldest first, without raw text.
	Events(ctx context.Context, ids []event.ID) ([]*event.Event, error)
}

// Bounds of a widened timeline, and of what stands beside it.
const (
	maxSurrounding = 500
	maxNamed       = 30 // Entities whose events are looked for.
	maxFacets      = 40
	maxRows        = 1000
)

// trail is the timeline of an incident as a view shows it.
type trail struct {
	View       trailView
	Self       string // The address of this view.
	OtherClock string // The address of this view by the other clock.
	Rows       []momentRow
	Chart      template.HTML
	Facets     []facet
	Chosen     []facet // What the view filters by.
	Hidden     int     // Rows that filters leave out.
	Cut        int     // Rows beyond the bound.
	Widen      []widening
	Can        bool   // The timeline can be widened.
	More       bool   // There is more around than is shown.
	Problem    string // Why what is around cannot be shown.
}

// widening is one way to see more or less around; Minutes 0 is the incident alone.
type widening struct {
	Minutes int
	Link    string
	Now     bool
}

// facet is a value that rows have, how many of them, and the addresses with only and without it.
type facet struct {
	Value, Kind, Name string
	Rows              int
	Only, Not, Drop   string
	In                bool
}

// trailOf makes the timeline of an incident.
func (s *server) trailOf(ctx context.Context, in *incident.Incident, v trailView) trail {
	path := incidentPath(in.ID)
	t := trail{View: v, Self: address(path, v), OtherClock: address(path, v.otherClock()), Can: s.set.Around != nil}
	events, err := s.around(ctx, in, &t)
	if err != nil {
		t.Problem = "What else happened cannot be shown: " + err.Error()
	}
	moments := triage.Around(in, events)
	if v.Received {
		slices.SortStableFunc(moments, func(a, b incident.Moment) int { return cmp.Compare(a.Seen, b.Seen) })
	}
	rules := rulesOf(in)
	counts := map[string]int{}
	shown := moments[:0:0]
	for i := range moments {
		values := valuesOf(&moments[i], rules)
		for _, x := range values {
			counts[x]++
		}
		if v.shows(values) {
			shown = append(shown, moments[i])
		}
	}
	t.Hidden = len(moments) - len(shown)
	t.Cut = max(0, len(shown)-maxRows)
	shown = shown[:len(shown)-t.Cut]
	t.Rows = rowsOf(shown, v, path)
	for i := range t.Rows {
		t.Rows[i].Pinned = isPinned(in, t.Rows[i].Event)
	}
	t.Chart = chart(t.Rows, v.Received)
	t.facets(counts, path)
	for _, n := range append([]int{0}, wider...) {
		t.Widen = append(t.Widen, widening{n, address(path, v.widened(n, v.At)), v.Around == n})
	}
	return t
}

// address is the page of an incident in a state, at its timeline.
func address(path string, v trailView) string {
	if q := v.Query(); q != "" {
		return path + "?" + q + "#timeline"
	}
	return path + "#timeline"
}

// around reads what else happened, as far as the view asks and the person sees.
func (s *server) around(ctx context.Context, in *incident.Incident, t *trail) ([]*event.Event, error) {
	v := t.View
	entities := namedBy(in)
	if v.Around == 0 || s.set.Around == nil || len(entities) == 0 {
		return nil, nil
	}
	from, to := in.First, in.Last
	if !v.At.IsZero() {
		e, err := s.set.Reader.Event(ctx, v.At)
		if err != nil {
			return nil, err
		}
		from, to = e.Time, e.Time
	}
	margin := (time.Duration(v.Around) * time.Minute).Microseconds()
	events, more, err := s.set.Around.Around(ctx, entities, max(1, from-margin), to+margin+1, access.From(ctx).Sites, maxSurrounding)
	t.More = more
	return events, err
}

// namedBy are the entities whose events say what else happened: those that take part and are not everywhere, the most involved first.
func namedBy(in *incident.Incident) []string {
	var members []incident.Member
	for _, m := range in.Entities {
		if m.Kind <= event.EntityMAC && m.Strength != event.Context && !m.Hub && slices.ContainsFunc(m.Roles, func(r event.Role) bool { return r < event.RoleReporter }) {
			members = append(members, m)
		}
	}
	slices.SortStableFunc(members, func(a, b incident.Member) int { return cmp.Compare(b.Findings, a.Findings) })
	var out []string
	for _, m := range members[:min(len(members), maxNamed)] {
		out = append(out, m.ID)
	}
	return out
}

func rulesOf(in *incident.Incident) map[event.ID]string {
	out := map[event.ID]string{}
	for i := range in.Findings {
		out[in.Findings[i].ID] = in.Findings[i].Rule.ID
	}
	return out
}

// facets lists what the rows can be filtered by: what is chosen, then what most rows have.
func (t *trail) facets(counts map[string]int, path string) {
	make1 := func(value string, in bool) facet {
		kind, name, _ := strings.Cut(value, ":")
		switch kind {
		case "lane":
			name = laneTitle(name)
		case "class":
			name = strings.ReplaceAll(name, "_", " ")
		}
		return facet{Value: value, Kind: kind, Name: name, Rows: counts[value], In: in, Only: address(path, t.View.with(value, true)), Not: address(path, t.View.with(value, false)), Drop: address(path, t.View.without(value))}
	}
	for _, x := range t.View.In {
		t.Chosen = append(t.Chosen, make1(x, true))
	}
	for _, x := range t.View.Out {
		t.Chosen = append(t.Chosen, make1(x, false))
	}
	var values []string
	for x := range counts {
		if kind, _, _ := strings.Cut(x, ":"); kind != "finding" && !slices.Contains(t.View.In, x) && !slices.Contains(t.View.Out, x) {
			values = append(values, x)
		}
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	for _, x := range values[:min(len(values), maxFacets)] {
		t.Facets = append(t.Facets, make1(x, false))
	}
	kindOf := func(f facet) string { return f.Kind }
	slices.SortStableFunc(t.Facets, func(a, b facet) int { return cmp.Compare(kindOf(a), kindOf(b)) })
}

// Limits says in words what the view is limited by, for the copy of it on paper.
func (t trail) Limits() string {
	var out []string
	for _, f := range t.Chosen {
		word := "without"
		if f.In {
			word = "only"
		}
		out = append(out, fmt.Sprintf("%s %s %s", word, f.Kind, f.Name))
	}
	return strings.Join(out, ", ")
}

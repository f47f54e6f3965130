package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Deliveries reads what was sent out about an incident, as it stands now.
type Deliveries interface {
	Deliveries(ctx context.Context, id event.ID, limit int) ([]incident.Delivery, error)
}

// Bounds of what stands on the page beside the timeline.
const (
	maxDeliveries = 100
	maxHistory    = 50
	maxTriggers   = 8 // Changes offered as the answer to what changed before.
)

type incidentPage struct {
	layout
	Incident   *incident.Incident
	Owner      string // The team that answers for it; "" for nobody.
	OwnerWhy   string
	Summary    summaryBlock
	Answers    incident.Answers
	Reading    string // The assessment that counts.
	Balance    []balanceRow
	Affected   []claimRow
	Radius     []radius
	Changes    []noteRow
	Triggers   []noteRow // Those that may be the answer to what changed before.
	Trail      trail
	Findings   map[event.ID]string // What links call them.
	Graph      graph
	Actions    []triage.Action
	Deliveries []incident.Delivery
	History    []revisionRow
	Problems   []string // Parts that cannot be shown, and why.

	Forms       map[incident.ActionKind]form // None where nothing can be done.
	Offers      []form                       // The same in order, without the answers.
	Scope       []choice
	Verdicts    []incident.Verdict
	Assessments []string
	Snoozes     []int
	Exports     []takeaway
}

// balanceRow is one side of the balance with its share of the heaviest one.
type balanceRow struct {
	triage.Reading
	Width int // Of its bar, 0 to 200.
	Shown []claimRow
}

// radius is how far an incident reaches, in one kind of thing.
type radius struct {
	Kind  string
	Count int // Of all, also those that are not listed.
	Names []string
	More  int
}

// noteRow is something that changed, with what was before and after.
type noteRow struct {
	event.Note
	Text   string // The same in a sentence.
	Before bool   // Before the first evidence.
	Named  bool   // A person said that this is what did it.
}

func (s *server) incidentRoutes() []route {
	return []route{
		{"GET /incidents/{id}", access.Viewer, s.incident},
		{"POST /incidents/{id}", access.Analyst, s.act},
		{"GET /incidents/{id}/export/{format}", access.Viewer, s.export},
		{"GET /api/v1/incidents/{id}", access.Viewer, s.apiIncident},
	}
}

func idOf(r *http.Request, prefix string) (event.ID, error) {
	id, err := event.ParseID(prefix, r.PathValue("id"))
	if err != nil {
		return id, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return id, nil
}

// oneIncident is the incident that a request is about.
func (s *server) oneIncident(r *http.Request) (*incident.Incident, error) {
	id, err := idOf(r, event.IncidentPrefix)
	if err != nil {
		return nil, err
	}
	in, err := s.set.Reader.Incident(r.Context(), id)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: there is no incident %s", ErrNotFound, event.FormatID(event.IncidentPrefix, id))
	}
	if err != nil {
		return nil, fmt.Errorf("incident %s: %w", event.FormatID(event.IncidentPrefix, id), err)
	}
	return in, nil
}

func (s *server) incident(w http.ResponseWriter, r *http.Request) {
	v, err := trailViewOf(r.URL.Query())
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	in, err := s.oneIncident(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.viewed(r, in)
	s.page(w, "incident", http.StatusOK, s.incidentPage(r, in, v))
}

// viewed tells the log that somebody who can act looks at an incident for the first time. The page does not wait for it: it shows the revision that
// it has read, and its forms hold against the one that the look makes.
func (s *server) viewed(r *http.Request, in *incident.Incident) {
	who := access.From(r.Context())
	if s.set.Looks == nil || in.Viewed != 0 || in.Status == incident.Merged || !who.May(access.Analyst) || r.Header.Get("Sec-Purpose") != "" {
		return
	}
	a := incident.View(in.ID, who.Name, s.set.Now())
	a.Expected, a.Origin = in.Revision, who.Origin
	s.set.Looks.Look(a)
}

func (s *server) incidentPage(r *http.Request, in *incident.Incident, v trailView) incidentPage {
	ctx := r.Context()
	p := incidentPage{
		layout: s.layout(r, in.Title, ""), Incident: in, Summary: s.summary(in), Answers: triage.Answer(in), Reading: triage.ReadingOf(in), Trail: s.trailOf(ctx, in, v),
		Findings: map[event.ID]string{}, Graph: s.graphOf(in, v), Scope: robotsOf(in), Verdicts: incident.Verdicts(), Assessments: incident.Assessments(), Snoozes: snoozes,
		Exports: takeawaysOf(in),
	}
	var zones []string
	p.Owner, p.OwnerWhy, zones = s.onBoard(in)
	p.Radius = radiusOf(in, zones)
	p.Actions = triage.Actions(in, p.Reading)
	p.Forms = s.forms(p.Who, in, v)
	p.Offers = inOrder(p.Forms)
	times := timesOf(in)
	p.Balance, p.Affected = balanceOf(in, times), claimRows(p.Answers.Affected, times)
	p.Changes = changesOf(in, p.Answers.ChangedBefore)
	p.Triggers = triggersOf(p.Changes)
	for _, l := range in.Links {
		p.Findings[l.A], p.Findings[l.B] = event.FormatID(event.FindingPrefix, l.A), event.FormatID(event.FindingPrefix, l.B)
	}
	for _, f := range in.Findings {
		p.Findings[f.ID] = f.Rule.Title + " at " + stamp(f.Time, timeOfDay)
	}
	s.outside(ctx, in, &p)
	return p
}

// onBoard is what the board knows beside an incident: the team that answers for it and why that one (a route's, else the rules'), and the zones of
// its entities.
func (s *server) onBoard(in *incident.Incident) (owner, why string, zones []string) {
	if s.set.Board == nil {
		return in.Owner, in.OwnerWhy, nil
	}
	c := s.set.Board.Of(&incident.Change{Incident: in})
	zones = c.Subject(0).Zones
	switch {
	case c.Route == "":
		return in.Owner, in.OwnerWhy, zones
	case c.Owner == in.Owner || in.Owner == "":
		return c.Owner, "by the route " + c.Route, zones
	}
	return c.Owner, "by the route " + c.Route + "; the rules named " + in.Owner, zones
}

// outside reads what the store has beside the incident itself. What cannot be read is said, and the page stands without it.
func (s *server) outside(ctx context.Context, in *incident.Incident, p *incidentPage) {
	var sent error
	var beside sync.WaitGroup
	if s.set.Deliveries != nil {
		beside.Go(func() { p.Deliveries, sent = s.set.Deliveries.Deliveries(ctx, in.ID, maxDeliveries) })
	}
	if s.set.History != nil {
		changes, err := s.set.History.History(ctx, in.ID, max(0, in.Revision-maxHistory-1))
		if err != nil {
			p.Problems = append(p.Problems, "Its history cannot be shown: "+err.Error())
		}
		p.History = rowsOfChanges(changes, max(0, in.Revision-maxHistory))
		slices.Reverse(p.History)
	}
	if beside.Wait(); sent != nil {
		p.Problems = append(p.Problems, "Deliveries cannot be shown: "+sent.Error())
	}
}

func balanceOf(in *incident.Incident, times map[event.ID]int64) []balanceRow {
	var out []balanceRow
	top := 1
	for _, r := range triage.Balance(in) {
		top = max(top, r.Weight)
		out = append(out, balanceRow{r, 200 * r.Weight / top, claimRows(r.Claims, times)})
	}
	return out
}

// maxRadius is how many names of a kind are listed.
const maxRadius = 8

// radiusOf says how far an incident reaches: robots first, then who and what else takes part, then the zones and the plants.
func radiusOf(in *incident.Incident, zones []string) []radius {
	var out []radius
	add := func(one, many string, names []string) {
		x := radius{Kind: many, Count: len(names), Names: names, More: max(0, len(names)-maxRadius)}
		if x.Count == 1 {
			x.Kind = one
		}
		x.Names = names[:x.Count-x.More]
		if x.Count > 0 || len(out) == 0 {
			out = append(out, x)
		}
	}
	var robots []string
	for _, id := range in.Robots {
		robots = append(robots, bare(id))
	}
	add("robot", "robots", robots)
	for _, k := range []struct {
		kind      event.EntityKind
		one, many string
	}{{event.EntityUser, "user", "users"}, {event.EntityDevice, "device", "devices"}, {event.EntityIP, "address", "addresses"}} {
		var names []string
		for _, n := range nodesOf(in) {
			if n.Kind == k.kind {
				names = append(names, bare(n.ID))
			}
		}
		add(k.one, k.many, names)
	}
	add("zone", "zones", zones)
	add("site", "sites", in.Sites)
	return out
}

// changesOf are the changes of an incident, those before the first evidence first, each part newest first: as claims, which tell the same, are.
func changesOf(in *incident.Incident, claims []incident.Claim) []noteRow {
	var before, during []noteRow
	for _, n := range slices.Backward(in.Changed) {
		row := noteRow{Note: n, Before: n.Ref.Time < in.First, Named: !in.Said.TriggerEvent.IsZero() && in.Said.TriggerEvent == n.Ref.Event}
		if row.Before {
			before = append(before, row)
		} else {
			during = append(during, row)
		}
	}
	out := append(before, during...)
	for i := range out[:min(len(out), len(claims))] {
		out[i].Text = claims[i].Text
	}
	return out
}

// triggersOf are the changes that may answer what changed just before, the likeliest first: those before the first evidence, the last of them first;
// where none is known, those during it, beginning with the earliest, which the rest may follow from. Changes of mode come last then: they
// are what a robot does about something, mostly. The one that somebody named is always among them.
func triggersOf(changes []noteRow) []noteRow {
	out := slices.DeleteFunc(slices.Clone(changes), func(n noteRow) bool { return !n.Before })
	if len(out) == 0 {
		out = slices.Clone(changes)
		slices.Reverse(out)
		rank := func(n noteRow) int {
			if n.What == "mode" {
				return 1
			}
			return 0
		}
		slices.SortStableFunc(out, func(a, b noteRow) int { return rank(a) - rank(b) })
	}
	out = out[:min(len(out), maxTriggers)]
	for _, n := range changes {
		if n.Named && !slices.ContainsFunc(out, func(o noteRow) bool { return o.Named }) {
			out = append(out, n)
		}
	}
	return out
}

// Answer is the form of the three answers.
func (p incidentPage) Answer() form { return p.Forms[incident.ActionAnswer] }

// Pin is the form of the events that stand in the summary, Unpin that of those that are to stand there no longer.
func (p incidentPage) Pin() form { return p.Forms[incident.ActionPin] }

// Unpin: see Pin.
func (p incidentPage) Unpin() form { return p.Forms[incident.ActionUnpin] }

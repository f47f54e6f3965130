package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Notebook is what changed: configuration, firmware, maps, roles, policies, postures.
type Notebook interface {
	// Notes lists what changed, the newest first, at most Limit.
	Notes(ctx context.Context, q NoteQuery) ([]event.Note, error)
}

// NoteQuery says which changes are wanted. Empty members do not narrow.
type NoteQuery struct {
	Entities []string // Canonical ids: of what changed, or of who changed it.
	What     string
	From, To int64 // Event time in microseconds, from inclusive, to exclusive.
	After    Place // Go on behind the changes of this event.
	Limit    int
}

const (
	changesLimit = 100
	// preceding is how far before an incident changes are of interest.
	preceding = 24 * time.Hour
)

// whats are the kinds of change, as notes name them.
var whats = []string{"account", "firmware", "map", "mode", "policy", "posture", "program", "role", "safety_checksum", "ticket", "vlan"}

func (s *server) changeRoutes() []route {
	if s.set.Notes == nil {
		return nil
	}
	return []route{{"GET /changes", access.Viewer, s.changes}, {"GET /api/v1/changes", access.Viewer, s.apiChanges}}
}

type changesPage struct {
	layout
	Asked    changesAsked
	Whats    []string
	Rows     []changeRow
	Next     string
	Incident *incident.Incident // Whose forerunners these are; nil: of none.
}

// changesAsked is the page's form.
type changesAsked struct{ Entity, What, From, To, Incident string }

// changeRow is a change, with when it was in relation to the incident.
type changeRow struct {
	event.Note
	When string
}

// EntityPath is the page of what changed; "" if it has none.
func (c changeRow) EntityPath() string { return entityPath(c.Entity) }

// ActorPath is the page of who changed it; "" if it has none.
func (c changeRow) ActorPath() string { return entityPath(c.Actor) }

// changesOf reads the question from the address and answers it.
func (s *server) changesOf(r *http.Request) (changesPage, error) {
	v := r.URL.Query()
	p := changesPage{layout: s.layout(r, "Changes", "changes"), Whats: whats}
	p.Asked = changesAsked{typed(v.Get("entity")), v.Get("what"), v.Get("from"), v.Get("to"), v.Get("incident")}
	q := NoteQuery{What: p.Asked.What, Limit: changesLimit}
	if q.What != "" && !slices.Contains(whats, q.What) {
		return p, fmt.Errorf("%w: what is one of %s, not %q", ErrQuestion, strings.Join(whats, ", "), clip(40, q.What))
	}
	if p.Asked.Entity != "" {
		q.Entities = []string{p.Asked.Entity}
	}
	var err error
	if q.From, err = timeOf(p.Asked.From); err != nil {
		return p, err
	}
	if q.To, err = timeOf(p.Asked.To); err != nil {
		return p, err
	}
	if after := v.Get("after"); after != "" {
		if q.After, err = placeOf(after); err != nil {
			return p, err
		}
	}
	if p.Asked.Incident != "" {
		if p.Incident, err = s.forerunners(r, &q); err != nil {
			return p, err
		}
	}
	list, err := s.set.Notes.Notes(r.Context(), q)
	if err != nil {
		return p, err
	}
	for _, n := range list {
		if n.Ref == nil || p.Who.Sees(siteList(n.Ref.Site)) {
			p.Rows = append(p.Rows, changeRow{n, p.when(n)})
		}
	}
	if len(list) == changesLimit && list[changesLimit-1].Ref != nil {
		last := list[changesLimit-1].Ref
		v.Set("after", Place{last.Time, last.Event}.String())
		p.Next = "/changes?" + v.Encode()
	}
	return p, nil
}

func siteList(site string) []string {
	if site == "" {
		return nil
	}
	return []string{site}
}

// forerunners narrows a question to what changed of an incident's machines and people from a day before it began to its end.
func (s *server) forerunners(r *http.Request, q *NoteQuery) (*incident.Incident, error) {
	id, err := event.ParseID(event.IncidentPrefix, r.URL.Query().Get("incident"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	in, err := s.set.Reader.Incident(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if !access.From(r.Context()).Sees(in.Sites) {
		return nil, fmt.Errorf("%w: there is no incident %s", ErrNotFound, event.FormatID(event.IncidentPrefix, id))
	}
	if len(q.Entities) == 0 {
		for _, m := range in.Entities {
			if !m.Hub && m.Strength > event.Context && m.Kind <= event.EntityDevice {
				q.Entities = append(q.Entities, m.ID)
			}
		}
	}
	if q.From == 0 {
		q.From = in.First - preceding.Microseconds()
	}
	if q.To == 0 {
		q.To = in.Last + 1
	}
	return in, nil
}

// when is a change's time in relation to the incident that the page is about.
func (p *changesPage) when(n event.Note) string {
	switch {
	case p.Incident == nil || n.Ref == nil:
		return ""
	case n.Ref.Time < p.Incident.First:
		return long(p.Incident.First-n.Ref.Time) + " before it began"
	}
	return long(n.Ref.Time-p.Incident.First) + " after it began"
}

func (s *server) changes(w http.ResponseWriter, r *http.Request) {
	p, err := s.changesOf(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.page(w, "changes", http.StatusOK, p)
}

// changeDoc is a change as the API gives it.
type changeDoc struct {
	Time    int64  `json:"time"` // Milliseconds.
	Event   string `json:"event,omitempty"`
	Entity  string `json:"entity"`
	What    string `json:"what"`
	Prev    string `json:"prev,omitempty"`
	Value   string `json:"value"`
	Actor   string `json:"actor,omitempty"`
	Summary string `json:"summary,omitempty"`
	Source  string `json:"source,omitempty"`
	Site    string `json:"site,omitempty"`
}

func (s *server) apiChanges(w http.ResponseWriter, r *http.Request) {
	p, err := s.changesOf(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	answer := struct {
		Changes []changeDoc `json:"changes"`
		Next    string      `json:"next,omitempty"` // Give it as after to go on.
	}{Changes: []changeDoc{}}
	for _, c := range p.Rows {
		d := changeDoc{Entity: c.Entity, What: c.What, Prev: c.Prev, Value: c.Value, Actor: c.Actor}
		if c.Ref != nil {
			d.Time, d.Event, d.Summary, d.Source, d.Site = c.Ref.Time/1000, c.Ref.Event.String(), c.Ref.Summary, c.Ref.Source, c.Ref.Site
		}
		answer.Changes = append(answer.Changes, d)
	}
	if _, query, ok := strings.Cut(p.Next, "?"); ok {
		if v, err := url.ParseQuery(query); err == nil {
			answer.Next = v.Get("after")
		}
	}
	apiReply(w, http.StatusOK, answer)
}

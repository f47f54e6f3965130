package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// How many incidents and rejects a page shows, and how much of a rejected record.
const (
	queueLimit   = 200
	rejectsLimit = 100
	rejectShown  = 400
)

type queuePage struct {
	layout
	Filter    Filter
	Statuses  []string
	Incidents []*incident.Incident
	Limit     int
}

type incidentPage struct {
	layout
	Incident                              *incident.Incident
	Answers                               incident.Answers
	For, Against, Affected, ChangedBefore []claimRow
	Timeline                              []momentRow
	Chart                                 template.HTML
	Findings                              map[event.ID]string // What links call them.
	Checks                                []string
	Verdicts                              []incident.Verdict
	Choices                               []choice // None where nothing can be done.
}

type eventPage struct {
	layout
	Event  *event.Event
	Fields []fieldRow
	Raw    string
	OCSF   string
}

// fieldRow is a known field. Caption says what a number or a time means.
type fieldRow struct {
	Path, Value, Caption, Doc string
	Taint                     bool
}

type rejectsPage struct {
	layout
	Rejects []rejectRow
	Limit   int
}

type rejectRow struct {
	event.Reject
	Shown string
	Cut   bool
}

type healthPage struct {
	layout
	Checks []Check
}

// filterOf reads the queue's filter. Characters that cannot be typed are dropped, since no filter means them.
func filterOf(r *http.Request) (Filter, error) {
	q := r.URL.Query()
	f := Filter{Status: q.Get("status"), Owner: typed(q.Get("owner")), Robot: typed(q.Get("robot")), Text: typed(q.Get("q"))}
	if f.Status != "" && !slices.Contains(statuses(), f.Status) {
		return Filter{}, fmt.Errorf("%w: status is one of %s, not %q", errBadRequest, strings.Join(statuses(), ", "), clip(40, f.Status))
	}
	return f, nil
}

func typed(s string) string {
	drop := func(r rune) rune {
		if hidden(r) || r == '\n' || r == '\t' {
			return -1
		}
		return r
	}
	return strings.TrimSpace(strings.Map(drop, strings.ToValidUTF8(s, "")))
}

func statuses() []string {
	return []string{incident.Open.String(), incident.Acknowledged.String(), incident.Closed.String(), incident.Merged.String()}
}

func (s *server) incidents(r *http.Request) ([]*incident.Incident, Filter, error) {
	f, err := filterOf(r)
	if err != nil {
		return nil, f, err
	}
	list, err := s.set.Reader.Incidents(r.Context(), f, queueLimit)
	return list, f, err
}

func (s *server) queueRoutes() []route {
	return []route{
		{"GET /incidents", access.Viewer, s.queue},
		{"GET /api/v1/incidents", access.Viewer, s.apiIncidents},
	}
}

func (s *server) queue(w http.ResponseWriter, r *http.Request) {
	list, f, err := s.incidents(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.page(w, "queue", http.StatusOK, queuePage{s.layout(r, "Queue", "queue"), f, statuses(), list, queueLimit})
}

func idOf(r *http.Request, prefix string) (event.ID, error) {
	id, err := event.ParseID(prefix, r.PathValue("id"))
	if err != nil {
		return id, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return id, nil
}

func (s *server) oneIncident(r *http.Request) (*incident.Incident, error) {
	id, err := idOf(r, event.IncidentPrefix)
	if err != nil {
		return nil, err
	}
	in, err := s.set.Reader.Incident(r.Context(), id)
	if err != nil {
		return nil, fmt.Errorf("incident %s: %w", event.FormatID(event.IncidentPrefix, id), err)
	}
	return in, nil
}

func (s *server) incidentRoutes() []route {
	return []route{
		{"GET /incidents/{id}", access.Viewer, s.incident},
		{"POST /incidents/{id}", access.Analyst, s.act},
		{"GET /api/v1/incidents/{id}", access.Viewer, s.apiIncident},
	}
}

func (s *server) incident(w http.ResponseWriter, r *http.Request) {
	in, err := s.oneIncident(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	moments := triage.Timeline(in)
	p := incidentPage{
		layout: s.layout(r, in.Title, ""), Incident: in, Answers: triage.Answer(in), Timeline: rowsOf(moments), Chart: chart(moments),
		Findings: map[event.ID]string{}, Checks: triage.Checks(in), Verdicts: incident.Verdicts(),
	}
	if s.set.Analyst != nil && p.Who.May(access.Analyst) && in.Status != incident.Merged {
		p.Choices = choicesFor(in)
	}
	times := timesOf(in)
	p.For, p.Against = claimRows(p.Answers.For, times), claimRows(p.Answers.Against, times)
	p.Affected, p.ChangedBefore = claimRows(p.Answers.Affected, times), claimRows(p.Answers.ChangedBefore, times)
	for _, l := range in.Links {
		p.Findings[l.A], p.Findings[l.B] = event.FormatID(event.FindingPrefix, l.A), event.FormatID(event.FindingPrefix, l.B)
	}
	for _, f := range in.Findings {
		p.Findings[f.ID] = f.Rule.Title + " at " + stamp(f.Time, timeOfDay)
	}
	s.page(w, "incident", http.StatusOK, p)
}

func (s *server) oneEvent(r *http.Request) (*event.Event, error) {
	id, err := idOf(r, event.EventPrefix)
	if err != nil {
		return nil, err
	}
	e, err := s.set.Reader.Event(r.Context(), id)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", id, err)
	}
	return e, nil
}

func (s *server) eventRoutes() []route {
	return []route{
		{"GET /events/{id}", access.Viewer, s.event},
		{"GET /api/v1/events/{id}", access.Viewer, s.apiEvent},
	}
}

func (s *server) event(w http.ResponseWriter, r *http.Request) {
	e, err := s.oneEvent(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := eventPage{
		layout: s.layout(r, "Event "+e.Envelope.ID.String(), ""), Event: e, Fields: fieldsOf(e),
		Raw: string(visible(e.Envelope.Raw)), OCSF: indent(event.AppendOCSF(nil, e, false)),
	}
	s.page(w, "event", http.StatusOK, p)
}

// fieldsOf are the fields that e has, numbers with their captions and times as people read them.
func fieldsOf(e *event.Event) []fieldRow {
	var out []fieldRow
	for _, f := range event.Fields() {
		if f.Flags&event.IsCaption != 0 || !f.Known(e) {
			continue
		}
		row := fieldRow{Path: f.Path, Value: f.Text(e), Doc: f.Doc, Taint: f.Flags&event.Taint != 0}
		switch {
		case f.Flags&event.Enum != 0:
			n, _ := f.Num(e)
			row.Caption = event.Caption(f.Object, f.Attr, int(n))
		case f.Kind == event.KindTime:
			n, _ := f.Num(e)
			row.Caption = stamp(n*1000, dateTime+".000") + " UTC"
		}
		out = append(out, row)
	}
	return out
}

func indent(doc []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, doc, "", "  "); err != nil {
		return string(doc)
	}
	return b.String()
}

func (s *server) rejectRoutes() []route { return []route{{"GET /rejects", access.Viewer, s.rejects}} }

func (s *server) rejects(w http.ResponseWriter, r *http.Request) {
	list, err := s.set.Reader.Rejects(r.Context(), rejectsLimit)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := rejectsPage{s.layout(r, "Rejects", "rejects"), nil, rejectsLimit}
	for _, x := range list {
		shown := x.Raw[:min(len(x.Raw), rejectShown)]
		p.Rejects = append(p.Rejects, rejectRow{x, string(visible(shown)), len(shown) < len(x.Raw)})
	}
	s.page(w, "rejects", http.StatusOK, p)
}

func (s *server) checks() []Check {
	if s.set.Health == nil {
		return []Check{}
	}
	return s.set.Health()
}

func (s *server) healthRoutes() []route {
	return []route{
		{"GET /health", access.Viewer, s.health},
		{"GET /api/v1/health", 0, s.apiHealth}, // For probes.
	}
}

func (s *server) health(w http.ResponseWriter, r *http.Request) {
	s.page(w, "health", http.StatusOK, healthPage{s.layout(r, "Health", "health"), s.checks()})
}

package console

import (
	"fmt"
	"html/template"
	"net/http"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

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

func (s *server) incidentRoutes() []route {
	return []route{
		{"GET /incidents/{id}", access.Viewer, s.incident},
		{"POST /incidents/{id}", access.Analyst, s.act},
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

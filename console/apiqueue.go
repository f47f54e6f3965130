package console

import (
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

//go:embed openapi.json
var openapi embed.FS

func (s *server) apiRoutes() []route {
	routes := []route{{"GET /api/v1/openapi.json", 0, s.apiDescription}}
	if s.set.Board == nil {
		return routes
	}
	routes = append(
		routes,
		route{"GET /api/v1/incidents", access.Viewer, s.apiIncidents},
		route{"GET /api/v1/incidents/{id}/findings", access.Viewer, s.apiFindings},
		route{"GET /api/v1/facets", access.Viewer, s.apiFacets},
	)
	if s.set.Feed != nil {
		routes = append(routes, route{"GET /api/v1/stream", access.Viewer, s.apiStream}, route{"GET /api/v1/changes.ndjson", access.Viewer, s.apiChangeLog})
	}
	return routes
}

// Feed tells of changes as they are recorded.
type Feed interface {
	ServeStream(w http.ResponseWriter, r *http.Request, pass triage.Pass)
	ServeChanges(w http.ResponseWriter, r *http.Request, pass triage.Pass)
}

// card is an incident as the API lists it. Times are RFC 3339 in UTC, to the microsecond.
type card struct {
	ID           string   `json:"id"`
	Revision     int32    `json:"revision"`
	URL          string   `json:"url"` // Its page, without the host.
	Title        string   `json:"title"`
	Status       string   `json:"status"`
	Verdict      string   `json:"verdict,omitempty"`
	Severity     string   `json:"severity"`
	SeverityID   int      `json:"severity_id"`
	Score        int      `json:"score"`
	Owner        string   `json:"owner,omitempty"`
	Route        string   `json:"route,omitempty"` // That named the owner.
	Assignee     string   `json:"assignee,omitempty"`
	MergedInto   string   `json:"merged_into,omitempty"`
	Assessment   string   `json:"assessment"`
	Said         string   `json:"said,omitempty"`
	Reasons      []string `json:"reasons"`
	Findings     int      `json:"findings"`
	Events       int      `json:"events"`
	Robots       []string `json:"robots"`
	Domains      []string `json:"domains"`
	Zones        []string `json:"zones"`
	Sites        []string `json:"sites"`
	Rules        []string `json:"rules"`
	Attack       []string `json:"attack"`
	First        string   `json:"first"`
	Last         string   `json:"last"`
	Opened       string   `json:"opened"`
	Updated      string   `json:"updated"`
	Acknowledged string   `json:"acknowledged,omitempty"`
	Closed       string   `json:"closed,omitempty"`
	Viewed       string   `json:"viewed,omitempty"`
	Understood   string   `json:"understood,omitempty"`
	Contained    string   `json:"contained,omitempty"`
	SnoozedUntil string   `json:"snoozed_until,omitempty"`
}

func cardOf(c *board.Card) card {
	s := c.Subject(0)
	some := func(list []string) []string { return append([]string{}, list...) }
	moment := func(at int64) string {
		if at == 0 {
			return ""
		}
		return rfc3339(at)
	}
	x := card{
		ID: s.ID, Revision: c.Revision, URL: incidentPath(c.ID), Title: c.Title, Status: s.Status, Verdict: s.Verdict, Severity: c.Severity.String(), SeverityID: int(c.Severity), Score: c.Score,
		Owner: c.Owner, Route: c.Route, Assignee: c.Assignee, Assessment: c.Assessment, Said: c.Said, Reasons: some(c.For), Findings: c.Findings, Events: c.Events, Robots: some(c.Robots),
		Domains: some(c.Domains), Zones: some(s.Zones), Sites: some(s.Sites), Rules: some(s.Rules), Attack: some(s.Attack), First: rfc3339(c.First), Last: rfc3339(c.Last), Opened: rfc3339(c.Opened),
		Updated: rfc3339(c.Updated), Acknowledged: moment(c.Acked), Closed: moment(c.ClosedAt), Viewed: moment(c.Viewed), Understood: moment(c.Understood), Contained: moment(c.Contained),
		SnoozedUntil: moment(c.Snoozed),
	}
	if !c.MergedInto.IsZero() {
		x.MergedInto = event.FormatID(event.IncidentPrefix, c.MergedInto)
	}
	return x
}

// listed is the queue by ?q=, ?status=, ?updated_since=, ?sort=, ?cursor= and ?limit=.
func (s *server) listed(r *http.Request, facets bool) (board.Page, error) {
	form := r.URL.Query()
	a, err := askOf(form, 100)
	if err != nil {
		return board.Page{}, err
	}
	if status := form.Get("status"); status != "" {
		a.Q = narrowed(a.Q, "status == "+strconv.Quote(typed(status)))
	}
	query, err := a.query(access.From(r.Context()))
	if err != nil {
		return board.Page{}, err
	}
	if text := form.Get("updated_since"); text != "" {
		if query.Since, err = momentIn(text); err != nil {
			return board.Page{}, err
		}
		if form.Get("sort") == "" { // who follows goes forwards
			query.Sort = board.Sort{Ascending: true}
		}
	}
	query.Facets = facets
	return s.set.Board.List(r.Context(), query)
}

// momentIn reads a time, as RFC 3339 or in unix seconds, as microseconds.
func momentIn(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && n < 1e11 {
		return n * 1e6, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fmt.Errorf("%w: updated_since is a time such as 2026-11-21T02:00:00Z, or unix seconds", errBadRequest)
	}
	return t.UnixMicro(), nil
}

// apiIncidents is a page of the queue; with ?as=ocsf its incidents as OCSF Incident Findings, one a line.
func (s *server) apiIncidents(w http.ResponseWriter, r *http.Request) {
	page, err := s.listed(r, false)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	if next := page.Next.String(); next != "" {
		v := r.URL.Query()
		v.Set("cursor", next)
		w.Header().Set("Link", "</api/v1/incidents?"+v.Encode()+`>; rel="next"`)
	}
	if r.URL.Query().Get("as") == "ocsf" {
		s.apiOCSF(w, r, page.Cards)
		return
	}
	answer := struct {
		Incidents []card `json:"incidents"`
		Next      string `json:"next,omitempty"`
		Total     int    `json:"total"`
	}{[]card{}, page.Next.String(), page.Total}
	for _, c := range page.Cards {
		answer.Incidents = append(answer.Incidents, cardOf(c))
	}
	apiReply(w, http.StatusOK, answer)
}

func (s *server) apiOCSF(w http.ResponseWriter, r *http.Request, cards []*board.Card) {
	ids := make([]event.ID, len(cards))
	for i, c := range cards {
		ids[i] = c.ID
	}
	list, err := s.set.Reader.Incidents(r.Context(), ids)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	var b []byte
	for _, in := range list {
		b = append(incident.AppendIncident(b, in, triage.Answer(in), triage.Timeline(in)), '\n')
	}
	reply(w, http.StatusOK, "application/x-ndjson", b)
}

// apiFindings is the findings of an incident as OCSF Detection Findings.
func (s *server) apiFindings(w http.ResponseWriter, r *http.Request) {
	in, err := s.oneIncident(r)
	if err == nil && !access.From(r.Context()).Sees(in.Sites) {
		err = fmt.Errorf("%w: there is no incident %s", ErrNotFound, event.FormatID(event.IncidentPrefix, in.ID))
	}
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	b := []byte(`{"findings":[`)
	for i := range in.Findings {
		if i > 0 {
			b = append(b, ',')
		}
		b = incident.AppendFinding(b, &in.Findings[i])
	}
	reply(w, http.StatusOK, typeJSON, append(b, "]}\n"...))
}

// apiFacets counts what passes by its properties.
func (s *server) apiFacets(w http.ResponseWriter, r *http.Request) {
	page, err := s.listed(r, true)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	type value struct {
		Value string `json:"value"`
		Count int    `json:"count"`
	}
	answer := struct {
		Total  int                `json:"total"`
		Facets map[string][]value `json:"facets"`
	}{page.Total, map[string][]value{}}
	for _, f := range page.Facets {
		answer.Facets[f.Name] = []value{}
		for _, c := range f.Counts {
			answer.Facets[f.Name] = append(answer.Facets[f.Name], value{c.Value, c.N})
		}
	}
	apiReply(w, http.StatusOK, answer)
}

// passes is what a stream tells the sender of a request: what passes ?q= and belongs to its sites; with ?views=no not that somebody looked.
func (s *server) passes(r *http.Request) (triage.Pass, error) {
	f, err := filterIn(typed(r.URL.Query().Get("q")))
	if err != nil {
		return nil, err
	}
	who, deaf := access.From(r.Context()), r.URL.Query().Get("views") == "no"
	return func(c *incident.Change) bool {
		if !who.Sees(c.Incident.Sites) || deaf && c.Quiet() {
			return false
		}
		if f == nil {
			return true
		}
		subject := s.set.Board.Of(c).Subject(s.set.Now())
		subject.Change = string(c.Kind)
		return f.Match(&subject)
	}, nil
}

func (s *server) apiStream(w http.ResponseWriter, r *http.Request) {
	pass, err := s.passes(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	s.set.Feed.ServeStream(w, r, pass)
}

func (s *server) apiChangeLog(w http.ResponseWriter, r *http.Request) {
	pass, err := s.passes(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	s.set.Feed.ServeChanges(w, r, pass)
}

func (s *server) apiViews(w http.ResponseWriter, r *http.Request) {
	list, err := s.viewsOf(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	apiReply(w, http.StatusOK, map[string][]QueueView{"views": append([]QueueView{}, list...)})
}

func (s *server) apiView(w http.ResponseWriter, r *http.Request) {
	v, err := s.oneView(r, r.PathValue("id"))
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	apiReply(w, http.StatusOK, v)
}

func (s *server) apiNewView(w http.ResponseWriter, r *http.Request) {
	s.apiKeepView(w, r, http.StatusCreated)
}

func (s *server) apiChangeView(w http.ResponseWriter, r *http.Request) {
	s.apiKeepView(w, r, http.StatusOK)
}

func (s *server) apiKeepView(w http.ResponseWriter, r *http.Request, status int) {
	v, err := viewBody(w, r)
	if err == nil {
		v.ID = r.PathValue("id")
		v, err = s.settle(r, v)
	}
	if err == nil {
		v, err = s.set.Saved.Keep(r.Context(), v, access.From(r.Context()).Name)
	}
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	if status == http.StatusCreated {
		w.Header().Set("Location", "/api/v1/views/"+url.PathEscape(v.ID))
	}
	apiReply(w, status, v)
}

// viewBody reads the view in a request's body. What only the server says of a view is not read from it.
func viewBody(w http.ResponseWriter, r *http.Request) (QueueView, error) {
	var body struct {
		Name     string `json:"name"`
		Q        string `json:"q"`
		Sort     string `json:"sort"`
		Shared   bool   `json:"shared"`
		Revision int64  `json:"revision"`
	}
	sent, err := jsonBody(w, r, maxForm)
	if err == nil {
		err = refused(strictly(sent, &body))
	}
	if err != nil {
		return QueueView{}, err
	}
	return QueueView{Name: body.Name, Q: body.Q, Sort: body.Sort, Shared: body.Shared, Revision: body.Revision}, nil
}

func (s *server) apiDropView(w http.ResponseWriter, r *http.Request) {
	v, err := s.oneView(r, r.PathValue("id"))
	if err == nil {
		if text := r.URL.Query().Get("revision"); text != "" {
			if v.Revision, err = strconv.ParseInt(text, 10, 64); err != nil {
				err = fmt.Errorf("%w: revision is a number", errBadRequest)
			}
		}
	}
	if err == nil {
		err = s.dropView(r, v)
	}
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// apiDescription is the OpenAPI document.
func (s *server) apiDescription(w http.ResponseWriter, _ *http.Request) {
	b, err := openapi.ReadFile("openapi.json")
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	reply(w, http.StatusOK, typeJSON, b)
}

package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// DeliveryFilter says which deliveries are meant. Empty members do not narrow it.
type DeliveryFilter struct {
	IDs      []event.ID
	Endpoint string
	State    incident.DeliveryState
	Incident event.ID
	Since    int64 // Last attempted at or after, our clock, microseconds.
	Until    int64 // Before.
	Limit    int
}

// Outbox is what was owed to endpoints and what became of it.
type Outbox interface {
	// Deliveries lists those that have been attempted, as they stand, the last attempted first.
	Deliveries(ctx context.Context, f DeliveryFilter) ([]incident.Delivery, error)
	// Attempts is what was recorded of one, the oldest first.
	Attempts(ctx context.Context, id event.ID) ([]incident.Delivery, error)
	// Replay makes dead letters owed again, or what the filter names by id, under the same ids. It says how many.
	Replay(ctx context.Context, f DeliveryFilter, by string) (int, error)
}

// Endpoints is who is told.
type Endpoints interface {
	Endpoints() []triage.EndpointStatus
	// Test sends an endpoint a test once. The error is what it answered, or wraps ErrNotFound.
	Test(ctx context.Context, endpoint string) error
	// Rotate takes a step of a rotation: begin gives the new secret, confirm drops the old one, take-back the new one.
	Rotate(ctx context.Context, endpoint, step, by string) (secret string, err error)
}

// Routes is who answers for what.
type Routes interface {
	Routes() []triage.RouteConfig
	// TryRoutes says what routes would make of the incidents updated last, as if each had changed so; nil: the configured routes.
	TryRoutes(ctx context.Context, routes []triage.RouteConfig, kind incident.ChangeKind, last int) ([]triage.Routed, error)
}

// Bounds of what is listed and tried at once.
const (
	deliveriesShown = 100
	maxListed       = 5000
	maxTried        = 500
	answerShown     = 1000
)

type integrationsPage struct {
	layout
	Endpoints  []triage.EndpointStatus
	Deliveries []deliveryLine
	Filter     DeliveryFilter
	Incident   string
	States     []incident.DeliveryState
	Limit      int
	History    *historyView
	Routes     []triage.RouteConfig
	When       string
	Tried      []triage.Routed
	Matched    int
	Said       string // What came of the form before.
	Secret     string // A new signing secret, shown once.
	Kinds      []incident.ChangeKind
	Acts       bool // The person may test and replay.
	Rotates    bool
}

type historyView struct {
	ID       string
	Attempts []deliveryLine
}

// deliveryLine is a delivery as the API and the page show it.
type deliveryLine struct {
	ID       string                 `json:"id"`
	Endpoint string                 `json:"endpoint"`
	State    incident.DeliveryState `json:"state"`
	Incident string                 `json:"incident,omitempty"`
	Revision int32                  `json:"revision,omitempty"`
	Kind     incident.ChangeKind    `json:"kind,omitempty"`
	Title    string                 `json:"title,omitempty"`
	Attempts int                    `json:"attempts"`
	At       time.Time              `json:"at"`
	Next     *time.Time             `json:"next,omitempty"`
	Status   int                    `json:"status,omitempty"`
	Error    string                 `json:"error,omitempty"`
	Answer   string                 `json:"answer,omitempty"`
	TookMS   float64                `json:"took_ms"`
	Replayed *time.Time             `json:"replayed,omitempty"`
	By       string                 `json:"by,omitempty"`
}

func (s *server) integrationRoutes() []route {
	if s.set.Outbox == nil || s.set.Endpoints == nil || s.set.Routes == nil {
		return nil
	}
	return []route{
		{"GET /integrations", access.Viewer, s.integrations},
		{"POST /integrations/test", access.Analyst, s.integrationForm(s.testForm)},
		{"POST /integrations/replay", access.Analyst, s.integrationForm(s.replayForm)},
		{"POST /integrations/rotate", access.Admin, s.integrationForm(s.rotateForm)},
		{"GET /api/v1/endpoints", access.Viewer, s.apiEndpoints},
		{"POST /api/v1/endpoints/{name}/test", access.Analyst, s.apiTest},
		{"GET /api/v1/deliveries", access.Viewer, s.apiDeliveries},
		{"GET /api/v1/deliveries/{id}", access.Viewer, s.apiDelivery},
		{"POST /api/v1/deliveries/replay", access.Analyst, s.apiReplay},
		{"POST /api/v1/routes/test", access.Viewer, s.apiTryRoutes},
	}
}

func (s *server) integrations(w http.ResponseWriter, r *http.Request) {
	s.showIntegrations(w, r, func(*integrationsPage) {})
}

// showIntegrations is the page, with what a form before it came to.
func (s *server) showIntegrations(w http.ResponseWriter, r *http.Request, add func(*integrationsPage)) {
	q := r.URL.Query()
	f, err := readDeliveryFilter(q, deliveriesShown)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	if f.State == "" && len(q) == 0 {
		f.State = incident.DeliveryDead
	}
	who := access.From(r.Context())
	p := integrationsPage{
		layout: s.layout(r, "Integrations", "integrations"), Endpoints: s.set.Endpoints.Endpoints(), Filter: f, States: deliveryStates, Limit: f.Limit, Routes: s.set.Routes.Routes(),
		Kinds: []incident.ChangeKind{incident.ChangeOpened, incident.ChangeUpdated, incident.ChangeEscalated, incident.ChangeClosed}, Acts: who.May(access.Analyst), Rotates: who.May(access.Admin),
	}
	if !f.Incident.IsZero() {
		p.Incident = event.FormatID(event.IncidentPrefix, f.Incident)
	}
	list, err := s.set.Outbox.Deliveries(r.Context(), f)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	for i := range list {
		p.Deliveries = append(p.Deliveries, lineOf(&list[i]))
	}
	if err := errors.Join(s.addHistory(r, &p, q.Get("delivery")), s.addTried(r, &p, q)); err != nil {
		s.problem(w, r, err, "")
		return
	}
	add(&p)
	s.page(w, "integrations", http.StatusOK, p)
}

func (s *server) addHistory(r *http.Request, p *integrationsPage, text string) error {
	if text == "" {
		return nil
	}
	d, attempts, err := s.delivery(r, text)
	if err != nil {
		return err
	}
	p.History = &historyView{ID: d.ID}
	for i := range attempts {
		x := lineOf(&attempts[i])
		x.Answer = clip(answerShown, x.Answer)
		p.History.Attempts = append(p.History.Attempts, x)
	}
	return nil
}

// addTried tries the configured routes, or one condition, when the form of the page asks for it.
func (s *server) addTried(r *http.Request, p *integrationsPage, q url.Values) error {
	if !q.Has("try") {
		return nil
	}
	p.When = typed(q.Get("when"))
	var routes []triage.RouteConfig
	if p.When != "" {
		routes = []triage.RouteConfig{{Name: "this condition", When: p.When, OwnerTeam: "this condition"}}
	}
	tried, err := s.set.Routes.TryRoutes(r.Context(), routes, incident.ChangeKind(typed(q.Get("kind"))), deliveriesShown)
	if err != nil {
		return err
	}
	for _, x := range tried {
		if len(x.Matched) > 0 {
			p.Matched++
		}
	}
	p.Tried = tried
	return nil
}

// integrationForm reads a form and shows the page with what came of it.
func (s *server) integrationForm(do func(r *http.Request, p *integrationsPage) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			s.problem(w, r, fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err), "")
			return
		}
		var came integrationsPage
		if err := do(r, &came); err != nil {
			s.problem(w, r, err, "")
			return
		}
		s.showIntegrations(w, r, func(p *integrationsPage) { p.Said, p.Secret = came.Said, came.Secret })
	}
}

func (s *server) testForm(r *http.Request, p *integrationsPage) error {
	name := r.PostForm.Get("endpoint")
	if err := s.knownEndpoint(name); err != nil {
		return err
	}
	if err := s.set.Endpoints.Test(r.Context(), name); err != nil {
		p.Said = "The test of " + name + " failed: " + err.Error()
		return nil
	}
	p.Said = "The test reached " + name + "."
	return nil
}

func (s *server) knownEndpoint(name string) error {
	if !slices.ContainsFunc(s.set.Endpoints.Endpoints(), func(e triage.EndpointStatus) bool { return e.Name == name }) {
		return fmt.Errorf("%w: there is no endpoint %q", ErrNotFound, clip(64, name))
	}
	return nil
}

func (s *server) replayForm(r *http.Request, p *integrationsPage) error {
	n, err := s.replay(r)
	if err != nil {
		return err
	}
	p.Said = strconv.Itoa(n) + " made due again."
	return nil
}

// replay carries out a form or an API call.
func (s *server) replay(r *http.Request) (int, error) {
	f, err := readDeliveryFilter(r.PostForm, maxListed)
	if err != nil {
		return 0, err
	}
	if len(f.IDs) == 0 && f.Endpoint == "" && f.Incident.IsZero() && f.Since == 0 {
		return 0, fmt.Errorf("%w: say what to replay: id, incident, endpoint or since", errBadRequest)
	}
	return s.set.Outbox.Replay(r.Context(), f, access.From(r.Context()).Name)
}

func (s *server) rotateForm(r *http.Request, p *integrationsPage) error {
	name, step := r.PostForm.Get("endpoint"), r.PostForm.Get("step")
	secret, err := s.set.Endpoints.Rotate(r.Context(), name, step, access.From(r.Context()).Name)
	if err != nil {
		return err
	}
	p.Secret = secret
	p.Said = map[string]string{
		"begin": "A new secret of " + name + " signs beside the old one. Give it to the receiver, then confirm.", "confirm": "The old secret of " + name + " signs no more.",
		"take-back": "The new secret of " + name + " was taken back.",
	}[step]
	return nil
}

// deliveryStates are in the order of a picker.
var deliveryStates = []incident.DeliveryState{
	incident.DeliveryDead, incident.DeliveryPending, incident.DeliveryDone, incident.DeliveryCoalesced, incident.DeliveryDigested,
}

// readDeliveryFilter reads endpoint, state, incident, since, until, id and limit.
func readDeliveryFilter(q url.Values, limit int) (DeliveryFilter, error) {
	f := DeliveryFilter{Endpoint: typed(q.Get("endpoint")), State: incident.DeliveryState(q.Get("state")), Limit: limit}
	bad := func(format string, args ...any) (DeliveryFilter, error) {
		return f, fmt.Errorf("%w: "+format, append([]any{errBadRequest}, args...)...)
	}
	if f.State != "" && !slices.Contains(deliveryStates, f.State) {
		return bad("state is one of %s, not %q", choices(deliveryStates), clip(40, string(f.State)))
	}
	if text := strings.TrimSpace(q.Get("incident")); text != "" {
		id, err := event.ParseID(event.IncidentPrefix, text)
		if err != nil {
			return bad("incident: %w", err)
		}
		f.Incident = id
	}
	if len(q["id"]) > maxListed {
		return bad("%d ids: at most %d", len(q["id"]), maxListed)
	}
	for _, text := range q["id"] {
		id, err := event.ParseID(event.DeliveryPrefix, text)
		if err != nil {
			return bad("id: %w", err)
		}
		f.IDs = append(f.IDs, id)
	}
	for _, t := range []struct {
		name string
		into *int64
	}{{"since", &f.Since}, {"until", &f.Until}} {
		text := strings.TrimSpace(q.Get(t.name))
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return bad("%s=%q: write it like 2026-11-21T08:00:00Z", t.name, clip(40, text))
		}
		*t.into = at.UnixMicro()
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			return bad("limit: a number from 1 to %d", maxListed)
		}
		f.Limit = n
	}
	return f, nil
}

// kindAlert is what a delivery that tells of a finding says in place of the kind of its change.
const kindAlert incident.ChangeKind = "alert.created"

func lineOf(d *incident.Delivery) deliveryLine {
	when := func(micros int64) *time.Time {
		if micros == 0 {
			return nil
		}
		return new(time.UnixMicro(micros).UTC())
	}
	x := deliveryLine{
		ID: event.FormatID(event.DeliveryPrefix, d.ID), Endpoint: d.Endpoint, State: d.State, Attempts: d.Attempts, At: time.UnixMicro(d.At).UTC(), Next: when(d.Next), Status: d.Status,
		Error: d.Error, Answer: d.Answer, TookMS: float64(d.Took) / 1000, Replayed: when(d.Replayed), By: d.By,
	}
	if in := d.Change.Incident; in != nil {
		x.Incident, x.Revision, x.Kind, x.Title = event.FormatID(event.IncidentPrefix, in.ID), in.Revision, d.Change.Kind, in.Title
		if d.OfAlert() {
			x.Kind = kindAlert
		}
	}
	return x
}

// delivery finds one that the person may see, with its history.
func (s *server) delivery(r *http.Request, text string) (deliveryLine, []incident.Delivery, error) {
	id, err := event.ParseID(event.DeliveryPrefix, text)
	if err != nil {
		return deliveryLine{}, nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	found, err := s.set.Outbox.Deliveries(r.Context(), DeliveryFilter{IDs: []event.ID{id}, Limit: 1})
	if err != nil {
		return deliveryLine{}, nil, err
	}
	if len(found) == 0 {
		return deliveryLine{}, nil, fmt.Errorf("%w: there is no delivery %s", ErrNotFound, text)
	}
	attempts, err := s.set.Outbox.Attempts(r.Context(), id)
	return lineOf(&found[0]), attempts, err
}

func (s *server) apiEndpoints(w http.ResponseWriter, _ *http.Request) {
	apiReply(w, http.StatusOK, s.set.Endpoints.Endpoints())
}

func (s *server) apiTest(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if err := s.knownEndpoint(name); err != nil {
		s.apiProblem(w, err)
		return
	}
	out := struct {
		Endpoint  string `json:"endpoint"`
		Delivered bool   `json:"delivered"`
		Error     string `json:"error,omitempty"`
	}{Endpoint: name}
	if err := s.set.Endpoints.Test(r.Context(), name); err != nil {
		out.Error = err.Error()
	} else {
		out.Delivered = true
	}
	apiLines(w, out)
}

func (s *server) apiDeliveries(w http.ResponseWriter, r *http.Request) {
	f, err := readDeliveryFilter(r.URL.Query(), deliveriesShown)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	list, err := s.set.Outbox.Deliveries(r.Context(), f)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	lines := make([]any, 0, len(list))
	for i := range list {
		lines = append(lines, lineOf(&list[i]))
	}
	apiLines(w, lines...)
}

// apiDelivery is one delivery with its attempts.
func (s *server) apiDelivery(w http.ResponseWriter, r *http.Request) {
	d, attempts, err := s.delivery(r, r.PathValue("id"))
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	out := struct {
		deliveryLine
		History []deliveryLine `json:"history"`
	}{deliveryLine: d, History: []deliveryLine{}}
	for i := range attempts {
		out.History = append(out.History, lineOf(&attempts[i]))
	}
	apiReply(w, http.StatusOK, out)
}

func (s *server) apiReplay(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		s.apiProblem(w, fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err))
		return
	}
	n, err := s.replay(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	apiLines(w, map[string]int{"replayed": n})
}

// apiTryRoutes answers a line for each incident: where the routes in the body, or the configured ones, lead it.
func (s *server) apiTryRoutes(w http.ResponseWriter, r *http.Request) {
	body, err := jsonOf(w, r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	ask := struct {
		Routes []triage.RouteConfig `json:"routes"`
		Kind   incident.ChangeKind  `json:"kind"`
		Last   int                  `json:"last"`
	}{Kind: incident.ChangeOpened, Last: deliveriesShown}
	if err = refused(strictly(body, &ask)); err == nil && (ask.Last < 1 || ask.Last > maxTried) {
		err = fmt.Errorf("%w: last is how many incidents, 1 to %d", errBadRequest, maxTried)
	}
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	tried, err := s.set.Routes.TryRoutes(r.Context(), ask.Routes, ask.Kind, ask.Last)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	lines := make([]any, 0, len(tried))
	for _, x := range tried {
		lines = append(lines, x)
	}
	apiLines(w, lines...)
}

// apiLines answers JSON, one a line.
func apiLines(w http.ResponseWriter, lines ...any) {
	var b []byte
	for _, x := range lines {
		line, err := json.Marshal(x)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		b = append(append(b, line...), '\n')
	}
	reply(w, http.StatusOK, "application/x-ndjson", b)
}

package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// compile reads expressions that are a rule's id.
func compile(expression string) (func(*incident.Finding) bool, error) {
	if strings.Contains(expression, "((") {
		return nil, errors.New(`column 2: unexpected "("`)
	}
	return func(f *incident.Finding) bool { return f.Rule.ID == expression }, nil
}

// replies are kept in memory.
type replies struct {
	mu     sync.Mutex
	kept   map[event.ID]console.Remembered
	broken error
}

func (r *replies) Begin(_ context.Context, key event.ID, request string) (console.Remembered, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept = map[event.ID]console.Remembered{}
	}
	if known, ok := r.kept[key]; ok {
		return known, r.broken
	}
	r.kept[key] = console.Remembered{Request: request}
	return r.kept[key], r.broken
}

func (r *replies) Answer(_ context.Context, key event.ID, x console.Remembered) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[key] = x
	return r.broken
}

func (p *plant) Suppressions() []incident.Suppression {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Concat(p.stitcher.Suppressions(), p.held)
}

func (p *plant) Preview(_ context.Context, expression string) (console.Impact, error) {
	match, err := compile(expression)
	if err != nil {
		return console.Impact{}, fmt.Errorf("%w: %w", incident.ErrRefused, err)
	}
	x := console.Impact{Since: p.now - 7*24*60*minute}
	for _, in := range p.stitcher.Incidents() {
		n := 0
		for i := range in.Findings {
			x.Looked++
			if match(&in.Findings[i]) {
				n++
			}
		}
		if x.Findings += n; n > 0 {
			x.Incidents++
		}
		if n == len(in.Findings) {
			x.Whole++
		}
	}
	x.Rules = []string{expression}
	return x, nil
}

func (p *plant) Measured(since int64, sees func([]string) bool) []triage.Measured {
	var out []triage.Measured
	for _, in := range append(p.stitcher.Incidents(), p.fixed...) {
		if in.Opened >= since && sees(in.Sites) {
			out = append(out, triage.MeasuredOf(in, []string{in.Title}, []string{"cell-3"}))
		}
	}
	return out
}

func (p *plant) Happened(_ context.Context, since int64, limit int) ([]incident.Change, error) {
	var out []incident.Change
	for _, c := range p.happened {
		if c.Incident.Updated >= since {
			out = append(out, c)
		}
	}
	return out[max(0, len(out)-limit):], p.broken
}

func (p *plant) Standing() []console.Standing {
	var out []console.Standing
	for _, in := range append(p.stitcher.Incidents(), p.fixed...) {
		if in.Status == incident.Open || in.Status == incident.Acknowledged {
			out = append(out, console.Standing{
				ID: in.ID, Title: in.Title, Severity: in.Severity, Status: in.Status, Owner: in.Owner, Assignee: in.Assignee, Sites: in.Sites, Robots: in.Robots,
				Opened: in.Opened, Updated: in.Updated, Snoozed: in.Snoozed, Understood: in.Understood,
			})
		}
	}
	return out
}

// caller speaks to the API with a token.
type caller struct {
	t   *testing.T
	p   *plant
	h   http.Handler
	who access.Person
	key string
	d   *described
}

var ids = regexp.MustCompile(`(inc|sup)_[a-z2-7]{26}|\bx\b`)

// copied is a recorder whose body may be read again.
func copied(w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	out := *w
	out.Body = bytes.NewBuffer(w.Body.Bytes())
	return &out
}

func newCaller(t *testing.T) (*caller, *incident.Incident) {
	t.Helper()
	p, in := compromised(t)
	c := &caller{t: t, p: p, who: access.Person{Name: "soar-bot", Role: access.Analyst, Via: "token:1", Scopes: []string{"disposition"}, Origin: "soar"}}
	set := p.settings()
	set.Person = func(*http.Request) access.Person { return c.who }
	c.h = mustNew(t, set)
	return c, in
}

// send posts a body, and gives the status and the answer, which must be JSON of the right type.
func (c *caller) send(path, body string) (int, map[string]any) {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), "POST", "http://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if c.d == nil {
		c.d = new(description(c.t, c.p.handler(c.t)))
	}
	c.d.check(c.t, "POST", ids.ReplaceAllString(path, "{id}"), copied(w))
	want := "application/json"
	if w.Code >= 400 {
		want = "application/problem+json"
	}
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Header().Get("Content-Type") != want {
		c.t.Fatalf("%s: %d, %s: %s", body, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return w.Code, out
}

func disposition(in *incident.Incident) string { return "/api/v1/incidents/" + id(in) + "/disposition" }

func actionsOf(in *incident.Incident) string { return "/api/v1/incidents/" + id(in) + "/actions" }

func TestADispositionClosesAnIncidentAndIsNotEchoed(t *testing.T) {
	c, in := newCaller(t)
	status, got := c.send(disposition(in), `{"expected_version":1,"status":"resolved","verdict":"TruePositive","reason":"stolen badge","comment":"see ticket","actor":"jane","contained":true,
		"ticket":{"system":"snow","id":"INC7","url":"https://snow.example/INC7"},"at":"2026-11-21T02:30:00Z"}`)
	if status != 200 || got["version"] != 2.0 || got["status"] != "closed" || got["verdict"] != "intrusion" || got["incident"] != id(in) {
		t.Fatalf("%d %v", status, got)
	}
	a := c.p.acts[0]
	if a.Origin != "soar" || a.By != "jane (soar-bot)" || a.Text != "stolen badge\nsee ticket" || a.At != c.p.now {
		t.Errorf("%+v", a)
	}
	now := c.p.stitcher.Get(in.ID)
	if now.Status != incident.Closed || now.Tickets[0].ID != "INC7" || now.Contained == 0 {
		t.Errorf("%+v", now)
	}
	if c.p.happened[0].Origin != "soar" || (triage.Route{Endpoint: "soar"}).Owes(&c.p.happened[0]) || !(triage.Route{Endpoint: "other"}).Owes(&c.p.happened[0]) {
		t.Error("the endpoint that closed it is told, or another is not")
	}
}

func TestAStaleDispositionIsAConflictThatSaysWhichVersionThereIs(t *testing.T) {
	c, in := newCaller(t)
	post(c.p.handler(t), "/incidents/"+id(in), form(in, "note", "text", "wait"))
	status, got := c.send(disposition(in), `{"expected_version":1,"status":"closed","verdict":"test"}`)
	if status != 409 || got["code"] != "stale" || got["current_version"] != 2.0 || got["current_status"] != "open" || !strings.Contains(got["detail"].(string), "at revision 2, not 1") {
		t.Errorf("%d %v", status, got)
	}
}

func TestTheSameKeyIsOneRequestAndCannotBeAnother(t *testing.T) {
	c, in := newCaller(t)
	c.key = "k1"
	body := `{"expected_version":1,"comment":"on it","status":"acknowledged"}`
	status, first := c.send(disposition(in), body)
	if status != 200 {
		t.Fatal(status, first)
	}
	post(c.p.handler(t), "/incidents/"+id(in), url.Values{"action": {"note"}, "revision": {"2"}, "by": {"ana"}, "text": {"x"}})
	if status, again := c.send(disposition(in), body); status != 200 || !cmp.Equal(first, again) || c.p.changes != 2 {
		t.Errorf("%d %v, %d changes", status, again, c.p.changes)
	}
	if status, other := c.send(disposition(in), `{"expected_version":3,"comment":"no"}`); status != 422 || other["code"] != "key_reused" {
		t.Errorf("%d %v", status, other)
	}
	c.who.Via = "token:2"
	if status, other := c.send(disposition(in), `{"expected_version":3,"comment":"somebody else's key"}`); status != 200 {
		t.Errorf("%d %v", status, other)
	}
	c.key = strings.Repeat("k", 256)
	if status, got := c.send(disposition(in), `{"expected_version":4,"comment":"x"}`); status != 400 {
		t.Errorf("%d %v", status, got)
	}
	c.key, c.p.replies.broken = "k2", errors.New("store is away")
	if status, got := c.send(disposition(in), `{"expected_version":4,"comment":"x"}`); status != 503 || c.p.changes != 3 {
		t.Errorf("%d %v, %d changes", status, got, c.p.changes)
	}
}

// The process dies after the act and before its answer is kept: the repeat must not act again.
func TestARequestThatWasCarriedOutButNotAnsweredIsNotCarriedOutAgain(t *testing.T) {
	c, in := newCaller(t)
	c.key = "k"
	body := `{"expected_version":1,"comment":"on it"}`
	if status, got := c.send(disposition(in), body); status != 200 {
		t.Fatal(got)
	}
	for _, k := range slices.Collect(maps.Keys(c.p.replies.kept)) {
		c.p.replies.kept[k] = console.Remembered{Request: c.p.replies.kept[k].Request}
	}
	status, got := c.send(disposition(in), body)
	if status != 200 || got["version"] != 2.0 || c.p.changes != 1 {
		t.Errorf("%d %v, %d changes", status, got, c.p.changes)
	}
}

func TestADispositionThatCannotBeReadIsRefusedWithTheReason(t *testing.T) {
	c, in := newCaller(t)
	for body, want := range map[string]string{
		`{}`: "expected_version is missing", `{"expected_version":1}`: "says nothing", `{"expected_version":1,"status":"merged"}`: "is no status", `{"expected_version":1,"verdict":"bad"}`: "is no verdict",
		`{"expected_version":1,"verdict_id":3,"status":"closed"}`: "3 is no verdict_id", `{"expected_version":1,"verdict":"test","verdict_id":1,"status":"closed"}`: "different things",
		`{"expected_version":1,"extra":1}`: "extra", `{"expected_version":1,"expected_version":2}`: "expected_version", `{"expected_version":1}{}`: "cannot be read", `[]`: "cannot be read", ``: "cannot be read",
		`{"expected_version":"1"}`: "cannot be read", "{\"expected_version\":1,\"comment\":\"\xff\"}": "cannot be read", `{"expected_version":1,"status":"closed"}`: "needs a verdict",
		`{"expected_version":1,"comment":"` + strings.Repeat("x", 4001) + `"}`: "4001 characters", `{"expected_version":1,"comment":"x","actor":"` + strings.Repeat("x", 101) + `"}`: "actor has 101",
		`{"expected_version":1,"ticket":{"system":"a","id":"b","url":"javascript:x"}}`: "no http or https", `{"expected_version":1,"at":"yesterday","comment":"x"}`: "cannot be read",
	} {
		if status, got := c.send(disposition(in), body); status != 400 && status != 422 || !strings.Contains(got["detail"].(string), want) {
			t.Errorf("%.60s: %d %v", body, status, got["detail"])
		}
	}
	if status, got := c.send(disposition(in), `{"expected_version":1,"comment":"`+strings.Repeat("x", 70_000)+`"}`); status != 413 || got["code"] != "too_long" {
		t.Errorf("%d %v", status, got)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost"+disposition(in), strings.NewReader(`{"expected_version":1,"comment":"x"}`))
	r.Header.Set("Content-Type", "text/plain")
	w := httptest.NewRecorder()
	if c.h.ServeHTTP(w, r); w.Code != 400 || !strings.Contains(w.Body.String(), "application/json") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if c.p.changes != 0 {
		t.Errorf("%d changes", c.p.changes)
	}
}

func TestTokensMayOnlyWhatTheirScopesAndSitesSay(t *testing.T) {
	c, in := newCaller(t)
	body := `{"expected_version":1,"comment":"x"}`
	if status, got := c.send(actionsOf(in), `{"action":"note","expected_version":1,"text":"x"}`); status != 403 || !strings.Contains(fmt.Sprint(got["detail"]), "scope act") {
		t.Errorf("%d %v", status, got)
	}
	c.who.Scopes = []string{"act", "read"}
	if status, got := c.send(disposition(in), body); status != 403 || !strings.Contains(fmt.Sprint(got["detail"]), "scope disposition") {
		t.Errorf("%d %v", status, got)
	}
	c.who.Scopes, c.who.Sites = []string{"disposition"}, []string{"elsewhere"}
	far := *in
	far.ID, far.Sites = event.NewID("far"), []string{"north"}
	c.p.fixed = append(c.p.fixed, &far)
	if status, got := c.send(disposition(&far), body); status != 404 || got["code"] != "unknown" {
		t.Errorf("%d %v", status, got)
	}
	c.who.Role = access.Viewer
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost"+disposition(in), strings.NewReader(body))
	w := httptest.NewRecorder()
	if c.h.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("a viewer: %d", w.Code)
	}
	if c.p.changes != 0 {
		t.Errorf("%d changes", c.p.changes)
	}
}

func TestEveryActionIsPossibleAsJSON(t *testing.T) {
	c, in := newCaller(t)
	c.who.Scopes, c.who.Origin = []string{"act"}, ""
	first := event.FormatID(event.FindingPrefix, in.Findings[0].ID)
	for i, step := range []struct {
		body string
		want func(*incident.Incident, map[string]any) bool
	}{
		{`"action":"view"`, func(x *incident.Incident, _ map[string]any) bool { return x.Viewed != 0 }},
		{`"action":"acknowledge"`, func(x *incident.Incident, _ map[string]any) bool {
			return x.Status == incident.Acknowledged && x.Assignee == "soar-bot"
		}},
		{`"action":"assign","assignee":"ben"`, func(x *incident.Incident, _ map[string]any) bool { return x.Assignee == "ben" }},
		{`"action":"note","text":"hm"`, func(x *incident.Incident, _ map[string]any) bool { return len(x.Remarks) == 1 }},
		{`"action":"undo"`, func(x *incident.Incident, _ map[string]any) bool { return len(x.Remarks) == 0 }},
		{`"action":"answer","answers":{"assessment":"intrusion","note":"sure","robots":[],"trigger":"unknown"}`, func(x *incident.Incident, _ map[string]any) bool { return x.Understood != 0 }},
		{`"action":"snooze","until":"2026-11-22T00:00:00Z","text":"later"`, func(x *incident.Incident, _ map[string]any) bool { return x.Snoozed != 0 }},
		{`"action":"unsnooze"`, func(x *incident.Incident, _ map[string]any) bool { return x.Snoozed == 0 }},
		{`"action":"decide","text":"lock the badge"`, func(x *incident.Incident, _ map[string]any) bool { return x.Decided != 0 }},
		{`"action":"contain","at":"2026-11-21T02:40:00Z"`, func(x *incident.Incident, _ map[string]any) bool { return x.Contained != 0 }},
		{`"action":"ticket","ticket":{"system":"jira","id":"T-1","url":""}`, func(x *incident.Incident, _ map[string]any) bool { return len(x.Tickets) == 1 }},
		{`"action":"pin","event":"` + in.Findings[0].Evidence[0].Event.Event.String() + `"`, func(x *incident.Incident, _ map[string]any) bool {
			return len(x.Pins) == 1 && x.Pins[0].By == "soar-bot" && x.Pins[0].Text != ""
		}},
		{`"action":"unpin","event":"` + in.Findings[0].Evidence[0].Event.Event.String() + `"`, func(x *incident.Incident, _ map[string]any) bool { return len(x.Pins) == 0 }},
		{`"action":"detach","findings":["` + first + `"]`, func(x *incident.Incident, got map[string]any) bool {
			return x.Detached == 1 && len(got["split_off"].([]any)) == 1
		}},
		{`"action":"close","verdict":"misuse"`, func(x *incident.Incident, _ map[string]any) bool { return x.Verdict == incident.Misuse }},
		{`"action":"reopen"`, func(x *incident.Incident, _ map[string]any) bool { return x.Reopened == 1 }},
	} {
		body := fmt.Sprintf(`{%s,"expected_version":%d}`, step.body, c.p.stitcher.Get(in.ID).Revision)
		status, got := c.send(actionsOf(in), body)
		if now := c.p.stitcher.Get(in.ID); status != 200 || !step.want(now, got) || got["version"] != float64(now.Revision) {
			t.Fatalf("step %d, %s: %d %v", i, body, status, got)
		}
	}
	all := c.p.stitcher.Incidents()
	other := all[slices.IndexFunc(all, func(x *incident.Incident) bool { return x.ID != in.ID })]
	status, got := c.send(actionsOf(in), fmt.Sprintf(`{"action":"merge","into":%q,"expected_version":%d}`, id(other), c.p.stitcher.Get(in.ID).Revision))
	if status != 200 || got["merged_into"] != id(other) || got["status"] != "merged" {
		t.Errorf("%d %v", status, got)
	}
	for body, want := range map[string]string{
		`{"action":"explode","expected_version":1}`: "use acknowledge, assign", `{"action":"suppress","expected_version":1}`: "unpin or undo", `{"action":"note","text":"x"}`: "expected_version is missing",
		`{"action":"merge","expected_version":1,"into":"x"}`: "into: ", `{"action":"split","expected_version":1,"findings":["x"]}`: "findings: ",
		`{"action":"answer","expected_version":1,"answers":{"trigger_event":"x"}}`: "answers.trigger_event", `{"action":"pin","expected_version":1,"event":"x"}`: "event: ",
	} {
		if status, got := c.send(actionsOf(other), body); status != 400 || !strings.Contains(got["detail"].(string), want) {
			t.Errorf("%s: %d %v", body, status, got["detail"])
		}
	}
	if status, got := c.send(actionsOf(other), `{"action":"merge","expected_version":2,"into":"`+event.FormatID(event.IncidentPrefix, event.NewID("none"))+`"}`); status != 404 {
		t.Errorf("%d %v", status, got)
	}
}

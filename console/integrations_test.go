package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// desk is endpoints, deliveries and routes that hold text.
type desk struct {
	text  string
	asked []string
	fail  error
}

func (d *desk) one() incident.Delivery {
	in := &incident.Incident{ID: event.NewID("i"), Revision: 3, Title: d.text}
	return incident.Delivery{
		ID: event.NewID("d"), Endpoint: d.text, State: incident.DeliveryDead, Attempts: 10, Error: d.text, By: d.text, At: night, Replayed: night,
		Change: incident.Change{Kind: incident.ChangeOpened, Incident: in}, Reply: incident.Reply{Status: 500, Answer: d.text, Took: 1200},
	}
}

func (d *desk) Deliveries(_ context.Context, f console.DeliveryFilter) ([]incident.Delivery, error) {
	d.asked = append(d.asked, fmt.Sprintf("list %s %s %d", f.Endpoint, f.State, f.Limit))
	return []incident.Delivery{d.one()}, d.fail
}

func (d *desk) Attempts(context.Context, event.ID) ([]incident.Delivery, error) {
	return []incident.Delivery{d.one()}, nil
}

func (d *desk) Replay(_ context.Context, f console.DeliveryFilter, by string) (int, error) {
	d.asked = append(d.asked, fmt.Sprintf("replay %d %s by %s", len(f.IDs), f.Endpoint, by))
	return 7, nil
}

func (d *desk) Endpoints() []triage.EndpointStatus {
	return []triage.EndpointStatus{{Name: "soar", State: "ok", Adapter: "native", Place: d.text, Error: d.text, Secret: triage.Rotation{Signed: true, By: d.text, At: night}}}
}

func (d *desk) Test(_ context.Context, endpoint string) error {
	d.asked = append(d.asked, "test "+endpoint)
	return fmt.Errorf("HTTP 500: %s", d.text)
}

func (d *desk) Rotate(_ context.Context, endpoint, step, by string) (string, error) {
	d.asked = append(d.asked, "rotate "+endpoint+" "+step+" by "+by)
	return "whsec_bmV3", nil
}

func (d *desk) Routes() []triage.RouteConfig {
	return []triage.RouteConfig{{Name: d.text, When: d.text, OwnerTeam: d.text, Endpoints: []string{d.text}}}
}

func (d *desk) TryRoutes(_ context.Context, routes []triage.RouteConfig, kind incident.ChangeKind, last int) ([]triage.Routed, error) {
	d.asked = append(d.asked, fmt.Sprintf("try %d %s %d", len(routes), kind, last))
	return []triage.Routed{{Incident: "inc_x", Title: d.text, Stitched: d.text, Routing: triage.Routing{Owner: d.text, Route: d.text, Matched: []string{d.text}, Endpoints: []string{d.text}}}}, nil
}

// integrating is a console with a desk, for somebody of a role.
func integrating(t *testing.T, d *desk, role access.Role) http.Handler {
	t.Helper()
	h, err := console.New(console.Settings{
		Reader: newPlant(), Bundle: fstest.MapFS{}, Outbox: d, Endpoints: d, Routes: d, Log: slog.New(slog.DiscardHandler), Now: func() int64 { return night },
		Person: func(*http.Request) access.Person { return access.Person{Name: "ana", Role: role, Via: "local"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func submit(h http.Handler, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://127.0.0.1")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHostileTextOfIntegrationsIsShownAsText(t *testing.T) {
	for name, attack := range attacks {
		d := &desk{text: attack.text}
		w := get(integrating(t, d, access.Admin), "/integrations?try=1&when=true&delivery="+event.FormatID(event.DeliveryPrefix, event.NewID("d")))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		mustBeVisible(t, "the page of integrations", w.Body.String())
		readPage(t, w.Body.String())
		for _, path := range []string{"/api/v1/deliveries", "/api/v1/endpoints", "/api/v1/deliveries/" + event.FormatID(event.DeliveryPrefix, event.NewID("d"))} {
			mustBeVisible(t, path, get(integrating(t, d, access.Viewer), path).Body.String())
		}
	}
}

func TestIntegrationsAreActedOnByTheRolesThatMay(t *testing.T) {
	id := event.FormatID(event.DeliveryPrefix, event.NewID("d"))
	for _, c := range []struct {
		path string
		form url.Values
		need access.Role
		does string
	}{
		{"/integrations/test", url.Values{"endpoint": {"soar"}}, access.Analyst, "test soar"},
		{"/integrations/replay", url.Values{"id": {id}}, access.Analyst, "replay 1  by ana"},
		{"/integrations/rotate", url.Values{"endpoint": {"soar"}, "step": {"begin"}}, access.Admin, "rotate soar begin by ana"},
		{"/api/v1/deliveries/replay", url.Values{"endpoint": {"soar"}}, access.Analyst, "replay 0 soar by ana"},
		{"/api/v1/endpoints/soar/test", nil, access.Analyst, "test soar"},
		{"/api/v1/routes/test", url.Values{"json": {`{"routes":[{"name":"a"}],"kind":"closed","last":9}`}}, access.Viewer, "try 1 closed 9"},
	} {
		for role := access.Viewer; role <= access.Admin; role++ {
			d := &desk{text: "plain"}
			w := submit(integrating(t, d, role), c.path, c.form)
			if may := role >= c.need; may != (w.Code == http.StatusOK) || may != (len(d.asked) > 0 && d.asked[0] == c.does) {
				t.Errorf("%s as %s: %d, asked %v", c.path, role, w.Code, d.asked)
			}
		}
	}
}

func TestAReplayOfEverythingByAccidentIsRefused(t *testing.T) {
	d := &desk{text: "plain"}
	for _, form := range []url.Values{nil, {"state": {"dead"}}, {"id": {"dlv_x"}}, {"since": {"yesterday"}}} {
		if w := submit(integrating(t, d, access.Admin), "/api/v1/deliveries/replay", form); w.Code != http.StatusBadRequest || len(d.asked) > 0 {
			t.Errorf("%v: %d %s, asked %v", form, w.Code, w.Body, d.asked)
		}
	}
}

func TestANewSecretIsShownOnceToWhoMadeIt(t *testing.T) {
	d := &desk{text: "plain"}
	h := integrating(t, d, access.Admin)
	w := submit(h, "/integrations/rotate", url.Values{"endpoint": {"soar"}, "step": {"begin"}})
	if !strings.Contains(w.Body.String(), "whsec_bmV3") || w.Header().Get("Cache-Control") == "" {
		t.Errorf("not shown, or kept by the browser: %v", w.Header())
	}
	if w := get(h, "/integrations"); strings.Contains(w.Body.String(), "whsec_bmV3") {
		t.Error("the page shows the secret again")
	}
}

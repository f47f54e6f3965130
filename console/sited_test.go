package console_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
)

// toldBySite says of every address of the console how it keeps from a person what belongs to other sites. An address that is missing fails the
// test: decide, and add it.
var toldBySite = map[string]string{
	// Nothing of any site: the look, the description, the person's own things.
	"GET /{$}": none, "GET /style.css": none, "GET /icon.svg": none, "GET /assets/{name}": none, "GET /api/v1/openapi.json": none,
	"GET /sign-in": none, "POST /sign-in": none, "POST /sign-out": none, "GET /sign-in/oidc": none, "GET /sign-in/oidc/callback": none, "GET /sign-out/oidc": none,
	"GET /account": none, "POST /account/password": none, "POST /account/sessions": none, "POST /account/tokens": none, "POST /account/tokens/{token}/revoke": none,
	// Names of sources and whether they are well, and nothing that they said.
	"GET /health": none, "GET /api/v1/health": none, "GET /api/v1/sources": none,
	// Views are conditions that people wrote; what they show is told by site.
	"POST /views": none, "GET /api/v1/views": none, "POST /api/v1/views": none, "GET /api/v1/views/{id}": none, "PUT /api/v1/views/{id}": none, "DELETE /api/v1/views/{id}": none, "POST /hunt/views": none,
	// What cannot be told by site is only for those who see all.
	"GET /rejects": whole, "GET /audit": whole, "GET /audit.ndjson": whole,
	"GET /people": whole, "POST /people": whole, "POST /people/{person}": whole, "GET /tokens": whole, "POST /tokens": whole, "POST /tokens/{token}/revoke": whole,
	"GET /rules": whole, "GET /rules/{id}": whole, "GET /rules/editor": whole, "POST /rules/editor": whole, "GET /api/v1/rules": whole, "GET /api/v1/rules/{id}": whole, "POST /api/v1/rules/try": whole,
	"GET /suppressions/new": whole, "GET /api/v1/suppressions/preview": whole,
	"GET /integrations": whole, "POST /integrations/test": whole, "POST /integrations/replay": whole, "POST /integrations/rotate": whole, "GET /api/v1/endpoints": whole, "POST /api/v1/endpoints/{name}/test": whole,
	"GET /api/v1/deliveries": whole, "GET /api/v1/deliveries/{id}": whole, "POST /api/v1/deliveries/replay": whole, "POST /api/v1/routes/test": whole,
	// Conditions that people wrote, with numbers.
	"GET /suppressions": none, "GET /api/v1/suppressions": none,
	"POST /suppressions": "TestWhoSeesSomeSitesOnlyMakesNoSuppression", "POST /suppressions/{id}/revoke": "TestWhoSeesSomeSitesOnlyMakesNoSuppression",
	"POST /api/v1/suppressions": "TestWhoSeesSomeSitesOnlyMakesNoSuppression", "POST /api/v1/suppressions/{id}/revoke": "TestWhoSeesSomeSitesOnlyMakesNoSuppression",
	"POST /api/v1/incidents/{id}/disposition": "TestTokensMayOnlyWhatTheirScopesAndSitesSay", "POST /api/v1/incidents/{id}/actions": "TestTokensMayOnlyWhatTheirScopesAndSitesSay",
	// Each incident that they count or list is asked for the person's sites.
	"GET /measures": counted, "GET /api/v1/measures": counted, "GET /handover": counted,
	// Asked for below, by somebody of another site and by somebody of this one.
	"GET /incidents": "/incidents", "GET /incidents.csv": "/incidents.csv", "GET /incidents.ndjson": "/incidents.ndjson", "GET /api/v1/incidents": "/api/v1/incidents",
	"GET /incidents/{id}": "/incidents/ID", "GET /api/v1/incidents/{id}": "/api/v1/incidents/ID", "GET /api/v1/incidents/{id}/findings": "/api/v1/incidents/ID/findings",
	"GET /events/{id}": "/events/EVENT", "GET /api/v1/events/{id}": "/api/v1/events/EVENT", "GET /api/v1/changes.ndjson": "/api/v1/changes.ndjson",
	"POST /incidents/{id}": "POST /incidents/ID", "POST /incidents": "POST /incidents",
	"GET /incidents/{id}/export/{format}": "/incidents/ID/export/json",
	// Tried in tests of their own, which are named.
	"GET /feeds/{file}": "TestSitesBoundWhatThePersonSeesAndDoes", "GET /api/v1/facets": "TestSitesBoundWhatThePersonSeesAndDoes", "GET /api/v1/stream": "TestSitesBoundWhatThePersonSeesAndDoes",
	"GET /findings/{id}": "TestAFindingOfAnotherSiteIsNotThere", "GET /api/v1/findings/{id}": "TestAFindingOfAnotherSiteIsNotThere",
	"GET /hunt": "TestAHuntSeesOnlyThePersonsSites", "GET /api/v1/hunt": "TestAHuntSeesOnlyThePersonsSites",
	"GET /fleet": "TestOtherSitesAreHiddenOnEveryPage", "GET /api/v1/fleet": "TestOtherSitesAreHiddenOnEveryPage", "GET /entities/{id}": "TestOtherSitesAreHiddenOnEveryPage",
	"GET /api/v1/entities/{id}": "TestOtherSitesAreHiddenOnEveryPage", "GET /changes": "TestOtherSitesAreHiddenOnEveryPage", "GET /api/v1/changes": "TestOtherSitesAreHiddenOnEveryPage",
}

const (
	none  = "says nothing of a site"
	whole = "is for those who see all sites"

	counted = "asks of each incident whether the person sees it"
)

// everything is settings in which every part of the console is there, if only in name.
func everything(t *testing.T, p *plant) console.Settings {
	t.Helper()
	type (
		views  interface{ console.Views }
		robots interface{ console.Fleet }

		history    interface{ console.History }
		deliveries interface{ console.Deliveries }
		findings   interface{ console.Findings }

		rules        interface{ console.Rules }
		replies      interface{ console.Replies }
		suppressions interface{ console.Suppressions }
		measures     interface{ console.Measures }
		shift        interface{ console.Shift }
		outbox       interface{ console.Outbox }
		endpoints    interface{ console.Endpoints }
		routing      interface{ console.Routes }
	)
	set := p.settings()
	set.Hunter, set.Views, set.Notes, set.Fleet, set.Entities = struct{ console.Hunter }{}, struct{ views }{}, struct{ console.Notebook }{}, struct{ robots }{}, struct{ console.Entities }{}
	set.Summaries, set.Around, set.History, set.Deliveries = struct{ console.Summaries }{}, struct{ console.Surroundings }{}, struct{ history }{}, struct{ deliveries }{}
	set.Findings, set.Explainer = struct{ findings }{}, struct{ console.Explainer }{}
	set.Rules, set.Replies, set.Suppressions, set.Measures, set.Shift = struct{ rules }{}, struct{ replies }{}, struct{ suppressions }{}, struct{ measures }{}, struct{ shift }{}
	set.Outbox, set.Endpoints, set.Routes = struct{ outbox }{}, struct{ endpoints }{}, struct{ routing }{}
	set.Sources, set.RejectsOf = func() []console.SourceHealth { return nil }, func(context.Context, string, int) ([]event.Reject, error) { return nil, nil }
	people := newPeople(t, p)
	set.Access, set.Audit = people.Service, people
	v := reflect.ValueOf(set)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch f.Name {
		case "Person", "Mounts", "Hosts", "Proxies", "TLS", "Patience", "Source", "URL":
			continue // They add no address, or what is outside of the console.
		}
		if v.Field(i).IsZero() {
			t.Errorf("Settings.%s is not set here: set it, so that the addresses that it adds are looked at", f.Name)
		}
	}
	return set
}

func TestEachAddressTellsAPersonOfTheirSitesAlone(t *testing.T) {
	p, in := compromised(t)
	set := everything(t, p)
	patterns := console.Patterns(set)
	if len(patterns) < 40 {
		t.Fatalf("only %d addresses", len(patterns))
	}
	for _, pattern := range patterns {
		if _, decided := toldBySite[pattern]; !decided {
			t.Errorf("%s: nobody has decided what it tells whom: make it tell people of their sites alone, try that in a test, and add it to toldBySite", pattern)
		}
	}
	for pattern := range maps.Keys(toldBySite) {
		if !slices.Contains(patterns, pattern) {
			t.Errorf("%s is decided on and does not exist", pattern)
		}
	}
	who := access.Person{}
	set.Access = nil
	set.Person = func(*http.Request) access.Person { return who }
	all := mustNew(t, set) // For refusals: what is behind its addresses does not answer.
	set = p.settings()
	set.Person = func(*http.Request) access.Person { return who }
	h := mustNew(t, set)
	var seen *event.Event
	for _, e := range p.events {
		if e.User.UID == "00u1anaf" {
			seen = e
		}
	}
	for pattern, how := range toldBySite {
		method, path, _ := strings.Cut(pattern, " ")
		switch {
		case how == none, how == counted, strings.HasPrefix(path, "/people"), strings.HasPrefix(path, "/tokens"), strings.HasPrefix(path, "/audit"):
			// The last ones need sign-in: TestAdminsOfSomeSitesManageNobody.
		case how == whole:
			who = access.Person{Name: "eve", Role: access.Admin, Sites: []string{"plant-2"}, Via: "local"}
			if w := ask(all, httptest.NewRequest(method, path, nil)); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "all sites") {
				t.Errorf("%s to an admin of one site: %d %s", pattern, w.Code, w.Body)
			}
		case strings.HasPrefix(how, "Test"):
			if !testExists(t, how) {
				t.Errorf("%s: there is no test %s", pattern, how)
			}
		default:
			to := strings.NewReplacer("ID", id(in), "EVENT", seen.Envelope.ID.String()).Replace(strings.TrimPrefix(how, "POST "))
			send := func(site string) *httptest.ResponseRecorder {
				who = access.Person{Name: "eve", Role: access.Analyst, Sites: []string{site}, Via: "local"}
				if method == http.MethodPost {
					f := form(p.stitcher.Get(in.ID), "note", "text", "from "+site)
					f.Set("pick", id(in))
					return post(h, to, f)
				}
				return get(h, to)
			}
			w, acts := send("plant-2"), len(p.acts)
			if body := w.Body.String(); strings.Contains(body, "AMR-0042") || strings.Contains(body, "ana.field") || strings.Contains(body, in.Title) || len(p.acts) != 0 {
				t.Errorf("%s tells somebody of another site: %d %s", pattern, w.Code, body)
			}
			if strings.Contains(pattern, "{id}") && w.Code != http.StatusNotFound {
				t.Errorf("%s to somebody of another site: %d", pattern, w.Code)
			}
			if method == http.MethodGet {
				if body := send("plant-1").Body.String(); !strings.Contains(body, in.Title) && !strings.Contains(body, "ana.field") {
					t.Errorf("%s tells somebody of its own site nothing, so it proves nothing: %s", pattern, body)
				}
			} else if acts != len(p.acts) {
				t.Errorf("%s acts for somebody of another site", pattern)
			}
		}
	}
}

func testExists(t *testing.T, name string) bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "func "+name+"(")
	})
}

func TestAdminsOfSomeSitesManageNobody(t *testing.T) {
	p, _ := compromised(t)
	people := newPeople(t, p)
	people.add(t, "eve", access.Admin, "plant-2")
	b := people.signIn(t, "eve")
	for _, path := range []string{"/people", "/tokens", "/audit", "/audit.ndjson", "/rejects"} {
		if w := b.get(path); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := b.post("/people", url.Values{"name": {"mallory"}, "password": {testPassword}, "role": {"admin"}}); w.Code != http.StatusForbidden {
		t.Errorf("adding somebody: %d", w.Code)
	}
	if w := b.get("/incidents"); strings.Contains(w.Body.String(), "/people") || w.Code != http.StatusOK {
		t.Errorf("the navigation leads where they may not go: %d", w.Code)
	}
}

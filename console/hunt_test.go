package console_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
)

// grounds are a Hunter and Views over a few events, which note what they were asked.
type grounds struct {
	events []*event.Event
	groups []console.Group
	views  []console.View
	asked  console.Hunt
	cut    bool
	counts int // How often it was asked to count.
	err    error
}

func (g *grounds) Hunt(_ context.Context, h console.Hunt) (console.Hunted, error) {
	g.asked = h
	n := min(h.Limit, len(g.events))
	found := console.Hunted{Events: g.events[:n], Exact: !g.cut, Examined: n, Cut: g.cut}
	if n < len(g.events) {
		found.Next = console.Place{Time: g.events[n-1].Time, ID: g.events[n-1].Envelope.ID}
	}
	return found, g.err
}

func (g *grounds) Counts(_ context.Context, _ console.Hunt, width int64) (console.Tally, error) {
	g.counts++
	t := console.Tally{Total: int64(len(g.events)), Cut: g.cut, Since: night}
	for _, e := range slices.Backward(g.events) {
		t.Buckets = append(t.Buckets, console.Bucket{Start: e.Time / width * width, Count: 1})
	}
	return t, g.err
}

func (g *grounds) Groups(_ context.Context, _ console.Hunt, field string, top int) (console.Tally, error) {
	if event.FieldByPath(field) == nil {
		return console.Tally{}, fmt.Errorf("%w: no field %s", console.ErrQuestion, field)
	}
	return console.Tally{Groups: g.groups[:min(top, len(g.groups))], Values: int64(len(g.groups)), Total: 9}, g.err
}

func (g *grounds) Columns() []string { return []string{"user.name"} }

func (g *grounds) Views(context.Context) ([]console.View, error) { return g.views, g.err }

func (g *grounds) KeepView(_ context.Context, v console.View) error {
	g.views = append(g.views, v)
	return g.err
}

// onGrounds is the console with something to hunt in.
func onGrounds(t *testing.T, g *grounds, who access.Person) http.Handler {
	t.Helper()
	p, _ := compromised(t)
	set := p.settings()
	set.Hunter, set.Views = g, g
	set.Person = func(*http.Request) access.Person { return who }
	return mustNew(t, set)
}

var anAnalyst = access.Person{Name: "ana", Role: access.Analyst, Via: "local"}

// sightings are n events of a user, the newest first.
func sightings(n int, text string) []*event.Event {
	var list []*event.Event
	for i := range n {
		e := &event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, Time: night - int64(i)*minute, SeverityID: 4, Message: text}
		e.User.Name, e.SrcEndpoint.IP, e.Envelope.ID = "ana"+text, "10.1.2.3", event.NewID("sighting", fmt.Sprint(i))
		e.Envelope.Position.Source = "okta" + text
		e.FindEntities()
		for i := range e.Entities {
			e.Entities[i].ID = cmp.Or(e.Entities[i].ID, e.Entities[i].Kind.String()+":"+e.Entities[i].Key)
		}
		list = append(list, e)
	}
	return list
}

func TestAHuntShowsEventsCountsAndWaysOn(t *testing.T) {
	g := &grounds{events: sightings(60, ""), groups: []console.Group{{Value: "ana", Count: 7, First: night, Last: night}, {Value: "", Count: 2, First: night, Last: night}}}
	h := onGrounds(t, g, anAnalyst)
	w := get(h, `/hunt?range=7d&by=user.name&q=`+url.QueryEscape(`severity_id >= 4 or is_mfa`))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := readPage(t, w.Body.String())
	for _, want := range []string{"60 events; a bar is", "2 values in 9 events", "unknown", "50 events; older ones", "10.1.2.3", "authentication.logon"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if g.asked.Expression != "severity_id >= 4 or is_mfa" || g.asked.From != night+41*minute-7*24*60*minute {
		t.Errorf("asked %+v", g.asked)
	}
	for what, condition := range map[string]string{
		"include": `(severity_id >= 4 or is_mfa) and user.name == "ana"`, "exclude": `(severity_id >= 4 or is_mfa) and user.name != "ana"`, "a number": `(severity_id >= 4 or is_mfa) and severity_id == 4`,
		"unknown": `(severity_id >= 4 or is_mfa) and user.name == ""`,
	} {
		if !strings.Contains(html.UnescapeString(w.Body.String()), url.Values{"q": {condition}}.Encode()) {
			t.Errorf("no link to %s", what)
		}
	}
	if !strings.Contains(w.Body.String(), "/entities/user:ana") {
		t.Error("no link to the user's page")
	}
}

func TestAQuestionThatCannotBeAnsweredStaysInItsForm(t *testing.T) {
	g := &grounds{err: fmt.Errorf("%w: the expression: 1:3: unknown field user.nam (did you mean user.name?)", console.ErrQuestion)}
	h := onGrounds(t, g, anAnalyst)
	w := get(h, "/hunt?q=user.nam")
	if body := readPage(t, w.Body.String()).text; w.Code != http.StatusBadRequest || !strings.Contains(body, "did you mean user.name?") || !strings.Contains(w.Body.String(), `value="user.nam"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	g.err = nil
	w = get(h, "/hunt?entity=cobot-03")
	if body := readPage(t, w.Body.String()).text; w.Code != http.StatusBadRequest || !strings.Contains(body, `"cobot-03" names no entity: write kind:name`) || !strings.Contains(w.Body.String(), `value="cobot-03"`) {
		t.Errorf("an entity without its kind: %d %s", w.Code, body)
	}
	for _, path := range []string{"/hunt?range=1y", "/hunt?from=yesterday", "/hunt?after=x", "/hunt?after=1.ev_zz", "/hunt?q=" + strings.Repeat("a", 9000), "/hunt?by=nothing", "/api/v1/hunt?limit=0", "/api/v1/hunt?limit=5000", "/hunt?incident=x"} {
		if w := get(h, path); w.Code != http.StatusBadRequest {
			t.Errorf("%.30s: %d", path, w.Code)
		}
	}
}

func TestASearchForTextThatFoundAllCountsWhatItFound(t *testing.T) {
	g := &grounds{events: sightings(7, "")}
	h := onGrounds(t, g, anAnalyst)
	g.counts = 0
	if page := readPage(t, get(h, "/hunt?text=ana").Body.String()).text; !strings.Contains(page, "7 events; a bar is") || g.counts != 0 {
		t.Errorf("counted %d times:\n%s", g.counts, page)
	}
	g.events = sightings(60, "")
	if page := readPage(t, get(h, "/hunt?text=ana").Body.String()).text; !strings.Contains(page, "60 events; a bar is") || g.counts != 1 {
		t.Errorf("counted %d times:\n%s", g.counts, page)
	}
}

func TestAHuntSeesOnlyThePersonsSites(t *testing.T) {
	g := &grounds{events: sightings(1, "")}
	for _, sites := range [][]string{nil, {"plant-1"}, {}} {
		who := anAnalyst
		who.Sites = sites
		for _, path := range []string{"/hunt", "/api/v1/hunt"} {
			get(onGrounds(t, g, who), path)
			if diff := gocmp.Diff(sites, g.asked.Sites); diff != "" {
				t.Errorf("%s (-may see +asked):\n%s", path, diff)
			}
		}
	}
}

func TestTheAPIOfAHuntGoesOnWhereItStopped(t *testing.T) {
	g := &grounds{events: sightings(5, "")}
	h := onGrounds(t, g, anAnalyst)
	var answer struct {
		Events []struct{ Time int64 }
		Next   string
		Counts console.Tally
	}
	if err := json.Unmarshal(get(h, "/api/v1/hunt?limit=2&counts&range=all").Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Events) != 2 || answer.Events[0].Time != night/1000 || answer.Counts.Total != 5 {
		t.Errorf("%+v", answer)
	}
	get(h, "/api/v1/hunt?limit=2&after="+answer.Next)
	if want := (console.Place{Time: g.events[1].Time, ID: g.events[1].Envelope.ID}); g.asked.After != want {
		t.Errorf("went on at %v, want %v", g.asked.After, want)
	}
}

func TestAHuntIsKeptAndPinned(t *testing.T) {
	g := &grounds{events: sightings(1, "")}
	h := onGrounds(t, g, anAnalyst)
	w := post(h, "/hunt/views", url.Values{"title": {"Night shift"}, "query": {"q=is_mfa&range=7d&after=1.ev_x"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/hunt?q=is_mfa&range=7d" {
		t.Fatalf("%d %s", w.Code, w.Header())
	}
	if v := g.views[0]; v.Title != "Night shift" || v.By != "ana" || v.ID == "" {
		t.Errorf("kept %+v", v)
	}
	if body := get(h, "/hunt").Body.String(); !strings.Contains(body, "Night shift") {
		t.Error("the kept hunt is not offered")
	}
	for _, form := range []url.Values{{"title": {""}, "query": {"q=x"}}, {"title": {"x"}, "query": {"%zz"}}, {"title": {strings.Repeat("x", 101)}}} {
		if w := post(h, "/hunt/views", form); w.Code != http.StatusBadRequest {
			t.Errorf("%v: %d", form, w.Code)
		}
	}
	_, in := compromised(t)
	if body := get(h, "/hunt?q=is_mfa&incident="+id(in)).Body.String(); !strings.Contains(body, `action="/incidents/`+id(in)+`"`) || !strings.Contains(body, "Seen in a hunt: /hunt?") {
		t.Error("the hunt cannot be pinned to its incident")
	}
	who := anAnalyst
	who.Role = access.Viewer
	h = onGrounds(t, g, who)
	if w := post(h, "/hunt/views", url.Values{"title": {"x"}, "query": {"q=x"}}); w.Code != http.StatusForbidden {
		t.Errorf("a viewer keeps a hunt: %d", w.Code)
	}
	if body := get(h, "/hunt?incident="+id(in)).Body.String(); strings.Contains(body, `method="post"`) {
		t.Error("a viewer is offered a form")
	}
}

func TestWhatAHuntFindsIsShownAsText(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			hostile := func(text string) string {
				g := &grounds{events: sightings(2, text), groups: []console.Group{{Value: text, Count: 1, First: night, Last: night}}, views: []console.View{{Title: "view=" + text, Query: "q=x", By: "by=" + text}}}
				query := url.QueryEscape(text)
				body := get(onGrounds(t, g, anAnalyst), "/hunt?by=user.name&entity=robot:"+query+"&text="+query+"&q="+query).Body.String()
				mustBeVisible(t, "the page", body)
				return body
			}
			body := hostile(attack.text)
			got := readPage(t, body)
			for _, want := range []string{"ana", "okta", "view=", "by="} {
				if n := min(40, len(attack.seen)); !strings.Contains(got.text, want+attack.seen[:n]) {
					t.Errorf("%s is not shown", want)
				}
			}
			if diff := gocmp.Diff(readPage(t, hostile(strings.Repeat("x", len(attack.text)))).tags, got.tags); diff != "" {
				t.Errorf("the attack changes the markup (-tame +attack):\n%s", diff)
			}
		})
	}
}

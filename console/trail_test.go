package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// vicinity are what else happened.
type vicinity struct {
	events   []*event.Event
	more     bool
	err      error
	entities []string
	from, to int64
	sites    []string
	asked    int
}

func (g *vicinity) Around(_ context.Context, entities []string, from, to int64, sites []string, _ int) ([]*event.Event, bool, error) {
	g.entities, g.from, g.to, g.sites = entities, from, to, sites
	g.asked++
	return g.events, g.more, g.err
}

func (g *vicinity) Events(_ context.Context, ids []event.ID) ([]*event.Event, error) {
	var out []*event.Event
	for _, e := range g.events {
		if slices.Contains(ids, e.Envelope.ID) {
			out = append(out, e)
		}
	}
	return out, g.err
}

// neighbours are events of a laptop that no rule found anything in.
func neighbours(p *plant, n int) []*event.Event {
	var out []*event.Event
	for i := range n {
		ref := p.see(3*minute+int64(i)*second, "zeek", fmt.Sprintf(`{"n":%d}`, i), event.Event{ClassUID: event.ClassDNS, ActivityID: 1, SrcEndpoint: event.Endpoint{IP: "10.40.7.9"}})
		out = append(out, p.events[ref.Event])
	}
	return out
}

func around(t *testing.T, p *plant, g console.Surroundings, who *access.Person) http.Handler {
	t.Helper()
	set := p.settings()
	set.Around = g
	if who != nil {
		set.Person = func(*http.Request) access.Person { return *who }
	}
	return mustNew(t, set)
}

func TestATimelineIsWidenedByWhatElseTheSameEntitiesDid(t *testing.T) {
	p, in := compromised(t)
	g := &vicinity{events: neighbours(p, 7)}
	h := around(t, p, g, nil)
	plain := get(h, "/incidents/"+id(in)).Body.String()
	if g.asked != 0 || strings.Contains(plain, `class="context"`) || !strings.Contains(plain, "around=60") {
		t.Errorf("a timeline that is not widened asks %d times, or offers nothing", g.asked)
	}
	body := get(h, "/incidents/"+id(in)+"?around=15").Body.String()
	readPage(t, body)
	if g.from != in.First-15*minute || g.to != in.Last+15*minute+1 {
		t.Errorf("asked from %d to %d", g.from-in.First, g.to-in.Last)
	}
	for _, want := range []string{"user:00u1anaf", "robot:acme/amr-0042", "device:aid-77f3c1", "ip:10.40.7.9"} {
		if !slices.Contains(g.entities, want) {
			t.Errorf("%s is not asked about: %v", want, g.entities)
		}
	}
	if strings.Count(body, `class="context"`) != 1 || !strings.Contains(body, ">×7<") || !strings.Contains(body, `lane-ot_network ring`) {
		t.Error("the seven like events are not one row and one ring")
	}
	one := in.Findings[2].Evidence[0].Event
	get(h, "/incidents/"+id(in)+"?around=5&at="+one.Event.String())
	if g.from != one.Time-5*minute || g.to != one.Time+5*minute+1 {
		t.Errorf("around one event asked from %d to %d", g.from-one.Time, g.to-one.Time)
	}
	g.more = true
	if body := get(h, "/incidents/"+id(in)+"?around=60").Body.String(); !strings.Contains(body, "There is more around") {
		t.Error("a cut is not told")
	}
	g.err = errors.New("connection refused")
	if w := get(h, "/incidents/"+id(in)+"?around=60"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "connection refused") || !strings.Contains(w.Body.String(), "Second-factor fatigue") {
		t.Errorf("what is around cannot be read: %d", w.Code)
	}
}

func TestWhatIsAroundIsAskedForThePersonsSitesOnly(t *testing.T) {
	p, in := compromised(t)
	g := &vicinity{}
	who := access.Person{Name: "vera", Role: access.Viewer, Sites: []string{"plant-1"}, Via: "local"}
	h := around(t, p, g, &who)
	if w := get(h, "/incidents/"+id(in)+"?around=5"); w.Code != http.StatusOK || !slices.Equal(g.sites, []string{"plant-1"}) {
		t.Errorf("%d, asked for %v", w.Code, g.sites)
	}
	who.Sites = []string{"plant-9"}
	for _, path := range []string{"/incidents/" + id(in), "/api/v1/incidents/" + id(in)} {
		if w := get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s of another site: %d", path, w.Code)
		}
	}
}

func TestATimelineIsFilteredByWhatItsAddressSays(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	rows := func(query string) []string {
		t.Helper()
		body := get(h, "/incidents/"+id(in)+"?"+query).Body.String()
		readPage(t, body)
		var out []string
		for _, part := range strings.Split(body, `<tr id="m`)[1:] {
			_, text, _ := strings.Cut(part, `<td class="text">`)
			text, _, _ = strings.Cut(text, "<")
			out = append(out, text)
		}
		return out
	}
	all := rows("")
	robot := rows("in=robot:acme/amr-0042")
	if len(all) < 12 || len(robot) == 0 || len(robot) >= len(all) {
		t.Fatalf("%d rows, %d of the robot", len(all), len(robot))
	}
	without := rows("out=robot:acme/amr-0042")
	if len(robot)+len(without) != len(all) {
		t.Errorf("%d with and %d without are not %d", len(robot), len(without), len(all))
	}
	if got := rows("in=class:authentication"); len(got) != 4 {
		t.Errorf("a class stands for its activities: %q", got)
	}
	if got := rows("in=class:authentication.mfa_challenge&in=class:robot_control.program_load"); len(got) != 4 {
		t.Errorf("of one kind any is enough: %q", got)
	}
	if got := rows("in=lane:robot&in=user:00u1anaf"); len(got) == 0 || slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "sign") }) {
		t.Errorf("of each kind one must be there: %q", got)
	}
	if got := rows("in=user:nobody"); len(got) != 0 {
		t.Errorf("nobody's rows: %q", got)
	}
	if got := get(h, "/incidents/"+id(in)+"?in=user:nobody").Body.String(); !strings.Contains(got, "The filter leaves nothing of") {
		t.Error("an empty timeline does not say why")
	}
}

func TestALinkToATimelineIsTheSameForTheSameState(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	link := func(query string) string {
		t.Helper()
		_, rest, _ := strings.Cut(get(h, "/incidents/"+id(in)+"?"+query).Body.String(), `data-copy="`)
		rest, _, _ = strings.Cut(rest, `"`)
		return rest
	}
	if a, b := link("in=user:x&around=5&clock=event&out=lane:robot&in=user:x"), link("out=lane:robot&around=5&in=%20user:x&at="); a != b || a != "/incidents/"+id(in)+"?around=5&amp;in=user%3Ax&amp;out=lane%3Arobot#timeline" {
		t.Errorf("%q and %q", a, b)
	}
	if a := link(""); a != "/incidents/"+id(in)+"#timeline" {
		t.Errorf("the plain view is at %q", a)
	}
}

func TestAnAddressThatATimelineCannotMeanIsRefused(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	for query, text := range map[string]string{
		"around=7": "around is one of", "around=x": "around is one of", "at=ev_x": "at: ", "clock=moon": "clock is event or received", "in=" + strings.Repeat("x", 301): "more than 300 bytes",
		strings.Repeat("in=user:a&", 3) + func() string {
			q := url.Values{}
			for i := range 21 {
				q.Add("in", fmt.Sprint("user:", i))
			}
			return q.Encode()
		}(): "more than 20 values",
	} {
		if w := get(h, "/incidents/"+id(in)+"?"+query); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), text) {
			t.Errorf("?%.40s: %d", query, w.Code)
		}
	}
}

func TestBothClocksCanOrderATimeline(t *testing.T) {
	p, in := changed(night, night+10*minute)
	in.Changed[0].Ref.Received = night + 60*minute // it came late
	h := p.handler(t)
	first := func(query string) string {
		body := get(h, "/incidents/"+id(in)+query).Body.String()
		_, rest, _ := strings.Cut(body, `<tr id="m0"`)
		_, rest, _ = strings.Cut(rest, `datetime="`)
		return rest[:16]
	}
	if a, b := first(""), first("?clock=received"); a != "2026-11-21T02:00" || b != "2026-11-21T02:10" {
		t.Errorf("first by event %s, by receipt %s", a, b)
	}
	if body := get(h, "/incidents/"+id(in)).Body.String(); !strings.Contains(body, `class="skew"`) || !strings.Contains(body, "received 2026-11-21 03:00:00: 60 min later") {
		t.Error("clocks that differ are not marked in the chart")
	}
}

func TestLongSilencesAreShadedInTheChart(t *testing.T) {
	p, in := changed(night, night+95*minute)
	body := get(p.handler(t), "/incidents/"+id(in)).Body.String()
	readPage(t, body)
	if strings.Count(body, `<path class="gap"`) != 1 || !strings.Contains(body, `y="31">95 min without events`) && !strings.Contains(body, ">95 min without events</text>") {
		t.Error("the silence is not shaded")
	}
	p, in = changed(night, night+20*minute)
	if strings.Contains(get(p.handler(t), "/incidents/"+id(in)).Body.String(), `class="gap"`) {
		t.Error("twenty minutes are no silence")
	}
}

func TestTheGraphShowsAtMostSixtyEntitiesAndIsTheSameEachTime(t *testing.T) {
	p, in := compromised(t)
	big := new(*in)
	for i := range 100 {
		name := fmt.Sprintf("user:u%03d", i)
		big.Entities = append(big.Entities, incident.Member{ID: name, Kind: event.EntityUser, Strength: event.Strong, Roles: []event.Role{event.RoleActor}, Findings: 1})
	}
	big.ID = event.NewID("big")
	p.fixed = []*incident.Incident{big}
	h := p.handler(t)
	body := get(h, "/incidents/"+id(big)).Body.String()
	readPage(t, body)
	_, svg, _ := strings.Cut(body, `<svg class="chart graph"`)
	svg, _, _ = strings.Cut(svg, "</svg>")
	if n := strings.Count(svg, "<circle"); n != 60 {
		t.Errorf("%d nodes", n)
	}
	if !strings.Contains(body, "more entities are not drawn") {
		t.Error("the bound is not told")
	}
	if again := get(h, "/incidents/"+id(big)).Body.String(); again != body {
		t.Error("another time it is another page")
	}
	small := get(h, "/incidents/"+id(in)).Body.String()
	for _, want := range []string{`class="edge"`, "acme/amr-0042", "Seen with", `class="mark node-robot"`} {
		if !strings.Contains(small, want) {
			t.Errorf("the graph or its table lacks %s", want)
		}
	}
}

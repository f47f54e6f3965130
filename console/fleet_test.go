package console_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// yard is a Notebook, Fleet and Entities over what a test puts into it.
type yard struct {
	notes  []event.Note
	asked  console.NoteQuery
	robots []console.Robot
	heads  []console.Head
	card   console.Card
	acts   []console.Activity
	err    error
}

func (y *yard) Notes(_ context.Context, q console.NoteQuery) ([]event.Note, error) {
	y.asked = q
	return y.notes[:min(q.Limit, len(y.notes))], y.err
}

func (y *yard) Robots(context.Context) ([]console.Robot, error) { return y.robots, y.err }

func (y *yard) Heads(_ context.Context, q console.HeadQuery) ([]console.Head, error) {
	var out []console.Head
	for _, h := range y.heads {
		if !q.Working || h.Status == "open" {
			out = append(out, h)
		}
	}
	return out, y.err
}

func (y *yard) Card(_ context.Context, id string, _ int64) (console.Card, error) {
	if y.card.ID != id {
		return console.Card{}, fmt.Errorf("%w: %s", console.ErrNotFound, id)
	}
	return y.card, y.err
}

func (y *yard) Activity(context.Context, string, []string, int64, int64, int64) ([]console.Activity, error) {
	return y.acts, y.err
}

// inYard is the console with a yard.
func inYard(t *testing.T, y *yard, who access.Person, text string) http.Handler {
	t.Helper()
	p, _ := compromised(t)
	set := p.settings()
	set.Hunter, set.Notes, set.Fleet, set.Entities = &grounds{events: sightings(3, text)}, y, y, y
	set.Person = func(*http.Request) access.Person { return who }
	return mustNew(t, set)
}

// yardOf is a yard with a robot in each state, with a text in every string that comes from outside.
func yardOf(text string) *yard {
	now := night + 41*minute
	inc := console.Head{ID: event.NewID("head"), Title: "title=" + text, Status: "open", Severity: incident.High, First: night, Last: night, Robots: []string{"robot:amr-1"}, Entities: []string{"user:ana"}, Rules: []string{"rb-1"}, Sites: []string{"plant-1"}}
	past := inc
	past.ID, past.Status, past.Title, past.Robots = event.NewID("past"), "closed", "past="+text, []string{"robot:amr-4"}
	y := &yard{heads: []console.Head{inc, past}, robots: []console.Robot{
		{ID: "robot:amr-1", Zone: "cell-1", Site: "plant-1", Known: true, Seen: now - minute},
		{ID: "robot:amr-2", Zone: "cell-1", Site: "plant-1", Known: true, Seen: now - minute, Fault: &console.Sign{Text: "fault=" + text, At: now, Event: event.NewID("fault")}},
		{ID: "robot:amr-3", Zone: "cell-2", Site: "plant-1", Known: true, Seen: now - 60*minute},
		{ID: "robot:amr-4", Zone: "cell-2", Site: "plant-1", Known: true, Seen: now - minute},
		{ID: "robot:x" + text, Zone: "zone=" + text, Site: "plant-2", Known: true},
	}}
	for i := range 3 {
		y.notes = append(y.notes, event.Note{Entity: "entity=" + text, What: "what=" + text, Prev: "prev=" + text, Value: "value=" + text, Actor: "actor=" + text, Ref: &event.Ref{
			Event: event.NewID("note", fmt.Sprint(i)), Time: night - int64(i)*minute, Summary: "summary=" + text, Source: "source=" + text, Site: "plant-1",
		}})
	}
	traits := func(firmware string) []console.Trait {
		return []console.Trait{{Name: "firmware", Value: firmware, From: "from=" + text, At: night}, {Name: "map", Value: "hall-2", From: "vda", At: night}}
	}
	y.card = console.Card{
		ID: "robot:amr-1", Kind: "robot", Site: "plant-1", Known: true, Facts: []console.Trait{{Name: "vendor", Value: "vendor=" + text, From: "inventory"}}, Traits: traits("4.2=" + text),
		Bound:   []console.Bound{{Relation: "ip-device", Name: "name=" + text, Entity: "bound=" + text, Since: night, Until: night + minute, Source: "nac", Confidence: 75}},
		Members: []string{"robot:m" + text}, Peers: []console.Peer{{ID: "robot:amr-2", Traits: traits("4.1=" + text)}, {ID: "robot:amr-3", Traits: traits("4.1=" + text)}}, PeersWhy: "of the same model",
	}
	y.acts = []console.Activity{{Start: night, Class: "robot_state", Count: 400}, {Peers: true, Class: "robot_state", Count: 20}, {Peers: true, Class: "authentication", Count: 3}}
	return y
}

func TestTheFleetSaysWhatStateARobotIsInAndWhy(t *testing.T) {
	h := inYard(t, yardOf(""), anAnalyst, "")
	var answer struct {
		Robots []struct {
			ID, State, Why, Event string
			Incidents             []string
		}
	}
	if err := json.Unmarshal(get(h, "/api/v1/fleet").Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range answer.Robots {
		got = append(got, r.ID+" "+r.State+" "+r.Why)
	}
	want := []string{
		"robot:amr-1 security incident ", "robot:amr-2 fault fault=", "robot:amr-3 unknown silent for 60 min", "robot:x unknown no event of it was ever seen", "robot:amr-4 normal last heard of 1 min ago",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("robots (-want +got):\n%s", diff)
	}
	if answer.Robots[0].Incidents[0] != event.FormatID(event.IncidentPrefix, event.NewID("head")) || answer.Robots[1].Event == "" {
		t.Errorf("no proof: %+v", answer.Robots[:2])
	}
	page := readPage(t, get(h, "/fleet").Body.String()).text
	for _, want := range []string{"1 security incident", "2 unknown", "title=", "silent for 60 min", "cell-2"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestARobotWhoseIncidentsAreAllReadAsMalfunctionsIsInAFault(t *testing.T) {
	y := yardOf("")
	y.heads[0].Assessment = "malfunction"
	if body := get(inYard(t, y, anAnalyst, ""), "/api/v1/fleet").Body.String(); !strings.Contains(body, `{"id":"robot:amr-1","zone":"cell-1","site":"plant-1","state":"fault","incidents":["inc_`) {
		t.Errorf("no fault: %s", body)
	}
	intrusion := y.heads[0]
	intrusion.ID, intrusion.Assessment = event.NewID("other"), "intrusion"
	y.heads = append(y.heads, intrusion)
	if body := get(inYard(t, y, anAnalyst, ""), "/api/v1/fleet").Body.String(); !strings.Contains(body, `{"id":"robot:amr-1","zone":"cell-1","site":"plant-1","state":"security incident"`) {
		t.Errorf("an intrusion beside it is no security incident: %s", body)
	}
}

func TestTheFleetIsFilteredByIncidentRuleUserZoneAndState(t *testing.T) {
	past := event.FormatID(event.IncidentPrefix, event.NewID("past"))
	for query, want := range map[string][]string{
		"rule=rb-1": {"robot:amr-1"}, "user=ana": {"robot:amr-1"}, "user=bob": nil, "zone=cell-2": {"robot:amr-3", "robot:amr-4"}, "state=fault": {"robot:amr-2"}, "incident=" + past: {"robot:amr-4"}, "q=AMR-2": {"robot:amr-2"},
	} {
		var answer struct{ Robots []struct{ ID string } }
		if err := json.Unmarshal(get(inYard(t, yardOf(""), anAnalyst, ""), "/api/v1/fleet?"+query).Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range answer.Robots {
			got = append(got, r.ID)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	for _, path := range []string{"/fleet?state=asleep", "/fleet?incident=x", "/api/v1/fleet?state=x"} {
		if w := get(inYard(t, yardOf(""), anAnalyst, ""), path); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestAFleetOfFiveThousandRobotsFitsOnAPage(t *testing.T) {
	y := yardOf("")
	y.robots = nil
	for i := range 5000 {
		y.robots = append(y.robots, console.Robot{ID: fmt.Sprintf("robot:r-%04d", i), Zone: fmt.Sprintf("cell-%02d", i%20), Known: true, Seen: (night + 40*minute) * int64(min(i%3, 1))})
	}
	body := get(inYard(t, y, anAnalyst, ""), "/fleet").Body.String()
	page := readPage(t, body).text
	if len(body) > 1<<20 || !strings.Contains(page, "5000 robots") || !strings.Contains(page, "more of this zone") {
		t.Errorf("%d bytes", len(body))
	}
}

func TestOtherSitesAreHiddenOnEveryPage(t *testing.T) {
	who := anAnalyst
	who.Sites = []string{"plant-2"}
	h := inYard(t, yardOf(""), who, "")
	if w := get(h, "/entities/robot:amr-1"); w.Code != http.StatusNotFound {
		t.Errorf("a robot of another site: %d", w.Code)
	}
	if body := get(h, "/api/v1/changes").Body.String(); strings.Contains(body, "value=") {
		t.Errorf("changes of another site: %s", body)
	}
	if body := get(h, "/api/v1/fleet").Body.String(); strings.Contains(body, "amr-1") || !strings.Contains(body, "robot:x") {
		t.Errorf("robots of another site: %s", body)
	}
}

func TestChangesAreThoseBeforeAnIncident(t *testing.T) {
	y := yardOf("")
	h := inYard(t, y, anAnalyst, "")
	_, in := compromised(t)
	body := readPage(t, get(h, "/changes?incident="+id(in)).Body.String()).text
	if !strings.Contains(body, "What preceded") || !strings.Contains(body, "before it began") {
		t.Errorf("%s", body)
	}
	if y.asked.From != in.First-24*60*minute || y.asked.To != in.Last+1 || !slices.Contains(y.asked.Entities, "user:00u1anaf") {
		t.Errorf("asked %+v", y.asked)
	}
	for range 40 {
		y.notes = append(y.notes, y.notes[:3]...)
	}
	var answer struct {
		Changes []struct{ Entity, Prev, Value string }
		Next    string
	}
	if err := json.Unmarshal(get(h, "/api/v1/changes?what=firmware&entity=robot:amr-1&from=2026-11-01").Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Changes) != 100 || answer.Next == "" || answer.Changes[0].Prev != "prev=" {
		t.Errorf("%d changes, next %q", len(answer.Changes), answer.Next)
	}
	get(h, "/api/v1/changes?after="+answer.Next)
	if y.asked.After.ID != y.notes[99].Ref.Event {
		t.Errorf("went on at %v", y.asked.After)
	}
	for _, path := range []string{"/changes?what=x", "/changes?from=x", "/changes?to=x", "/changes?after=x", "/changes?incident=x"} {
		if w := get(h, path); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestAnEntityIsComparedWithItsPeers(t *testing.T) {
	h := inYard(t, yardOf(""), anAnalyst, "")
	var answer struct {
		Peers []struct {
			Name, Value, Usual string
			With, Of           int
			Odd                bool
		}
		Activity []struct {
			Class  string
			Unlike bool
		}
		Incidents []string
		Past      []string `json:"past_incidents"`
	}
	if err := json.Unmarshal(get(h, "/api/v1/entities/robot:amr-1").Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if f := answer.Peers[0]; !f.Odd || f.Usual != "4.1=" || f.With != 0 || f.Of != 2 {
		t.Errorf("firmware: %+v", f)
	}
	if m := answer.Peers[1]; m.Odd || m.With != 2 {
		t.Errorf("map: %+v", m)
	}
	if a := answer.Activity; a[0].Class != "authentication" || a[0].Unlike || !a[1].Unlike {
		t.Errorf("activity: %+v", a)
	}
	if len(answer.Incidents) != 1 || len(answer.Past) != 1 {
		t.Errorf("incidents %v, past %v", answer.Incidents, answer.Past)
	}
	for path, status := range map[string]int{"/entities/robot:amr-9": 404, "/entities/nothing": 400, "/entities/planet:x": 400, "/api/v1/entities/robot:amr-9": 404, "/entities/robot:amr-1?at=x": 400} {
		if w := get(h, path); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
	y := yardOf("")
	y.err = errors.New("the store is away")
	if w := get(inYard(t, y, anAnalyst, ""), "/entities/robot:amr-1"); w.Code != http.StatusInternalServerError {
		t.Errorf("a broken store: %d", w.Code)
	}
}

func TestRobotsEntitiesAndChangesAreShownAsText(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			tame := strings.Repeat("x", len(attack.text))
			for path, labels := range map[string][]string{
				"/changes":              {"entity=", "prev=", "value=", "actor=", "summary=", "source="},
				"/fleet":                {"title=", "fault=", "zone="},
				"/entities/robot:amr-1": {"title=", "past=", "vendor=", "4.2=", "4.1=", "name=", "bound=", "from=", "value="},
				"/changes?entity=" + url.QueryEscape(attack.text): {},
				"/fleet?q=" + url.QueryEscape(attack.text):        {},
			} {
				body := get(inYard(t, yardOf(attack.text), anAnalyst, attack.text), path).Body.String()
				mustBeVisible(t, path, body)
				got := readPage(t, body)
				for _, label := range labels {
					seen := attack.seen[:min(len(attack.seen), cmp.Or(map[bool]int{true: 50}[len(attack.seen) > 50], len(attack.seen)))]
					if !strings.Contains(got.text, label+seen) && !strings.Contains(got.text, label+strings.ReplaceAll(seen, "_", " ")) {
						t.Errorf("%s does not show %s%q", path, label, seen)
					}
				}
				if len(labels) == 0 {
					continue
				}
				if diff := gocmp.Diff(readPage(t, get(inYard(t, yardOf(tame), anAnalyst, tame), path).Body.String()).tags, got.tags); diff != "" {
					t.Errorf("%s: the attack changes the markup (-tame +attack):\n%s", path, diff)
				}
			}
		})
	}
}

package console_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// sent posts a form about an incident as it is now, and fails the test unless it was carried out.
func sent(t *testing.T, p *plant, h http.Handler, in *incident.Incident, action string, more ...string) *incident.Incident {
	t.Helper()
	f := form(p.stitcher.Get(in.ID), action, more...)
	f.Del("by")
	if w := post(h, "/incidents/"+id(in), f); w.Code != http.StatusSeeOther {
		t.Fatalf("%s: %d %s", action, w.Code, w.Body)
	}
	return p.stitcher.Get(in.ID)
}

func TestTheThreeAnswersAreThreeSmallForms(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	body := get(h, "/incidents/"+id(in)).Body.String()
	for _, key := range []string{`data-key="1"`, `data-key="2"`, `data-key="3"`} {
		if strings.Count(body, key) != 1 {
			t.Errorf("%s is there %d times", key, strings.Count(body, key))
		}
	}
	if now := sent(t, p, h, in, "answer", "assessment", "intrusion"); now.Said.Assessment != "intrusion" || now.Understood != 0 || now.Said.By != "local" {
		t.Errorf("%+v, understood %d", now.Said, now.Understood)
	}
	if now := sent(t, p, h, in, "answer", "scope", "set", "robot", "robot:acme/amr-0042"); !now.Said.ScopeSet || !slices.Equal(now.Said.Scope, []string{"robot:acme/amr-0042"}) || now.Said.Assessment != "intrusion" {
		t.Errorf("%+v", now.Said)
	}
	firmware := in.Changed[0].Ref.Event
	now := sent(t, p, h, in, "answer", "trigger_event", firmware.String())
	if now.Said.Trigger != "firmware of acme/amr-0042 from 5.14.2 to 5.14.3, 26 min before the first finding" || now.Said.TriggerEvent != firmware || now.Understood != p.now {
		t.Errorf("%+v, understood %d", now.Said, now.Understood)
	}
	got := readPage(t, get(h, "/incidents/"+id(in)).Body.String())
	for _, want := range []string{"Answered by local; the evidence says intrusion.", "1 confirmed", "firmware of acme/amr-0042 from 5.14.2 to 5.14.3"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if now := sent(t, p, h, in, "answer", "trigger", "unknown"); now.Said.Trigger != incident.UnknownTrigger || now.Said.Revisions == 0 {
		t.Errorf("%+v", now.Said)
	}
	if now := sent(t, p, h, in, "answer", "assessment", "malfunction"); !strings.Contains(get(h, "/incidents/"+id(in)).Body.String(), "take the robot out of service") && now.Said.Assessment == "malfunction" {
		t.Log("the actions follow the evidence where it gives no reason for the answer")
	}
}

func TestThePageTellsOfItsFirstViewOnceAndOnlyForThoseWhoCanAct(t *testing.T) {
	p, in := compromised(t)
	who := access.Person{Name: "vera", Role: access.Viewer, Via: "local"}
	set := p.settings()
	set.Person = func(*http.Request) access.Person { return who }
	h := mustNew(t, set)
	body := get(h, "/incidents/"+id(in)).Body.String()
	if p.stitcher.Get(in.ID).Viewed != 0 {
		t.Error("a viewer's look is counted")
	}
	if strings.Contains(body, `action="/incidents/`) {
		t.Error("a viewer has a form")
	}
	if w := post(h, "/incidents/"+id(in), form(in, "note", "text", "x")); w.Code != http.StatusForbidden {
		t.Errorf("a viewer acts: %d", w.Code)
	}
	who.Role = access.Analyst
	get(h, "/incidents/"+id(in))
	first := p.stitcher.Get(in.ID)
	if first.Viewed != p.now {
		t.Errorf("viewed at %d", first.Viewed)
	}
	p.now += minute
	get(h, "/incidents/"+id(in))
	if again := p.stitcher.Get(in.ID); again.Viewed != first.Viewed || again.Revision != first.Revision {
		t.Error("a second look counts too")
	}
	if now := sent(t, p, h, in, "note", "text", "signed by whoever is signed in", "by", "somebody else"); now.Remarks[0].By != "vera" {
		t.Errorf("the note is by %s", now.Remarks[0].By)
	}
}

func TestFurtherActsDoWhatTheySay(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	if now := sent(t, p, h, in, "snooze", "hours", "4", "text", "waits for the vendor"); now.Snoozed != p.now+4*60*minute {
		t.Errorf("snoozed until %d", now.Snoozed-p.now)
	}
	if body := get(h, "/incidents/"+id(in)).Body.String(); !strings.Contains(body, `id="act-unsnooze"`) || strings.Contains(body, `id="act-snooze"`) || !strings.Contains(body, "snoozed until") {
		t.Error("a snooze can neither be seen nor ended")
	}
	if now := sent(t, p, h, in, "undo"); now.Snoozed != 0 {
		t.Errorf("not undone: %d", now.Snoozed)
	}
	if now := sent(t, p, h, in, "ticket", "system", "jira", "ticket", "SOC-7", "url", "https://tickets.example/SOC-7"); len(now.Tickets) != 1 || now.Tickets[0] != (incident.Ticket{System: "jira", ID: "SOC-7", URL: "https://tickets.example/SOC-7"}) {
		t.Errorf("%+v", now.Tickets)
	}
	if now := sent(t, p, h, in, "contain"); now.Contained == 0 {
		t.Error("not contained")
	}
	if now := sent(t, p, h, in, "decide", "text", "isolate the laptop"); now.Decided == 0 {
		t.Error("not decided")
	}
	evidence := in.Findings[0].Evidence[0].Event
	now := sent(t, p, h, in, "pin", "event", evidence.Event.String())
	if len(now.Pins) != 1 || now.Pins[0].Event != evidence.Event || now.Pins[0].Time != evidence.Time || now.Pins[0].Text == "" {
		t.Fatalf("pinned %+v", now.Pins)
	}
	if body := readPage(t, get(h, "/incidents/"+id(in)).Body.String()); !strings.Contains(body.text, "Pinned to the summary") || !strings.Contains(body.text, now.Pins[0].Text) {
		t.Error("the page does not show what is pinned")
	}
	if body := get(h, "/api/v1/incidents/"+id(in)).Body.String(); !strings.Contains(body, `"pinned":[{"event":"`+evidence.Event.String()) {
		t.Error("the API does not tell what is pinned")
	}
	if now = sent(t, p, h, in, "unpin", "event", evidence.Event.String()); len(now.Pins) != 0 {
		t.Errorf("still pinned: %+v", now.Pins)
	}
	view := "around=5&in=lane%3Arobot"
	f := form(p.stitcher.Get(in.ID), "note", "text", "seen", "view", view)
	if w := post(h, "/incidents/"+id(in), f); w.Header().Get("Location") != "/incidents/"+id(in)+"?"+view {
		t.Errorf("back to %s", w.Header().Get("Location"))
	}
	f = form(p.stitcher.Get(in.ID), "note", "text", "seen again", "view", "around=99&next=//attacker.example")
	if w := post(h, "/incidents/"+id(in), f); w.Header().Get("Location") != "/incidents/"+id(in) {
		t.Errorf("back to %s", w.Header().Get("Location"))
	}
}

func TestFindingsMoveToAnotherIncident(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	left, moved := in.Findings[4].ID, in.Findings[3].ID
	sent(t, p, h, in, "split", "finding", event.FormatID(event.FindingPrefix, left))
	var other *incident.Incident
	for _, x := range p.stitcher.Incidents() {
		if x.ID != in.ID {
			other = x
		}
	}
	sent(t, p, h, in, "move", "finding", event.FormatID(event.FindingPrefix, moved), "into", id(other))
	holds := func(x event.ID, f event.ID) bool {
		return slices.ContainsFunc(p.stitcher.Get(x).Findings, func(y incident.Finding) bool { return y.ID == f })
	}
	if holds(in.ID, moved) || !holds(other.ID, moved) || !holds(other.ID, left) {
		t.Error("the finding is not where it was moved to")
	}
}

// past tells what happened to a plant's incident.
type past []incident.Change

func (h past) History(_ context.Context, _ event.ID, after int32) ([]incident.Change, error) {
	return slices.DeleteFunc(slices.Clone([]incident.Change(h)), func(c incident.Change) bool { return c.Incident.Revision <= after }), nil
}

func TestWhoeverComesTooLateSeesWhatChangedAndCanSendItAgain(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	changes := past{{Kind: incident.ChangeOpened, Actor: "rule:rb-0003", Incident: in}}
	for _, f := range []url.Values{form(in, "acknowledge"), form(in, "note", "text", "<b>mine</b>")} {
		f.Set("revision", strconv.Itoa(int(p.stitcher.Get(in.ID).Revision)))
		if w := post(h, "/incidents/"+id(in), f); w.Code != http.StatusSeeOther {
			t.Fatal(w.Code)
		}
		changes = append(changes, incident.Change{Kind: incident.ChangeUpdated, Actor: "user:ben", Incident: p.stitcher.Get(in.ID)})
	}
	set := p.settings()
	set.History = changes
	h = mustNew(t, set)
	late := form(in, "close", "verdict", "malfunction", "text", "worn brake", "view", "around=5")
	w := post(h, "/incidents/"+id(in), late)
	got := readPage(t, w.Body.String())
	if w.Code != http.StatusConflict {
		t.Fatalf("%d", w.Code)
	}
	for _, want := range []string{"You looked at revision 1", "revision 2, updated by user:ben", "status: open → acknowledged", "assignee: none → ana", "note by ana: <b>mine</b>", "close all the same"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the page lacks %q: %s", want, got.text)
		}
	}
	again := url.Values{}
	for _, part := range strings.Split(w.Body.String(), `<input type="hidden" name="`)[1:] {
		name, rest, _ := strings.Cut(part, `"`)
		_, value, _ := strings.Cut(rest, `value="`)
		value, _, _ = strings.Cut(value, `"`)
		again.Add(name, strings.ReplaceAll(value, "&amp;", "&"))
	}
	if w := post(h, "/incidents/"+id(in), again); w.Code != http.StatusSeeOther || p.stitcher.Get(in.ID).Verdict != incident.Malfunction || w.Header().Get("Location") != "/incidents/"+id(in)+"?around=5" {
		t.Errorf("sent again: %d to %s", w.Code, w.Header().Get("Location"))
	}
}

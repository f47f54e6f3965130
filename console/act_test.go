package console_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// form is an act on the incident as it is now.
func form(in *incident.Incident, action string, more ...string) url.Values {
	f := url.Values{"revision": {strconv.Itoa(int(in.Revision))}, "by": {" ana "}, "action": {action}, "verdict": {""}, "assignee": {""}, "into": {""}, "text": {""}}
	for i := 0; i < len(more); i += 2 {
		if more[i] == "finding" {
			f.Add(more[i], more[i+1])
			continue
		}
		f.Set(more[i], more[i+1])
	}
	return f
}

func TestAnAnalystTakesAnIncidentThroughItsLife(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	left := event.FormatID(event.FindingPrefix, in.Findings[4].ID)
	for _, step := range []struct {
		act  url.Values
		want func(*incident.Incident) bool
	}{
		{form(in, "acknowledge"), func(x *incident.Incident) bool {
			return x.Status == incident.Acknowledged && x.Assignee == "ana" && x.Acked == p.now
		}},
		{form(in, "assign", "assignee", "m.weber"), func(x *incident.Incident) bool { return x.Assignee == "m.weber" }},
		{form(in, "note", "text", " one\r\ntwo \n"), func(x *incident.Incident) bool {
			return len(x.Remarks) == 1 && x.Remarks[0] == incident.Remark{At: p.now, By: "ana", Text: "one\ntwo"}
		}},
		{form(in, "detach", "finding", left), func(x *incident.Incident) bool { return len(x.Findings) == 4 }},
		{form(in, "close", "verdict", "intrusion", "text", "done"), func(x *incident.Incident) bool { return x.Status == incident.Closed && x.Verdict == incident.Intrusion }},
		{form(in, "reopen"), func(x *incident.Incident) bool { return x.Status == incident.Open }},
	} {
		step.act.Set("revision", strconv.Itoa(int(p.stitcher.Get(in.ID).Revision)))
		w := post(h, "/incidents/"+id(in), step.act)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/incidents/"+id(in) {
			t.Fatalf("%s: %d %s", step.act.Get("action"), w.Code, w.Body)
		}
		if now := p.stitcher.Get(in.ID); !step.want(now) {
			t.Errorf("after %s the incident is %+v", step.act.Get("action"), now)
		}
	}
	all := p.stitcher.Incidents()
	other := all[0]
	if other.ID == in.ID {
		other = all[1]
	}
	if w := post(h, "/incidents/"+id(other), form(other, "merge", "into", id(in))); w.Code != http.StatusSeeOther || p.stitcher.Get(other.ID).MergedInto != in.ID {
		t.Errorf("merge: %d %s", w.Code, w.Body)
	}
	got := get(h, "/incidents/"+id(other)).Body.String()
	readPage(t, got)
	if !strings.Contains(got, "Merged into") || !strings.Contains(got, `href="/incidents/`+id(in)) || strings.Count(got, `id="act-`) != 1 || !strings.Contains(got, `id="act-undo"`) {
		t.Error("a merged incident does not lead to the one that goes on, or offers more than to undo that")
	}
	merged := p.stitcher.Get(other.ID)
	if w := post(h, "/incidents/"+id(other), form(merged, "undo")); w.Code != http.StatusSeeOther || p.stitcher.Get(other.ID).Status != other.Status || len(p.stitcher.Get(other.ID).Findings) != len(other.Findings) {
		t.Errorf("the merge is not undone: %d %s", w.Code, w.Body)
	}
}

func TestTheFormOffersWhatIsPossible(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	offers := func(action string) bool {
		return strings.Contains(get(h, "/incidents/"+id(in)).Body.String(), `id="act-`+action+`"`)
	}
	for action, want := range map[string]bool{"acknowledge": true, "close": true, "reopen": false, "split": true} {
		if offers(action) != want {
			t.Errorf("open: %s is offered: %v", action, !want)
		}
	}
	post(h, "/incidents/"+id(in), form(in, "close", "verdict", "test"))
	for action, want := range map[string]bool{"acknowledge": false, "close": false, "reopen": true, "note": true} {
		if offers(action) != want {
			t.Errorf("closed: %s is offered: %v", action, !want)
		}
	}
}

func TestAFormSentTwiceIsOneAct(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	f := form(in, "note", "text", "seen on the floor")
	for range 2 {
		if w := post(h, "/incidents/"+id(in), f); w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if now := p.stitcher.Get(in.ID); p.changes != 1 || len(now.Remarks) != 1 || now.Revision != in.Revision+1 {
		t.Errorf("%d changes, %d remarks", p.changes, len(now.Remarks))
	}
}

func TestAnActOnAnOldRevisionIsRefusedWhateverItDiffersIn(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	if w := post(h, "/incidents/"+id(in), form(in, "assign", "assignee", "ana")); w.Code != http.StatusSeeOther {
		t.Fatal(w.Code)
	}
	for _, f := range []url.Values{
		form(in, "assign", "assignee", "ben"), form(in, "acknowledge"), form(in, "assign", "assignee", "ana", "by", "ben"), form(in, "assign", "assignee", "ana", "into", id(in)),
		form(in, "assign", "assignee", "ana", "finding", event.FormatID(event.FindingPrefix, in.Findings[0].ID)), form(in, "assign", "assignee", "ana", "text", "x"),
		form(in, "acknowledge", "assignee", "ana"), form(in, "assign", "assignee", "ana", "verdict", "test"),
	} {
		w := post(h, "/incidents/"+id(in), f)
		got := readPage(t, w.Body.String())
		if w.Code != http.StatusConflict || !strings.Contains(got.text, "Somebody was faster") || !strings.Contains(got.text, "it is at revision 2, not 1") || !strings.Contains(w.Body.String(), `href="/incidents/`+id(in)) {
			t.Errorf("%v: %d %s", f, w.Code, got.text)
		}
	}
	if p.changes != 1 {
		t.Errorf("%d changes", p.changes)
	}
}

func TestAFormThatMakesNoSenseIsRefusedWithTheReason(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	for _, c := range []struct {
		form   url.Values
		status int
		text   string
	}{
		{form(in, "close"), 400, "closing needs a verdict"},
		{form(in, "close", "verdict", "whatever"), 400, "closing needs a verdict"},
		{form(in, "explode"), 400, `there is no action "explode"`},
		{form(in, "reopen"), 400, "it is not closed"},
		{form(in, "note"), 400, "the note is empty"},
		{form(in, "answer"), 400, "answers none of the three questions"},
		{form(in, "answer", "assessment", "aliens"), 400, `the assessment is one of intrusion, misuse, malfunction, authorised_change, undetermined, not "aliens"`},
		{form(in, "answer", "scope", "set", "robot", "robot:other"), 400, `"robot:other" is no robot of this incident`},
		{form(in, "answer", "trigger_event", "ev_x"), 400, "the change: id ev_x is not ev_"},
		{form(in, "answer", "trigger_event", event.NewID("none").String()), 400, "is no change of this incident"},
		{form(in, "answer", "trigger", strings.Repeat("x", 401)), 400, "what changed has 401 characters"},
		{form(in, "snooze", "hours", "5"), 400, "choose how long to snooze: 1, 4, 12, 24, 72 or 168 hours"},
		{form(in, "ticket", "system", "jira"), 400, "a ticket has a system and an id"},
		{form(in, "ticket", "system", "jira", "ticket", "SOC-1", "url", "javascript:alert(1)"), 400, "begins with https://"},
		{form(in, "move", "finding", event.FormatID(event.FindingPrefix, in.Findings[0].ID)), 400, "name the incident to move to"},
		{form(in, "note", "text", "x", "by", strings.Repeat("é", 101)), 400, "your name has 101 characters; at most 100 fit"},
		{form(in, "note", "text", strings.Repeat("x", 4001)), 400, "the note has 4001 characters; at most 4000 fit"},
		{form(in, "note", "text", strings.Repeat("x", 70_000)), 413, "Shorten the text"},
		{form(in, "note", "revision", ""), 400, "load the incident again"},
		{form(in, "note", "revision", "1x"), 400, "load the incident again"},
		{form(in, "note", "revision", "99999999999"), 400, "load the incident again"},
		{form(in, "merge", "into", "inc_zz"), 400, "the incident to merge into"},
		{form(in, "merge", "into", event.FormatID(event.IncidentPrefix, event.NewID("none"))), 404, "no such incident"},
		{form(in, "split", "finding", "x"), 400, "a finding: id x is not fi_"},
		{form(in, "split"), 400, "choose at least one finding"},
		{url.Values{}, 400, "which revision"},
	} {
		w := post(h, "/incidents/"+id(in), c.form)
		if got := readPage(t, w.Body.String()); w.Code != c.status || !strings.Contains(got.text, c.text) || !strings.Contains(got.text, "Back to the incident") || strings.Contains(got.text, "bad request") {
			t.Errorf("%s: %d %s", c.text, w.Code, got.text)
		}
	}
	if w := post(h, "/incidents/inc_x", form(in, "note")); w.Code != http.StatusBadRequest {
		t.Errorf("a bad id: %d", w.Code)
	}
	if p.changes != 0 {
		t.Errorf("%d changes", p.changes)
	}
}

func TestANoteOfTheGreatestLengthIsKeptWhole(t *testing.T) {
	p, in := compromised(t)
	long := strings.Repeat("ü", 4000)
	if w := post(p.handler(t), "/incidents/"+id(in), form(in, "note", "text", long)); w.Code != http.StatusSeeOther || p.stitcher.Get(in.ID).Remarks[0].Text != long {
		t.Errorf("%d", w.Code)
	}
}

package console_test

import (
	stdcmp "cmp"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/incident"
)

// attacks are what somebody may write into a log, and how a page shows it.
var attacks = map[string]struct{ text, seen string }{
	"element":       {`<script>alert(1)</script>`, `<script>alert(1)</script>`},
	"attribute":     {`"><img src=x onerror=alert(1)>`, `"><img src=x onerror=alert(1)>`},
	"quote":         {`' onmouseover='alert(1)' x='`, `' onmouseover='alert(1)' x='`},
	"closing":       {`</title></textarea></pre></option></svg><svg onload=alert(1)>`, `</title></textarea></pre></option></svg><svg onload=alert(1)>`},
	"address":       {`javascript:alert(1)`, `javascript:alert(1)`},
	"template":      {`{{.Incident.ID}}`, `{{.Incident.ID}}`},
	"comment":       {`--><!-- ]]><![CDATA[`, `--><!-- ]]><![CDATA[`},
	"character":     {`&lt;b&gt;&#x3c;&amp`, `&lt;b&gt;&#x3c;&amp`},
	"json":          {`","admin":true,"x":"\u0041\`, `","admin":true,"x":"\u0041\`},
	"terminal":      {"\x1b[31mred\x1b[0m\a\b", `\u001b[31mred\u001b[0m\u0007\u0008`},
	"8-bit escape":  {"\u009b31m\u0085", `\u009b31m\u0085`},
	"right to left": {"invoice\u202efdp.exe\u2066\u2069\u061c", `invoice\u202efdp.exe\u2066\u2069\u061c`},
	"no width":      {"pay\u200bpal\ufeff\u00ad\u2060\u3164\ufe0f", `pay\u200bpal\ufeff\u00ad\u2060\u3164\ufe0f`},
	"tags":          {"a\U000e0041\U000e007f", `a\udb40\udc41\udb40\udc7f`},
	"separators":    {"a\u2028b\u2029c", `a\u2028b\u2029c`},
	"line":          {"first\r\nsecond\tthird", "first\\u000d\nsecond\tthird"},
	"zero":          {"be\x00fore\x7f", "be\uFFFDfore\\u007f"},
	"bytes":         {"bad\xff\xfe\xc0\xafbytes\xed\xa0\x80", `bad\xff\xfe\xc0\xafbytes\xed\xa0\x80`},
	"long":          {strings.Repeat("0123456789", 500), strings.Repeat("0123456789", 500)},
	"plain":         {"Grüße, 機械 ok", "Grüße, 機械 ok"},
}

// mustBeVisible fails the test for anything in an answer that a reader cannot see.
func mustBeVisible(t *testing.T, what, body string) {
	t.Helper()
	if !utf8.ValidString(body) {
		t.Errorf("%s is not UTF-8", what)
	}
	for _, r := range body {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == '\u3164' || r == '\ufe0f') {
			t.Errorf("%s has a raw %U", what, r)
			return
		}
	}
}

func TestEveryFieldOfAnEventIsShownAsText(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			e, tame := eventOf(attack.text), eventOf(strings.Repeat("x", len(attack.text)))
			p := newPlant()
			p.events[e.Envelope.ID] = e
			at := e.Envelope.ID.String()
			w := get(p.handler(t), "/events/"+at)
			mustBeVisible(t, "the page", w.Body.String())
			got := readPage(t, w.Body.String())
			shown := 0
			for _, f := range event.Fields() {
				if !settable(f) {
					continue
				}
				shown++
				if !strings.Contains(got.text, f.Path+attack.seen) {
					t.Errorf("%s is not shown as %q", f.Path, attack.seen)
				}
			}
			if shown < 100 {
				t.Errorf("only %d fields were tried", shown)
			}
			raw := strings.ReplaceAll(attack.seen, "\uFFFD", `\u0000`) // the raw record is spelled out before it meets HTML
			for _, label := range []string{"format", "site", "source", "key", "value", "entity"} {
				if !strings.Contains(got.text, label+"="+attack.seen) {
					t.Errorf("%s is not shown", label)
				}
			}
			if !strings.Contains(got.text, "raw="+raw) {
				t.Error("the raw record is not shown")
			}
			p.events[e.Envelope.ID] = tame
			if diff := cmp.Diff(readPage(t, get(p.handler(t), "/events/"+at).Body.String()).tags, got.tags); diff != "" {
				t.Errorf("the attack changes the markup (-tame +attack):\n%s", diff)
			}
		})
	}
}

func settable(f event.Field) bool {
	return f.Set != nil && f.Flags&(event.IsCaption|event.Derived) == 0 && (f.Kind == event.KindString || f.Kind == event.KindStrings)
}

// eventOf has the text in every field that takes one; fields begin with their path, so that each can be found.
func eventOf(text string) *event.Event {
	e := &event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, Time: night, SeverityID: 1}
	for _, f := range event.Fields() {
		if settable(f) {
			f.Set(e, event.Value{Str: f.Path + text, Lst: []string{f.Path + text, "second"}})
		}
	}
	e.Envelope = event.Envelope{
		ID: event.NewID("hostile"), Position: event.Position{Source: "source=" + text}, Format: "format=" + text, Site: "site=" + text, Received: night, Raw: []byte("raw=" + text),
		TimeSource: event.TimeParsed, Quality: event.LossyDecode,
	}
	e.Unmapped = []event.Attribute{{Key: "key=" + text, Value: "value=" + text}}
	e.Entities = []event.EntityRef{{Kind: event.EntityUser, Role: event.RoleActor, Strength: event.Strong, Key: "entity=" + text, ID: "user:" + text}}
	return e
}

func TestTheEventAPIKeepsTheTextAndHidesNothing(t *testing.T) {
	for name, attack := range attacks {
		e := eventOf(attack.text)
		p := newPlant()
		p.events[e.Envelope.ID] = e
		body := get(p.handler(t), "/api/v1/events/"+e.Envelope.ID.String()+"?raw").Body.String()
		mustBeVisible(t, name, body)
		var doc struct {
			Message string
			Actor   struct{ User struct{ Name string } }
		}
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, body)
		}
		want := strings.ToValidUTF8(attack.text, "\uFFFD")
		if doc.Message != "message"+want || doc.Actor.User.Name != "actor.user.name"+want {
			t.Errorf("%s: the message is %q", name, doc.Message)
		}
	}
}

// poison puts the text before every string in v, and names the string's place behind it.
func poison(v reflect.Value, place, text string) {
	switch v.Kind() {
	case reflect.String:
		if !strings.HasPrefix(v.String(), text) {
			v.SetString(text + "#" + place + "#" + v.String())
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), place, text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			poison(v.Field(i), place+"."+v.Type().Field(i).Name, text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), place, text)
		}
	}
}

// poisoned is a plant in which every string of incidents, findings, notes, remarks, rejects and checks begins with the text.
func poisoned(t *testing.T, text string) (*plant, *incident.Incident) {
	p, in := compromised(t)
	in = new(*in)
	in.Status, in.Verdict, in.Assignee, in.OwnerWhy = incident.Closed, incident.Intrusion, "ana", "a robot is affected"
	in.Acked, in.ClosedAt = night+30*minute, night+40*minute
	in.Remarks = []incident.Remark{{At: night + 31*minute, By: "ana", Text: "seen"}}
	in.Tickets = []incident.Ticket{{System: "jira", ID: "SOC-1", URL: "https://tickets.example/SOC-1"}}
	in.Said = incident.Said{Assessment: "intrusion", ScopeSet: true, Scope: in.Robots[:1:1], Trigger: "firmware", By: "ana", At: night + 32*minute}
	in.Sites = []string{"plant"}
	for i := range in.Findings {
		f := &in.Findings[i]
		f.Key, f.Reason, f.Notes, f.Collected = "key", "late", []string{"order not certain"}, []incident.Collected{{Name: "peers", Values: []string{"a", "b"}}}
		f.Vars = []incident.Var{{Name: "user", Value: "ana"}}
		f.Rule.Owner, f.Rule.Response = "ot", "look"
	}
	poison(reflect.ValueOf(in), "In", text)
	for i := range in.Links[1:] { // what a person joined is not explained by what it shares
		in.Links[1+i].Manual = ""
	}
	p.fixed, p.stitcher = []*incident.Incident{in}, incident.NewStitcher(incident.DefaultConfig(), nil)
	poison(reflect.ValueOf(&p.rejected), "Reject", text)
	poison(reflect.ValueOf(&p.checks), "Check", text)
	p.rejected[0].Raw = []byte("raw=" + text)
	return p, in
}

func TestEveryTextOfAnIncidentIsShownAsText(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			p, in := poisoned(t, attack.text)
			tame, _ := poisoned(t, strings.Repeat("x", len(attack.text)))
			for path, labels := range map[string][]string{
				"/incidents?q=": {".Title", ".Owner", ".Verdict"},
				"/incidents/" + id(in): {
					".Title", ".Owner", ".OwnerWhy", ".Assignee", ".Verdict", ".Domains", ".Remarks.By", ".Remarks.Text", ".Tickets.System", ".Tickets.ID", ".Tickets.URL", ".Said.By", ".Said.Trigger", ".Said.Assessment", ".Sites", ".Changed.Prev", ".Changed.Value", ".Changed.What", ".Links.Manual", ".Links.Shared.ID", ".Entities.ID", ".Findings.Reason", ".Findings.Notes",
					".Findings.Rule.ID", ".Findings.Rule.Title", ".Findings.Rule.Response", ".Findings.Vars.Name", ".Findings.Vars.Value", ".Findings.Collected.Name", ".Findings.Collected.Values", ".Findings.Evidence.Step",
				},
				"/rejects": {".Position.Source", ".Format", ".Code", ".Reason"},
				"/health":  {".Name", ".Detail"},
			} {
				body := get(p.handler(t), path).Body.String()
				mustBeVisible(t, path, body)
				got := readPage(t, body)
				for _, label := range labels {
					root := stdcmp.Or(map[string]string{"/rejects": "Reject", "/health": "Check"}[path], "In")
					whole := strings.Contains(got.text, attack.seen+"#"+root+label)
					clipped := path == "/incidents?q=" && len(attack.seen) > 40 && strings.Contains(got.text, attack.seen[:40])
					if !whole && !clipped {
						t.Errorf("%s does not show %s as %q", path, label, attack.seen)
					}
				}
				if diff := cmp.Diff(readPage(t, get(tame.handler(t), path).Body.String()).tags, got.tags); diff != "" {
					t.Errorf("%s: the attack changes the markup (-tame +attack):\n%s", path, diff)
				}
			}
		})
	}
}

func TestTheIncidentAPIStaysOCSFWhateverTheTextSays(t *testing.T) {
	var v ocsf.Validator
	for name, attack := range attacks {
		p, in := poisoned(t, attack.text)
		h := p.handler(t)
		for _, path := range []string{"/api/v1/incidents?as=ocsf", "/api/v1/incidents/" + id(in)} {
			body := get(h, path).Body.String()
			mustBeVisible(t, name+" "+path, body)
			for _, problem := range v.Validate([]byte(body)) {
				if problem.Severity == ocsf.Error {
					t.Errorf("%s %s: %s", name, path, problem)
				}
			}
			var doc struct{ Message string }
			if err := json.Unmarshal([]byte(body), &doc); err != nil {
				t.Fatalf("%s %s: %v", name, path, err)
			}
			if want := strings.ToValidUTF8(in.Title, "\uFFFD"); doc.Message != want && !strings.HasPrefix(attack.text, "bad") {
				t.Errorf("%s %s: the title is %q", name, path, doc.Message)
			}
		}
	}
}

func TestErrorsAndFiltersAreShownAsText(t *testing.T) {
	for name, attack := range attacks {
		p, in := compromised(t)
		h := p.handler(t)
		query := url.QueryEscape(attack.text)
		answers := map[string]*httptest.ResponseRecorder{
			"filter": get(h, "/incidents?owner="+query+"&robot="+query+"&q="+query), "status": get(h, "/incidents?status="+query), "id": get(h, "/incidents/"+url.PathEscape("x"+attack.text)),
			"path": get(h, "/nowhere/"+url.PathEscape("x"+attack.text)), "api": get(h, "/api/v1/incidents/"+url.PathEscape("x"+attack.text)), "act": post(h, "/incidents/"+id(in), form(in, attack.text)),
			"into": post(h, "/incidents/"+id(in), form(in, "merge", "into", "x"+attack.text)),
		}
		p.broken = errors.New(attack.text)
		answers["error"], answers["api error"] = get(h, "/incidents"), get(h, "/api/v1/incidents")
		for what, w := range answers {
			mustBeVisible(t, name+": "+what, w.Body.String())
			if strings.HasPrefix(what, "api") {
				if !json.Valid(w.Body.Bytes()) {
					t.Errorf("%s: %s is no JSON: %s", name, what, w.Body)
				}
				continue
			}
			readPage(t, w.Body.String())
		}
	}
}

var _ console.Reader = (*plant)(nil)

package console_test

import (
	"cmp"
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/incident"
)

// finds reads the findings of a plant's incidents.
type finds struct {
	p   *plant
	err error
}

func (f finds) Finding(_ context.Context, id event.ID) (*incident.Finding, error) {
	in, _ := f.Holder(context.Background(), id)
	if in == nil {
		return nil, cmp.Or(f.err, console.ErrNotFound)
	}
	for i := range in.Findings {
		if in.Findings[i].ID == id {
			return &in.Findings[i], f.err
		}
	}
	return nil, console.ErrNotFound
}

func (f finds) Holder(_ context.Context, id event.ID) (*incident.Incident, error) {
	for _, in := range append(f.p.stitcher.Incidents(), f.p.fixed...) {
		for i := range in.Findings {
			if in.Findings[i].ID == id {
				return in, f.err
			}
		}
	}
	return nil, f.err
}

func (f finds) Evidence(_ context.Context, ids []event.ID) ([]*event.Event, error) {
	var out []*event.Event
	for _, id := range ids {
		if e := f.p.events[id]; e != nil {
			out = append(out, e)
		}
	}
	return out, f.err
}

// teller explains every finding the same way; what guards saw only after folding again.
type teller struct {
	x      *console.Explained
	err    error
	unlike string // Why its tests do not reproduce a finding.
}

func (t teller) Read(*incident.Finding, []*event.Event) *console.Explained {
	if t.x == nil {
		return &console.Explained{}
	}
	x := *t.x
	x.Guards = nil
	return &x
}

func (t teller) Reproduces(*incident.Finding, string) string { return t.unlike }

func (t teller) Explain(context.Context, event.ID) (*console.Explained, error) { return t.x, t.err }

func withFindings(t *testing.T, p *plant, x console.Explainer, who *access.Person) http.Handler {
	t.Helper()
	set := p.settings()
	set.Findings, set.Explainer = finds{p: p}, x
	if who != nil {
		set.Person = func(*http.Request) access.Person { return *who }
	}
	return mustNew(t, set)
}

func explained(f *incident.Finding, text string) *console.Explained {
	x := &console.Explained{Guards: []console.ExplainedGuard{{ID: "guard 1", From: f.First, To: f.Time, Hits: 2}}}
	for _, ev := range f.Evidence {
		x.Steps = append(x.Steps, console.ExplainedStep{ID: ev.Step, Classes: []string{"robot_control"}, Where: "robot.zone == " + text, Seen: 3, Matched: 1})
		x.Evidence = append(x.Evidence, console.ExplainedEvidence{Step: ev.Step, Event: ev.Event.Event, Read: []console.ExplainedValue{{Text: "robot.zone", Value: "cell-7" + text, Known: true}, {Text: "is_mfa"}}})
	}
	return x
}

func findingPath(f *incident.Finding) string {
	return "/findings/" + event.FormatID(event.FindingPrefix, f.ID)
}

func TestAFindingShowsEachEventBothWaysAndWhatTheRuleReadOfIt(t *testing.T) {
	p, in := compromised(t)
	f := &in.Findings[2]
	h := withFindings(t, p, teller{x: explained(f, "")}, nil)
	w := get(h, findingPath(f))
	got := readPage(t, w.Body.String())
	for _, want := range []string{
		"Mode change and new program on a robot in a restricted area", "rb-0005, version 2", "mode: AUTOMATIC -> MANUAL", "load program pick_v9_final.urp", "robot_command.name", "The rule read", "robot.zone", "cell-7", "unknown",
		"Fold the rule again", "As a test of the rule", "critical", "user 00u1anaf",
	} {
		if !strings.Contains(got.text, want) {
			t.Errorf("%d: the page lacks %q", w.Code, want)
		}
	}
	if strings.Contains(got.text, "looked from") {
		t.Error("a page tells what guards looked at without having folded the rule")
	}
	if !strings.Contains(w.Body.String(), `href="/incidents/`+id(in)+`"`) || !strings.Contains(w.Body.String(), `href="/events/`+f.Evidence[0].Event.Event.String()+`"`) {
		t.Error("it leads neither to its incident nor to its events")
	}
	var v ocsf.Validator
	for _, problem := range v.Validate(get(h, "/api/v1"+findingPath(f)).Body.Bytes()) {
		if problem.Severity == ocsf.Error {
			t.Error(problem)
		}
	}
}

func TestAFindingsRuleIsFoldedAgainOnlyWhereSomebodyAsksForIt(t *testing.T) {
	p, in := compromised(t)
	f := &in.Findings[2]
	h := withFindings(t, p, teller{x: explained(f, "")}, nil)
	link := findingPath(f) + "?fold=1"
	if body := get(h, findingPath(f)).Body.String(); !strings.Contains(body, `href="`+link+`#why"`) {
		t.Error("no link leads to it")
	}
	got := readPage(t, get(h, link).Body.String())
	for _, want := range []string{"guard 1 looked from", "2 events of its kind", "folded again from the store", "The rule read", "cell-7"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(got.text, "Fold the rule again") {
		t.Error("what was just done is offered again")
	}
}

func TestAFindingThatCannotBeExplainedSaysWhyAndStands(t *testing.T) {
	p, in := compromised(t)
	f := &in.Findings[0]
	for text, x := range map[string]console.Explainer{
		"the rule rb-0003 is not loaded":     teller{x: &console.Explained{Foreign: "the rule rb-0003 is not loaded"}},
		"too much happened around it":        teller{err: context.DeadlineExceeded},
		"connection refused":                 teller{err: errors.New("connection refused")},
		"this console does not read rules":   nil,
		"folding again what the store still": teller{x: &console.Explained{Foreign: "folding again what the store still has does not find it"}},
	} {
		w := get(withFindings(t, p, x, nil), findingPath(f)+"?fold=1")
		if got := readPage(t, w.Body.String()); w.Code != http.StatusOK || !strings.Contains(got.text, text) || !strings.Contains(got.text, "refused a push prompt") {
			t.Errorf("%s: %d", text, w.Code)
		}
	}
	w := get(withFindings(t, p, teller{x: &console.Explained{Foreign: "the rule rb-0003 is not loaded"}}, nil), findingPath(f))
	if got := readPage(t, w.Body.String()); w.Code != http.StatusOK || !strings.Contains(got.text, "rb-0003 is not loaded") || strings.Contains(got.text, "Fold the rule again") {
		t.Errorf("of a rule that is not loaded: %d", w.Code)
	}
	delete(p.events, f.Evidence[0].Event.Event)
	if w := get(withFindings(t, p, nil, nil), findingPath(f)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "no longer has this event") {
		t.Errorf("an event past its retention: %d", w.Code)
	}
}

func TestAFindingOfAnotherSiteIsNotThere(t *testing.T) {
	p, in := compromised(t)
	for i := range in.Findings {
		for _, ev := range in.Findings[i].Evidence {
			ev.Event.Site = "plant-1"
		}
	}
	who := access.Person{Name: "vera", Role: access.Viewer, Via: "local", Sites: []string{"plant-2"}}
	for _, prefix := range []string{"", "/api/v1"} {
		if w := get(withFindings(t, p, nil, &who), prefix+findingPath(&in.Findings[0])); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", prefix, w.Code)
		}
	}
	who.Sites = []string{"plant-1"}
	if w := get(withFindings(t, p, nil, &who), findingPath(&in.Findings[0])); w.Code != http.StatusOK {
		t.Errorf("of one's own site: %d", w.Code)
	}
	h := withFindings(t, p, nil, nil)
	for path, want := range map[string]int{"/findings/fi_x": 400, "/findings/" + event.FormatID(event.FindingPrefix, event.NewID("none")): 404, "/api/v1/findings/fi_x": 400} {
		if w := get(h, path); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestAFindingAsATestOfItsRuleIsYAMLWithItsEvents(t *testing.T) {
	for name, attack := range attacks {
		p, in := compromised(t)
		f := &in.Findings[2]
		p.events[f.Evidence[1].Event.Event].Robot.ProgramUID = "p" + attack.text
		f.Vars = append(f.Vars, incident.Var{Name: "hostile", Value: attack.text})
		body := get(withFindings(t, p, nil, nil), findingPath(f)).Body.String()
		_, text, _ := strings.Cut(readPage(t, body).text, "tocsin rules test. Trim")
		_, text, _ = strings.Cut(text, "  - name:")
		text, _, _ = strings.Cut("  - name:"+text, "}]\n")
		text += "}]\n"
		var tests []struct {
			Start  string
			Events []map[string]any
			Fires  []struct{ At string }
		}
		if err := yaml.Unmarshal([]byte(text), &tests); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if len(tests) != 1 || tests[0].Start != "2026-11-21T02:10:00Z" || len(tests[0].Events) != 2 || tests[0].Events[1]["at"] != "1m" || tests[0].Events[0]["class"] != "robot_state.mode_change" ||
			tests[0].Events[1]["robot_command.name"] == nil && tests[0].Events[1]["command.name"] == nil || len(tests[0].Fires) != 1 || tests[0].Fires[0].At != "1m" {
			t.Errorf("%s: %+v", name, tests)
		}
	}
}

func TestACopiedTestHasWhatTheRuleTookAsGivenAndSaysWhyItIsNotEnough(t *testing.T) {
	p, in := compromised(t)
	f := &in.Findings[2]
	x := explained(f, "")
	x.Given = []string{`lists: {"ot-writers": ["10.0.0.1"]}`}
	text := readPage(t, get(withFindings(t, p, teller{x: x, unlike: "missing:\nfinding at 1m"}, nil), findingPath(f)).Body.String()).text
	for _, want := range []string{`# As it stands this does not reproduce the finding: missing:\nfinding at 1m`, "given:", `lists: {"ot-writers": ["10.0.0.1"]}`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if text := readPage(t, get(withFindings(t, p, teller{x: x}, nil), findingPath(f)).Body.String()).text; strings.Contains(text, "does not reproduce") {
		t.Error("a test that reproduces the finding is said not to")
	}
}

func TestHostileTextIsTextOnTheFindingsPage(t *testing.T) {
	for name, attack := range attacks {
		pages := map[string]page{}
		for what, text := range map[string]string{"attack": attack.text, "tame": strings.Repeat("x", len(attack.text))} {
			p, in := poisoned(t, text)
			f := &in.Findings[2]
			w := get(withFindings(t, p, teller{x: explained(f, text)}, nil), findingPath(f))
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d", name, w.Code)
			}
			mustBeVisible(t, name, w.Body.String())
			pages[what] = readPage(t, w.Body.String())
		}
		for _, label := range []string{".Findings.Rule.Title", ".Findings.Rule.ID", ".Findings.Reason", ".Findings.Notes", ".Findings.Vars.Value", ".Findings.Vars.Name", ".Findings.Evidence.Step", ".Findings.Collected.Values", ".Findings.Rule.Response"} {
			if !strings.Contains(pages["attack"].text, attack.seen+"#In"+label) {
				t.Errorf("%s: %s is not shown as %q", name, label, attack.seen)
			}
		}
		if len(pages["attack"].tags) != len(pages["tame"].tags) {
			t.Errorf("%s changes the markup", name)
		}
	}
}

func TestWhatIsLikeAFindingIsSuppressedWhereThatCanBe(t *testing.T) {
	p, in := compromised(t)
	f := &in.Findings[2]
	body := get(withFindings(t, p, nil, nil), findingPath(f)).Body.String()
	_, link, has := strings.Cut(body, `href="/suppressions/new?`)
	if !has {
		t.Fatal("there is no link")
	}
	link, _, _ = strings.Cut(link, `"`)
	q, err := url.ParseQuery(html.UnescapeString(link))
	if err != nil || q.Get("expression") != `rule == "rb-0005" and "00u1anaf" in users` {
		t.Errorf("%v %v", q, err)
	}
}

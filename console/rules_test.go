package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/incident"
)

// shelf is Rules over what a test puts into it.
type shelf struct {
	list  []console.RuleStanding
	sheet console.RuleSheet
	near  console.RuleNear
	asked console.RuleAttempt
	trial console.RuleTrial
	err   error
}

func (s *shelf) Rules(context.Context) ([]console.RuleStanding, error) { return s.list, s.err }

func (s *shelf) Rule(_ context.Context, id string) (*console.RuleSheet, error) {
	if id != s.sheet.ID {
		return nil, fmt.Errorf("%w: there is no rule %q in force", console.ErrNotFound, id)
	}
	return &s.sheet, s.err
}

func (s *shelf) Near(_ context.Context, _ string, hours int) (*console.RuleNear, error) {
	s.near.Hours = hours
	return &s.near, s.err
}

func (s *shelf) Try(_ context.Context, t console.RuleAttempt) (*console.RuleTrial, error) {
	s.asked = t
	return &s.trial, s.err
}

// shelfOf has a rule with a text in every place that takes one.
func shelfOf(text string) *shelf {
	x := console.RuleStanding{
		ID: "rb-0001", Version: 3, Title: "title" + text, Severity: incident.High, Status: "live", Owner: "owner" + text, Tags: []string{"tag" + text}, File: "file" + text, Line: 7,
		Hits: 40, Tried: 90, Keys: 2, Findings: 5, Last: night, Right: 3, Wrong: 1, Troubles: []string{"trouble" + text},
	}
	step := console.ChainStep{Name: "name" + text, Role: "step", Classes: []string{"class" + text}, Where: "where" + text, When: "when" + text, Times: 3, Binds: []string{"bind" + text}}
	guard := step
	guard.Role = "unless"
	fate := console.NearFate{At: night, Key: "key" + text, Text: "fate" + text, Events: []string{"ev_1"}}
	seen := console.NearStep{Name: "seen" + text, Seen: 4, Matched: 1, Reason: "reason" + text}
	return &shelf{
		list: []console.RuleStanding{x, {ID: "rb-0002", Title: "second", Severity: incident.Low, Status: "shadow", Owner: "it"}},
		sheet: console.RuleSheet{
			RuleStanding: x, Description: "description" + text, Response: "response" + text, FalsePositives: []string{"positive" + text}, Words: "words" + text, Text: "text" + text,
			Chains: []console.Chain{{Kind: "sequence", Within: "1h", Steps: []console.ChainStep{step, step, step, step, step}, Guards: []console.ChainStep{guard}}},
			Days:   []console.DayCount{{Day: "2026-01-05", Count: 5}},
		},
		near: console.RuleNear{Events: 12, Steps: []console.NearStep{seen}, Fates: []console.NearFate{fate}},
		trial: console.RuleTrial{
			Problems: []console.RuleProblem{{Line: 3, Column: 5, Code: "R001", Error: true, Message: "message" + text, Hint: "hint" + text}}, Loaded: []string{"loaded" + text}, Neat: "neat" + text,
			Tests:  []console.RuleTested{{Rule: "rb-0001", Test: "test" + text, Line: 9, Difference: "difference" + text}, {Rule: "rb-0001", Test: "good", Passed: true, Variants: 12}},
			Played: &console.RulePlayed{Events: 2, Rejects: []string{"reject" + text}, Findings: []string{"finding" + text}, Steps: []console.NearStep{seen}, Fates: []console.NearFate{fate}},
			Past:   []console.RulePast{{Rule: "rb-0001", Findings: 4, PerDay: 2, Top: []string{"top" + text}, Cost: "3 ns an event", New: 1, Gone: 2}}, PastDays: 2,
		},
	}
}

func rulesHandler(t *testing.T, s *shelf, who access.Person) http.Handler {
	t.Helper()
	set := newPlant().settings()
	set.Rules = s
	set.Person = func(*http.Request) access.Person { return who }
	return mustNew(t, set)
}

var author = access.Person{Name: "ana", Role: access.Author, Via: "local"}

func TestRulesAreListedWithWhatTheyDidAndHowOftenTheyWereRight(t *testing.T) {
	s := shelfOf("")
	h := rulesHandler(t, s, access.Person{Name: "v", Role: access.Viewer})
	page := readPage(t, get(h, "/rules").Body.String()).text
	for _, want := range []string{"2 of 2 rules", "5 findings in 30 days, 1 rules without one; 1 with verdicts", "75 %", "3 of 4", "rb-0001, version 3", "trouble"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	for query, want := range map[string]string{"?q=SECOND": "rb-0002", "?status=live": "rb-0001", "?owner=it": "rb-0002", "?q=rb-0001&status=live&sort=cost": "rb-0001"} {
		body := get(h, "/rules"+query).Body.String()
		if n := strings.Count(body, "data-row="); n != 1 || !strings.Contains(body, `data-row="`+want+`"`) {
			t.Errorf("%s shows %d rules, not just %s", query, n, want)
		}
	}
	order := get(h, "/rules?sort=precision").Body.String()
	if strings.Index(order, `data-row="rb-0001"`) > strings.Index(order, `data-row="rb-0002"`) {
		t.Error("a rule without verdicts stands before one with some")
	}
	if strings.Contains(order, "/rules/editor") {
		t.Error("a viewer is offered the editor")
	}
}

func TestARuleIsShownWithItsChainItsDaysAndItsNearMisses(t *testing.T) {
	h := rulesHandler(t, shelfOf(""), author)
	body := get(h, "/rules/rb-0001").Body.String()
	if n := strings.Count(body, `class="chainbox step"`); n != 5 {
		t.Errorf("%d boxes of five steps", n)
	}
	if strings.Count(body, `class="chainarrow"`) != 4 || strings.Count(body, `class="chainbox unless"`) != 1 || !strings.Contains(body, "/rules/editor?id=rb-0001") {
		t.Errorf("arrows, guard or editor are missing\n%s", body)
	}
	if want := `href="/incidents?q=%22rb-0001%22%20in%20rules"`; !strings.Contains(body, want) {
		t.Errorf("the page does not lead to the incidents of the rule by a filter: no %s", want)
	}
	if strings.Contains(body, "fate") {
		t.Error("near misses are looked for though nobody asked")
	}
	if page := readPage(t, get(h, "/rules/rb-0001?near=6").Body.String()).text; !strings.Contains(page, "12 events of the rule's classes") || !strings.Contains(page, "fate") || !strings.Contains(page, "reason") {
		t.Error(page)
	}
	for path, status := range map[string]int{"/rules/rb-0001?near=0": http.StatusBadRequest, "/rules/rb-0001?near=x": http.StatusBadRequest, "/rules/rb-9": http.StatusNotFound} {
		if w := get(h, path); w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestTheEditorShowsWhatCameOfATextAndKeepsIt(t *testing.T) {
	s := shelfOf("")
	h := rulesHandler(t, s, author)
	if body := get(h, "/rules/editor").Body.String(); !strings.Contains(body, "id: my-0001") {
		t.Error("the editor does not begin with a rule")
	}
	if body := get(h, "/rules/editor?id=rb-0001").Body.String(); !strings.Contains(body, ">text</textarea>") {
		t.Error("the editor does not begin with the rule it was asked for")
	}
	w := post(h, "/rules/editor", url.Values{"text": {"id: x\r\nversion: 1\r\n"}, "records": {"a\r\nb"}, "format": {"okta"}, "do": {"backtest"}, "days": {"2"}, "from": {"rb-0001"}})
	if d := gocmp.Diff(console.RuleAttempt{Text: "id: x\nversion: 1\n", Records: "a\nb", Format: "okta", Days: 2}, s.asked); d != "" {
		t.Error(d)
	}
	page := readPage(t, w.Body.String()).text
	for _, want := range []string{"3:5", "message", "1 of 2 passed", "difference", "passed, and in 12 derived runs", "2 events, 1 records that could not be read", "finding", "The last 2 days", "1 more, 2 fewer", "What differs from rb-0001 as it is in force", "- text", "+ id: x"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	post(h, "/rules/editor", url.Values{"text": {"x"}, "do": {"check"}, "days": {"nonsense"}})
	if s.asked.Days != 0 {
		t.Error("a check plays the past")
	}
	if w := post(h, "/rules/editor", url.Values{"text": {"x"}, "do": {"backtest"}, "days": {"31"}}); w.Code != http.StatusBadRequest {
		t.Errorf("31 days: %d", w.Code)
	}
	if w := post(h, "/rules/editor", url.Values{"text": {strings.Repeat("x", 256<<10+1)}}); w.Code != http.StatusBadRequest {
		t.Errorf("too long a text: %d", w.Code)
	}
	if w := post(h, "/rules/editor", url.Values{"records": {strings.Repeat("x", 2<<20)}}); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too long a form: %d", w.Code)
	}
}

func TestRulesHaveAnAPIAndItIsStrict(t *testing.T) {
	s := shelfOf("")
	h := rulesHandler(t, s, author)
	var list []console.RuleStanding
	if err := json.Unmarshal(get(h, "/api/v1/rules").Body.Bytes(), &list); err != nil || len(list) != 2 || list[0].Findings != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	var sheet console.RuleSheet
	if err := json.Unmarshal(get(h, "/api/v1/rules/rb-0001").Body.Bytes(), &sheet); err != nil || sheet.Words != "words" {
		t.Errorf("%+v, %v", sheet, err)
	}
	try := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/rules/try", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		return ask(h, r)
	}
	var trial console.RuleTrial
	if err := json.Unmarshal(try(`{"text": "id: x", "days": 2}`).Body.Bytes(), &trial); err != nil || s.asked.Days != 2 || trial.PastDays != 2 {
		t.Errorf("%+v, %v", trial, err)
	}
	for body, status := range map[string]int{`{"txt": "x"}`: 400, `{`: 400, `{} {}`: 400, `{"text": "x", "days": 99}`: 400, `{"text": "x"}`: 200} {
		if w := try(body); w.Code != status {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	s.err = fmt.Errorf("%w: somebody is trying a rule just now", console.ErrQuestion)
	if w := try(`{"text": "x"}`); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "just now") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPagesOfRulesShowEveryTextAsText(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			calmed := strings.Map(func(r rune) rune {
				if r == ' ' {
					return r
				}
				return 'x'
			}, attack.text) // Breaks lines where the attack does.
			tame, hostile := rulesHandler(t, shelfOf(calmed), author), rulesHandler(t, shelfOf(attack.text), author)
			for _, path := range []string{"/rules", "/rules/rb-0001?near=3"} {
				w := get(hostile, path)
				mustBeVisible(t, path, w.Body.String())
				if got, want := len(readPage(t, w.Body.String()).tags), len(readPage(t, get(tame, path).Body.String()).tags); got != want {
					t.Errorf("%s: the attack changes the markup: %d elements, not %d", path, got, want)
				}
			}
			form := url.Values{"text": {"text" + attack.text}, "records": {"records" + attack.text}, "format": {"format" + attack.text}, "from": {"from"}}
			w := post(hostile, "/rules/editor", form)
			mustBeVisible(t, "the editor", w.Body.String())
			calm := url.Values{"text": {"text"}, "records": {"records"}, "format": {"format"}, "from": {"from"}}
			if got, want := len(readPage(t, w.Body.String()).tags), len(readPage(t, post(tame, "/rules/editor", calm).Body.String()).tags); got != want {
				t.Errorf("the editor: the attack changes the markup: %d elements, not %d", got, want)
			}
		})
	}
}

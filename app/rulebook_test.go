package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/console"
)

// TestTheTextOfEveryShippedRuleIsFound reads each where the console does: the pack is in the binary, not on the disk.
func TestTheTextOfEveryShippedRuleIsFound(t *testing.T) {
	set, problems := app.LoadRules([]string{app.Builtin})
	if set == nil || len(set.Rules) == 0 {
		t.Fatal(problems)
	}
	for _, r := range set.Rules {
		text, err := app.TextOf(r)
		if err != nil || !strings.Contains(text, "id: "+r.ID+"\n") || strings.Count(text, "\nid: ") > 1 {
			t.Errorf("%s: %v\n%.200s", r.ID, err, text)
		}
	}
}

// TestTheConsoleKnowsItsRulesAndTriesOthers asks a running service, whose engine has the store: what its rules did, what came close, and what a text
// that no file has would do with pasted records and with the past.
func TestTheConsoleKnowsItsRulesAndTriesOthers(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(0, "user01", "user02", "twice", "twice"))
	q := o.incidents(2)
	for _, x := range q {
		o.mustAct(x.ID, x.Revision, url.Values{"action": {"close"}, "verdict": {"intrusion"}})
		break
	}
	ask := func(method, path string, body, to any) {
		t.Helper()
		var in bytes.Buffer
		if body != nil {
			must(t, json.NewEncoder(&in).Encode(body))
		}
		req, err := http.NewRequestWithContext(t.Context(), method, o.svc.url+path, &in)
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			var said bytes.Buffer
			_, _ = said.ReadFrom(res.Body)
			t.Fatalf("%s %s: %s %s", method, path, res.Status, said.String())
		}
		must(t, json.NewDecoder(res.Body).Decode(to))
	}
	var list []console.RuleStanding
	ask(http.MethodGet, "/api/v1/rules", nil, &list)
	if len(list) < 2 || list[0].ID != "t-0001" || list[0].Findings != 2 || list[0].Right != 1 || list[0].Precision() != 100 || list[0].Edited == 0 {
		t.Errorf("%+v", list)
	}
	var sheet console.RuleSheet
	ask(http.MethodGet, "/api/v1/rules/t-0002", nil, &sheet)
	if !strings.HasPrefix(sheet.Text, "id: t-0002\n") || strings.Contains(sheet.Text, "t-0001") || len(sheet.Chains) != 1 || sheet.Chains[0].Steps[0].Times != 3 {
		t.Errorf("%+v", sheet)
	}
	two := strings.NewReplacer("at_least: 3", "at_least: 2", "version: 1", "version: 2", "at: 2m", "at: 1m").Replace(sheet.Text)
	var trial console.RuleTrial
	ask(http.MethodPost, "/api/v1/rules/try", map[string]any{"text": two, "format": "openssh", "records": string(refused(0, "twice", "twice", "eve")) + "nonsense\n", "days": 30}, &trial)
	if len(trial.Tests) != 2 || trial.Played == nil || trial.Played.Events != 3 || len(trial.Played.Findings) != 1 || !strings.Contains(trial.Played.Findings[0], "person=user:twice") {
		t.Errorf("%+v", trial)
	}
	if len(trial.Past) != 1 || trial.Past[0].Findings != 1 || trial.Past[0].New != 1 || trial.Past[0].Gone != 0 {
		t.Errorf("the past: %+v", trial.Past)
	}
	trial = console.RuleTrial{}
	ask(http.MethodPost, "/api/v1/rules/try", map[string]any{"text": strings.Replace(two, "at_least", "at_leest", 1)}, &trial)
	if len(trial.Problems) == 0 || !trial.Problems[0].Error || trial.Problems[0].Line == 0 || len(trial.Loaded) > 0 {
		t.Errorf("%+v", trial)
	}
	res, err := http.Get(o.svc.url + "/rules/t-0002?near=720")
	must(t, err)
	defer res.Body.Close()
	var page bytes.Buffer
	_, err = page.ReadFrom(res.Body)
	must(t, err)
	if !strings.Contains(page.String(), "2 of 3") {
		t.Errorf("two of three refusals are no near miss\n%s", page.String())
	}
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
}

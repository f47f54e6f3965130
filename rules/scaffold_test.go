package rules_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/rules"
)

// That its tests pass is shown by the command's script.
func TestADraftOfEveryKindLoadsAsItIs(t *testing.T) {
	for _, kind := range rules.DraftKinds() {
		for _, per := range []string{"robot", "user", "device", "ip"} {
			text, err := rules.Scaffold(rules.Draft{ID: "x-1", Title: `It: "happened" # twice`, Kind: kind[0], Classes: []string{"authentication.logon", "robot_state"}, Per: per})
			if err != nil {
				t.Fatal(err)
			}
			set, problems := rules.Load(fstest.MapFS{"x-1.yaml": {Data: text}}, "x-1.yaml")
			if set == nil || len(problems) > 0 || len(set.Rules[0].Tests) < 2 || set.Rules[0].Title != `It: "happened" # twice` {
				t.Errorf("%s per %s: %v\n%s", kind[0], per, problems, text)
			}
		}
	}
}

func TestADraftThatCannotBeNamesTheFix(t *testing.T) {
	for want, d := range map[string]rules.Draft{
		"as in my-0001":                  {ID: "My Rule", Kind: "event", Classes: []string{"authentication"}, Per: "user"},
		"there are event, sequence, all": {ID: "x", Kind: "chain", Classes: []string{"authentication"}, Per: "user"},
		"joins by robot, user, device":   {ID: "x", Kind: "event", Classes: []string{"authentication"}, Per: "zone"},
		"unknown class authentification": {ID: "x", Kind: "event", Classes: []string{"authentification"}, Per: "user"},
		"name the class of events":       {ID: "x", Kind: "event", Per: "user"},
	} {
		if _, err := rules.Scaffold(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error with %q", d, err, want)
		}
	}
}

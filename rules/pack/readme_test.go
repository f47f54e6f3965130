package pack_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/rules"
)

var ruleID = regexp.MustCompile(`rb-\d{4}`)

func readme(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

func TestTheListOfRulesIsThatOfThePack(t *testing.T) {
	var listed []string
	for _, line := range readme(t) {
		cells := strings.Split(line, " | ")
		if id := strings.TrimPrefix(cells[0], "| "); len(cells) == 5 && ruleID.MatchString(id) {
			listed = append(listed, id)
			r := load(t).Rule(id)
			if r == nil {
				t.Errorf("%s is listed and does not exist", id)
				continue
			}
			if cells[3] != r.Title {
				t.Errorf("%s is listed as %q, its title is %q", id, cells[3], r.Title)
			}
			if want := r.Severity.String(); !strings.HasPrefix(cells[2], want) {
				t.Errorf("%s is listed as %s, it is %s", id, cells[2], want)
			}
		}
	}
	for _, r := range load(t).Rules {
		if !slices.Contains(listed, r.ID) {
			t.Errorf("%s is not listed", r.ID)
		}
	}
}

func TestEveryAttackScenarioHasALiveRule(t *testing.T) {
	set, scenarios := load(t), 0
	for _, line := range readme(t) {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if number, err := strconv.Atoi(strings.TrimPrefix(cells[0], "R")); err != nil || len(cells) != 4 || number != scenarios+1 {
			continue
		}
		scenarios++
		whole := ruleID.FindAllString(cells[2], -1)
		if len(whole) == 0 {
			t.Errorf("%s has no rule", cells[0])
		}
		for _, id := range append(whole, ruleID.FindAllString(cells[3], -1)...) {
			if r := set.Rule(id); r == nil || r.Status != rules.Live {
				t.Errorf("%s: %s does not exist or is not live", cells[0], id)
			}
		}
	}
	if scenarios != 13 {
		t.Errorf("%d scenarios, want 13", scenarios)
	}
}

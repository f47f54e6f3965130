package pack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

func load(t *testing.T) *rules.Set {
	t.Helper()
	set, problems := rules.Load(pack.Files, ".")
	for _, p := range problems {
		t.Error(p)
	}
	if set == nil {
		t.Fatal("the pack does not load")
	}
	return set
}

func TestEveryRuleOfThePackSaysWhatAnAnalystNeeds(t *testing.T) {
	for _, r := range load(t).Rules {
		if r.Description == "" || r.Response == "" || len(r.Tags) == 0 || r.Owner == "" {
			t.Errorf("%s lacks a description, response, tag or owner", r.ID)
		}
		if r.Status == rules.Live && len(r.FalsePositives) == 0 {
			t.Errorf("%s names no harmless cause", r.ID)
		}
	}
}

func TestEveryRuleOfThePackPassesItsOwnTests(t *testing.T) {
	set := load(t)
	if len(set.Rules) < 84 {
		t.Errorf("%d rules, want at least 84", len(set.Rules))
	}
	for _, r := range set.Rules {
		for i := range r.Tests {
			if got := correlate.RunTest(r, &r.Tests[i]); !got.Passed {
				t.Errorf("%s:%d: %s: %s\n%s", got.File, got.Line, got.Rule, got.Test, got.Difference)
			}
		}
	}
}

// fedByOCSF are the rules that need a source which writes OCSF itself.
var fedByOCSF = []string{"rb-0112"}

func TestEveryLiveRuleHasAFormatThatFeedsIt(t *testing.T) {
	var emitted []string
	for _, f := range format.All() {
		if f.Name != "ocsf" {
			emitted = append(emitted, f.Classes...)
		}
	}
	for _, p := range load(t).CheckClasses(emitted) {
		if !slices.ContainsFunc(fedByOCSF, func(id string) bool { return strings.Contains(p.String(), id+":") }) {
			t.Error(p)
		}
	}
}

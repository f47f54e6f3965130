package correlate_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

// unwitnessed are the steps of the pack whose conditions are evaluated for every event of their classes, and why. The list is short because
// it decides the throughput: whoever adds to it says why nothing in the condition can be looked up.
var unwitnessed = map[string]string{
	"rb-0013 removed":       "only excludes: nothing that must be there",
	"rb-0018 enabled":       "only excludes failures; accounts are seldom enabled",
	"rb-0019 enrolled":      "only excludes failures; factors are seldom enrolled",
	"rb-0037 cleared":       "only excludes: outside maintenance; logs are seldom cleared",
	"rb-0065 command":       "only excludes but for one alternative, a comparison with !=",
	"rb-0067 stop":          "only excludes: outside maintenance",
	"rb-0069 command":       "a window is open: lookups are no witnesses",
	"rb-0072 changed_map":   "only excludes; maps are seldom changed",
	"rb-0078 changed_value": "only excludes; parameters are seldom changed",
	"rb-0102 command":       "only excludes: nothing that must be there",
	"rb-0104 program":       "one alternative only excludes a class",
}

// withoutWitness names the steps of a set that have a condition and no witness. A step without a condition is one: its class is all it asks.
func withoutWitness(set []*rules.Rule) (names []string, steps int) {
	for _, r := range set {
		eachStep(r, func(id string, x *rules.Step) {
			if x.Where == nil {
				return
			}
			steps++
			if _, ok := x.Where.Witness(func(*expression.Predicate) float64 { return 1 }); !ok {
				names = append(names, id)
			}
		})
	}
	slices.Sort(names)
	return slices.Compact(names), steps
}

// eachStep calls for every step, guard and until of a rule.
func eachStep(r *rules.Rule, do func(id string, x *rules.Step)) {
	for i := range r.Plan.Branches {
		b := &r.Plan.Branches[i]
		for j := range b.Steps {
			do(r.ID+" "+b.Steps[j].ID, &b.Steps[j])
		}
		for j := range b.Guards {
			do(fmt.Sprint(r.ID, " guard ", j+1), &b.Guards[j].Step)
		}
		for j := range b.Until {
			do(fmt.Sprint(r.ID, " until ", j+1), &b.Until[j].Step)
		}
	}
}

func TestEveryConditionOfThePackHasAWitnessOrAReasonWhyNot(t *testing.T) {
	names, steps := withoutWitness(shippedRules(t))
	if steps == 0 {
		t.Fatal("no step with a condition")
	}
	for _, name := range names {
		if unwitnessed[name] == "" {
			t.Errorf("%s has no witness: it would be evaluated for every event of its classes. Write an equality, a prefix, a suffix or a word that must be there before what can fail, or list it here with the reason", name)
		}
	}
	for name := range unwitnessed {
		if !slices.Contains(names, name) {
			t.Errorf("%s has a witness, or is gone: take it off the list", name)
		}
	}
}

func TestEveryConditionAndValueOfThePackRunsAsClosures(t *testing.T) {
	for _, r := range shippedRules(t) {
		eachStep(r, func(id string, x *rules.Step) {
			if x.Where != nil && !x.Where.Native() {
				t.Errorf("%s: where runs in expr's machine: %s", id, x.Where)
			}
			for _, v := range x.Values {
				if !v.Native() {
					t.Errorf("%s: a value runs in expr's machine: %s", id, v)
				}
			}
		})
	}
}

package correlate_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

// shippedRules are the rules of the pack, all of them switched on.
func shippedRules(t *testing.T) []*rules.Rule {
	set, problems := rules.Load(pack.Files, ".")
	if set == nil {
		t.Fatal(problems)
	}
	var out []*rules.Rule
	for _, r := range set.Rules {
		live := *r
		live.Status = rules.Live
		out = append(out, &live)
	}
	return out
}

// TestLawHoldsForEveryShippedRule plays the events of a rule's tests several times over, shifted and jittered, in random orders within
// the rule's lateness and in random cuts: the final findings are always the same.
func TestLawHoldsForEveryShippedRule(t *testing.T) {
	for _, rule := range shippedRules(t) {
		t.Run(rule.ID, func(t *testing.T) {
			fired := 0
			for try := 0; try < 20 && fired == 0; try++ { // Chance may spoil what a rule waits for.
				for i := range rule.Tests {
					fired += lawOf(t, rule, &rule.Tests[i])
				}
			}
			if fired == 0 {
				t.Error("the rule never fired: the test shows nothing about it")
			}
		})
	}
}

func lawOf(t *testing.T, rule *rules.Rule, test *rules.Test) (fired int) {
	set := &rules.Set{Rules: rule.WithUpstream()}
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 12))
	var events []event.Event
	for i := range 4 {
		shift, jitter := r.Int64N(3600_000_000), int64(1)
		if i > 0 {
			jitter = []int64{1, 1_000_000, 120_000_000}[r.IntN(3)]
		}
		for j, x := range test.Events {
			if i > 1 && r.IntN(4) == 0 {
				continue
			}
			e := *x.Event
			e.Time += int64(i)*shift + r.Int64N(jitter)
			e.Envelope.ID = event.NewID("law", strconv.Itoa(i), strconv.Itoa(j))
			e.Envelope.Position.Offset += int64(i * 1000)
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return 0
	}
	run := func(batches [][]event.Event) []incident.Finding {
		e := correlate.New(set, correlate.Settings{Lookups: &test.Given}.StateEvery(3))
		e.Seed(test)
		var all []incident.Finding
		var marks []event.Mark
		for i := range events {
			if s := events[i].Envelope.Position.Source; !slices.ContainsFunc(marks, func(m event.Mark) bool { return m.Source == s }) {
				marks = append(marks, event.Mark{Source: s})
			}
		}
		for _, list := range batches {
			b := event.Batch{Events: list}
			b.Sort()
			hits, _ := e.Match(&b)
			for _, x := range list {
				newest(marks, x.Envelope.Position.Source, x.Time)
			}
			all = append(all, slices.Clone(e.Fold(hits, marks))...)
		}
		all = append(all, e.Drain()...)
		checkRevisions(t, all)
		for _, s := range e.Stats().Rules {
			if s.Late > 0 {
				t.Fatalf("seed %d: the test is wrong: %d late for %s", seed, s.Late, s.Rule)
			}
		}
		return all
	}
	want := outcome(run([][]event.Event{events}))
	for range 6 {
		if d := cmp.Diff(want, outcome(run(arrival(r, events, patience(set))))); d != "" {
			t.Fatalf("seed %d: %s: final findings depend on arrival (-in order +permuted):\n%s", seed, test.Name, d)
		}
	}
	return len(want)
}

// patience is how long all rules of a set wait for an event.
func patience(set *rules.Set) int64 {
	least := set.Rules[0].Plan.Lateness
	for _, r := range set.Rules {
		least = min(least, r.Plan.Lateness)
	}
	return max(2, least)
}

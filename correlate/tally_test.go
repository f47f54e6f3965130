package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// TestDistinctValuesAreCountedTheSameOutOfOrder is about windows of some size, whose tally is carried over from scan to scan.
func TestDistinctValuesAreCountedTheSameOutOfOrder(t *testing.T) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, `lateness: 3m
match:
  count: {id: a, class: api_activity, where: 'api.operation in ["A", "B"]', bind: {robot: robot}, at_least: 60, within: 10m, distinct: api.service.name}
  until:
    - {class: api_activity, where: api.operation == "U" and count == 3, bind: {robot: robot}}
`)}}
	total := 0
	for round := 0; more(round, 40, total > 0); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 20))
		events := randomEvents(r, 1200)
		for i := range events {
			events[i].API.Service = fmt.Sprint("v", r.IntN(50+r.IntN(100)))
			events[i].Time = start + r.Int64N(1_800_000_000)
		}
		reference, _ := runBatches(t, set, [][]event.Event{events}, 1, nil)
		total += len(correlate.Finals(reference))
		for range 3 {
			got, _ := runBatches(t, set, arrival(r, events, 180_000_000), 1, nil)
			if d := cmp.Diff(outcome(reference), outcome(got)); d != "" {
				t.Fatalf("seed %d: (-in order +permuted):\n%s", seed, d)
			}
		}
	}
	if total == 0 {
		t.Error("nothing was found: the test shows nothing")
	}
}

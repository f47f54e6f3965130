package pack_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// final is what law N5 holds equal.
type final struct {
	ID       event.ID
	Time     int64
	Severity incident.Severity
	Score    int
	Vars     []incident.Var
	Evidence []event.ID
}

func finals(all []incident.Finding) []final {
	var out []final
	for _, f := range correlate.Finals(all) {
		x := final{ID: f.ID, Time: f.Time, Severity: f.Severity, Score: f.Score, Vars: f.Vars}
		for _, e := range f.Evidence {
			x.Evidence = append(x.Evidence, e.Event.Event)
		}
		out = append(out, x)
	}
	return out
}

// alone is a set of one rule that is live, with those it listens to.
func alone(r *rules.Rule) *rules.Set {
	live := *r
	live.Status = rules.Live
	return &rules.Set{Rules: live.WithUpstream()}
}

// fold runs events through rules in the order given, cut into batches by cut, which says how many come next.
func fold(set *rules.Set, look expression.Lookups, events []event.Event, cut func(left int) int) []final {
	e := correlate.New(set, correlate.Settings{Lookups: look})
	var all []incident.Finding
	newest := int64(0)
	for len(events) > 0 {
		n := cut(len(events))
		b := event.Batch{Events: slices.Clone(events[:n])}
		events = events[n:]
		b.Sort()
		for i := range b.Events {
			newest = max(newest, b.Events[i].Time)
		}
		hits, _ := e.Match(&b)
		all = append(all, e.Fold(hits, []event.Mark{{Source: "test", Newest: newest}})...)
	}
	return finals(append(all, e.Drain()...))
}

// TestFindingsDoNotDependOnTheOrderOfArrival is law N5 for every test of every shipped rule: any disorder within the rule's lateness and any
// cut into batches gives the findings of one batch in order.
func TestFindingsDoNotDependOnTheOrderOfArrival(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // Any seed will do; it is printed.
	dice := rand.New(rand.NewPCG(seed, 5))
	for _, r := range load(t).Rules {
		for i := range r.Tests {
			test := &r.Tests[i]
			if len(test.Given.Seen) > 0 {
				continue // Histories are given to the runner only.
			}
			var events []event.Event
			for _, e := range test.Events {
				events = append(events, *e.Event)
			}
			set, least := alone(r), r.Plan.Lateness
			for _, up := range set.Rules {
				least = min(least, up.Plan.Lateness)
			}
			want := fold(set, &test.Given, events, func(left int) int { return left })
			for range 8 {
				got := fold(set, &test.Given, disorder(dice, events, least), func(left int) int { return 1 + dice.IntN(left) })
				if d := gocmp.Diff(want, got); d != "" {
					t.Fatalf("seed %d: %s: %s (-in order +in disorder):\n%s", seed, r.ID, test.Name, d)
				}
			}
		}
	}
}

// disorder puts events into an order in which none arrives later than the rule waits.
func disorder(dice *rand.Rand, events []event.Event, lateness int64) []event.Event {
	type arrival struct {
		at    int64
		event event.Event
	}
	var all []arrival
	for i := range events {
		all = append(all, arrival{events[i].Time + dice.Int64N(max(lateness, 1)), events[i]})
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	out := make([]event.Event, len(all))
	for i := range all {
		out[i] = all[i].event
	}
	return out
}

package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestEventsThatSayTheSameWithinABatchMakeTwoHits(t *testing.T) {
	const rule = `lateness: 10m
match:
  event: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, new: {value: api.service.name, per: [robot], history: %s, learn: 0s}}`
	for _, c := range []struct {
		history string
		hits    []string
	}{
		{"1d", []string{"0s", "1m", "9m"}}, // 1m says something else.
		{"6m", []string{"0s", "1m", "6m", "9m"}},
		{"3m", []string{"0s", "1m", "2m", "5m", "6m", "9m"}},
	} {
		set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, fmt.Sprintf(rule, c.history))}}
		b := batchOf(t, 0, "0s A r1 api.service.name=x", "1m A r1 api.service.name=y", "2m A r1 api.service.name=x", "4m A r1 api.service.name=x",
			"5m A r1 api.service.name=x", "6m A r1 api.service.name=x", "9m A r1 api.service.name=x")
		hits, _ := correlate.New(set, correlate.Settings{}).Match(b)
		var got []string
		for _, h := range hits {
			got = append(got, at(h.Ref.Time))
		}
		if d := cmp.Diff(c.hits, got); d != "" {
			t.Errorf("history %s: %s", c.history, d)
		}
	}
}

func TestWhatIsFoundDoesNotDependOnTheHitsThatAreLeftOut(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	matcher := correlate.NewMatcher(set)
	left := 0
	for round := 0; more(round, 20, left > 0); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 21))
		batches := arrival(r, randomEvents(r, 40+r.IntN(200)), 180_000_000)
		all, thin := correlate.New(set, correlate.Settings{}), correlate.New(set, correlate.Settings{Workers: 3})
		scratch := matcher.NewScratch(nil)
		var want, got []incident.Finding
		for i, marks := range marksAfter(batches) {
			b := event.Batch{Events: batches[i]}
			b.Sort()
			full := matcher.Match(scratch, &b, 0, len(b.Sorted), nil)
			kept, _ := thin.Match(&b)
			left += len(full) - len(kept)
			want, got = append(want, all.Fold(full, marks)...), append(got, thin.Fold(kept, marks)...)
		}
		want, got = append(want, all.Drain()...), append(got, thin.Drain()...)
		if d := cmp.Diff(outcome(want), outcome(got)); d != "" {
			t.Fatalf("seed %d: all hits and those that were kept (-all +kept):\n%s", seed, d)
		}
	}
	if left == 0 {
		t.Error("no hit was left out")
	}
}

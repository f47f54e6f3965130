package correlate_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// shelving are rules that keep many hits for long and seldom find something.
func shelving(t testing.TB) []*rules.Rule {
	sequence := ruleOf(t, `match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "G" and count == 4 and api.service.name == "x", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}, at_least: 2}
  within: 40s
lateness: 3m
`)
	pairs := ruleOf(t, `match:
  consecutive: {id: a, class: api_activity, when: count == 4 and prev.count == 0, bind: {robot: robot}, within: 20s, at_least: 3}
lateness: 3m
`)
	count := ruleOf(t, `match:
  count: {id: a, class: api_activity, where: api.operation == "A" or api.operation == "B", bind: {robot: robot}, within: 10m, at_least: 260}
lateness: 3m
`)
	values := ruleOf(t, `match:
  count: {id: a, class: api_activity, where: api.operation == "C" and api.service.name != "y" or api.operation == "U" and count == 4, bind: {robot: robot}, within: 50s, at_least: 3, distinct: api.service.name}
lateness: 3m
`)
	return []*rules.Rule{pairs, count, sequence, values}
}

// busy are events of few keys, close to each other.
func busy(r *rand.Rand, n int) []event.Event {
	events := randomEvents(r, n)
	for i := range events {
		events[i].Time = start + (events[i].Time-start)/10
	}
	return events
}

func TestShelvedAndAbsorbedHitsMakeNoDifference(t *testing.T) {
	four := shelving(t)
	found, most, fewer := 0, 0, 0
	for round := range rounds(24) {
		set := &rules.Set{Rules: four[round%4 : round%4+1]}
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 21))
		batches := arrivalIn(r, busy(r, 2500), 170_000_000, 60)
		marks := marksAfter(batches)
		plain := correlate.New(set, correlate.Settings{}.StateEvery(4).Plain())
		shelved := correlate.New(set, correlate.Settings{}.StateEvery(4))
		before := 0
		for i, events := range batches {
			b := event.Batch{Events: events}
			b.Sort()
			hits, _ := plain.Match(&b)
			want := slices.Clone(plain.Fold(hits, marks[i]))
			got := slices.Clone(shelved.Fold(hits, marks[i]))
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d: rule %d: batch %d (-plain +shelved):\n%s", seed, round%4, i, d)
			}
			for _, f := range got {
				if f.State == incident.Final {
					found++
				}
			}
			n := shelved.Shelved()
			if n < before {
				fewer++
			}
			most, before = max(most, n), n
			if i%7 == 3 {
				a, b := plain.Snapshot(nil), shelved.Snapshot(nil)
				plain = correlate.New(set, correlate.Settings{}.StateEvery(4).Plain())
				shelved = correlate.New(set, correlate.Settings{}.StateEvery(4))
				if err := errors.Join(plain.Restore(a), shelved.Restore(b)); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if !bytes.Equal(b, shelved.Snapshot(nil)) {
					t.Fatalf("seed %d: batch %d: what a snapshot restored gives another snapshot", seed, i)
				}
				if j := i / 7 % 3; j == 0 { // One with shelves goes on as one without, and the other way round.
					plain, shelved = correlate.New(set, correlate.Settings{}.StateEvery(4).Plain()), correlate.New(set, correlate.Settings{}.StateEvery(4))
					if err := errors.Join(plain.Restore(b), shelved.Restore(a)); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
				}
			}
		}
	}
	if found == 0 || most < 100 || fewer == 0 {
		t.Errorf("%d findings, at most %d hits on shelves, %d times fewer than before: the test shows nothing", found, most, fewer)
	}
}

// BenchmarkBusyKeys holds a minute's hits of a thousand keys and tells what one takes.
func BenchmarkBusyKeys(b *testing.B) {
	for _, c := range []struct {
		name     string
		settings correlate.Settings
	}{{"shelved", roomy()}, {"as they are", roomy().Plain()}} {
		b.Run(c.name, func(b *testing.B) {
			set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, `match:
  consecutive: {id: a, class: api_activity, when: count > prev.count + 2, bind: {robot: robot}, within: 10m, at_least: 5}
lateness: 5m
`)}}
			s := newSource(set, 1000)
			s.step, s.disorder = 1000, 0
			e := correlate.New(set, c.settings)
			next := func() ([]event.Hit, []event.Mark) {
				return s.next(timedBatch, func(i int) int { return i % 1000 }, constant)
			}
			before := liveHeap()
			for range 100 {
				e.Fold(next())
			}
			s.hits, s.batch = nil, event.Batch{}
			held := liveHeap() - before
			steady(b, e, next)
			b.ReportMetric(float64(held)/(100*timedBatch), "B/hit")
			runtime.KeepAlive(e)
		})
	}
}

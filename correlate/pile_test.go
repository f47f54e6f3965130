package correlate_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// piling are rules whose keys see many hits before something can be found.
var piling = []string{
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: 'api.operation == "B" and count == 4 and api.service.name == "x"', bind: {robot: robot}}
  within: 10m`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: 'api.operation == "G" and count == 4 and api.service.name == "x"', bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}, at_least: 2}
  within: 5m`,
	`match:
  count: {id: a, class: api_activity, where: api.operation == "A" or api.operation == "B", bind: {robot: robot}, within: 5m, at_least: 105, collect: {names: api.service.name, max: 5}}`,
	`match:
  count: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, within: 100s, at_least: 26}`,
	`match:
  count: {id: a, class: api_activity, where: 'api.operation == "A" or api.operation == "B" and count == 4 and api.service.name == "x"', bind: {robot: robot}, within: 20s, at_least: 2, distinct: api.operation, collect: {names: api.service.name, max: 5}}`,
	`match:
  count: {id: a, class: api_activity, where: 'api.operation == "A" or count == 4 and api.service.name == "x"', bind: {robot: robot}, within: 100s, at_least: 3, distinct: api.operation}`,
}

// TestPiledHitsMakeNoDifference runs busy keys through engines that pile their hits up and that keep them as they are, with hits of one time,
// hits that come twice, and snapshots of one read by the other.
func TestPiledHitsMakeNoDifference(t *testing.T) {
	for i, text := range piling {
		rule := ruleOf(t, "lateness: 3m\n"+text)
		set := &rules.Set{Rules: []*rules.Rule{rule}}
		found, most, fewer, twice := 0, 0, 0, int64(0)
		for round := 0; more(round, 6, found > 0 && most >= 20 && fewer > 0 && twice > 0); round++ {
			seed := seedOf()
			r := rand.New(rand.NewPCG(seed, 31))
			events := busy(r, 2000)
			for range 100 {
				again := events[r.IntN(len(events))]
				again.Envelope.Position.Offset += 1_000_000
				events = append(events, again)
			}
			batches := arrivalIn(r, events, 170_000_000, 60)
			marks := marksAfter(batches)
			piles := func() correlate.Settings {
				return correlate.Settings{}.AllMayRest().PileAbove(1 + r.IntN(8)).StateEvery(1 + r.IntN(8))
			}
			working, piled := correlate.New(set, correlate.Settings{}.WithoutRest()), correlate.New(set, piles())
			before := 0
			for j, events := range batches {
				finals, d := foldAlike(events, marks[j], working, piled)
				if d != "" {
					t.Fatalf("seed %d: rule %d: batch %d (-working +piled):\n%s", seed, i, j, d)
				}
				found += finals
				if err := piled.PilesAgree(); err != nil {
					t.Fatalf("seed %d: rule %d: batch %d: %v", seed, i, j, err)
				}
				n, _ := piled.Piled()
				if n < before {
					fewer++
				}
				most, before = max(most, n), n
				twice += piled.Stats().Rules[0].Repeated
				if j%7 != 3 {
					continue
				}
				x, y := working.Snapshot(nil), piled.Snapshot(nil)
				working, piled = correlate.New(set, correlate.Settings{}.WithoutRest()), correlate.New(set, piles())
				if err := errors.Join(working.Restore(x), piled.Restore(y)); err != nil {
					t.Fatalf("seed %d: rule %d: batch %d: %v", seed, i, j, err)
				}
				if !bytes.Equal(y, piled.Snapshot(nil)) {
					t.Fatalf("seed %d: rule %d: batch %d: what a snapshot restored gives another snapshot", seed, i, j)
				}
				if r.IntN(3) == 0 { // One with piles goes on as one without, and the other way round.
					working, piled = correlate.New(set, correlate.Settings{}.WithoutRest()), correlate.New(set, piles())
					if err := errors.Join(working.Restore(y), piled.Restore(x)); err != nil {
						t.Fatalf("seed %d: rule %d: batch %d: %v", seed, i, j, err)
					}
				}
			}
			if d := cmp.Diff(slices.Clone(working.Drain()), piled.Drain()); d != "" {
				t.Fatalf("seed %d: rule %d: at the end (-working +piled):\n%s", seed, i, d)
			}
			if s := piled.Stats().Rules[0]; s.Keys > 0 || s.Bytes > 0 || s.Evicted > 0 || s.Late > 0 {
				t.Errorf("seed %d: rule %d: after the end: %+v", seed, i, s)
			}
		}
		if found == 0 || most < 20 || fewer == 0 || twice == 0 {
			t.Errorf("rule %d: %d findings, at most %d hits piled up, %d times fewer than before, %d hits came twice: the test shows nothing", i, found, most, fewer, twice)
		}
	}
}

func TestSixteenDigitsAreReadAsDigitByDigit(t *testing.T) {
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 32))
	const digits = "0123456789abcdef"
	check := func(b []byte) {
		one, other, ok, also := correlate.Hex(string(b))
		if ok != also || ok && one != other {
			t.Fatalf("seed %d: %q: %x %t, digit by digit %x %t", seed, b, one, ok, other, also)
		}
	}
	b := make([]byte, 16)
	for range 1000 {
		for i := range b {
			b[i] = digits[r.IntN(16)]
		}
		check(b)
		at := r.IntN(16)
		for c := range 256 {
			b[at] = byte(c)
			check(b)
		}
	}
}

// foldAlike folds a batch by two engines that are to find the same: how many findings became final, and in what the two differ.
func foldAlike(events []event.Event, marks []event.Mark, one, other *correlate.Engine) (finals int, diff string) {
	b := event.Batch{Events: events}
	b.Sort()
	hits, _ := one.Match(&b)
	want := slices.Clone(one.Fold(hits, marks))
	got := other.Fold(hits, marks)
	for i := range got {
		if got[i].State == incident.Final {
			finals++
		}
	}
	return finals, cmp.Diff(want, got)
}

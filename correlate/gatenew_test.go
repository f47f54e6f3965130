package correlate_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/rules"
)

// TestHitsBetweenTwoOfTheirValueNeedNotBeHeld runs `new` through engines that hold every hit and that hold those alone on which an answer may
// depend, with snapshots of one read by the other.
func TestHitsBetweenTwoOfTheirValueNeedNotBeHeld(t *testing.T) {
	for i, text := range []string{
		`{value: api.service.name, per: [robot], history: 25s, learn: 0s}`,
		`{value: string(count), per: [robot], history: 9s, learn: 8s, freeze: api.service.name == "y"}`,
		`{value: api.operation, per: [robot], history: 1d, learn: 60s}`,
	} {
		set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, "lateness: 3m\nmatch:\n  event: {id: a, class: api_activity, bind: {robot: robot}, new: "+text+"}\n")}}
		found, fewer := 0, 0
		for round := 0; more(round, 3, found > 0 && fewer > 0); round++ {
			seed := seedOf()
			r := rand.New(rand.NewPCG(seed, 41))
			batches := arrivalIn(r, busy(r, 1200), 170_000_000, 60)
			marks := marksAfter(batches)
			of := func() (all, some *correlate.Engine) {
				return correlate.New(set, correlate.Settings{}.Plain()), correlate.New(set, correlate.Settings{})
			}
			all, some := of()
			for j, events := range batches {
				finals, d := foldAlike(events, marks[j], all, some)
				if d != "" {
					t.Fatalf("seed %d: rule %d: batch %d (-all +some):\n%s", seed, i, j, d)
				}
				found += finals
				if some.Held() < all.Held() {
					fewer++
				}
				if j%7 != 3 {
					continue
				}
				x, y := all.Snapshot(nil), some.Snapshot(nil)
				if r.IntN(3) == 0 { // The other way round.
					x, y = y, x
				}
				all, some = of()
				if err := errors.Join(all.Restore(x), some.Restore(y)); err != nil {
					t.Fatalf("seed %d: rule %d: batch %d: %v", seed, i, j, err)
				}
			}
			if d := cmp.Diff(slices.Clone(all.Drain()), some.Drain()); d != "" {
				t.Fatalf("seed %d: rule %d: at the end (-all +some):\n%s", seed, i, d)
			}
		}
		if found == 0 || fewer == 0 {
			t.Errorf("rule %d: %d findings, %d times fewer hits were held: the test shows nothing", i, found, fewer)
		}
	}
}

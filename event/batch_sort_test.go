package event_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

func TestSortIsByTimeThenIDWhateverSortedHeldBefore(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	for n := range 60 {
		b := &event.Batch{Events: make([]event.Event, n)}
		for i := range b.Events {
			b.Events[i].Time, b.Events[i].Envelope.ID[0] = int64(r.IntN(8)), byte(r.IntN(4))
		}
		want := make([]int32, n)
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortFunc(want, func(i, j int32) int {
			x, y := &b.Events[i], &b.Events[j]
			return cmp.Or(cmp.Compare(x.Time, y.Time), x.Envelope.ID.Compare(y.Envelope.ID), cmp.Compare(i, j))
		})
		before := [][]int32{nil, slices.Clone(want), slices.Repeat([]int32{0}, n), slices.Repeat([]int32{int32(n)}, n), want[:n/2], append(slices.Clone(want), 0)}
		if swapped := slices.Clone(want); n > 1 {
			swapped[n-2], swapped[n-1] = swapped[n-1], swapped[n-2]
			before = append(before, swapped)
		}
		for _, held := range before {
			b.Sorted = slices.Clone(held)
			if b.Sort(); !slices.Equal(b.Sorted, want) {
				t.Fatalf("seed %d: of %v it makes %v, want %v", seed, held, b.Sorted, want)
			}
		}
	}
}

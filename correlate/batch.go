package correlate

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// Sort fills b.Sorted with the indexes of b.Events by (time, id).
func Sort(b *event.Batch) {
	b.Sorted = b.Sorted[:0]
	for i := range b.Events {
		b.Sorted = append(b.Sorted, int32(i))
	}
	slices.SortFunc(b.Sorted, func(i, j int32) int {
		x, y := &b.Events[i], &b.Events[j]
		return cmp.Or(cmp.Compare(x.Time, y.Time), x.Envelope.ID.Compare(y.Envelope.ID), cmp.Compare(i, j))
	})
}

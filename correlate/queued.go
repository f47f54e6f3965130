package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// queued is a hit of a batch, and what is known of it before it is taken.
type queued struct {
	hit  *event.Hit
	next *ahead
}

// sort brings hits into the order of a scan. Those of a batch come by time: only among equal times is there anything to bring into order.
func (f *fold) sort(hits []event.Hit, ready []ahead) {
	queue := slices.Grow(f.queue[:0], len(hits))
	from, last, byTime := 0, int64(never), true
	for i := range hits {
		h := &hits[i]
		if h.Ref == nil {
			continue
		}
		if t := h.Ref.Time; t != last {
			byTime = byTime && (last < t || len(queue) == 0)
			if len(queue)-from > 1 {
				sortHits(queue[from:], byTime)
			}
			from, last = len(queue), t
		}
		q := queued{hit: h}
		if i < len(ready) && ready[i].of == h.Ref {
			q.next = &ready[i]
		}
		queue = append(queue, q)
	}
	sortHits(queue[from:], byTime)
	sortHits(queue, !byTime)
	f.queue = queue
}

// sortHits sorts hits if they are to be.
func sortHits(list []queued, wanted bool) {
	order := func(a, b queued) int { return compareHits(a.hit, b.hit) }
	if wanted && len(list) > 1 && !slices.IsSortedFunc(list, order) {
		slices.SortStableFunc(list, order)
	}
}

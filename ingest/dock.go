package ingest

import (
	"sync"

	"github.com/tocsin-siem/tocsin/event"
)

// berths is how many batches there are at once: one is filled while one is enriched and matched and one is written.
const berths = 3

const (
	// roomyBatch is the room up to which a batch keeps it, in events: some ten megabytes.
	roomyBatch = 8192
	// calmBatches is how many batches in a row, two minutes of them, must need less than a quarter of a larger room before it is given back: memory that
	// comes back later has to be cleared page by page.
	calmBatches = 600
)

// dock has the batches that nobody uses, for their room. The one that was used last is used next, so that the third has room only where there was a
// backlog.
type dock struct {
	batches [berths]event.Batch
	decoder *decoder // Has memory of each.

	mu   sync.Mutex
	free []int       // guarded by mu
	calm [berths]int // guarded by mu: batches in a row that left most of a berth's room empty
}

func newDock(d *decoder) *dock { return &dock{decoder: d, free: []int{2, 1, 0}} }

// enter gives an empty batch. A handler may not keep it after it is durable.
func (d *dock) enter() (berth int, b *event.Batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.free) - 1
	berth = d.free[last]
	d.free = d.free[:last]
	for _, i := range d.free {
		d.rest(i, 0) // It was not needed.
	}
	d.decoder.begin(berth)
	return berth, &d.batches[berth]
}

// leave takes back a batch and lets go of its events.
func (d *dock) leave(berth int) {
	b := &d.batches[berth]
	used := len(b.Events)
	clear(b.Events)
	d.decoder.end(berth)
	if used <= roomyBatch {
		d.decoder.backlog.Store(false)
	}
	*b = event.Batch{Events: b.Events[:0], Sorted: b.Sorted[:0]}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rest(berth, used)
	d.free = append(d.free, berth)
}

// rest gives back the room of a berth that has been much too large for a while: that of a backlog is a hundred megabytes, which the collector reads
// through each time. It expects mu to be held.
func (d *dock) rest(berth, used int) {
	events := &d.batches[berth].Events
	if cap(*events) <= roomyBatch || used > cap(*events)/4 {
		d.calm[berth] = 0
	} else if d.calm[berth]++; d.calm[berth] >= calmBatches {
		d.calm[berth] = 0
		*events = make([]event.Event, 0, max(2*used, roomyBatch))
		d.batches[berth].Sorted = nil
		d.decoder.shrink(berth)
	}
}

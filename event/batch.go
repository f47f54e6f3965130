package event

import (
	"cmp"
	"slices"
)

// BatchID orders the batches of the log. The epoch grows by one at each start of a process, so a half-written batch of a dead process
// can never be taken for ours.
type BatchID struct {
	Epoch  uint64
	Number uint64
}

// Less reports whether a comes before b in the log.
func (a BatchID) Less(b BatchID) bool {
	if a.Epoch != b.Epoch {
		return a.Epoch < b.Epoch
	}
	return a.Number < b.Number
}

// Compare orders batches as the log does.
func (a BatchID) Compare(b BatchID) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Number, b.Number))
}

// Mark is the frontier of one partition of a source after a batch (docs/rules.md, N1). Files, HTTP and standard input have one partition, 0.
type Mark struct {
	Source    string
	Partition int32
	Newest    int64 // H(s): newest event time seen, microseconds; 0 before the first event.
	Received  int64 // When it was last moved, our clock.
	Idle      bool  // Read to its end and silent longer than its idle time: does not hold the frontier back.
}

// Batch is the unit of everything after fetching: the events of one fetch, in arrival order, and what must be remembered with them.
// Sorted holds the indexes of Events by (time, id); events themselves are never moved.
type Batch struct {
	ID       BatchID
	Events   []Event
	Sorted   []int32
	Rejects  []Reject
	Ends     []End
	Marks    []Mark   // All sources, by name and partition.
	Received int64    // Microseconds since the Unix epoch, our clock.
	Carry    []Record // Segments waiting for the rest of their message; they come again after a restart.
	Learned  []byte   // What enrichment learned from the batch, in its own form; it comes again on replay.
	// Again are places that were passed long ago and whose records come again on purpose: they are not redelivered ones. Of the moment: not kept
	// in the log.
	Again map[Position]bool
}

// Frontier is F of N1 over the batch's marks: the least Newest of the partitions that are not idle; ok is false while one that is
// not idle has not shown an event, or when there is no source. When all sources are idle it is the greatest Newest.
func (b *Batch) Frontier() (f int64, ok bool) { return Frontier(b.Marks) }

// Frontier is F of N1; see Batch.Frontier.
func Frontier(marks []Mark) (f int64, ok bool) {
	var greatest int64
	active := false
	for _, m := range marks {
		greatest = max(greatest, m.Newest)
		if m.Idle {
			continue
		}
		if m.Newest == 0 {
			return 0, false
		}
		if !active || m.Newest < f {
			f = m.Newest
		}
		active = true
	}
	if !active {
		return greatest, greatest != 0
	}
	return f, true
}

// moment is an event's time and place, side by side: events are too large to be looked into by every comparison of a sort.
type moment struct {
	time int64
	at   int32
}

// Sort fills Sorted with the indexes of the events by (time, id), unless it holds them already.
func (b *Batch) Sort() {
	if b.ordered() {
		return
	}
	list := make([]moment, len(b.Events))
	for i := range list {
		list[i] = moment{b.Events[i].Time, int32(i)}
	}
	slices.SortFunc(list, func(x, y moment) int {
		if x.time != y.time {
			return cmp.Compare(x.time, y.time)
		}
		return b.compareAt(x.at, y.at)
	})
	b.Sorted = b.Sorted[:0]
	for i := range list {
		b.Sorted = append(b.Sorted, list[i].at)
	}
}

// ordered reports whether Sorted is what Sort makes: strictly ascending, it names each event once.
func (b *Batch) ordered() bool {
	if len(b.Sorted) != len(b.Events) {
		return false
	}
	for i, at := range b.Sorted {
		if at < 0 || int(at) >= len(b.Events) {
			return false
		}
		if i == 0 {
			continue
		}
		before := b.Sorted[i-1]
		if x, y := b.Events[before].Time, b.Events[at].Time; x > y || x == y && b.compareAt(before, at) >= 0 {
			return false
		}
	}
	return true
}

// compareAt is the order of two events of one time.
func (b *Batch) compareAt(i, j int32) int {
	return cmp.Or(b.Events[i].Envelope.ID.Compare(b.Events[j].Envelope.ID), cmp.Compare(i, j))
}

package enrich

import (
	"cmp"
	"slices"
	"time"
)

// keepEnded is how long an interval is kept after its end, for events that arrive late.
const keepEnded = 7 * 24 * time.Hour

// Changes lists the intervals that are new or end differently since the last batch, in order of relation, identifier and time: what a
// table of bindings needs to follow, with (relation, identifier, entity, session, from, source) as its key. The slice is valid until the next batch.
func (b *Bindings) Changes() []Binding { return b.changes }

// finish closes a batch: it makes the list of changes and then makes room where the bound is passed.
func (b *Bindings) finish() {
	b.changes = b.changes[:0]
	slices.SortFunc(b.touched, compareSlots)
	for _, k := range b.touched {
		s := b.slots[k]
		s.touched = false
		for i := range s.intervals {
			y := &s.intervals[i]
			if y.stop || y.told == y.to || y.told == 0 && y.to <= y.from {
				continue
			}
			y.told = y.to
			b.changes = append(b.changes, binding(k, y))
		}
	}
	b.touched = b.touched[:0]
	if b.count > b.max {
		b.sweep()
	}
}

func binding(k slotKey, y *interval) Binding {
	return Binding{Relation: k.relation, Identifier: k.id, Entity: y.entity, Session: y.sess, From: y.from, To: y.to, Source: y.source, Confidence: y.source.Confidence()}
}

func compareSlots(a, b slotKey) int {
	return cmp.Or(cmp.Compare(a.relation, b.relation), cmp.Compare(a.id, b.id))
}

// sweep drops what ended long ago and then the oldest, until an eighth of the room is free: sweeps stay rare and their cost small.
func (b *Bindings) sweep() {
	horizon := b.newest - keepEnded.Microseconds()
	b.stats.Expired += b.drop(func(_ slotKey, y *interval) bool { return y.to < horizon })
	surplus := b.count - (b.max - b.max/8)
	if b.count <= b.max || surplus <= 0 {
		return
	}
	lasts := make([]int64, 0, b.count)
	for _, s := range b.slots {
		for i := range s.intervals {
			lasts = append(lasts, s.intervals[i].last)
		}
	}
	slices.Sort(lasts)
	edge := lasts[surplus-1]
	// Of those last stated at the very edge only as many go as needed, in the order of their slots.
	below, _ := slices.BinarySearch(lasts, edge)
	atEdge := surplus - below
	b.stats.Evicted += b.drop(func(_ slotKey, y *interval) bool {
		if y.last == edge && atEdge > 0 {
			atEdge--
			return true
		}
		return y.last < edge
	})
}

// drop removes intervals in order of their slots and says how many.
func (b *Bindings) drop(old func(slotKey, *interval) bool) int {
	before := b.count
	for _, k := range b.sorted() {
		s := b.slots[k]
		n := len(s.intervals)
		s.intervals = slices.DeleteFunc(s.intervals, func(y interval) bool { return old(k, &y) })
		b.count -= n - len(s.intervals)
		if len(s.intervals) == 0 {
			delete(b.slots, k)
			continue
		}
		s.settle()
	}
	return before - b.count
}

// sorted lists the slots in order.
func (b *Bindings) sorted() []slotKey {
	keys := make([]slotKey, 0, len(b.slots))
	for k := range b.slots {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareSlots)
	return keys
}

// takeStats gives the counts since the last call and starts anew.
func (b *Bindings) takeStats() BindingStats {
	s := b.stats
	b.stats = BindingStats{}
	return s
}

package correlate

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// cell is one hit as the fold keeps it: copied once from the batch's hits, then shared by buffer, chains and matches, and never changed.
type cell struct {
	event.Hit
}

func (c *cell) time() int64 { return c.Ref.Time }

// compare is the order of a scan: time, then the tie key, then the event's id. Hits of one event follow each other by branch; untils and
// guards come before steps and the last step before the first, which is the order in which an event is offered (N2).
func compare(a, b *cell) int { return compareHits(&a.Hit, &b.Hit) }

func compareHits(a, b *event.Hit) int {
	if c := compareRefs(a.Ref, b.Ref); c != 0 {
		return c
	}
	if a.Branch != b.Branch {
		return cmp.Compare(a.Branch, b.Branch)
	}
	if a.Step != b.Step {
		return cmp.Compare(b.Step, a.Step)
	}
	return slices.Compare(a.Vars, b.Vars)
}

func compareRefs(a, b *event.Ref) int {
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Sequence, b.Sequence); c != 0 {
		return c
	}
	return a.Event.Compare(b.Event)
}

// find gives the place of c in sorted cells, and whether it is there.
func find(cells []*cell, c *cell) (int, bool) {
	if n := len(cells); n == 0 || compare(cells[n-1], c) < 0 {
		return n, false
	}
	return slices.BinarySearchFunc(cells, c, compare)
}

// insert puts c into sorted cells; ok is false if the same hit is there already.
func insert(cells []*cell, c *cell) (_ []*cell, at int, ok bool) {
	at, found := find(cells, c)
	if found || repeats(cells, at, c) {
		return cells, at, false
	}
	return slices.Insert(cells, at, c), at, true
}

// maxNeighbours bounds how many hits of the same instant are compared with a new one.
const maxNeighbours = 256

// repeats reports whether the same event's hit is already there, read a second time from another place of its source, such as a body that was
// sent again.
func repeats(cells []*cell, at int, c *cell) bool {
	for i := at - 1; i >= max(0, at-maxNeighbours) && cells[i].time() == c.time(); i-- {
		if cells[i].sameHit(c) {
			return true
		}
	}
	for i := at; i < min(len(cells), at+maxNeighbours) && cells[i].time() == c.time(); i++ {
		if cells[i].sameHit(c) {
			return true
		}
	}
	return false
}

func (c *cell) sameHit(o *cell) bool {
	return c.Ref.Event == o.Ref.Event && c.Branch == o.Branch && c.Step == o.Step && slices.Equal(c.Vars, o.Vars)
}

// from is the place of the first cell at or after a time.
func from(cells []*cell, t int64) int {
	at, _ := slices.BinarySearchFunc(cells, t, func(c *cell, t int64) int { return cmp.Compare(c.time(), t) })
	return at
}

// text is a field's value as a key of maps and sets; ok is false for unknown.
func text(v event.FieldValue) (s string, ok bool) {
	if !v.Known {
		return "", false
	}
	if v.Kind == event.KindString {
		return v.Str, true
	}
	return display(v), true
}

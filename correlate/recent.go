package correlate

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Any number of hits of a distinct count may lie on a pile, as long as no hit gives it as many values as a match needs, of those that may still be
// in a window. So a pile knows when each value was last seen. Values that were seen too long ago are forgotten when there are so many, and not more
// often than new ones pay for: a key that is always about to match is one for a partition.

// recent is the values of a pile.
type recent struct {
	last  map[string]*int64 // The latest hit with a value, from the epoch.
	added int               // Values that were new since some were last forgotten.
	bytes int64             // Estimate of what they take.
}

// recentBytes is an estimate of what a value takes beside its text.
const recentBytes = 64

func (v *recent) note(value string, t int64) {
	if last := v.last[value]; last != nil {
		*last = max(*last, t)
		return
	}
	if v.last == nil {
		v.last = map[string]*int64{}
	}
	first := t // The parameter itself would be on the heap for values that are known, too.
	v.last[strings.Clone(value)] = &first
	v.added++
	v.bytes += recentBytes + int64(len(value))
}

// forget removes the values that were last seen at a time or before.
func (v *recent) forget(t int64) {
	v.added = 0
	for value, last := range v.last {
		if *last <= t {
			delete(v.last, value)
			v.bytes -= recentBytes + int64(len(value))
		}
	}
}

// valueOf is the value by which a distinct count counts a hit; false if it counts none.
func (s *resting) valueOf(h *event.Hit) (string, bool) {
	if s.distinct < 0 || h.Step != 0 {
		return "", false
	}
	return text(h.Fields[s.distinct])
}

// noteAll notes the values of the hits of a pile that is new.
func (s *resting) noteAll(q *pile, cells []*cell) {
	for _, c := range cells {
		if v, ok := s.valueOf(&c.Hit); ok {
			q.recent.note(v, c.time()-s.epoch)
		}
	}
}

// fills notes the value of a hit that is put on a pile, and reports whether there may be as many then as a match needs.
func (s *resting) fills(q *pile, h *event.Hit) bool {
	v, ok := s.valueOf(h)
	if !ok {
		return false
	}
	x := &q.recent
	s.piles.held -= x.bytes
	x.note(v, h.Ref.Time-s.epoch)
	if len(x.last) >= s.need && x.added > len(x.last)/8 {
		x.forget(s.rule.w - s.epoch - s.longest)
	}
	s.piles.held += x.bytes
	return len(x.last) >= s.need
}

// enough reports whether the hits of a key might make a match, or of a busy one soon: a key that rests and wakes in turns costs more than one that
// works.
func (s *resting) enough(cells []*cell, steps uint16, busy bool) bool {
	n, more := len(cells), 1
	if s.distinct >= 0 {
		var q pile
		s.noteAll(&q, cells)
		n, more = len(q.recent.last), 1+s.need/8
	}
	if busy {
		n += more
	}
	return s.complete(steps, n) // Of a count that is a comparison with what it needs.
}

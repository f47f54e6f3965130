package correlate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// named is how many values of one register keep their text at least. Of an entity with more, those that nothing waits for are packed.
const named = 64

// packedValues are values of which only two things matter still: which they are, and when each was last seen at or before W. A value is its hash of
// 128 bits, so that what was never seen is not taken for something that was, by chance or because somebody chose it so (ADR 18).
type packedValues struct {
	of  map[event.ID]int64 // When last seen.
	due int64              // W at which one of them may have had its time.
}

// packedBytes is what one takes: sixteen bytes and eight, in a map that is two thirds full on average. Measured by BenchmarkManyValues.
const packedBytes = 40

// lookup gives a value that was packed. It stays packed until its time has come, for its text may come and go.
func (p *packedValues) lookup(value string) (t int64, ok bool) {
	if len(p.of) == 0 {
		return 0, false
	}
	t, ok = p.of[event.NewID(value)]
	return t, ok
}

// put notes when a value was last seen; fresh is false if it was there already.
func (p *packedValues) put(id event.ID, t, history int64) (fresh bool) {
	if p.of == nil {
		p.of, p.due = map[event.ID]int64{}, forever
	}
	before, there := p.of[id]
	if there {
		t = max(t, before)
	}
	p.of[id] = t
	p.due = min(p.due, t+history+1)
	return !there
}

// expire forgets what was last seen longer ago than the history. Looking at all of them is put off until it is worth it: what stays too long is
// compared by its time and bears on nothing.
func (p *packedValues) expire(w, history int64) (gone int) {
	if len(p.of) == 0 || w < p.due {
		return 0
	}
	least := int64(forever)
	for id, t := range p.of {
		if w-t > history {
			delete(p.of, id)
			gone++
		} else {
			least = min(least, t)
		}
	}
	switch {
	case len(p.of) == 0:
		*p = packedValues{}
	case gone > len(p.of): // A map keeps the room it has once had.
		kept := make(map[event.ID]int64, len(p.of))
		for id, t := range p.of {
			kept[id] = t
		}
		p.of = kept
		fallthrough
	default:
		p.due = max(least+history+1, w+history/64)
	}
	return gone
}

// pack takes the text off values of a register that nothing waits for: no hit of theirs is later than w, and none can still be held as new. The ones
// seen last keep theirs, for people to read.
func (m *newMemory) pack(r *newRegister, w int64) {
	if len(r.values) <= 2*named {
		return
	}
	idle := make([]string, 0, len(r.values))
	for v, s := range r.values {
		if len(s.held) == 0 && s.seen && (m.Hold == 0 || w-s.born > m.Hold) {
			idle = append(idle, v)
		}
	}
	slices.SortFunc(idle, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.values[b].time, r.values[a].time), strings.Compare(a, b))
	})
	for _, v := range idle[min(len(idle), named):] {
		if r.packed.put(event.NewID(v), r.values[v].time, m.History) {
			m.packed++
		}
		m.forget(r, v)
	}
	if r.peak > 4*len(r.values)+named {
		kept := make(map[string]*sightings, len(r.values))
		for v, s := range r.values {
			kept[v] = s
		}
		r.values, r.peak = kept, len(kept)
	}
}

// known is how many values a register has, and how many of them without their text.
func (r *newRegister) known() (all, hashed int) {
	hashed = len(r.packed.of)
	for v := range r.values {
		if _, there := r.packed.lookup(v); there {
			hashed--
		}
	}
	return len(r.values) + hashed, hashed
}

// packed writes the values of a register that have no text.
func (w *writer) packed(p *packedValues) {
	w.uint(uint64(len(p.of)))
	ids := make([]event.ID, 0, len(p.of))
	for id := range p.of {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, event.ID.Compare)
	for _, id := range ids {
		w.id(id)
		w.int(p.of[id])
	}
}

func (r *reader) packed(m *newMemory, p *packedValues) {
	for range r.count(17) {
		id, t := r.id(), r.time()
		if r.err != nil || !p.put(id, t, m.History) {
			r.fail()
			return
		}
		m.packed++
	}
}

package correlate

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// newMemory is `new`: a hit passes if its value was not seen for the same per values within the history before it, once the learning time is
// over. With inherit, hits of one family (robots of one model, say) are remembered a second time under the family's name: an entity that is
// still learning goes by what its family has seen.
type newMemory struct {
	*gate
	*rules.New
	bit      uint8
	thin     bool // Hits that bear on no answer are not held; see between.
	all      registers[*newRegister]
	families registers[*newRegister]
	told     []uint8 // By handle: what is known of a hit.
	values_  int     // Values in all registers,
	text     int64   // and their bytes;
	packed   int     // values that are packed.

	per, value, family string // Of the hit that is being offered.
	frozen             bool
}

// What told says.
const (
	isNew      uint8 = 1 << iota // To the entity,
	isLearned                    // whose learning time is over;
	isNewToAll                   // to the family, whose learning time is over.
)

// newRegister is what was seen of one entity or family.
type newRegister struct {
	register
	first  int64 // Earliest time something was learned; forever before.
	values map[string]*sightings
	peak   int // The most values since the map was made.
	packed packedValues
}

// sightings are the hits of one value: those after W in order, and of those before only what the next answer depends on.
type sightings struct {
	seen bool
	time int64 // Of the last hit at or before W.
	born int64 // Of the last of these that was new; never before.
	held []entry
}

const (
	newRegisterBytes = 200
	sightingsBytes   = 150
)

func (m *newMemory) reads(c *cell) (known, room bool) {
	if m.per, known = perKey(c.Vars, m.Per); !known {
		return false, true
	}
	if m.value, known = text(c.Fields[m.Value]); !known {
		return false, true
	}
	m.frozen = m.Freeze >= 0 && boolean(c.Fields[m.Freeze])
	m.family = ""
	if m.Inherit >= 0 {
		m.family, _ = text(c.Fields[m.Inherit])
	}
	return true, m.frozen || m.all.of[m.per] != nil || len(m.all.of) < m.limit
}

func (m *newMemory) offer(x uint32, c *cell, w int64) bool {
	if m.frozen {
		return true
	}
	for len(m.told) <= int(x) {
		m.told = append(m.told, 0)
	}
	m.told[x] = 0
	if !m.list(&m.all, m.per, x, c.time(), w, false) {
		return false
	}
	if m.family != "" {
		m.list(&m.families, m.family, x, c.time(), w, true)
	}
	return true
}

// list puts a hit into a register and answers for those it bears on: itself and the next of the value (all that follow, where a value stays
// new for some time), and everything if learning now begins earlier.
func (m *newMemory) list(all *registers[*newRegister], name string, x uint32, t, w int64, family bool) bool {
	r := all.of[name]
	if r == nil {
		r = &newRegister{first: forever, values: map[string]*sightings{}}
		all.add(name, r)
	}
	s := m.sightings(r, m.value)
	m.settle(s, w)
	if m.thin && m.between(s, t) {
		return true
	}
	var at int
	var ok bool
	s.held, at, ok = m.held.insert(s.held, entry{time: t, hit: x})
	if !ok {
		return false
	}
	if r.slot < 0 {
		all.set(r, t)
	}
	if t >= r.first {
		last := len(s.held)
		if m.Hold == 0 {
			last = min(last, at+2)
		}
		m.judge(r, s, at, last, family)
		if m.thin {
			s.held = m.thinOut(s.held, at)
		}
		return true
	}
	r.first = t
	for _, list := range r.values {
		m.judge(r, list, 0, len(list.held), family) // In any order: the answers do not depend on each other.
	}
	return true
}

// between reports whether a hit stands between two of its value that are no further apart than the history. It does not pass then, whatever
// else comes: there is one before it within the history. And what follows it is judged no other way by the one before than by it.
func (m *newMemory) between(s *sightings, t int64) bool {
	n := len(s.held)
	if n < 2 || t <= s.held[0].time || t >= s.held[n-1].time {
		return false
	}
	at, _ := slices.BinarySearchFunc(s.held, t, func(e entry, t int64) int { return cmp.Compare(e.time, t) })
	return s.held[at].time > t && s.held[at].time-s.held[at-1].time <= m.History
}

// thinOut drops the hits beside the one at a place that have come to stand between two others.
func (m *newMemory) thinOut(list []entry, at int) []entry {
	for _, i := range [...]int{at + 1, at - 1} {
		if i < 1 || i >= len(list)-1 || list[i+1].time-list[i-1].time > m.History {
			continue
		}
		if h := &m.held.slab[list[i].hit]; h.pass == 0 && !h.placed && !h.noted {
			m.held.release(list[i].hit)
			list = slices.Delete(list, i, i+1)
		}
	}
	return list
}

func (m *newMemory) sightings(r *newRegister, value string) *sightings {
	s := r.values[value]
	if s == nil {
		s = &sightings{born: never}
		s.time, s.seen = r.packed.lookup(value)
		r.values[value] = s
		r.peak = max(r.peak, len(r.values))
		m.values_++
		m.text += int64(len(value))
	}
	return s
}

// judge answers for some hits of a value.
func (m *newMemory) judge(r *newRegister, s *sightings, from, last int, family bool) {
	born := s.born
	for i := from - 1; i >= 0 && m.Hold > 0; i-- {
		if s.held[i].mark == 1 {
			born = s.held[i].time
			break
		}
	}
	for i := from; i < last; i++ {
		y := &s.held[i]
		before, seen := s.time, s.seen
		if i > 0 {
			before, seen = s.held[i-1].time, true
		}
		learned := y.time-r.first >= m.Learn
		y.mark = 0
		if learned && (!seen || y.time-before > m.History) {
			y.mark, born = 1, y.time
		}
		fresh := y.mark == 1 || m.Hold > 0 && y.time-born <= m.Hold
		if family {
			m.tell(y.hit, fresh, false, isNewToAll)
		} else {
			m.tell(y.hit, fresh, learned, isNew)
		}
	}
}

// tell notes what is known of a hit.
func (m *newMemory) tell(x uint32, fresh, learned bool, bit uint8) {
	t := m.told[x] &^ bit
	if fresh {
		t |= bit
	}
	if bit == isNew {
		t &^= isLearned
		if learned {
			t |= isLearned
		}
	}
	m.told[x] = t
	m.answer(x, m.bit, t&isNew != 0 || t&isLearned == 0 && t&isNewToAll != 0, false)
}

func (m *newMemory) flush() {}

func (m *newMemory) settle(s *sightings, w int64) {
	n := 0
	for ; n < len(s.held) && s.held[n].time <= w; n++ {
		s.seen, s.time = true, s.held[n].time
		if s.held[n].mark == 1 {
			s.born = s.held[n].time
		}
	}
	s.held = m.held.drop(s.held, n)
}

func (m *newMemory) decide(int64, int64) {}

func (m *newMemory) tidy(w int64) {
	m.tidyAll(&m.all, w)
	m.tidyAll(&m.families, w)
}

func (m *newMemory) tidyAll(all *registers[*newRegister], w int64) {
	for r, ok := all.next(w); ok; r, ok = all.next(w) {
		due := int64(forever)
		for v, s := range r.values {
			m.settle(s, w)
			switch {
			case len(s.held) > 0:
				due = min(due, s.held[0].time)
			case w-s.time > m.History:
				m.forget(r, v)
			default:
				due = min(due, s.time+m.History+1)
			}
		}
		m.packed -= r.packed.expire(w, m.History)
		m.pack(r, w)
		if len(r.packed.of) > 0 {
			due = min(due, r.packed.due)
		}
		if due < forever {
			due = max(due, w+6*pace)
		}
		all.set(r, due)
	}
}

func (m *newMemory) forget(r *newRegister, value string) {
	delete(r.values, value)
	m.values_--
	m.text -= int64(len(value))
}

func (m *newMemory) values(_ uint32, out []event.FieldValue) []event.FieldValue { return out }

func (m *newMemory) why(x uint32) string {
	if int(x) < len(m.told) && m.told[x]&isLearned == 0 {
		return "values are still being learned"
	}
	return "the value is not new, or not learned for now"
}

func (m *newMemory) size() (int, int64) {
	n := len(m.all.of) + len(m.families.of)
	return n, int64(n)*newRegisterBytes + m.all.text + m.families.text + int64(m.values_)*sightingsBytes + int64(m.packed)*packedBytes + m.text + int64(cap(m.told))
}

func (m *newMemory) giveUp(share int) int {
	list := m.all.newest(share)
	for _, r := range list {
		m.drop(&m.all, r)
	}
	if len(m.families.of) > len(m.all.of) {
		more := m.families.newest(share)
		for _, r := range more {
			m.drop(&m.families, r)
		}
		return len(list) + len(more)
	}
	return len(list)
}

func (m *newMemory) drop(all *registers[*newRegister], r *newRegister) {
	for v, s := range r.values {
		m.held.drop(s.held, len(s.held))
		m.forget(r, v)
	}
	m.packed -= len(r.packed.of)
	all.remove(r)
}

// seed tells a register values that were seen before t, with the learning time over.
func (m *newMemory) seed(per string, values []string, t int64) {
	r := m.all.of[per]
	if r == nil {
		r = &newRegister{first: forever, values: map[string]*sightings{}}
		m.all.add(per, r)
	}
	r.first = min(r.first, t-m.Learn)
	for _, v := range values {
		s := m.sightings(r, v)
		s.seen, s.time = true, t
	}
}

package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// changedMemory is `changed`: a hit passes if its value differs from the one before. Only a hit and the one after it bear on each other.
type changedMemory struct {
	*gate
	*rules.Changed
	bit   uint8
	names texts // Of values: two hits have the same one if they have the same number.
	all   registers[*changedRegister]
	prev  map[uint32]event.FieldValue // Of hits that pass: the value before.

	per   string // Of the hit that is being offered, as is value.
	value string
}

// changedRegister is the last value of one set of per values.
type changedRegister struct {
	register
	seen  bool
	value event.FieldValue // Of the last hit at or before W.
	name  uint32
}

const changedRegisterBytes = 300

func (m *changedMemory) reads(c *cell) (known, room bool) {
	if m.per, known = perKey(c.Vars, m.Per); !known {
		return false, true
	}
	m.value, known = text(c.Fields[m.Value])
	return known, m.all.of[m.per] != nil || len(m.all.of) < m.limit
}

func (m *changedMemory) offer(x uint32, c *cell, w int64) bool {
	r := m.all.of[m.per]
	if r == nil {
		r = &changedRegister{}
		m.all.add(m.per, r)
	}
	m.settle(r, w)
	var at int
	var ok bool
	r.held, at, ok = m.held.insert(r.held, entry{time: c.time(), hit: x, mark: m.names.number([]byte(m.value))})
	if !ok {
		return false
	}
	if r.slot < 0 {
		m.all.set(r, c.time())
	}
	m.judge(r, at)
	m.judge(r, at+1)
	return true
}

// judge answers for one hit.
func (m *changedMemory) judge(r *changedRegister, i int) {
	if i >= len(r.held) {
		return
	}
	y, before, seen := r.held[i], r.name, r.seen
	if i > 0 {
		before, seen = r.held[i-1].mark, true
	}
	pass, other := seen && before != y.mark, false
	if pass {
		prev := r.value
		if i > 0 {
			prev = m.held.field(r.held[i-1].hit, m.Value)
		}
		was, had := m.prev[y.hit]
		other = !had || was.Known != prev.Known || !same(was, prev) || !slices.Equal(was.Lst, prev.Lst)
		m.prev[y.hit] = prev
	} else {
		delete(m.prev, y.hit)
	}
	m.answer(y.hit, m.bit, pass, other)
}

func (m *changedMemory) flush() {}

func (m *changedMemory) settle(r *changedRegister, w int64) {
	n := r.settled(w)
	if n == 0 {
		return
	}
	last := r.held[n-1]
	r.seen, r.name, r.value = true, last.mark, m.held.field(last.hit, m.Value)
	for _, e := range r.held[:n] {
		delete(m.prev, e.hit)
	}
	r.held = m.held.drop(r.held, n)
}

func (m *changedMemory) decide(int64, int64) {}

func (m *changedMemory) tidy(w int64) {
	for r, ok := m.all.next(w); ok; r, ok = m.all.next(w) {
		m.settle(r, w)
		m.all.set(r, nextVisit(r.held, w))
	}
	if len(m.names.list) < 1024 || len(m.names.list) < 2*m.names.swept {
		return
	}
	used := make([]bool, len(m.names.list))
	for _, r := range m.all.of {
		used[r.name] = used[r.name] || r.seen
		for _, e := range r.held {
			used[e.mark] = true
		}
	}
	m.names.sweep(used)
}

func (m *changedMemory) values(x uint32, out []event.FieldValue) []event.FieldValue {
	return append(out, m.prev[x])
}

func (m *changedMemory) why(uint32) string { return "the value did not change" }

func (m *changedMemory) size() (int, int64) {
	return len(m.all.of), int64(len(m.all.of))*changedRegisterBytes + m.all.text + m.names.bytes + int64(len(m.prev))*150
}

func (m *changedMemory) giveUp(share int) int {
	list := m.all.newest(share)
	for _, r := range list {
		for _, e := range r.held {
			delete(m.prev, e.hit)
		}
		m.held.drop(r.held, len(r.held))
		m.all.remove(r)
	}
	return len(list)
}

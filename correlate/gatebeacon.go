package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// maxContacts is how many contacts of the time looked at are kept at least; more if the rule asks for more.
const maxContacts = 65

// beaconMemory is `beacon`: a hit passes if it is a contact at which the gaps between contacts are enough and regular, once per Over. A hit is
// a contact if nothing was seen for MinGap before it, so a burst is one contact, that of its first hit.
type beaconMemory struct {
	*gate
	*rules.Beacon
	bit  uint8
	all  registers[*beaconRegister]
	outs map[uint32]rhythm // Of hits that pass.
	keep int               // Contacts kept.
	gaps []int64           // Scratch.

	per    string // Of the hit that is being offered.
	frozen bool
}

// rhythm is what the gaps of a beacon are like.
type rhythm struct {
	gap    int64 // Median, microseconds.
	jitter float64
}

// beaconRegister is the contacts of one set of per values.
type beaconRegister struct {
	register
	contacts []int64 // Newest ones in order: those of settled hits, then those of held ones.
	old      int     // How many of them are settled.
	last     int64   // Time of the last settled hit; never before.
	passed   int64   // Time of the last settled hit that passed; never before.
	newest   int64   // Time of the last hit that passed, settled or held.
	dirty    int     // The first held hit that waits to be judged; −1 for none.
}

const beaconRegisterBytes = 200

func newBeaconMemory(g *gate, x *rules.Beacon) *beaconMemory {
	return &beaconMemory{gate: g, Beacon: x, bit: g.bit(), outs: map[uint32]rhythm{}, keep: max(maxContacts, x.AtLeast+1)}
}

func (m *beaconMemory) reads(c *cell) (known, room bool) {
	m.per, known = perKey(c.Vars, m.Per)
	m.frozen = m.Freeze >= 0 && boolean(c.Fields[m.Freeze])
	return known, m.frozen || m.all.of[m.per] != nil || len(m.all.of) < m.limit
}

func (m *beaconMemory) offer(x uint32, c *cell, w int64) bool {
	if m.frozen {
		return true
	}
	r := m.all.of[m.per]
	if r == nil {
		r = &beaconRegister{last: never, passed: never, newest: never, dirty: -1}
		m.all.add(m.per, r)
	}
	m.settle(r, w)
	var at int
	var ok bool
	r.held, at, ok = m.held.insert(r.held, entry{time: c.time(), hit: x})
	if !ok {
		return false
	}
	if r.slot < 0 {
		m.all.set(r, c.time())
	}
	if m.all.later(r, &r.dirty, at, len(r.held)-1) {
		return true
	}
	m.judge(r, at, false)
	return true
}

func (m *beaconMemory) flush() {
	for _, r := range m.all.dirty {
		m.judge(r, r.dirty, true)
		r.dirty = -1
	}
	m.all.clean()
}

// judge answers for the held hits from one on: again, or for the first time for the last one.
func (m *beaconMemory) judge(r *beaconRegister, from int, again bool) {
	last, passed := r.last, r.newest
	if from > 0 {
		last = r.held[from-1].time
	}
	if again {
		passed = m.before(r.held[:from], m.bit, r.passed)
		m.cut(r, from)
	}
	for i := from; i < len(r.held); i++ {
		y := &r.held[i]
		contact := last == never || y.time-last >= m.MinGap
		last = y.time
		y.mark = 0
		pass, other := false, false
		if contact {
			y.mark = 1
			r.contacts = append(r.contacts, y.time)
			var found rhythm
			if passed == never || y.time-passed >= m.Over {
				found, pass = m.regular(r)
			}
			if pass {
				other = m.outs[y.hit] != found
				m.outs[y.hit], passed = found, y.time
			}
		}
		if !pass && m.passes(y.hit, m.bit) {
			delete(m.outs, y.hit)
		}
		m.answer(y.hit, m.bit, pass, other)
	}
	r.newest = passed
}

// before is the time of the last of these hits that a modifier lets pass; settled if there is none.
func (g *gate) before(list []entry, bit uint8, settled int64) int64 {
	for i := len(list) - 1; i >= 0; i-- {
		if g.passes(list[i].hit, bit) {
			return list[i].time
		}
	}
	return settled
}

// cut takes back the contacts of held hits from one on.
func (m *beaconMemory) cut(r *beaconRegister, from int) {
	n := r.old
	for _, e := range r.held[:from] {
		n += int(e.mark)
	}
	if n < len(r.contacts) {
		r.contacts = r.contacts[:n]
	}
}

// regular looks at the gaps before the newest contact.
func (m *beaconMemory) regular(r *beaconRegister) (rhythm, bool) {
	list := r.contacts[max(0, len(r.contacts)-m.keep):]
	newest := list[len(list)-1]
	first := len(list) - 1
	for first > 0 && newest-list[first-1] <= m.Over {
		first--
	}
	if list = list[first:]; len(list)-1 < m.AtLeast {
		return rhythm{}, false
	}
	m.gaps = m.gaps[:0]
	for i := 1; i < len(list); i++ {
		m.gaps = append(m.gaps, list[i]-list[i-1])
	}
	gap := median(m.gaps)
	for i, g := range m.gaps {
		m.gaps[i] = max(g-gap, gap-g)
	}
	out := rhythm{gap: gap}
	if gap > 0 {
		out.jitter = float64(median(m.gaps)) / float64(gap)
	}
	return out, gap > 0 && out.jitter <= m.JitterMax
}

// median sorts the list and gives its middle value, the mean of two rounded down.
func median(list []int64) int64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	n := len(list)
	if n%2 == 1 {
		return list[n/2]
	}
	a, b := list[n/2-1], list[n/2]
	return a + (b-a)/2
}

func (m *beaconMemory) settle(r *beaconRegister, w int64) {
	n := r.settled(w)
	for _, e := range r.held[:n] {
		r.last, r.old = e.time, r.old+int(e.mark)
		if m.passes(e.hit, m.bit) {
			r.passed = e.time
			delete(m.outs, e.hit)
		}
	}
	r.held = m.held.drop(r.held, n)
	if more := r.old - m.keep; more >= m.keep || more > 0 && len(r.held) == 0 {
		r.contacts, r.old = slices.Delete(r.contacts, 0, more), m.keep
	}
}

func (m *beaconMemory) decide(int64, int64) {}

func (m *beaconMemory) tidy(w int64) {
	for r, ok := m.all.next(w); ok; r, ok = m.all.next(w) {
		m.settle(r, w)
		if len(r.held) == 0 && w-r.last > m.Over {
			m.all.remove(r) // Nothing later can be compared with it.
			continue
		}
		due := nextVisit(r.held, w)
		if due == forever {
			due = r.last + m.Over + 1
		}
		m.all.set(r, due)
	}
}

func (m *beaconMemory) values(x uint32, out []event.FieldValue) []event.FieldValue {
	v := m.outs[x]
	return append(out, event.FieldValue{Kind: event.KindInt, Known: true, Num: v.gap / millisecond}, numberValue(v.jitter))
}

// numberValue is a number that a hit exposes.
func numberValue(v float64) event.FieldValue {
	return event.FieldValue{Kind: event.KindFloat, Known: true, Flt: v}
}

func (m *beaconMemory) why(uint32) string {
	return "contacts are too few, not regular, or a beacon was seen within " + span(m.Over)
}

func (m *beaconMemory) size() (int, int64) {
	n := int64(len(m.all.of))
	return int(n), n*beaconRegisterBytes + m.all.text + n*8*int64(min(m.keep, 16)) + int64(len(m.outs))*64
}

func (m *beaconMemory) giveUp(share int) int {
	list := m.all.newest(share)
	for _, r := range list {
		for _, e := range r.held {
			delete(m.outs, e.hit)
		}
		m.held.drop(r.held, len(r.held))
		m.all.remove(r)
	}
	return len(list)
}

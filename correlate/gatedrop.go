package correlate

import (
	"strconv"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Both forms of `drop` are about what does not come. W of a rule that has one is behind by as long as the silence may take (program.hold), so
// that when W reaches a hit everything is known that could speak against it. Only then the hit is judged, and enters its partition just
// before the partition is scanned to that time; nothing is ever taken back.

// beatMemory is the `drop` of a heartbeat: a hit passes if it ends a run of hits and nothing follows it for For.
type beatMemory struct {
	*gate
	*rules.Drop
	bit   uint8
	all   registers[*beatRegister]
	due   []*beatRegister // What decide has looked at, for tidy.
	times int             // Times kept of all settled hits.

	per string // Of the hit that is being offered.
}

// beatRegister is the beats of one set of per values.
type beatRegister struct {
	register
	before []int64 // Times of the last settled hits, as many as a run needs before its last.
}

const beatRegisterBytes = 180

func newBeatMemory(g *gate, x *rules.Drop) *beatMemory {
	return &beatMemory{gate: g, Drop: x, bit: g.bit()}
}

func (m *beatMemory) reads(c *cell) (known, room bool) {
	m.per, known = perKey(c.Vars, m.Per)
	return known, m.all.of[m.per] != nil || len(m.all.of) < m.limit
}

func (m *beatMemory) offer(x uint32, c *cell, w int64) bool {
	r := m.all.of[m.per]
	if r == nil {
		r = &beatRegister{}
		m.all.add(m.per, r)
	}
	e := entry{time: c.time(), hit: x}
	if m.Freeze >= 0 && boolean(c.Fields[m.Freeze]) {
		e.mark = 1
	}
	var ok bool
	if r.held, _, ok = m.held.insert(r.held, e); !ok {
		return false
	}
	m.all.set(r, r.held[0].time)
	return true
}

func (m *beatMemory) flush() {}

// decide answers for the hits that W has reached; end is how far event time is known to have gone.
func (m *beatMemory) decide(w, end int64) {
	for r, ok := m.all.next(w); ok; r, ok = m.all.next(w) {
		for i := 0; i < len(r.held) && r.held[i].time <= w; i++ {
			y := &r.held[i]
			next := end
			if i+1 < len(r.held) {
				next = r.held[i+1].time
			}
			silent := next-y.time > m.For || i+1 == len(r.held) && next-y.time >= m.For
			m.answer(y.hit, m.bit, silent && y.mark == 0 && m.run(r, i), false)
		}
		m.all.set(r, forever)
		m.due = append(m.due, r)
	}
}

// run reports whether a held hit is the last of enough hits within Over.
func (m *beatMemory) run(r *beatRegister, i int) bool {
	first := i - (m.AtLeast - 1)
	var t int64
	switch {
	case first >= 0:
		t = r.held[first].time
	case len(r.before)+first >= 0:
		t = r.before[len(r.before)+first]
	default:
		return false
	}
	return r.held[i].time-t < m.Over
}

func (m *beatMemory) tidy(w int64) {
	for _, r := range m.due {
		switch n := r.settled(w); {
		case n > 0:
			m.settle(r, n)
			m.all.set(r, m.dueOf(r))
		case len(r.held) == 0: // Visited for its age: nothing can make a run with these.
			m.times -= len(r.before)
			m.all.remove(r)
		default:
			m.all.set(r, m.dueOf(r))
		}
	}
	m.due = m.due[:0]
}

// dueOf is when a register is to be looked at: when W reaches its first hit, or when it is too old to matter.
func (m *beatMemory) dueOf(r *beatRegister) int64 {
	if len(r.held) > 0 {
		return r.held[0].time
	}
	return r.before[len(r.before)-1] + m.Over + 1
}

// settle folds the first n hits into the times before.
func (m *beatMemory) settle(r *beatRegister, n int) {
	m.times -= len(r.before)
	for _, e := range r.held[:n] {
		r.before = append(r.before, e.time)
	}
	if more := len(r.before) - max(1, m.AtLeast-1); more > 0 {
		r.before = append(r.before[:0], r.before[more:]...)
	}
	m.times += len(r.before)
	r.held = m.held.drop(r.held, n)
}

func (m *beatMemory) values(x uint32, out []event.FieldValue) []event.FieldValue {
	at := readParts(m.held.record(x)).time
	return append(out, event.FieldValue{Kind: event.KindTime, Known: true, Num: at / millisecond})
}

func (m *beatMemory) why(uint32) string {
	return "another event followed, or it did not end a run of " + strconv.Itoa(m.AtLeast) + " within " + span(m.Over)
}

func (m *beatMemory) size() (int, int64) {
	n := int64(len(m.all.of))
	return int(n), n*beatRegisterBytes + m.all.text + int64(m.times)*8
}

func (m *beatMemory) giveUp(share int) int {
	list := m.all.newest(share)
	for _, r := range list {
		m.held.drop(r.held, len(r.held))
		m.times -= len(r.before)
		m.all.remove(r)
	}
	return len(list)
}

// fallMemory is the `drop` of an amount: a hit passes if after it, before the next one, the amount of the last Over falls below what is usual,
// looked at where buckets end; once per Over.
type fallMemory struct {
	*gate
	yardstick
	drop   *rules.Drop
	bit    uint8
	all    registers[*fallRegister]
	due    []*fallRegister // What decide has looked at, for tidy.
	outs   map[uint32]fall // Of hits that pass.
	weight int64

	per string // Of the hit that is being offered.
}

// fall is how much there was, how much is usual, and when.
type fall struct{ amount, usual, at int64 }

// fallRegister is the amounts of one set of per values.
type fallRegister struct {
	register
	history
	passed  int64 // End of the last window that had fallen; never before.
	weighed int64
}

const fallRegisterBytes = 350

func newFallMemory(g *gate, x *rules.Drop) *fallMemory {
	return &fallMemory{gate: g, yardstick: newYardstick(x.Volume), drop: x, bit: g.bit(), outs: map[uint32]fall{}}
}

func (m *fallMemory) reads(c *cell) (known, room bool) {
	m.per, known = perKey(c.Vars, m.drop.Per)
	return known, m.all.of[m.per] != nil || len(m.all.of) < m.limit
}

func (m *fallMemory) offer(x uint32, c *cell, _ int64) bool {
	r := m.all.of[m.per]
	if r == nil {
		r = &fallRegister{passed: never}
		r.first = forever
		m.all.add(m.per, r)
	}
	r.known.ok = false
	if m.drop.Freeze >= 0 && boolean(c.Fields[m.drop.Freeze]) {
		m.record(&r.history, c.time(), 0, true)
		m.all.set(r, min(m.dueOf(r), c.time()))
		return true
	}
	amount := m.amount(c)
	var ok bool
	if r.held, _, ok = m.held.insert(r.held, entry{time: c.time(), hit: x, n: amount}); !ok {
		return false
	}
	m.record(&r.history, c.time(), amount, false)
	m.all.set(r, min(m.dueOf(r), r.held[0].time))
	return true
}

// dueOf is when a register is to be looked at; forever if that is not set.
func (m *fallMemory) dueOf(r *fallRegister) int64 {
	if r.slot < 0 {
		return forever
	}
	return r.head().due
}

func (m *fallMemory) flush() {}

// decide answers for the hits that W has reached; end is how far event time is known to have gone.
func (m *fallMemory) decide(w, end int64) {
	for r, ok := m.all.next(w); ok; r, ok = m.all.next(w) {
		for i := 0; i < len(r.held) && r.held[i].time <= w; i++ {
			y := &r.held[i]
			found, pass := m.falls(r, i, end)
			if pass {
				m.outs[y.hit], r.passed = found, found.at
			}
			m.answer(y.hit, m.bit, pass, false)
		}
		m.all.set(r, forever)
		m.due = append(m.due, r)
	}
}

// falls looks at the windows that end after a held hit and not after the next one.
func (m *fallMemory) falls(r *fallRegister, i int, end int64) (fall, bool) {
	n := m.Over / m.Bucket
	own := m.bucketOf(r.held[i].time)
	last := min(own+n+1, floorDiv(end, m.Bucket))
	if i+1 < len(r.held) {
		last = min(last, m.bucketOf(r.held[i+1].time))
	}
	for e := own + 1; e <= last; e++ {
		at := e * m.Bucket
		if at-r.first < m.Learn || r.passed != never && at-r.passed < m.Over {
			continue
		}
		sum, frozen := r.total(e-n, e)
		if frozen {
			continue
		}
		if usual := m.usual(&r.history, e-n); usual.ok && m.below(sum, usual) {
			return fall{amount: sum, usual: usual.median, at: at}, true
		}
	}
	return fall{}, false
}

func (m *fallMemory) tidy(w int64) {
	for _, r := range m.due {
		n := r.settled(w)
		for _, e := range r.held[:n] {
			delete(m.outs, e.hit)
		}
		r.held = m.held.drop(r.held, n)
		m.close(&r.history, w)
		m.weight += r.history.weight() - r.weighed
		r.weighed = r.history.weight()
		switch {
		case len(r.held) > 0:
			m.all.set(r, r.held[0].time)
		case len(r.buckets) > 0:
			m.all.set(r, w+hour)
		}
	}
	m.due = m.due[:0]
}

func (m *fallMemory) values(x uint32, out []event.FieldValue) []event.FieldValue {
	v := m.outs[x]
	return append(out, numberValue(amountValue(v.amount)), numberValue(amountValue(v.usual)), event.FieldValue{Kind: event.KindTime, Known: true, Num: v.at / millisecond})
}

func (m *fallMemory) why(uint32) string {
	return "the amount did not fall below what is usual, is still being learned, or was seen to fall within " + span(m.Over)
}

func (m *fallMemory) size() (int, int64) {
	n := int64(len(m.all.of))
	return int(n), n*fallRegisterBytes + m.all.text + m.weight + int64(len(m.outs))*72
}

func (m *fallMemory) giveUp(share int) int {
	list := m.all.newest(share)
	for _, r := range list {
		for _, e := range r.held {
			delete(m.outs, e.hit)
		}
		m.held.drop(r.held, len(r.held))
		m.weight -= r.weighed
		m.all.remove(r)
	}
	return len(list)
}

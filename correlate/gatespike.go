package correlate

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// spikeMemory is `spike`: a hit passes if with it the amount of its bucket and the ones before it, Over in all, is more than usual, once per
// Over.
type spikeMemory struct {
	*gate
	yardstick
	spike  *rules.Spike
	bit    uint8
	all    registers[*spikeRegister]
	outs   map[uint32]excess // Of hits that pass.
	weight int64             // Bytes of all histories.

	per    string // Of the hit that is being offered.
	frozen bool
}

// excess is how much there was and how much is usual.
type excess struct{ amount, usual int64 }

// spikeRegister is the amounts of one set of per values.
type spikeRegister struct {
	register
	history
	passed  int64 // Time of the last settled hit that passed; never before.
	newest  int64 // Time of the last hit that passed, settled or held.
	dirty   int   // The first held hit that waits to be judged; −1 for none.
	weighed int64
}

const spikeRegisterBytes = 350

func newSpikeMemory(g *gate, x *rules.Spike) *spikeMemory {
	return &spikeMemory{gate: g, spike: x, yardstick: newYardstick(&x.Baseline), bit: g.bit(), outs: map[uint32]excess{}}
}

func (m *spikeMemory) reads(c *cell) (known, room bool) {
	m.per, known = perKey(c.Vars, m.spike.Per)
	m.frozen = m.spike.Freeze >= 0 && boolean(c.Fields[m.spike.Freeze])
	return known, m.all.of[m.per] != nil || len(m.all.of) < m.limit
}

// amount is what a hit adds.
func (m *yardstick) amount(c *cell) int64 {
	if m.Value < 0 {
		return amountUnit
	}
	return amountOf(c.Fields[m.Value])
}

func (m *spikeMemory) offer(x uint32, c *cell, w int64) bool {
	r := m.all.of[m.per]
	if r == nil {
		r = &spikeRegister{passed: never, newest: never, dirty: -1}
		r.first = forever
		m.all.add(m.per, r)
	}
	m.settle(r, w)
	if m.frozen {
		m.record(&r.history, c.time(), 0, true)
		m.again(r, c.time())
		return true
	}
	amount := m.amount(c)
	var at int
	var ok bool
	r.held, at, ok = m.held.insert(r.held, entry{time: c.time(), hit: x, n: amount})
	if !ok {
		return false
	}
	m.record(&r.history, c.time(), amount, false)
	if r.slot < 0 {
		m.all.set(r, c.time())
	}
	if m.all.later(r, &r.dirty, at, len(r.held)-1) {
		r.known.ok = false
		return true
	}
	m.judge(r, at, false)
	return true
}

// again has everything after a time judged anew: a hit that is not listed has changed what is usual from then on.
func (m *spikeMemory) again(r *spikeRegister, t int64) {
	r.known.ok = false
	at := 0
	for at < len(r.held) && r.held[at].time <= t {
		at++
	}
	if at < len(r.held) {
		m.all.later(r, &r.dirty, at, len(r.held))
	}
}

func (m *spikeMemory) flush() {
	for _, r := range m.all.dirty {
		r.known.ok = false
		m.judge(r, r.dirty, true)
		r.dirty = -1
	}
	m.all.clean()
}

// judge answers for the held hits from one on: again, or for the first time for the last one.
func (m *spikeMemory) judge(r *spikeRegister, from int, again bool) {
	passed := r.newest
	var window running
	if again {
		passed = m.before(r.held[:from], m.bit, r.passed)
	} else {
		window = m.ending(&r.history, r.held[from])
	}
	for i := from; i < len(r.held); i++ {
		y := &r.held[i]
		if again {
			m.move(&r.history, &window, r.held, i)
		}
		amount := addAmounts(window.before, window.within)
		pass, other := false, false
		if y.time-r.first >= m.Learn && float64(amount) >= m.Floor*amountUnit && (passed == never || y.time-passed >= m.Over) {
			usual := m.usual(&r.history, window.at+1-m.Over/m.Bucket)
			if pass = (usual.ok || r.seeded) && m.exceeds(amount, usual); pass {
				found := excess{amount: amount, usual: usual.median}
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

// running is the amount of a window that ends within a bucket: of the buckets before, and within it up to a hit.
type running struct {
	at             int64
	before, within int64
	started        bool
}

// ending is the window that ends with the last hit of all.
func (m *yardstick) ending(h *history, e entry) running {
	at := m.bucketOf(e.time)
	before, _ := h.total(at+1-m.Over/m.Bucket, at)
	return running{at: at, before: before, within: h.bucket(at).sum, started: true}
}

// move takes the window on to the held hit i, from the one before it or, at first, from anywhere.
func (m *yardstick) move(h *history, win *running, list []entry, i int) {
	at := m.bucketOf(list[i].time)
	if !win.started || win.at != at {
		win.at, win.within = at, h.bucket(at).old
		win.before, _ = h.total(at+1-m.Over/m.Bucket, at)
		if !win.started {
			j := i
			for j > 0 && m.bucketOf(list[j-1].time) == at {
				j--
			}
			for ; j < i; j++ {
				win.within = addAmounts(win.within, list[j].n)
			}
		}
		win.started = true
	}
	win.within = addAmounts(win.within, list[i].n)
}

// old counts a hit that W has passed.
func (m *yardstick) old(h *history, e entry) {
	b := h.bucket(m.bucketOf(e.time))
	b.old = addAmounts(b.old, e.n)
}

func (m *spikeMemory) settle(r *spikeRegister, w int64) {
	n := r.settled(w)
	for _, e := range r.held[:n] {
		m.old(&r.history, e)
		if m.passes(e.hit, m.bit) {
			r.passed = e.time
			delete(m.outs, e.hit)
		}
	}
	r.held = m.held.drop(r.held, n)
	m.close(&r.history, w)
	m.weight += r.history.weight() - r.weighed
	r.weighed = r.history.weight()
}

func (m *spikeMemory) decide(int64, int64) {}

func (m *spikeMemory) tidy(w int64) {
	for r, ok := m.all.next(w); ok; r, ok = m.all.next(w) {
		m.settle(r, w)
		due := nextVisit(r.held, w)
		if due == forever && len(r.buckets) > 0 {
			due = w + hour
		}
		m.all.set(r, due)
	}
}

func (m *spikeMemory) values(x uint32, out []event.FieldValue) []event.FieldValue {
	v := m.outs[x]
	return append(out, numberValue(amountValue(v.amount)), numberValue(amountValue(v.usual)))
}

func (m *spikeMemory) why(uint32) string {
	return "the amount is not beyond what is usual, is still being learned, or was seen to exceed it within " + span(m.Over)
}

func (m *spikeMemory) size() (int, int64) {
	n := int64(len(m.all.of))
	return int(n), n*spikeRegisterBytes + m.all.text + m.weight + int64(len(m.outs))*64
}

func (m *spikeMemory) giveUp(share int) int {
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

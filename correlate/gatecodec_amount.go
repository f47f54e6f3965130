package correlate

import (
	"encoding/binary"
	"slices"
)

// maxNumber bounds the numbers of buckets and samples that are read, so that nothing overflows.
const maxNumber = 1 << 50

func (w *writer) history(h *history) {
	w.int(h.first)
	w.uint(uint64(len(h.buckets)))
	for _, b := range h.buckets {
		w.int(b.at)
		w.uint(uint64(b.sum))
		w.uint(uint64(b.old))
		w.bool(b.frozen)
	}
	w.int(h.from)
	w.uint(uint64(len(h.samples)))
	for _, s := range h.samples {
		w.b = binary.LittleEndian.AppendUint16(w.b, s)
	}
	w.bool(h.seeded)
	w.uint(uint64(h.given))
}

func (r *reader) history(m *yardstick) (h history) {
	h.first = r.time()
	for range r.count(4) {
		b := bucket{at: r.int(), sum: r.amount(), old: r.amount(), frozen: r.bool()}
		if b.at < -maxNumber || b.at > maxNumber || len(h.buckets) > 0 && h.buckets[len(h.buckets)-1].at >= b.at {
			r.fail()
			return h
		}
		h.buckets = append(h.buckets, b)
	}
	h.from = r.int()
	n := r.count(2)
	if h.from < -maxNumber || h.from > maxNumber || int64(n) > 2*m.kept {
		r.fail()
		return h
	}
	for range n {
		if b := r.take(2); len(b) == 2 {
			h.samples = append(h.samples, binary.LittleEndian.Uint16(b))
		}
	}
	h.seeded, h.given = r.bool(), r.amount()
	return h
}

func (r *reader) amount() int64 {
	v := r.uint()
	if v > maxAmount {
		r.fail()
		return 0
	}
	return int64(v)
}

func (w *writer) amounts(g *gate, list []entry) {
	w.entries(g, list, func(e entry) { w.uint(uint64(e.n)) })
}

func (r *reader) amounts(g *gate, s *ruleState) []entry {
	return r.entries(g, s, func(e *entry) { e.n = r.amount() })
}

func (m *spikeMemory) write(w *writer, now int64) {
	w.uint(m.all.born)
	w.uint(uint64(len(m.all.of)))
	for _, per := range namesOf(m.all.of) {
		r := m.all.of[per]
		m.settle(r, now)
		w.string(per)
		w.uint(r.born)
		w.history(&r.history)
		w.int(r.passed)
		w.amounts(m.gate, r.held)
	}
}

func (m *spikeMemory) read(r *reader, s *ruleState) {
	born := r.uint()
	for range r.count(8) {
		per, order := r.string(), r.uint()
		x := &spikeRegister{history: r.history(&m.yardstick), passed: r.time(), newest: never, dirty: -1}
		x.held = r.amounts(m.gate, s)
		if r.err != nil || m.all.of[per] != nil {
			r.fail()
			return
		}
		m.all.add(per, x)
		x.born, x.newest = order, x.passed
		m.judge(x, 0, true)
		x.weighed = x.history.weight()
		m.weight += x.weighed
		m.all.set(x, never)
	}
	m.all.born = born
	m.settled()
}

func (m *beaconMemory) write(w *writer, now int64) {
	w.uint(m.all.born)
	w.uint(uint64(len(m.all.of)))
	for _, per := range namesOf(m.all.of) {
		r := m.all.of[per]
		m.settle(r, now)
		w.string(per)
		w.uint(r.born)
		w.int(r.last)
		w.int(r.passed)
		w.times(r.contacts[max(0, r.old-m.keep):r.old])
		w.entries(m.gate, r.held, func(entry) {})
	}
}

func (m *beaconMemory) read(r *reader, s *ruleState) {
	born := r.uint()
	for range r.count(6) {
		per, order := r.string(), r.uint()
		x := &beaconRegister{last: r.time(), passed: r.time(), dirty: -1}
		x.contacts = r.times()
		x.old, x.newest = len(x.contacts), x.passed
		x.held = r.entries(m.gate, s, func(*entry) {})
		if r.err != nil || m.all.of[per] != nil {
			r.fail()
			return
		}
		m.all.add(per, x)
		x.born = order
		m.judge(x, 0, true)
		m.all.set(x, never)
	}
	m.all.born = born
	m.settled()
}

func (w *writer) times(list []int64) {
	w.uint(uint64(len(list)))
	for _, t := range list {
		w.int(t)
	}
}

func (r *reader) times() []int64 {
	n := r.count(1)
	list := make([]int64, 0, n)
	for range n {
		list = append(list, r.time())
	}
	if !slices.IsSorted(list) {
		r.fail()
	}
	return list
}

func (m *beatMemory) write(w *writer, _ int64) {
	w.uint(m.all.born)
	w.uint(uint64(len(m.all.of)))
	for _, per := range namesOf(m.all.of) {
		r := m.all.of[per]
		w.string(per)
		w.uint(r.born)
		w.times(r.before)
		w.entries(m.gate, r.held, func(e entry) { w.bool(e.mark == 1) })
	}
}

func (m *beatMemory) read(r *reader, s *ruleState) {
	born := r.uint()
	for range r.count(4) {
		per, order := r.string(), r.uint()
		x := &beatRegister{before: r.times()}
		x.held = r.entries(m.gate, s, func(e *entry) {
			if r.bool() {
				e.mark = 1
			}
		})
		if r.err != nil || m.all.of[per] != nil || len(x.before) > max(1, m.AtLeast-1) || len(x.before)+len(x.held) == 0 {
			r.fail()
			return
		}
		m.all.add(per, x)
		x.born = order
		m.times += len(x.before)
		m.all.set(x, m.dueOf(x))
	}
	m.all.born = born
}

func (m *fallMemory) write(w *writer, _ int64) {
	w.uint(m.all.born)
	w.uint(uint64(len(m.all.of)))
	for _, per := range namesOf(m.all.of) {
		r := m.all.of[per]
		w.string(per)
		w.uint(r.born)
		w.history(&r.history)
		w.int(r.passed)
		w.amounts(m.gate, r.held)
	}
}

func (m *fallMemory) read(r *reader, s *ruleState) {
	born := r.uint()
	for range r.count(8) {
		per, order := r.string(), r.uint()
		x := &fallRegister{history: r.history(&m.yardstick), passed: r.time()}
		x.held = r.amounts(m.gate, s)
		if r.err != nil || m.all.of[per] != nil {
			r.fail()
			return
		}
		m.all.add(per, x)
		x.born = order
		x.weighed = x.history.weight()
		m.weight += x.weighed
		m.all.set(x, never)
	}
	m.all.born = born
}

package correlate

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// The state of a gate is a piece of its own within a snapshot, with its own numbers for texts: a rule that is not known any more is read over.

func (w *writer) gate(g *gate, now int64) {
	in := &writer{b: w.scratch[:0], strings: map[string]uint64{}, full: w.piece}
	g.numbers = map[uint32]uint64{}
	for _, m := range g.mods {
		m.write(in, now)
	}
	g.numbers = nil
	if len(in.b) > 0 {
		w.piece(in.b)
	}
	w.uint(0)
	w.scratch = in.b
}

// piece writes a piece of something whose length is not known yet, and gives its room; an empty one ends it.
func (w *writer) piece(b []byte) []byte {
	w.uint(uint64(len(b)))
	w.b = append(w.b, b...)
	w.pass()
	return b[:0]
}

// pieces puts together what was written in pieces.
func (r *reader) pieces() []byte {
	all := r.take(r.uint())
	if len(all) == 0 {
		return nil
	}
	all = slices.Clip(all) // What is appended goes elsewhere.
	for next := r.take(r.uint()); len(next) > 0; next = r.take(r.uint()) {
		all = append(all, next...)
	}
	return all
}

func (r *reader) gate(s *ruleState, g *gate) {
	in := &reader{b: r.pieces()}
	if s == nil || r.err != nil {
		return
	}
	g.known = nil
	for _, m := range g.mods {
		m.read(in, s)
	}
	g.known = nil
	if in.err != nil || len(in.b) > 0 {
		r.fail()
	}
}

// names are the names of registers in order.
func namesOf[R any](of map[string]R) []string { return slices.Sorted(maps.Keys(of)) }

// entries writes a list; each hit is written where it is first met, and is a number from then on.
func (w *writer) entries(g *gate, list []entry, also func(e entry)) {
	w.uint(uint64(len(list)))
	for _, e := range list {
		if numbered(w, g.numbers, e.hit) {
			w.held(g, e.hit)
		}
		also(e)
	}
}

func (w *writer) held(g *gate, x uint32) {
	record := g.held.record(x)
	p := readParts(record)
	w.string(g.held.common.list[p.common])
	w.string(g.held.common.list[p.summary])
	w.id(p.id)
	w.int(p.time)
	w.int(p.received)
	w.bool(p.regular)
	w.uint(p.number)
	w.uint(p.index)
	fields := p.fields[:recordLength(record)-(len(record)-len(p.fields))]
	w.uint(uint64(len(fields)))
	w.b = append(w.b, fields...)
	h := &g.held.slab[x]
	w.b = append(w.b, h.pass)
	w.bool(h.placed)
}

// entries reads a list whose times must be later than after, in order.
func (r *reader) entries(g *gate, s *ruleState, also func(e *entry)) []entry {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]entry, 0, n)
	for range n {
		x, fresh := number(r, g.known)
		if fresh {
			x = r.held(g, s)
			g.known = append(g.known, x)
		}
		if r.err != nil {
			return list
		}
		e := entry{time: readParts(g.held.record(x)).time, hit: x}
		if also(&e); r.err != nil {
			return list
		}
		if len(list) > 0 {
			last := list[len(list)-1]
			order, same := 0, false
			if last.time == e.time {
				order, same = g.held.order(last.hit, x)
			}
			if last.time > e.time || order > 0 || same {
				r.fail()
				return list
			}
		}
		h := &g.held.slab[x]
		if h.refs == 255 {
			r.fail()
			return list
		}
		h.refs++
		g.held.listed++
		list = append(list, e)
	}
	return list
}

// held reads a hit and holds what it says against the rule.
func (r *reader) held(g *gate, s *ruleState) uint32 {
	common, summary := r.string(), r.string()
	id, at, received := r.id(), r.time(), r.int()
	regular, place, index := r.bool(), r.uint(), r.uint()
	fields := r.take(r.uint())
	pass, placed := r.byte(), r.bool()
	if r.err != nil {
		return 0
	}
	c, err := unpackCommon(common)
	carried, bad := readFields(fields)
	x := s.branches[g.branch].parts[g.step].Step
	if err != nil || bad != nil || len(fields) == 0 || int(c.Branch) != g.branch || int(c.Step) != g.step || len(c.Vars) != len(s.plan.Vars) ||
		len(carried) != len(x.Fields)+len(x.Values) || index > 0xffff || pass&^g.all != 0 || at >= forever/2 || at <= never/2 {
		r.fail()
		return 0
	}
	b := append([]byte(nil), id[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(at))
	b = binary.AppendVarint(b, received-at)
	if regular {
		b = binary.AppendUvarint(append(b, 1), place)
		b = binary.AppendUvarint(b, index)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(g.held.common.number([]byte(common))))
	b = binary.AppendUvarint(b, uint64(g.held.common.number([]byte(summary))))
	h := g.held.keep(append(b, canonicalFields(carried)...))
	g.held.slab[h].pass, g.held.slab[h].placed = pass, placed
	return h
}

func canonicalFields(list []event.FieldValue) []byte {
	if len(list) == 0 {
		return []byte{0}
	}
	return event.AppendHitValues(nil, &event.Hit{Fields: list})
}

func (m *changedMemory) write(w *writer, now int64) {
	w.uint(m.all.born)
	w.uint(uint64(len(m.all.of)))
	for _, per := range namesOf(m.all.of) {
		r := m.all.of[per]
		m.settle(r, now)
		w.string(per)
		w.uint(r.born)
		w.bool(r.seen)
		w.value(r.value)
		w.entries(m.gate, r.held, func(e entry) { w.string(m.names.list[e.mark]) })
	}
}

func (m *changedMemory) read(r *reader, s *ruleState) {
	born := r.uint()
	for range r.count(6) {
		per := r.string()
		x := &changedRegister{}
		order := r.uint()
		x.seen, x.value = r.bool(), r.value()
		if name, ok := text(x.value); ok {
			x.name = m.names.number([]byte(name))
		} else if x.seen {
			r.fail()
		}
		x.held = r.entries(m.gate, s, func(e *entry) { e.mark = m.names.number([]byte(r.string())) })
		if r.err != nil || m.all.of[per] != nil {
			r.fail()
			return
		}
		m.all.add(per, x)
		x.born = order
		for i := range x.held {
			m.judge(x, i)
		}
		m.all.set(x, nextVisit(x.held, never))
	}
	m.all.born = born
	m.settled()
}

// settled forgets what judging noted: partitions have been read as they were.
func (g *gate) settled() {
	for _, x := range g.noted {
		g.held.slab[x].noted, g.held.slab[x].again = false, false
	}
	g.noted = g.noted[:0]
}

func (m *newMemory) write(w *writer, now int64) {
	m.writeAll(w, &m.all, now)
	m.writeAll(w, &m.families, now)
}

func (m *newMemory) writeAll(w *writer, all *registers[*newRegister], now int64) {
	w.uint(all.born)
	w.uint(uint64(len(all.of)))
	for _, per := range namesOf(all.of) {
		r := all.of[per]
		w.string(per)
		w.uint(r.born)
		w.int(r.first)
		w.uint(uint64(len(r.values)))
		for _, value := range namesOf(r.values) {
			v := r.values[value]
			m.settle(v, now)
			w.string(value)
			w.bool(v.seen)
			w.int(v.time)
			w.int(v.born)
			w.entries(m.gate, v.held, func(e entry) { w.b = append(w.b, byte(e.mark), m.told[e.hit]) })
		}
		w.packed(&r.packed)
	}
}

func (m *newMemory) read(r *reader, s *ruleState) {
	m.readAll(r, s, &m.all)
	m.readAll(r, s, &m.families)
}

func (m *newMemory) readAll(r *reader, s *ruleState, all *registers[*newRegister]) {
	born := r.uint()
	for range r.count(4) {
		per := r.string()
		x := &newRegister{values: map[string]*sightings{}}
		order := r.uint()
		x.first = r.time()
		due := int64(forever)
		for range r.count(5) {
			value := r.string()
			if r.err != nil || x.values[value] != nil {
				r.fail()
				return
			}
			v := m.sightings(x, value)
			v.seen, v.time, v.born = r.bool(), r.time(), r.time()
			v.held = r.entries(m.gate, s, func(e *entry) {
				for len(m.told) <= int(e.hit) {
					m.told = append(m.told, 0)
				}
				e.mark, m.told[e.hit] = uint32(r.byte()), r.byte()
			})
			due = min(due, v.time+m.History+1)
			if len(v.held) > 0 {
				due = min(due, v.held[0].time)
			}
		}
		if r.packed(m, &x.packed); len(x.packed.of) > 0 {
			due = min(due, x.packed.due)
		}
		if r.err != nil || all.of[per] != nil {
			r.fail()
			return
		}
		all.add(per, x)
		x.born = order
		all.set(x, due)
	}
	all.born = born
}

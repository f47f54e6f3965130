package correlate

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// numbering gives the hits or the texts of a gate numbers in the order in which a snapshot names them.
type numbering struct {
	of    []uint32 // By place: the number + 1; 0 before it has one.
	known []uint32 // Places by number.
}

// write writes the number of a place, and says whether what stands there has to be written as well.
func (n *numbering) write(w *writer, place uint32) bool {
	w.pass()
	if number := n.of[place]; number > 0 {
		w.uint(uint64(number - 1))
		return false
	}
	w.uint(uint64(len(n.known)))
	n.known = append(n.known, place)
	n.of[place] = uint32(len(n.known))
	return true
}

func (w *writer) gate(g *gate, now int64) {
	g.hits, g.texts = numbering{of: make([]uint32, len(g.held.slab))}, numbering{of: make([]uint32, len(g.held.common.list))}
	for _, m := range g.mods {
		m.write(w, now)
	}
	g.hits, g.texts = numbering{}, numbering{}
}

func (r *reader) gate(s *ruleState, g *gate) {
	for _, m := range g.mods {
		m.read(r, s)
	}
	g.hits, g.texts = numbering{}, numbering{}
}

// names are the names of registers in order.
func namesOf[R any](of map[string]R) []string { return slices.Sorted(maps.Keys(of)) }

// entries writes a list; each hit is written where it is first met, and is a number from then on.
func (w *writer) entries(g *gate, list []entry, also func(e entry)) {
	w.uint(uint64(len(list)))
	for few := range slices.Chunk(list, cellsAhead) {
		w.fetchHeld(&g.held, few)
		for _, e := range few {
			if g.hits.write(w, e.hit) {
				w.held(g, e.hit)
			}
			also(e)
		}
	}
}

// fetchHeld is fetch for hits that a gate holds.
func (w *writer) fetchHeld(s *held, list []entry) {
	seen := 0
	for _, e := range list {
		seen += int(s.slab[e.hit].off)
	}
	for _, e := range list {
		b := s.record(e.hit)
		seen += int(b[0])
		if len(b) > cacheLine {
			seen += int(b[cacheLine])
		}
	}
	w.seen += seen
}

func (w *writer) held(g *gate, x uint32) {
	record := g.held.record(x)
	p := readParts(record)
	w.common(g, p.common)
	w.common(g, p.summary)
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

// common writes a text that hits of a gate have in common.
func (w *writer) common(g *gate, place uint32) {
	if g.texts.write(w, place) {
		s := g.held.common.list[place]
		w.uint(uint64(len(s)))
		w.b = append(w.b, s...)
	}
}

func (r *reader) common(g *gate) string {
	place, fresh := number(r, g.texts.known)
	if fresh {
		place = g.held.common.number(r.take(r.uint()))
		g.texts.known = append(g.texts.known, place)
	}
	if r.err != nil {
		return ""
	}
	return g.held.common.list[place]
}

// entries reads a list whose times must be later than after, in order.
func (r *reader) entries(g *gate, s *ruleState, also func(e *entry)) []entry {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]entry, 0, n)
	for range n {
		x, fresh := number(r, g.hits.known)
		if fresh {
			x = r.held(g, s)
			g.hits.known = append(g.hits.known, x)
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
	common, summary := r.common(g), r.common(g)
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

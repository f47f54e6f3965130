package correlate

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// gate is the modifiers with memory of one step. Their registers go by the values of per, which need not be the partition key, so gates stand
// before the partitions: a hit enters its partition when every modifier lets it pass, and leaves it, or enters it with other outputs, if a hit
// that arrives later changes the answer. Every answer is a function of the hits in order (law N5): what lies at or before W is folded into
// what a modifier remembers, what is later is held and judged anew where hits out of order bear on it.
type gate struct {
	branch, step int
	held         held
	mods         []memory
	all          uint8 // The bits of all modifiers.
	outputs      int   // Values appended to the fields of hits that pass.
	limit        int   // Registers of one modifier.
	waits        bool  // Hits are judged when W reaches them.
	noted        []uint32
	out          []flip

	hits, texts numbering // While a snapshot is written or read.
}

// memory is one modifier of a step.
type memory interface {
	// reads looks at what the modifier goes by. known is false if it is unknown; room is false if that would be a register too many.
	reads(c *cell) (known, room bool)
	// offer lists the hit that reads has just looked at and answers for all hits it bears on, now or with the next flush. fresh is false if
	// the hit was listed before.
	offer(x uint32, c *cell, w int64) (fresh bool)
	// flush answers what offer has left open.
	flush()
	// decide answers for hits that W has reached and that could not be judged before, since something might have followed; end is how far
	// event time is known to have gone.
	decide(w, end int64)
	// tidy folds hits at or before w into what is remembered, and forgets what has had its time.
	tidy(w int64)
	// values appends what a hit that passes exposes.
	values(x uint32, out []event.FieldValue) []event.FieldValue
	// why says in a few words why a hit does not pass.
	why(x uint32) string
	// size is how many registers there are, and the bytes of all that is not in held.
	size() (registers int, bytes int64)
	// giveUp forgets one in so many registers, the newest.
	giveUp(share int) (registers int)

	// recall says what is remembered under the names asked for.
	recall(now int64, about func(name string) bool) []Memory

	write(w *writer, now int64)
	read(r *reader, s *ruleState)
}

// flip is a hit that enters its partition, leaves it, or both.
type flip struct {
	*cell
	leaves, enters bool
}

func newGate(branch, step int, x *rules.Step, limit int, observed bool) *gate {
	g := &gate{branch: branch, step: step, held: newHeld(), limit: limit, outputs: x.Outputs()}
	if x.Changed != nil {
		g.add(&changedMemory{gate: g, bit: g.bit(), Changed: x.Changed, names: newTexts(), prev: map[uint32]event.FieldValue{}})
	}
	if x.New != nil {
		g.add(&newMemory{gate: g, bit: g.bit(), New: x.New, thin: !observed && x.New.Inherit < 0 && thins(x)})
	}
	if x.Spike != nil {
		g.add(newSpikeMemory(g, x.Spike))
	}
	if x.Beacon != nil {
		g.add(newBeaconMemory(g, x.Beacon))
	}
	switch {
	case x.Drop == nil:
	case x.Drop.Volume != nil:
		g.add(newFallMemory(g, x.Drop))
	default:
		g.add(newBeatMemory(g, x.Drop))
	}
	g.waits = x.Drop != nil
	return g
}

func (g *gate) bit() uint8 { return 1 << len(g.mods) }

func (g *gate) add(m memory) {
	g.all |= g.bit()
	g.mods = append(g.mods, m)
}

// verdict is what became of a hit that was offered.
type verdict uint8

const (
	taken verdict = iota
	unknownValue
	noRoom
	seenBefore
	passedOver
)

// offer takes a hit later than w and gives the hits that enter or leave their partitions, in order, valid until the next call.
func (g *gate) offer(c *cell, w int64) (flips []flip, x uint32, v verdict) {
	for _, m := range g.mods {
		known, room := m.reads(c)
		switch {
		case !known:
			return nil, 0, unknownValue
		case !room:
			return nil, 0, noRoom
		}
	}
	x = g.held.add(c)
	for _, m := range g.mods {
		if !m.offer(x, c, w) {
			v = seenBefore
			break
		}
	}
	if g.held.slab[x].refs > 0 {
		return g.deliver(x, c), x, v
	}
	g.held.discard(x) // Nobody listed it: it has been seen before, or is frozen.
	if v == taken {
		v = passedOver
	}
	return nil, 0, v
}

// flush answers for what hits out of order have left open in this batch.
func (g *gate) flush() []flip {
	for _, m := range g.mods {
		m.flush()
	}
	return g.deliver(0, nil)
}

// decide answers for what W has reached.
func (g *gate) decide(w, end int64) []flip {
	for _, m := range g.mods {
		m.decide(w, end)
	}
	return g.deliver(0, nil)
}

func (g *gate) tidy(w int64) {
	for _, m := range g.mods {
		m.tidy(w)
	}
	g.held.forget()
}

// answer notes what a modifier says of a hit; other says that it exposes other values than before.
func (g *gate) answer(x uint32, bit uint8, pass, other bool) {
	h := &g.held.slab[x]
	if pass {
		h.pass |= bit
	} else {
		h.pass &^= bit
	}
	h.again = h.again || other && pass
	if !h.noted && ((h.pass == g.all) != h.placed || h.again && h.placed) {
		h.noted = true
		g.noted = append(g.noted, x)
	}
}

// passes reports whether a modifier lets a hit pass so far.
func (g *gate) passes(x uint32, bit uint8) bool { return g.held.slab[x].pass&bit != 0 }

// deliver gives the hits whose answer has changed. own, if not nil, is the hit x.
func (g *gate) deliver(x uint32, own *cell) []flip {
	g.out = g.out[:0]
	for _, y := range g.noted {
		h := &g.held.slab[y]
		if !h.noted {
			continue
		}
		enters := h.pass == g.all
		again := h.again
		h.noted, h.again = false, false
		if enters == h.placed && !(enters && again) {
			continue
		}
		c := own
		if c == nil || y != x {
			if c = g.held.cell(y); c == nil {
				continue
			}
		}
		if enters && g.outputs > 0 {
			c.Fields = slices.Clip(c.Fields)
			for _, m := range g.mods {
				c.Fields = m.values(y, c.Fields)
			}
		}
		g.out = append(g.out, flip{cell: c, leaves: h.placed, enters: enters})
		h.placed = enters
	}
	g.noted = g.noted[:0]
	if len(g.out) > 1 {
		slices.SortFunc(g.out, func(a, b flip) int { return compare(a.cell, b.cell) })
	}
	return g.out
}

// why says why a hit does not pass.
func (g *gate) why(x uint32) string {
	var parts []string
	for i, m := range g.mods {
		if !g.passes(x, 1<<i) {
			parts = append(parts, m.why(x))
		}
	}
	return strings.Join(parts, "; ")
}

// size is how many registers the gate has and the bytes of all it remembers.
func (g *gate) size() (registers int, bytes int64) {
	bytes = g.held.size()
	for _, m := range g.mods {
		n, b := m.size()
		registers, bytes = registers+n, bytes+b
	}
	return registers, bytes
}

// same reports whether two values of one field are the same.
func same(a, b event.FieldValue) bool {
	x, _ := text(a)
	y, _ := text(b)
	return x == y
}

// perKey joins the values of variables; ok is false if one is unbound.
func perKey(vars []string, per []int) (string, bool) {
	if len(per) == 1 {
		return vars[per[0]], vars[per[0]] != ""
	}
	var b strings.Builder
	for _, v := range per {
		if vars[v] == "" {
			return "", false
		}
		b.WriteString(vars[v])
		b.WriteString(keySeparator)
	}
	return b.String(), true
}

// boolean reads a carried flag.
func boolean(v event.FieldValue) bool { return v.Known && v.Num != 0 }

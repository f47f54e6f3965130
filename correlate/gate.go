package correlate

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// gate holds what `new` and `changed` of one step remember. Its registers go by the values of per, which need not be the partition key, so
// gates stand before the partitions: a hit enters its partition when the gate lets it pass, and leaves it if a hit that arrives later
// changes the answer.
type gate struct {
	branch, step int
	fresh        *rules.New
	changed      *rules.Changed
	news         map[string]*register
	changes      map[string]*register
}

// register is what is remembered for one set of per values: all values under one name for changed, one list per value for new.
type register struct {
	first  int64 // Earliest time something was learned; forever before.
	values map[string]*sightings
}

// sightings are the hits of one value, those after W in order; before them only what the next answer depends on.
type sightings struct {
	seen  bool
	time  int64            // Of the last hit at or before W.
	value event.FieldValue // Changed: its value.
	cells []*sight
}

// sight is one hit at a gate.
type sight struct {
	*cell
	value    event.FieldValue // Changed: its value.
	newOK    bool
	changeOK bool
}

func (x *sight) passes() bool { return x.newOK && x.changeOK }

// follow notes the value before x's, which its cell carries after all else, and reports whether that is another one than before. Partitions
// may have the cell already, so that it is then replaced and not changed.
func (x *sight) follow(prev event.FieldValue) bool {
	last := len(x.Fields) - 1
	if was := x.Fields[last]; was.Known == prev.Known && same(was, prev) && slices.Equal(was.Lst, prev.Lst) {
		return false
	}
	c := *x.cell
	c.Fields = append(slices.Clip(c.Fields[:last]), prev)
	x.cell = &c
	return true
}

func newGate(branch, step int, x *rules.Step) *gate {
	return &gate{branch: branch, step: step, fresh: x.New, changed: x.Changed, news: map[string]*register{}, changes: map[string]*register{}}
}

// offer takes a hit later than w and appends to out the hits whose answer or earlier value it decides or changes, in order; ok is false if a
// value or a variable of per is unknown.
func (g *gate) offer(c *cell, w int64, out []*sight) (_ []*sight, ok bool) {
	x := &sight{cell: c, newOK: g.fresh == nil, changeOK: g.changed == nil}
	before := len(out)
	if g.changed != nil {
		per, known := perKey(c, g.changed.Per)
		x.value = c.Fields[g.changed.Value]
		if !known || !x.value.Known {
			return out, false
		}
		c.Fields = append(slices.Clip(c.Fields), event.FieldValue{Kind: x.value.Kind}) // See follow.
		out = g.change(registerOf(g.changes, per), x, w, out)
	}
	if g.fresh != nil {
		per, known := perKey(c, g.fresh.Per)
		value, valued := text(c.Fields[g.fresh.Value])
		if !known || !valued {
			return out[:before], false
		}
		out = g.learn(registerOf(g.news, per), x, value, w, out)
	}
	if x.passes() {
		out = append(out, x)
	}
	slices.SortFunc(out[before:], func(a, b *sight) int { return compare(a.cell, b.cell) })
	return out, true
}

// change inserts into the one list of a changed register: only the hit itself and the one after it can be affected.
func (g *gate) change(r *register, x *sight, w int64, out []*sight) []*sight {
	s := r.sightings("")
	s.settle(w)
	at, found := slices.BinarySearchFunc(s.cells, x.cell, func(a *sight, c *cell) int { return compare(a.cell, c) })
	if found {
		x.changeOK = false
		return out
	}
	s.cells = slices.Insert(s.cells, at, x)
	for i := at; i < min(at+2, len(s.cells)); i++ {
		y, was := s.cells[i], s.cells[i].passes()
		prev, seen := s.value, s.seen
		if i > 0 {
			prev, seen = s.cells[i-1].value, true
		}
		y.changeOK = seen && !same(prev, y.value)
		other := y.changeOK && y.follow(prev) // Nobody sees the others, and these are many: a state that is reported again and again.
		if y != x && (y.passes() != was || was && other) {
			out = append(out, y)
		}
	}
	return out
}

// learn inserts into the list of a value: the hit itself and the next of the value are affected, and everything if learning now begins earlier.
func (g *gate) learn(r *register, x *sight, value string, w int64, out []*sight) []*sight {
	if g.fresh.Freeze >= 0 && boolean(x.Fields[g.fresh.Freeze]) {
		return out
	}
	s := r.sightings(value)
	s.settle(w)
	at, found := slices.BinarySearchFunc(s.cells, x.cell, func(a *sight, c *cell) int { return compare(a.cell, c) })
	if found {
		return out
	}
	s.cells = slices.Insert(s.cells, at, x)
	if x.time() >= r.first {
		return g.judge(r, s, at, at+2, x, out)
	}
	r.first = x.time()
	for _, list := range r.values {
		out = g.judge(r, list, 0, len(list.cells), x, out) // In any order: the flips are sorted.
	}
	return out
}

// judge answers for some hits of a value anew.
func (g *gate) judge(r *register, s *sightings, first, last int, own *sight, out []*sight) []*sight {
	for i := first; i < min(last, len(s.cells)); i++ {
		y, was := s.cells[i], s.cells[i].passes()
		prev, seen := s.time, s.seen
		if i > 0 {
			prev, seen = s.cells[i-1].time(), true
		}
		y.newOK = (!seen || y.time()-prev > g.fresh.History) && y.time()-r.first >= g.fresh.Learn
		if y != own && y.passes() != was {
			out = append(out, y)
		}
	}
	return out
}

// settle folds hits at or before w into what comes before the list.
func (s *sightings) settle(w int64) {
	n := 0
	for n < len(s.cells) && s.cells[n].time() <= w {
		s.seen, s.time, s.value = true, s.cells[n].time(), s.cells[n].value
		n++
	}
	if n > 0 {
		s.cells = slices.Delete(s.cells, 0, n)
	}
}

// sweep forgets values that have left the history.
func (g *gate) sweep(w int64) {
	for _, r := range g.news {
		for v, s := range r.values {
			s.settle(w)
			if len(s.cells) == 0 && w-s.time > g.fresh.History {
				delete(r.values, v)
			}
		}
	}
}

// same reports whether two values of one field are the same.
func same(a, b event.FieldValue) bool {
	x, _ := text(a)
	y, _ := text(b)
	return x == y
}

func (g *gate) size() int { return len(g.news) + len(g.changes) }

func registerOf(all map[string]*register, per string) *register {
	r := all[per]
	if r == nil {
		r = &register{first: forever, values: map[string]*sightings{}}
		all[per] = r
	}
	return r
}

func (r *register) sightings(value string) *sightings {
	s := r.values[value]
	if s == nil {
		s = &sightings{}
		r.values[value] = s
	}
	return s
}

// perKey joins the values of variables; ok is false if one is unbound.
func perKey(c *cell, per []int) (string, bool) {
	if len(per) == 1 {
		return c.Vars[per[0]], c.Vars[per[0]] != ""
	}
	var b strings.Builder
	for _, v := range per {
		if c.Vars[v] == "" {
			return "", false
		}
		b.WriteString(c.Vars[v])
		b.WriteByte(0x1f)
	}
	return b.String(), true
}

// seed tells a new register values that were seen before t, with the learning time over.
func (g *gate) seed(per string, values []string, t int64) {
	r := registerOf(g.news, per)
	r.first = min(r.first, t-g.fresh.Learn)
	for _, v := range values {
		s := r.sightings(v)
		s.seen, s.time = true, t
	}
}

// boolean reads a carried flag.
func boolean(v event.FieldValue) bool { return v.Known && v.Num != 0 }

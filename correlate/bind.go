package correlate

import (
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// keySeparator joins the values of a partition key.
const keySeparator = "\x1f"

// hit appends the hits of one step, as yet without their event: one for every combination of the values its variables take.
func (s *Scratch) hit(t *target, e *event.Event, out []event.Hit) []event.Hit {
	combos, ok := s.bind(t, e)
	if !ok {
		return out
	}
	fields := s.fields(t, e)
	for _, vars := range combos {
		out = append(out, event.Hit{
			Rule: t.rule.ID, Version: t.rule.Version, Branch: t.branch, Step: t.step,
			Key: s.key(t.rule.Plan.Key, vars), Vars: vars, Fields: fields,
		})
	}
	return out
}

// bind gives the combinations of variable values of an event at a step. A required variable without a value means no hit: null never joins.
func (s *Scratch) bind(t *target, e *event.Event) ([][]string, bool) {
	if t.single != nil {
		return s.bindSingle(t, e)
	}
	n := len(t.rule.Plan.Vars)
	s.first = append(s.first[:0], make([]string, n)...)
	s.combos = append(s.combos[:0], s.first)
	for i := range t.Bind {
		if !s.spread(t, e, &t.Bind[i]) {
			s.null(t, t.Bind[i].Var)
			return nil, false
		}
	}
	bound := len(t.BindAny) == 0
	for _, group := range t.BindAny {
		if !slices.ContainsFunc(group, func(b rules.Binding) bool { return len(s.take(e, &b)) == 0 }) {
			bound = true
			for i := range group {
				s.spread(t, e, &group[i])
			}
		}
	}
	if !bound {
		s.null(t, t.BindAny[0][0].Var)
		return nil, false
	}
	for i := range t.Emit {
		s.spread(t, e, &t.Emit[i])
	}
	if len(s.combos) > MaxValues {
		s.counts[t.index].wide++
		return nil, false
	}
	s.combos[0] = s.shared(s.first)
	return s.combos, true
}

// shared is a copy of a list of interned values, which nobody changes: that of an earlier hit where one of those met last bound the same.
func (s *Scratch) shared(values []string) []string {
	if len(values) == 0 {
		return []string{}
	}
	at := uintptr(len(values))
	for _, v := range values {
		at = at*31 + uintptr(unsafe.Pointer(unsafe.StringData(v)))>>4
	}
	last := &s.bound[at%uintptr(len(s.bound))]
	if !slices.Equal(*last, values) {
		*last = slices.Clone(values)
	}
	return *last
}

// bindSingle is bind for a rule whose only variable is bound by the step to one value: hits that bring the same share it.
func (s *Scratch) bindSingle(t *target, e *event.Event) ([][]string, bool) {
	values := s.take(e, t.single)
	if len(values) == 0 {
		s.null(t, t.single.Var)
		return nil, false
	}
	s.combos = append(s.combos[:0], s.interned(values[0]))
	return s.combos, true
}

func (s *Scratch) null(t *target, v int) {
	c := &s.counts[t.index]
	c.nulls++
	c.nullOf = t.rule.Plan.Vars[v].Name
}

// spread sets a variable in every combination, multiplying them where it has several values; false if it has none.
func (s *Scratch) spread(t *target, e *event.Event, b *rules.Binding) bool {
	values := s.take(e, b)
	if len(values) == 0 {
		return false
	}
	n := len(s.combos)
	if n*len(values) > 8*MaxValues { // More than can pass; do not build them all.
		values = values[:1+8*MaxValues/n]
	}
	for _, v := range values[1:] {
		v = s.intern(v)
		for _, c := range s.combos[:n] {
			c = slices.Clone(c)
			c[b.Var] = v
			s.combos = append(s.combos, c)
		}
	}
	v := s.intern(values[0])
	for _, c := range s.combos[:n] {
		c[b.Var] = v
	}
	return true
}

// take reads the values of a binding; the slice is valid until the next call.
func (s *Scratch) take(e *event.Event, b *rules.Binding) []string {
	s.values = s.values[:0]
	if b.Found != "" {
		if v := s.variable(b.Found); v != "" {
			s.values = append(s.values, v)
		}
		return s.values
	}
	if b.Field == nil {
		if v := e.PrimaryEntity(b.Kind, b.Role); v != "" {
			s.values = append(s.values, v)
		}
		return s.values
	}
	if b.Field.Kind == event.KindStrings {
		for _, v := range b.Field.Lst(e) {
			if v != "" && !slices.Contains(s.values, v) {
				s.values = append(s.values, v)
			}
		}
		return s.values
	}
	if v, ok := text(read(b.Field, e)); ok && v != "" {
		s.values = append(s.values, v)
	}
	return s.values
}

func (s *Scratch) key(vars []int, values []string) string {
	switch len(vars) {
	case 0:
		return ""
	case 1:
		return values[vars[0]]
	}
	n := len(vars) - 1
	for _, v := range vars {
		n += len(values[v])
	}
	var b strings.Builder
	b.Grow(n)
	for i, v := range vars {
		if i > 0 {
			b.WriteString(keySeparator)
		}
		b.WriteString(values[v])
	}
	return b.String()
}

// fields copies what the hit carries. Nobody changes a list, so that of the hit before is shared where it has the same values, as most have: what
// carries no machine's name or number is often a yes or no.
func (s *Scratch) fields(t *target, e *event.Event) []event.FieldValue {
	x := t.Step
	if len(x.Fields)+len(x.Values) == 0 {
		return nil
	}
	s.carries = s.carries[:0]
	for _, f := range x.Fields {
		s.carries = append(s.carries, read(f, e))
	}
	for _, v := range x.Values {
		got, err := v.Value(s.machine, e)
		if err != nil {
			got = event.FieldValue{Kind: v.Kind()}
		}
		got.Lst = slices.Clone(got.Lst) // The machine's until it is asked again.
		s.carries = append(s.carries, got)
	}
	last := &s.carried[t.place%len(s.carried)]
	if !identical(*last, s.carries) {
		*last = slices.Clone(s.carries)
		for i := range *last {
			s.own(&(*last)[i])
		}
	}
	clear(s.carries) // They would keep the event's memory.
	return *last
}

// identical reports whether two lists of values are the same in every respect.
func identical(list, other []event.FieldValue) bool {
	if len(list) != len(other) {
		return false
	}
	for i := range list {
		a, b := &list[i], &other[i]
		if a.Kind != b.Kind || a.Known != b.Known || a.Num != b.Num || a.Str != b.Str ||
			math.Float64bits(a.Flt) != math.Float64bits(b.Flt) || (a.Lst == nil) != (b.Lst == nil) || !slices.Equal(a.Lst, b.Lst) {
			return false
		}
	}
	return true
}

// read boxes a field's value.
func read(f *event.Field, e *event.Event) event.FieldValue {
	v := event.FieldValue{Kind: f.Kind}
	switch f.Kind {
	case event.KindString:
		v.Str = f.Str(e)
		v.Known = v.Str != ""
	case event.KindInt, event.KindTime:
		v.Num, v.Known = f.Num(e)
	case event.KindFloat:
		v.Flt, v.Known = f.Flt(e)
	case event.KindBool:
		b := f.Tri(e)
		v.Known = b.Known()
		if b == event.True {
			v.Num = 1
		}
	default:
		v.Lst = f.Lst(e)
		v.Known = len(v.Lst) > 0
	}
	return v
}

// own makes a value independent of the event's memory.
func (s *Scratch) own(v *event.FieldValue) {
	v.Str = s.intern(v.Str)
	if len(v.Lst) > 0 {
		list := make([]string, len(v.Lst))
		for i, x := range v.Lst {
			list[i] = s.intern(x)
		}
		v.Lst = list
	}
}

// intern gives a copy of v that is shared with earlier ones.
func (s *Scratch) intern(v string) string {
	if v == "" {
		return ""
	}
	return s.interned(v)[0]
}

// interned is intern for a list of that one text, which nobody changes. Hits of one event bring the same values, and one machine's follow each
// other: those met last are found without a hash of the whole. The table is emptied when it has grown large.
func (s *Scratch) interned(v string) []string {
	last := &s.lately[latelyOf(v)]
	if len(*last) > 0 && (*last)[0] == v {
		return *last
	}
	have, ok := s.names[v]
	if !ok {
		if len(s.names) >= 1<<14 {
			clear(s.names)
		}
		v = strings.Clone(v)
		have = []string{v}
		s.names[v] = have
	}
	*last = have
	return have
}

// latelyOf is the place of a text among those met last: by its length, its end and its middle, where the names of machines, people and addresses
// differ.
func latelyOf(v string) uint64 {
	h := uint64(len(v))
	if n := len(v); n >= 8 {
		h += eightOf(v, n-8) ^ eightOf(v, (n-8)/2)*hashPrime
	} else {
		for i := range n {
			h = h<<8 | uint64(v[i])
		}
	}
	return h * hashPrime >> (64 - latelyBits)
}

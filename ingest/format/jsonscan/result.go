package jsonscan

import (
	"bytes"
	"iter"
	"unsafe"
)

// Result holds what one Scan found, by slot: the position of a path in Compile. The zero Result is
// ready for use; use one again and again to avoid allocation.
type Result struct {
	doc     []byte
	multi   []bool // of the plan: paths with []
	slots   []slot
	extra   []slot   // second and later matches of paths with []
	members []member // of paths with {}
	arena   []byte
	keys    keySet
}

// slot is a value's place in the document.
type slot struct {
	start, end uint32
	next       int32 // 1 + index in extra of the next match; 0 ends the list
	last       int32 // in the first match: 1 + index of the last one
	kind       Kind
	escaped    bool
}

// member is one of an object whose members a path with {} wants.
type member struct {
	of    int32
	name  string
	value slot
}

func (r *Result) reset(p *Plan, doc []byte) {
	r.doc, r.multi = doc, p.multi
	if cap(r.slots) < len(p.paths) {
		r.slots = make([]slot, len(p.paths))
	}
	r.slots = r.slots[:len(p.paths)]
	clear(r.slots)
	r.extra = r.extra[:0]
	r.members = r.members[:0]
	if cap(r.members) > maxKeptRefs {
		r.members = nil
	}
	if cap(r.extra) > maxKeptRefs {
		r.extra = nil
	}
}

// Enter makes the result what a scan of the value at a slot alone would have given, if the slots from first on have the paths below it. It does nothing
// where the value is missing.
func (r *Result) Enter(i, first int) {
	v := r.slots[i]
	if v.kind == Missing {
		return
	}
	r.doc, r.multi = r.doc[v.start:v.end:v.end], r.multi[first:]
	r.slots = r.slots[:copy(r.slots, r.slots[first:])]
	for _, list := range [...][]slot{r.slots, r.extra} {
		for j := range list {
			if s := &list[j]; s.kind != Missing {
				s.start, s.end = s.start-v.start, s.end-v.start
			}
		}
	}
}

func (r *Result) put(slots []int32, v slot) {
	for _, i := range slots {
		first := &r.slots[i]
		if first.kind == Missing {
			*first = v
			continue
		}
		r.extra = append(r.extra, v)
		added := int32(len(r.extra))
		if first.last == 0 {
			first.next = added
		} else {
			r.extra[first.last-1].next = added
		}
		first.last = added
	}
}

func (r *Result) value(s *slot) Value {
	return Value{raw: r.doc[s.start:s.end:s.end], kind: s.kind, escaped: s.escaped}
}

// Value returns what stands at a slot; for a path with [], its first match. The other accessors are
// shorthands for those of Value.
func (r *Result) Value(i int) Value { return r.value(&r.slots[i]) }

// Object returns the whole document, where it is an object; else a missing Value.
func (r *Result) Object() Value {
	doc := bytes.TrimRight(bytes.TrimLeft(r.doc, " \t\r\n"), " \t\r\n")
	if len(doc) == 0 || doc[0] != '{' {
		return Value{}
	}
	return Value{raw: doc, kind: Object}
}

// Kind returns the kind of a slot's value, Missing where the document does not have the path.
func (r *Result) Kind(i int) Kind { return r.slots[i].kind }

// Exists reports whether the document has the path, be it null.
func (r *Result) Exists(i int) bool { return r.slots[i].kind != Missing }

// IsNull reports whether the value is null.
func (r *Result) IsNull(i int) bool { return r.slots[i].kind == Null }

// Raw returns the value's bytes as they stand in the document; nil where it is missing.
func (r *Result) Raw(i int) []byte {
	s := &r.slots[i]
	if s.kind == Missing {
		return nil
	}
	return r.doc[s.start:s.end:s.end]
}

// arenaChunk is how much is taken at once for unescaped strings. Chunks are never written twice.
const arenaChunk = 4 << 10

// Str returns the text of a string, unescaped; "" for anything else.
func (r *Result) Str(i int) string {
	s := &r.slots[i]
	if s.kind != String {
		return ""
	}
	body := r.doc[s.start+1 : s.end-1]
	if !s.escaped {
		return unsafe.String(unsafe.SliceData(body), len(body))
	}
	if len(body) > arenaChunk/4 {
		return bytesAsString(appendUnescaped(make([]byte, 0, len(body)), body))
	}
	if cap(r.arena)-len(r.arena) < len(body) {
		r.arena = make([]byte, 0, arenaChunk)
	}
	from := len(r.arena)
	r.arena = appendUnescaped(r.arena, body)
	return bytesAsString(r.arena[from:])
}

// Text returns a string's text, or the literal of a number or boolean; "" for anything else. It serves
// identifiers that some versions of a sender write as numbers.
func (r *Result) Text(i int) string {
	if r.slots[i].kind == String {
		return r.Str(i)
	}
	return r.Value(i).Text()
}

// Int64 returns an integer, exact; see Value.Int64.
func (r *Result) Int64(i int) (int64, bool) { return r.Value(i).Int64() }

// LooseInt64 is Int64 that also reads an integer written as a string.
func (r *Result) LooseInt64(i int) (int64, bool) { return r.Value(i).LooseInt64() }

// Uint64 returns an unsigned integer, exact.
func (r *Result) Uint64(i int) (uint64, bool) { return r.Value(i).Uint64() }

// Float returns a number; false for anything else, and for numbers beyond a float64.
func (r *Result) Float(i int) (float64, bool) { return r.Value(i).Float() }

// LooseFloat is Float that also reads a number written as a string.
func (r *Result) LooseFloat(i int) (float64, bool) { return r.Value(i).LooseFloat() }

// Bool returns a boolean; ok is false for anything else.
func (r *Result) Bool(i int) (v, ok bool) { return r.Value(i).Bool() }

// LooseBool is Bool that also reads "true" and "false" written as strings, in any case.
func (r *Result) LooseBool(i int) (v, ok bool) { return r.Value(i).LooseBool() }

// Members yields the members of the object that a path with {} stands for, in their order; nothing where it is missing or something else.
func (r *Result) Members(i int) iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for j := range r.members {
			if m := &r.members[j]; m.of == int32(i) && !yield(m.name, r.value(&m.value)) {
				return
			}
		}
	}
}

// Each yields the values of a slot: every match of a path with [], else every element of an array, else
// the single value. A missing slot and null yield nothing.
//
// Two paths such as "target[].id" and "target[].type" cannot be paired by position, because an element
// may lack one of them: capture "target[]" and use a second plan with ScanValue on each value.
func (r *Result) Each(i int) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		first := &r.slots[i]
		if first.kind == Array && !r.multi[i] {
			r.value(first).Elements()(yield)
			return
		}
		for s := first; s.kind != Missing; s = &r.extra[s.next-1] {
			if s.kind != Null && !yield(r.value(s)) {
				return
			}
			if s.next == 0 {
				return
			}
		}
	}
}

func bytesAsString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

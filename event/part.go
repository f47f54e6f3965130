package event

// Part is which members of an event are read from its compact form. The zero value is all of them. It is immutable: share it freely.
type Part struct{ want [maxPart]bool }

// maxPart is above the numbers of the members of an event. basics are always read: class, activity, severity, status and time.
const (
	maxPart = 128
	basics  = 6
)

// PartOf is the part of an event that the getters of some fields need. It is all of the event where a field does not tell.
func PartOf(fields ...*Field) Part {
	var p Part
	for _, f := range fields {
		n := member(f)
		if n == 0 {
			return Part{}
		}
		p.want[n] = true
	}
	for n := 1; n <= basics; n++ {
		p.want[n] = true
	}
	return p
}

// member is the number of the member that setting a field changes; 0 if that is none or not one alone.
func member(f *Field) int {
	if f.Set == nil || f.Flags&(IsCaption|Derived) != 0 {
		return 0
	}
	var e Event
	f.Set(&e, Value{Str: "x", Num: 1000, Flt: 1, Tri: True, Lst: []string{"x"}})
	r := reader{b: string(appendEvent(nil, &e))}
	n, wire := r.tag()
	r.skip(wire)
	if n >= maxPart || r.err != nil || len(r.b) != 0 {
		return 0
	}
	return n
}

// DecodePart is Decode of a part of an event: what does not belong to it is passed over, and is unknown in e. Where most of many events is thrown
// away again this costs a fraction. scratch is used and given back, grown if need be.
func DecodePart(b []byte, e *Event, p *Part, scratch []byte) ([]byte, error) {
	if !p.want[1] {
		return scratch, Decode(b, e)
	}
	if len(b) == 0 || b[0] != codecVersion {
		return scratch, ErrCorrupt
	}
	scratch = append(scratch[:0], codecVersion)
	for at := 1; ; {
		n, wire, next, ok := skim(b, at)
		if !ok {
			return scratch, ErrCorrupt
		}
		if n == 0 {
			break
		}
		if next, ok = pass(b, next, wire, 0); !ok {
			return scratch, ErrCorrupt
		}
		if n < maxPart && p.want[n] {
			scratch = append(scratch, b[at:next]...)
		}
		at = next
	}
	scratch = append(scratch, 0, 0)
	return scratch, Decode(scratch, e)
}

// skim reads the tag at a place.
func skim(b []byte, at int) (n, wire, next int, ok bool) {
	v, next, ok := varint(b, at)
	return int(v >> 2), int(v & 3), next, ok && v>>2 <= 1<<20
}

func varint(b []byte, at int) (v uint64, next int, ok bool) {
	for i := 0; i < 10 && at < len(b); i++ {
		c := b[at]
		at++
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, at, true
		}
	}
	return 0, at, false
}

// pass gives the place behind a value.
func pass(b []byte, at, wire, depth int) (int, bool) {
	switch wire {
	case wireNumber:
		_, at, ok := varint(b, at)
		return at, ok
	case wireText:
		n, at, ok := varint(b, at)
		if !ok || n > uint64(len(b)-at) {
			return at, false
		}
		return at + int(n), true
	case wireFloat:
		return at + 8, len(b)-at >= 8
	}
	for depth < maxDepth {
		n, wire, next, ok := skim(b, at)
		if !ok || n == 0 {
			return next, ok
		}
		if at, ok = pass(b, next, wire, depth+1); !ok {
			return at, false
		}
	}
	return at, false
}

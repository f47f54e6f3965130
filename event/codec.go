package event

import (
	"encoding/binary"
	"errors"
	"math"
)

// The compact form of an event: a version byte, then fields as (number<<2 | wire type) varints with their values, nested structs as groups
// closed by a zero byte. Unknown fields are absent; a reader skips numbers it does not know, so old and new versions read each other.
const codecVersion = 1

const (
	wireNumber = iota // zig-zag varint
	wireText          // length, bytes
	wireGroup         // fields, closed by a zero byte
	wireFloat         // 8 bytes, little endian
)

// maxDepth bounds nesting when reading; the struct itself nests less deeply.
const maxDepth = 8

// ErrCorrupt means that bytes are not a compact event.
var ErrCorrupt = errors.New("compact event is damaged")

// Append adds the compact form of e, without its envelope, to b.
func Append(b []byte, e *Event) []byte {
	b = append(b, codecVersion)
	b = appendEvent(b, e)
	b = append(b, 0)
	for i := range e.Unmapped {
		b = binary.AppendUvarint(b, uint64(len(e.Unmapped[i].Key))+1)
		b = append(b, e.Unmapped[i].Key...)
		b = binary.AppendUvarint(b, uint64(len(e.Unmapped[i].Value)))
		b = append(b, e.Unmapped[i].Value...)
	}
	b = append(b, 0)
	return b
}

// Decode reads what Append wrote into e, which keeps its envelope and entities. Strings of e are copies.
func Decode(b []byte, e *Event) error {
	if len(b) == 0 || b[0] != codecVersion {
		return ErrCorrupt
	}
	r := reader{b: string(b[1:])}
	readEvent(&r, e)
	for r.err == nil {
		n := r.uvarint()
		if n == 0 {
			break
		}
		key := r.take(n - 1)
		e.Unmapped = append(e.Unmapped, Attribute{Key: key, Value: r.take(r.uvarint())})
	}
	if r.err == nil && len(r.b) != 0 {
		r.err = ErrCorrupt
	}
	return r.err
}

func appendTag(b []byte, num, wire int) []byte {
	return binary.AppendUvarint(b, uint64(num)<<2|uint64(wire))
}

func openGroup(b []byte, num int) []byte { return appendTag(b, num, wireGroup) }

func appendText(b []byte, num int, s string) []byte {
	b = appendTag(b, num, wireText)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendNumber(b []byte, num int, v int64) []byte {
	return binary.AppendVarint(appendTag(b, num, wireNumber), v)
}

func appendFloat(b []byte, num int, v float64) []byte {
	return binary.LittleEndian.AppendUint64(appendTag(b, num, wireFloat), math.Float64bits(v))
}

// reader keeps the first error; after it every read gives zero values and tag gives 0, so loops end.
type reader struct {
	b     string
	depth int
	err   error
}

func (r *reader) fail() { r.err, r.b = ErrCorrupt, "" }

func (r *reader) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.b) && i < binary.MaxVarintLen64; i++ {
		c := r.b[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return v
		}
	}
	r.fail()
	return 0
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

// tag gives the next field number and wire type; number 0 closes a group.
func (r *reader) tag() (num, wire int) {
	if r.err != nil {
		return 0, 0
	}
	v := r.uvarint()
	if v == 0 {
		r.depth--
		return 0, 0
	}
	if v>>2 > 1<<20 {
		r.fail()
		return 0, 0
	}
	return int(v >> 2), int(v & 3)
}

func (r *reader) group(wire int) bool {
	if wire != wireGroup || r.depth >= maxDepth {
		r.fail()
		return false
	}
	r.depth++
	return true
}

func (r *reader) text(wire int) string {
	if wire != wireText {
		r.fail()
		return ""
	}
	return r.take(r.uvarint())
}

func (r *reader) number(wire int) int64 {
	if wire != wireNumber {
		r.fail()
		return 0
	}
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) float(wire int) float64 {
	if wire != wireFloat || len(r.b) < 8 {
		r.fail()
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64([]byte(r.take(8))))
}

func (r *reader) skip(wire int) {
	switch wire {
	case wireNumber:
		r.uvarint()
	case wireText:
		r.take(r.uvarint())
	case wireFloat:
		r.take(8)
	case wireGroup:
		if !r.group(wire) {
			return
		}
		for {
			num, w := r.tag()
			if num == 0 {
				return
			}
			r.skip(w)
		}
	}
}

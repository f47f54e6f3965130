package event

import (
	"encoding/binary"
	"math"
)

const hitVersion = 1

// AppendHit adds the compact form of h to b, without its event, which hits share: AppendRef writes that.
func AppendHit(b []byte, h *Hit) []byte {
	start := len(b)
	b = append(b, hitVersion)
	b = appendString(b, h.Rule)
	b = binary.AppendVarint(b, int64(h.Version))
	b = append(b, h.Branch, h.Step)
	b = appendString(b, h.Key)
	return prefixLength(appendHitValues(b, h), start)
}

// ReadHit reads what AppendHit wrote at the start of b into h, but for h.Ref, and gives the bytes after it. The hit shares no memory with b.
// The error wraps ErrCorrupt; h is then meaningless.
func ReadHit(b []byte, h *Hit) ([]byte, error) {
	r, rest := openBody(b, hitVersion)
	h.Rule, h.Version = r.string(), int32(r.varint())
	h.Branch, h.Step = r.byte(), r.byte()
	h.Key = r.string()
	r.hitValues(h)
	return rest, r.end()
}

// AppendHitValues adds the variables and fields of h alone, for a log that keeps the rest elsewhere.
func AppendHitValues(b []byte, h *Hit) []byte {
	start := len(b)
	return prefixLength(appendHitValues(append(b, hitVersion), h), start)
}

// ReadHitValues reads what AppendHitValues wrote, as ReadHit does.
func ReadHitValues(b []byte, h *Hit) ([]byte, error) {
	r, rest := openBody(b, hitVersion)
	r.hitValues(h)
	return rest, r.end()
}

func appendHitValues(b []byte, h *Hit) []byte {
	b = binary.AppendUvarint(b, uint64(len(h.Vars)))
	for _, v := range h.Vars {
		b = appendString(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(h.Fields)))
	for i := range h.Fields {
		b = appendValue(b, &h.Fields[i])
	}
	return b
}

func (r *reader) hitValues(h *Hit) {
	h.Vars, h.Fields = r.strings(), nil
	if n := r.count(1); n > 0 {
		h.Fields = make([]FieldValue, n)
		for i := range h.Fields {
			h.Fields[i] = r.value()
		}
	}
}

func (r *reader) strings() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.string()
	}
	return out
}

func appendValue(b []byte, v *FieldValue) []byte {
	b = append(b, byte(v.Kind)<<1|flag(v.Known))
	if !v.Known {
		return b
	}
	switch v.Kind {
	case KindString:
		return appendString(b, v.Str)
	case KindFloat:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Flt))
	case KindStrings:
		b = binary.AppendUvarint(b, uint64(len(v.Lst)))
		for _, s := range v.Lst {
			b = appendString(b, s)
		}
		return b
	default:
		return binary.AppendVarint(b, v.Num)
	}
}

func (r *reader) value() (v FieldValue) {
	tag := r.byte()
	v.Kind, v.Known = Kind(tag>>1), tag&1 == 1
	if v.Kind > KindTime {
		r.fail()
		return FieldValue{}
	}
	if !v.Known {
		return v
	}
	switch v.Kind {
	case KindString:
		v.Str = r.string()
	case KindFloat:
		v.Flt = r.float(wireFloat)
	case KindStrings:
		v.Lst = r.strings()
	default:
		v.Num = r.varint()
	}
	return v
}

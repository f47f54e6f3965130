package store

import (
	"encoding/binary"
	"math"

	"github.com/tocsin-siem/tocsin/event"
)

// The first byte of a stored hit, note payload and carry. A reader refuses versions it does not know.
const (
	hitVersion   = 1
	refVersion   = 1
	carryVersion = 1
)

// appendHit writes what the row's own columns do not hold: variables, fields and the event.
func appendHit(b []byte, h *event.Hit) []byte {
	b = append(b, hitVersion)
	b = binary.AppendUvarint(b, uint64(len(h.Vars)))
	for _, v := range h.Vars {
		b = appendString(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(h.Fields)))
	for i := range h.Fields {
		b = appendValue(b, &h.Fields[i])
	}
	return appendRef(b, h.Ref)
}

// decodeHit fills h from what appendHit wrote.
func decodeHit(b []byte, h *event.Hit) error {
	r := reader{b: b}
	if r.byte() != hitVersion {
		return errCorrupt
	}
	if n := r.count(); n > 0 {
		h.Vars = make([]string, n)
		for i := range h.Vars {
			h.Vars[i] = r.text()
		}
	}
	if n := r.count(); n > 0 {
		h.Fields = make([]event.FieldValue, n)
		for i := range h.Fields {
			h.Fields[i] = r.value()
		}
	}
	h.Ref = r.ref()
	if r.err == nil && len(r.b) > 0 {
		return errCorrupt
	}
	return r.err
}

func appendValue(b []byte, v *event.FieldValue) []byte {
	tag := byte(v.Kind) << 1
	if v.Known {
		tag |= 1
	}
	b = append(b, tag)
	if !v.Known {
		return b
	}
	switch v.Kind {
	case event.KindString:
		return appendString(b, v.Str)
	case event.KindFloat:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Flt))
	case event.KindStrings:
		b = binary.AppendUvarint(b, uint64(len(v.Lst)))
		for _, s := range v.Lst {
			b = appendString(b, s)
		}
		return b
	default:
		return binary.AppendVarint(b, v.Num)
	}
}

func (r *reader) value() (v event.FieldValue) {
	tag := r.byte()
	v.Kind, v.Known = event.Kind(tag>>1), tag&1 == 1
	if v.Kind > event.KindTime {
		r.fail()
		return event.FieldValue{}
	}
	if !v.Known {
		return v
	}
	switch v.Kind {
	case event.KindString:
		v.Str = r.text()
	case event.KindFloat:
		if len(r.b) < 8 {
			r.fail()
			return v
		}
		v.Flt = math.Float64frombits(binary.LittleEndian.Uint64(r.b))
		r.b = r.b[8:]
	case event.KindStrings:
		v.Lst = make([]string, r.count())
		for i := range v.Lst {
			v.Lst[i] = r.text()
		}
	default:
		v.Num = r.varint()
	}
	return v
}

// appendRef writes an event as kept for evidence; nil is a zero byte.
func appendRef(b []byte, x *event.Ref) []byte {
	if x == nil {
		return append(b, 0)
	}
	b = append(b, refVersion)
	b = append(b, x.Event[:]...)
	b = binary.AppendVarint(b, x.Time)
	b = binary.AppendVarint(b, x.Received)
	b = appendString(b, x.Sequence)
	b = binary.AppendUvarint(b, uint64(x.ClassUID))
	b = binary.AppendUvarint(b, uint64(x.Activity))
	b = appendString(b, x.ActivityName)
	b = append(b, x.Severity, x.Status, flag(x.Future))
	for _, s := range [...]string{x.Domain, x.Source, x.Format, x.Summary} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(x.Entities)))
	for i := range x.Entities {
		e := &x.Entities[i]
		b = append(b, byte(e.Kind), byte(e.Role), byte(e.Strength), e.Object)
		b = appendString(b, e.Key)
		b = appendString(b, e.ID)
	}
	return b
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (r *reader) ref() *event.Ref {
	switch r.byte() {
	case 0:
		return nil
	case refVersion:
	default:
		r.fail()
		return nil
	}
	x := &event.Ref{Event: r.id(), Time: r.varint(), Received: r.varint(), Sequence: r.text()}
	x.ClassUID, x.Activity, x.ActivityName = uint32(r.uvarint()), uint16(r.uvarint()), r.text()
	x.Severity, x.Status, x.Future = r.byte(), r.byte(), r.byte() == 1
	for _, s := range [...]*string{&x.Domain, &x.Source, &x.Format, &x.Summary} {
		*s = r.text()
	}
	if n := r.count(); n > 0 {
		x.Entities = make([]event.EntityRef, n)
		for i := range x.Entities {
			e := &x.Entities[i]
			e.Kind, e.Role, e.Strength, e.Object = event.EntityKind(r.byte()), event.Role(r.byte()), event.Strength(r.byte()), r.byte()
			e.Key, e.ID = r.text(), r.text()
			if e.Kind > event.EntityResource || e.Role > event.RoleContext || e.Strength > event.Strong {
				r.fail()
			}
		}
	}
	return x
}

// decodeRef reads one event as kept for evidence.
func decodeRef(b []byte) (*event.Ref, error) {
	r := reader{b: b}
	x := r.ref()
	if r.err == nil && len(r.b) > 0 {
		return nil, errCorrupt
	}
	return x, r.err
}

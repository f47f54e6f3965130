package store

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// errCorrupt means that bytes read from the database are not what this program wrote.
var errCorrupt = errors.New("stored row is damaged")

// appendRefs writes how an event names its entities, and adds the distinct canonical ids to ids. A reference names its id by its place
// there; a key that follows from the id is left out.
func appendRefs(b []byte, refs []event.EntityRef, ids *[]string) []byte {
	for i := range refs {
		r := &refs[i]
		at := slices.Index(*ids, r.ID)
		if at < 0 {
			at = len(*ids)
			*ids = append(*ids, r.ID)
		}
		b = append(b, byte(r.Kind), byte(r.Role), byte(r.Strength), r.Object)
		b = binary.AppendUvarint(b, uint64(at))
		if keyOf(r.Kind, r.ID) == r.Key {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(r.Key))+1)
		b = append(b, r.Key...)
	}
	return b
}

// keyOf is the key behind an id of the form kind:key; "" for others.
func keyOf(kind event.EntityKind, id string) string {
	name := kind.String()
	if len(id) > len(name) && id[:len(name)] == name && id[len(name)] == ':' {
		return id[len(name)+1:]
	}
	return ""
}

// decodeRefs reads what appendRefs wrote.
func decodeRefs(b []byte, ids []string) ([]event.EntityRef, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := reader{b: b}
	refs := make([]event.EntityRef, 0, min(len(b)/6, 64))
	for len(r.b) > 0 && r.err == nil {
		x := event.EntityRef{Kind: event.EntityKind(r.byte()), Role: event.Role(r.byte()), Strength: event.Strength(r.byte()), Object: r.byte()}
		at := r.uvarint()
		if at >= uint64(len(ids)) || x.Kind > event.EntityResource || x.Role > event.RoleContext || x.Strength > event.Strong {
			return nil, errCorrupt
		}
		x.ID = ids[at]
		if n := r.uvarint(); n > 0 {
			x.Key = r.take(n - 1)
		} else {
			x.Key = keyOf(x.Kind, x.ID)
		}
		refs = append(refs, x)
	}
	return refs, r.err
}

// reader takes values off bytes. It keeps the first error; after it every read gives zero values, so loops end.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() { r.err, r.b = errCorrupt, nil }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// take gives a copy of the next n bytes.
func (r *reader) take(n uint64) string {
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) text() string { return r.take(r.uvarint()) }

// count reads how many elements follow, each of at least one byte.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) id() (id event.ID) {
	if len(r.b) < len(id) {
		r.fail()
		return id
	}
	copy(id[:], r.b)
	r.b = r.b[len(id):]
	return id
}

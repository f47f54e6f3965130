package event

import "encoding/binary"

// The compact forms of a Ref, a Hit (hitcodec.go) and a Note (notecodec.go) are each a length, a version byte and the fields in their order;
// so a reader copies the bytes of one thing once, and what is kept of it pins nothing else. A reader refuses versions it does not know, and
// counts are never believed beyond what the bytes could hold.
const (
	refVersion  = 1
	refVersion2 = 2 // A Ref with a site, which comes last.
)

// maxElements bounds the variables, fields, entities and list values of one thing when reading.
const maxElements = 1 << 16

// AppendRef adds the compact form of r to b; nil has one, too.
func AppendRef(b []byte, r *Ref) []byte {
	if r == nil {
		return append(b, 0)
	}
	start := len(b)
	if r.Site == "" {
		b = append(b, refVersion)
	} else {
		b = append(b, refVersion2)
	}
	b = append(b, r.Event[:]...)
	b = binary.AppendVarint(b, r.Time)
	b = binary.AppendVarint(b, r.Received-r.Time)
	b = appendString(b, r.Sequence)
	b = binary.AppendUvarint(b, uint64(r.ClassUID))
	b = binary.AppendUvarint(b, uint64(r.Activity))
	b = appendString(b, r.ActivityName)
	b = append(b, r.Severity, r.Status, flag(r.Future))
	for _, s := range [...]string{r.Domain, r.Source, r.Format, r.Summary} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Entities)))
	for i := range r.Entities {
		e := &r.Entities[i]
		b = append(b, byte(e.Kind), byte(e.Role), byte(e.Strength), e.Object)
		b = appendString(b, e.Key)
		b = appendString(b, e.ID)
	}
	if r.Site != "" {
		b = appendString(b, r.Site)
	}
	return prefixLength(b, start)
}

// ReadRef reads what AppendRef wrote at the start of b, and gives the bytes after it. The ref shares no memory with b. The error wraps ErrCorrupt.
func ReadRef(b []byte) (*Ref, []byte, error) {
	if len(b) > 0 && b[0] == 0 {
		return nil, b[1:], nil
	}
	r, rest, version := openBodies(b, refVersion, refVersion2)
	x := &Ref{Event: r.id(), Time: r.varint()}
	x.Received = x.Time + r.varint()
	x.Sequence = r.string()
	x.ClassUID, x.Activity, x.ActivityName = uint32(r.uvarint()), uint16(r.uvarint()), r.string()
	x.Severity, x.Status, x.Future = r.byte(), r.byte(), r.byte() == 1
	for _, s := range [...]*string{&x.Domain, &x.Source, &x.Format, &x.Summary} {
		*s = r.string()
	}
	if n := r.count(6); n > 0 {
		x.Entities = make([]EntityRef, n)
		for i := range x.Entities {
			e := &x.Entities[i]
			e.Kind, e.Role, e.Strength, e.Object = EntityKind(r.byte()), Role(r.byte()), Strength(r.byte()), r.byte()
			e.Key, e.ID = r.string(), r.string()
			if e.Kind > EntityResource || e.Role > RoleContext || e.Strength > Strong {
				r.fail()
			}
		}
	}
	if version == refVersion2 {
		if x.Site = r.string(); x.Site == "" {
			r.fail()
		}
	}
	if err := r.end(); err != nil {
		return nil, nil, err
	}
	return x, rest, nil
}

// prefixLength puts the length of b[start:] before it.
func prefixLength(b []byte, start int) []byte {
	var length [binary.MaxVarintLen64]byte
	n := len(b) - start
	k := binary.PutUvarint(length[:], uint64(n))
	b = append(b, length[:k]...)
	copy(b[start+k:], b[start:start+n])
	copy(b[start:], length[:k])
	return b
}

// openBody gives a reader of the body at the start of b, past its version, and what follows the body.
func openBody(b []byte, version byte) (r reader, rest []byte) {
	r, rest, _ = openBodies(b, version, version)
	return r, rest
}

// openBodies is openBody of either of two versions, and says which it was.
func openBodies(b []byte, one, other byte) (r reader, rest []byte, version byte) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		r.fail()
		return r, nil, 0
	}
	r.b = string(b[k : k+int(n)])
	if version = r.byte(); version != one && version != other {
		r.fail()
	}
	return r, b[k+int(n):], version
}

// end is the reader's error; bytes that are left over are one.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail()
	}
	return r.err
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) string() string { return r.take(r.uvarint()) }

func (r *reader) id() (id ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

// count reads how many elements follow, each of at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) || n > maxElements {
		r.fail()
		return 0
	}
	return int(n)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

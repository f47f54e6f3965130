package event

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"
)

// Bool is a three-valued boolean: the zero value is unknown, which is neither true nor false.
type Bool uint8

// The values of Bool.
const (
	Unknown Bool = iota
	False
	True
)

// BoolOf gives the known value of b.
func BoolOf(b bool) Bool {
	if b {
		return True
	}
	return False
}

// Known reports whether b is known.
func (b Bool) Known() bool { return b != Unknown }

// Int is a number for which 0 is a value: bytes, sequences, exit codes. The zero Int is unknown.
type Int struct {
	V     int64
	Known bool
}

// IntOf gives the known value v.
func IntOf(v int64) Int { return Int{V: v, Known: true} }

// Float is a number for which 0 is a value: battery charge, pose. The zero Float is unknown.
type Float struct {
	V     float64
	Known bool
}

// FloatOf gives the known value v.
func FloatOf(v float64) Float { return Float{V: v, Known: true} }

// ID identifies an event: the first 128 bits of a SHA-256. It is computed, never random, so a record read twice gives the same ID.
type ID [16]byte

// Prefixes of the textual ids of the project (see FormatID).
const (
	EventPrefix    = "ev_"
	FindingPrefix  = "fi_"
	IncidentPrefix = "inc_"
	DeliveryPrefix = "dlv_"

	SuppressionPrefix = "sup_"
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID hashes parts, each with its length, so that ("ab","c") and ("a","bc") differ.
func NewID(parts ...string) ID {
	b := make([]byte, 0, 256) // Enough for what is usual; that stays on the stack.
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return ID(sum[:16])
}

// String is the id as events show it: ev_ and 26 characters of base32.
func (id ID) String() string { return FormatID(EventPrefix, id) }

// IsZero reports whether the id has not been set.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders ids by their bytes.
func (id ID) Compare(other ID) int {
	a, b := binary.BigEndian.Uint64(id[:]), binary.BigEndian.Uint64(other[:])
	if a == b {
		a, b = binary.BigEndian.Uint64(id[8:]), binary.BigEndian.Uint64(other[8:])
	}
	return cmp.Compare(a, b)
}

// FormatID is prefix and the base32 of id.
func FormatID(prefix string, id ID) string {
	var b [32]byte
	n := copy(b[:], prefix)
	base32Lower.Encode(b[n:n+26], id[:])
	return string(b[:n+26])
}

// ParseID reads what FormatID wrote with the same prefix.
func ParseID(prefix, s string) (ID, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != 26 {
		return ID{}, errors.New("id " + strings.ToValidUTF8(s, "?") + " is not " + prefix + " and 26 characters of base32")
	}
	b, err := base32Lower.DecodeString(rest)
	if err != nil {
		return ID{}, errors.New("id " + strings.ToValidUTF8(s, "?") + " has a character outside base32")
	}
	return ID(b), nil
}

// PositionID is the id of the index-th event of the record at a position.
func PositionID(p Position, index int) ID {
	b := make([]byte, 0, 96)
	b = append(b, "position\x00"...)
	b = append(b, p.Source...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(p.Partition))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Offset))
	b = binary.BigEndian.AppendUint32(b, uint32(index))
	sum := sha256.Sum256(b)
	return ID(sum[:16])
}

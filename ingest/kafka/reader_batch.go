package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Offsets of the fields of a batch of format 2 (Kafka protocol guide, "Record Batch").
const (
	atLength     = 8
	atMagic      = 16
	atCRC        = 17
	atAttributes = 21
	atLastDelta  = 23
	atBaseTime   = 27
	atMaxTime    = 35
	atProducer   = 43
	atCount      = 57
	atRecords    = 61
)

// Attributes of a batch.
const (
	attrCodec         = 0x07
	attrAppendTime    = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is one record batch as it lies in a record set.
type batch struct {
	raw        []byte // Whole, or what there is of it.
	size       int64  // As its head says.
	base, last int64  // Offsets; equal where the head says nothing sensible.
	magic      byte
	attributes uint16
	baseTime   int64 // Milliseconds since the Unix epoch, -1 for none.
	maxTime    int64
	producer   int64
	count      int32
}

type headState int

const (
	headWhole  headState = iota
	headCut              // The set ends inside of the batch.
	headBroken           // Its length or offsets cannot be.
	headOld              // Format 0 or 1, from before Kafka 0.11, or one not known.
)

// headOf reads the head of the first batch of set. high is the high watermark, which no batch may begin at or behind; 0 or less: not known.
func headOf(set []byte, high int64) (batch, headState) {
	be := binary.BigEndian
	b := batch{raw: set, baseTime: -1, maxTime: -1}
	if len(set) < atCRC {
		return b, headCut
	}
	b.base = int64(be.Uint64(set))
	b.last = b.base
	b.size = int64(int32(be.Uint32(set[atLength:]))) + atLength + 4
	b.magic = set[atMagic]
	whole := b.size <= int64(len(set))
	if whole && b.size > 0 {
		b.raw = set[:b.size]
	}
	switch {
	case b.base < 0 || b.base > math.MaxInt64-math.MaxInt32-1 || high > 0 && b.base >= high || b.size < atCRC:
		return b, headBroken
	case b.magic != 2 && !whole:
		return b, headCut
	case b.magic != 2:
		return b, headOld
	case b.size < atRecords:
		return b, headBroken
	case len(set) < atRecords:
		return b, headCut
	}
	delta := int32(be.Uint32(set[atLastDelta:]))
	if delta < 0 {
		return b, headBroken
	}
	b.last = b.base + int64(delta)
	b.attributes = be.Uint16(set[atAttributes:])
	b.baseTime = int64(be.Uint64(set[atBaseTime:]))
	b.maxTime = int64(be.Uint64(set[atMaxTime:]))
	b.producer = int64(be.Uint64(set[atProducer:]))
	b.count = int32(be.Uint32(set[atCount:]))
	if !whole {
		return b, headCut
	}
	return b, headWhole
}

func (b *batch) sound() bool {
	return crc32.Checksum(b.raw[atAttributes:], castagnoli) == binary.BigEndian.Uint32(b.raw[atCRC:])
}

func (b *batch) is(attribute uint16) bool { return b.attributes&attribute != 0 }

// endsAborted tells whether a control batch ends a transaction by aborting it: its record's key is a version and a type, type 0 being abort.
func (b *batch) endsAborted() bool {
	body := b.raw[atRecords:]
	if b.count < 1 || b.attributes&attrCodec != codecNone {
		return false
	}
	_, i := varint(body, 0)         // length
	_, i = varint(body, skip(i, 1)) // attributes, then the time
	_, i = varint(body, i)          // offset
	key, i := field(body, i)        // version and type
	return i >= 0 && len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0
}

func skip(i, n int) int {
	if i < 0 {
		return i
	}
	return i + n
}

// micros turns a time of a batch into microseconds; none into 0, and one beyond the range into its end.
func micros(ms int64) int64 {
	if ms == -1 {
		return 0
	}
	const most = math.MaxInt64 / 1000
	return min(max(ms, -most), most) * 1000
}

// varint reads a zigzag number of b from i and gives the place behind it, or a negative place where there is none or i is negative.
func varint(b []byte, i int) (int64, int) {
	if uint(i) >= uint(len(b)) {
		return 0, -1
	}
	if c := b[i]; c < 0x80 {
		return int64(c>>1) ^ -int64(c&1), i + 1
	}
	v, n := binary.Varint(b[i:])
	if n <= 0 {
		return 0, -1
	}
	return v, i + n
}

// field reads a length and as many bytes of b from i. A length of -1 gives nil, 0 an empty slice that is not nil.
func field(b []byte, i int) ([]byte, int) {
	n, i := varint(b, i)
	switch {
	case i < 0 || n < -1 || n > int64(len(b)-i):
		return nil, -1
	case n < 0:
		return nil, i
	}
	end := i + int(n)
	return b[i:end:end], end
}

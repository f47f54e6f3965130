package correlate

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// A record is a resting key: head, key, hits in order. Numbers in the head are little-endian:
//
//	length 2 · born 5 · time of the last hit 6 (from the epoch) · hits 1 · steps 2 (bit 15: degraded) · length of the key 1
//
// With pileMark for hits they are on a pile (pile.go), and its number, 4 bytes, stands in their place.
//
// A hit is its length, its template's number + 1, a byte of flags, its time from the epoch, and what the template leaves open. A hit without
// template (0) has its step in place of the flags, and is written out after its time.
const (
	recordHead     = 2 + 5 + 6 + 1 + 2 + 1
	degradedBit    = 1 << 15
	maxRestingKey  = math.MaxUint8
	maxRestingHits = 60
	pileMark       = math.MaxUint8
	pileNumber     = 4 // Bytes.
	maxRestingStep = 15
	maxBorn        = 1<<40 - 1
)

// What of a hit follows from its template.
const (
	varsFollow uint8 = 1 << iota
	entitiesFollow
	summaryFollows
	sequenceCounts // The tie key is the template's with another number,
	otherPartition // and of another partition.
)

// How a text is written that does not follow.
const (
	textFollows = iota
	textLiteral
	textDerived // An entity's id: its kind, a colon and its key.
	textShares  // Begins and ends as the template's.
	textPiece   // And above: a piece of the partition key.
)

// A text may be that of an entity before it, too: its key, or its canonical id.
const (
	textOwnKey = 1 << 5
	textOwnID  = 1 << 6
	maxOwn     = 1 << 5
)

type record []byte

func (b record) born() uint64   { return uint64(binary.LittleEndian.Uint32(b[2:])) | uint64(b[6])<<32 }
func (b record) hits() int      { return int(b[13]) }
func (b record) steps() uint16  { return binary.LittleEndian.Uint16(b[14:]) &^ degradedBit }
func (b record) degraded() bool { return b[15]&(degradedBit>>8) != 0 }
func (b record) key() []byte    { return b[recordHead : recordHead+int(b[16])] }
func (b record) body() []byte   { return b[recordHead+int(b[16]):] }
func (b record) set(n int)      { binary.LittleEndian.PutUint16(b, uint16(n)) }
func (b record) setHits(n int)  { b[13] = byte(n) }
func (b record) mark(bit uint16) {
	binary.LittleEndian.PutUint16(b[14:], binary.LittleEndian.Uint16(b[14:])|bit)
}

func (b record) last() int64 {
	v := uint64(binary.LittleEndian.Uint32(b[7:])) | uint64(binary.LittleEndian.Uint16(b[11:]))<<32
	return int64(v<<16) >> 16
}

func (b record) setLast(t int64) {
	binary.LittleEndian.PutUint32(b[7:], uint32(t))
	binary.LittleEndian.PutUint16(b[11:], uint16(t>>32))
}

// grown says what is in a record that has got a hit more, its newest.
func (b record) grown(size, hits int, bit uint16, last int64) {
	head := (*[recordHead]byte)(b)
	binary.LittleEndian.PutUint16(head[:], uint16(size))
	binary.LittleEndian.PutUint32(head[7:], uint32(last))
	binary.LittleEndian.PutUint16(head[11:], uint16(last>>32))
	head[13] = byte(hits)
	binary.LittleEndian.PutUint16(head[14:], binary.LittleEndian.Uint16(head[14:])|bit)
}

// appendRecord begins a record without hits.
func appendRecord(b []byte, key string, born uint64, degraded bool) []byte {
	b = append(b, 0, 0, byte(born), byte(born>>8), byte(born>>16), byte(born>>24), byte(born>>32), 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(key)))
	if degraded {
		record(b).mark(degradedBit)
	}
	return append(b, key...)
}

// spanFits reports whether a time is near enough to the epoch for the head of a record.
func spanFits(t int64) bool { return t<<16>>16 == t }

// packer writes the hits of a branch of a rule into bytes, and reads them again.
type packer struct {
	rule      *ruleState
	branch    int
	templates templates
	epoch     int64 // Times count from here.
	scratch   record
	packed    []byte
}

func newPacker(r *ruleState, branch int) packer {
	return packer{rule: r, branch: branch, templates: templates{bySort: make([][]*template, len(r.branches[branch].parts))}}
}

// writtenHit is where the parts of a written hit begin.
type writtenHit struct {
	all  []byte // With its length.
	head []byte // From the template's number.
	rest []byte // After the time.
	id   int    // Of the template + 1; 0: none.
	flag uint8  // Flags, or the step.
	time int64  // From the epoch.
}

// nextHit takes the first hit of b apart; ok is false for damage.
func nextHit(b []byte) (h writtenHit, after []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return h, nil, false
	}
	end := size + int(n)
	h.all, h.head = b[:end], b[size:end]
	id, i := binary.Uvarint(h.head)
	if i <= 0 || i >= len(h.head) || id > math.MaxInt32 {
		return h, nil, false
	}
	h.id, h.flag = int(id), h.head[i]
	t, j := binary.Varint(h.head[i+1:])
	if j <= 0 {
		return h, nil, false
	}
	h.time, h.rest = t, h.head[i+1+j:]
	return h, b[end:], true
}

// step is the step of a written hit; −1 for damage.
func (s *packer) step(h *writtenHit) int {
	if h.id == 0 {
		return int(h.flag)
	}
	if h.id > len(s.templates.all) {
		return -1
	}
	return int(s.templates.all[h.id-1].step)
}

// appendHit writes a hit of a key, with its length.
func (s *packer) appendHit(b []byte, h *event.Hit, key *keyPieces) []byte {
	if t := s.templates.of(h); t != nil {
		return s.appendLike(t, b, h, key)
	}
	b = append(b, 0)
	start := len(b)
	b = append(b, 0, h.Step)
	b = binary.AppendVarint(b, h.Ref.Time-s.epoch)
	return closeHit(event.AppendRef(event.AppendHitValues(b, h), h.Ref), start)
}

// appendLike writes a hit that fits a template, with its length.
func (s *packer) appendLike(t *template, b []byte, h *event.Hit, key *keyPieces) []byte {
	b = append(b, 0) // Nearly all are shorter than 128.
	start := len(b)
	return closeHit(s.appendBody(t, b, h, key), start)
}

// closeHit writes the length of a hit that begins at start into the byte before it.
func closeHit(b []byte, start int) []byte {
	n := len(b) - start
	if n < 0x80 {
		b[start-1] = byte(n)
		return b
	}
	var head [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(head[:], uint64(n))
	b = append(b, head[1:size]...)
	copy(b[start-1+size:], b[start:start+n])
	copy(b[start-1:], head[:size])
	return b
}

func (s *packer) appendBody(t *template, b []byte, h *event.Hit, key *keyPieces) []byte {
	ref := h.Ref
	b = slices.Grow(b, mostNumbers)
	at := len(b)
	b = b[:at+mostNumbers]
	at += binary.PutUvarint(b[at:], uint64(t.id+1))
	var flags uint8
	n := at + 1
	n += binary.PutVarint(b[n:], ref.Time-s.epoch)
	*(*event.ID)(b[n:]) = ref.Event // Without a call.
	n += len(ref.Event)
	n += binary.PutVarint(b[n:], ref.Received-ref.Time-t.latency)
	if number, partition, ok := t.sequenceOf(ref.Sequence); ok {
		flags |= sequenceCounts
		if partition != t.partition {
			flags |= otherPartition
			n += binary.PutUvarint(b[n:], partition)
		}
		n += binary.PutVarint(b[n:], int64(number-t.number))
		b = b[:n]
	} else {
		b = appendBytes(b[:n], ref.Sequence)
	}
	if t.entitiesFit(h, key) {
		flags |= entitiesFollow
	} else {
		b = t.appendEntities(b, h, key)
	}
	if t.varsFit(h, key) {
		flags |= varsFollow
	} else {
		for i := range h.Vars {
			b = appendText(b, &t.vars[i], h.Vars[i], key, ref.Entities)
		}
	}
	if t.summary.is(ref.Summary, key, ref.Entities) {
		flags |= summaryFollows
	} else {
		b = t.appendSummary(b, ref.Summary, key, ref.Entities)
	}
	b[at] = flags
	if len(h.Fields) > 0 {
		b = appendFields(b, h.Fields)
	}
	return b
}

// mostNumbers is how many bytes the numbers of a hit take at most.
const mostNumbers = 5*binary.MaxVarintLen64 + 1 + len(event.ID{})

func appendBytes(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendText writes a text that stands after some of the event's entities.
func appendText(b []byte, p *pattern, text string, key *keyPieces, entities []event.EntityRef) []byte {
	if p.is(text, key) {
		return append(b, textFollows)
	}
	if text != "" {
		for i, piece := range key.text[:key.n] {
			if piece == text {
				return append(b, byte(textPiece+i))
			}
		}
		for i := range entities[:min(len(entities), maxOwn)] {
			if entities[i].ID == text {
				return append(b, byte(textOwnID+i))
			}
			if entities[i].Key == text {
				return append(b, byte(textOwnKey+i))
			}
		}
	}
	return appendBytes(append(b, textLiteral), text)
}

func (t *template) appendEntities(b []byte, h *event.Hit, key *keyPieces) []byte {
	for i := range h.Ref.Entities {
		x := &h.Ref.Entities[i]
		b = appendText(b, &t.keys[i], x.Key, key, h.Ref.Entities[:i])
		if !t.ids[i].is(x.ID, key) && derived(x) {
			b = append(b, textDerived)
			continue
		}
		b = appendText(b, &t.ids[i], x.ID, key, h.Ref.Entities[:i])
	}
	return b
}

// derived reports whether an entity's id is its kind and its key.
func derived(x *event.EntityRef) bool {
	kind := x.Kind.String()
	return len(x.ID) == len(kind)+1+len(x.Key) && x.ID[:len(kind)] == kind && x.ID[len(kind)] == ':' && x.ID[len(kind)+1:] == x.Key
}

// appendSummary writes what lies between the beginning and the end that a summary shares with the template's.
func (t *template) appendSummary(b []byte, text string, key *keyPieces, entities []event.EntityRef) []byte {
	var room [summaryRoom]byte
	like := t.summary.append(room[:0], key, entities)
	n := min(len(like), len(text))
	first, last := 0, 0
	for first < n && like[first] == text[first] {
		first++
	}
	for last < n-first && like[len(like)-1-last] == text[len(text)-1-last] {
		last++
	}
	b = binary.AppendUvarint(append(b, textShares), uint64(first))
	b = binary.AppendUvarint(b, uint64(last))
	return appendBytes(b, text[first:len(text)-last])
}

func appendFields(b []byte, fields []event.FieldValue) []byte {
	b = binary.AppendUvarint(b, uint64(len(fields)))
	for i := range fields {
		v := &fields[i]
		kind := byte(v.Kind) << 1
		if v.Known {
			kind |= 1
		}
		b = append(b, kind)
		switch v.Kind {
		case event.KindString:
			b = appendBytes(b, v.Str)
		case event.KindFloat:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Flt))
		case event.KindStrings:
			b = binary.AppendUvarint(b, uint64(len(v.Lst)))
			for _, s := range v.Lst {
				b = appendBytes(b, s)
			}
		default:
			b = binary.AppendVarint(b, v.Num)
		}
	}
	return b
}

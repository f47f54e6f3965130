package correlate

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// held is the hits a gate keeps because an answer about them may still change: nearly all are repeats that will never pass, so they are kept
// without pointers. What hits of one entity have in common (variables, entities, source …) is kept once, as is their summary; a record is
// what is left: id, times, place in the source and carried fields. Hits go by handle; a handle is free again when no list holds it.
type held struct {
	slab   []heldHit
	free   []uint32
	chunks []chunk
	spare  []uint32 // Chunks without hits.
	now    int      // The chunk that is filled; −1 at first.
	common texts
	listed int   // Places in lists.
	room   int64 // Bytes of all chunks.
	buf    []byte
}

// heldHit is where a hit's record stands, and what the gate knows of it.
type heldHit struct {
	chunk, off uint32
	refs       uint8 // Lists of modifiers it stands in.
	pass       uint8 // A bit for each modifier that lets it pass.
	placed     bool  // Its partition has it.
	noted      bool  // It is among those whose answer may have changed.
	again      bool  // What it says of itself has changed, so that its partition needs it anew.
}

// chunk is records one after the other.
type chunk struct {
	b    []byte
	live int // Hits that still stand in it.
}

const (
	chunkBytes   = 32 << 10
	heldHitBytes = 16
)

func newHeld() held { return held{now: -1, common: newTexts()} }

// size is what all of it takes, in bytes.
func (s *held) size() int64 {
	hits := int64(len(s.slab) - len(s.free))
	return hits*heldHitBytes*5/4 + int64(s.listed)*entryBytes*5/4 + s.common.bytes + s.room
}

// add keeps a hit.
func (s *held) add(c *cell) uint32 {
	s.buf = s.pack(s.buf[:0], c)
	return s.keep(s.buf)
}

// keep stores a record.
func (s *held) keep(record []byte) uint32 {
	var h heldHit
	h.chunk, h.off = s.write(record)
	if n := len(s.free); n > 0 {
		x := s.free[n-1]
		s.free = s.free[:n-1]
		s.slab[x] = h
		return x
	}
	s.slab = append(s.slab, h)
	return uint32(len(s.slab) - 1)
}

// write puts a record at the end of the chunk that is being filled.
func (s *held) write(record []byte) (chunk, off uint32) {
	if s.now < 0 || len(s.chunks[s.now].b)+len(record) > chunkBytes {
		s.open()
	}
	at := &s.chunks[s.now]
	off = uint32(len(at.b))
	was := cap(at.b)
	at.b = append(at.b, record...)
	at.live++
	s.room += int64(cap(at.b) - was)
	return uint32(s.now), off
}

// open begins another chunk.
func (s *held) open() {
	if s.now >= 0 && s.chunks[s.now].live == 0 {
		s.chunks[s.now].b = s.chunks[s.now].b[:0]
		return
	}
	if n := len(s.spare); n > 0 {
		s.now, s.spare = int(s.spare[n-1]), s.spare[:n-1]
		return
	}
	s.chunks = append(s.chunks, chunk{})
	s.now = len(s.chunks) - 1
}

// release takes a hit off one list.
func (s *held) release(x uint32) {
	s.listed--
	h := &s.slab[x]
	if h.refs > 1 {
		h.refs--
		return
	}
	at := &s.chunks[h.chunk]
	if at.live--; at.live == 0 && int(h.chunk) != s.now {
		s.room -= int64(cap(at.b))
		at.b = nil
		s.spare = append(s.spare, h.chunk)
	}
	*h = heldHit{}
	s.free = append(s.free, x)
}

// discard takes back a hit that no list has.
func (s *held) discard(x uint32) {
	s.listed++
	s.release(x)
}

// record is a hit's bytes, and what follows them in its chunk.
func (s *held) record(x uint32) []byte {
	h := &s.slab[x]
	return s.chunks[h.chunk].b[h.off:]
}

// pack appends the record of a hit: id, time, time received, place, common part, summary, fields.
func (s *held) pack(b []byte, c *cell) []byte {
	head, number, index, regular := splitTie(c.Ref.Sequence)
	n := len(b)
	b = packCommon(b, c, head)
	common := s.common.number(b[n:])
	summary := s.common.number(append(b[n:n], c.Ref.Summary...))
	b = append(b[:n], c.Ref.Event[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Ref.Time))
	b = binary.AppendVarint(b, c.Ref.Received-c.Ref.Time)
	if regular {
		b = binary.AppendUvarint(append(b, 1), number)
		b = binary.AppendUvarint(b, index)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(common))
	b = binary.AppendUvarint(b, uint64(summary))
	if len(c.Fields) == 0 {
		return append(b, 0)
	}
	return event.AppendHitValues(b, &event.Hit{Fields: c.Fields})
}

// packCommon appends what a hit shares with others like it.
func packCommon(b []byte, c *cell, head string) []byte {
	b = append(b, c.Branch, c.Step)
	b = binary.AppendUvarint(b, uint64(len(c.Key)))
	b = append(b, c.Key...)
	b = event.AppendHitValues(b, &event.Hit{Vars: c.Vars})
	ref := *c.Ref
	ref.Event, ref.Time, ref.Received, ref.Sequence, ref.Summary = event.ID{}, 0, 0, head, ""
	return event.AppendRef(b, &ref)
}

// parts are the pieces of a record.
type parts struct {
	id              event.ID
	time, received  int64
	number          uint64
	index           uint64
	regular         bool
	common, summary uint32
	fields          []byte
}

// readParts takes a record apart. It was written by pack, or checked when it was read from a snapshot.
func readParts(b []byte) (p parts) {
	copy(p.id[:], b)
	p.time = int64(binary.LittleEndian.Uint64(b[16:]))
	b = b[24:]
	d, n := binary.Varint(b)
	p.received, b = p.time+d, b[n:]
	p.regular, b = b[0] == 1, b[1:]
	if p.regular {
		p.number, n = binary.Uvarint(b)
		b = b[n:]
		p.index, n = binary.Uvarint(b)
		b = b[n:]
	}
	v, n := binary.Uvarint(b)
	p.common, b = uint32(v), b[n:]
	v, n = binary.Uvarint(b)
	p.summary, p.fields = uint32(v), b[n:]
	return p
}

// cell makes a hit of a record again.
func (s *held) cell(x uint32) *cell {
	p := readParts(s.record(x))
	c, err := unpackCommon(s.common.list[p.common])
	if err != nil {
		return nil
	}
	p.complete(c)
	c.Ref.Summary = s.common.list[p.summary]
	if c.Fields, err = readFields(p.fields); err != nil {
		return nil
	}
	return c
}

// complete gives a hit its own identity.
func (p *parts) complete(c *cell) {
	c.Ref.Event, c.Ref.Time, c.Ref.Received = p.id, p.time, p.received
	if p.regular {
		c.Ref.Sequence = joinTie(c.Ref.Sequence, p.number, p.index)
	}
}

func readFields(b []byte) ([]event.FieldValue, error) {
	if len(b) == 0 || b[0] == 0 {
		return nil, nil
	}
	var h event.Hit
	_, err := event.ReadHitValues(b, &h)
	return h.Fields, err
}

func unpackCommon(s string) (*cell, error) {
	b := []byte(s)
	if len(b) < 3 {
		return nil, event.ErrCorrupt
	}
	c := &cell{}
	c.Branch, c.Step = b[0], b[1]
	n, k := binary.Uvarint(b[2:])
	if k <= 0 || n > uint64(len(b)-2-k) {
		return nil, event.ErrCorrupt
	}
	b = b[2+k:]
	c.Key, b = string(b[:n]), b[n:]
	b, err := event.ReadHitValues(b, &c.Hit)
	if err != nil {
		return nil, err
	}
	if c.Ref, _, err = event.ReadRef(b); err == nil && c.Ref == nil {
		err = event.ErrCorrupt
	}
	return c, err
}

// field reads one carried field of a hit.
func (s *held) field(x uint32, i int) event.FieldValue {
	list, err := readFields(readParts(s.record(x)).fields)
	if err != nil || i >= len(list) {
		return event.FieldValue{}
	}
	return list[i]
}

// order compares two hits of the same time, as compare does; same says that they are one event's hit, though it may have been read from
// another place of its source.
func (s *held) order(x, y uint32) (order int, same bool) {
	p, q := readParts(s.record(x)), readParts(s.record(y))
	if p.common == q.common && p.regular && q.regular {
		return cmp.Or(cmp.Compare(p.number, q.number), cmp.Compare(p.index, q.index), p.id.Compare(q.id)), p.id == q.id
	}
	a, errA := unpackCommon(s.common.list[p.common])
	b, errB := unpackCommon(s.common.list[q.common])
	if errA != nil || errB != nil {
		return p.id.Compare(q.id), p.id == q.id
	}
	p.complete(a)
	q.complete(b)
	return compare(a, b), a.sameHit(b)
}

// compact moves what is still held together, after much of it has gone before its time.
func (s *held) compact() {
	old := s.chunks
	s.chunks, s.spare, s.now, s.room = nil, nil, -1, 0
	for i := range s.slab {
		h := &s.slab[i]
		if h.refs == 0 {
			continue
		}
		record := old[h.chunk].b[h.off:]
		h.chunk, h.off = s.write(record[:recordLength(record)])
	}
	s.common.swept = 0
	s.forget()
}

// recordLength is the length of the record at the start of b.
func recordLength(b []byte) int {
	fields := readParts(b).fields
	at := len(b) - len(fields)
	if fields[0] == 0 {
		return at + 1
	}
	n, k := binary.Uvarint(fields)
	return at + k + int(n)
}

// forget drops common parts that no hit has any more, once these may be the greater part.
func (s *held) forget() {
	t := &s.common
	if len(t.list) < 1024 || len(t.list) < 2*t.swept {
		return
	}
	used := make([]bool, len(t.list))
	for i := range s.slab {
		if s.slab[i].refs > 0 {
			p := readParts(s.record(uint32(i)))
			used[p.common], used[p.summary] = true, true
		}
	}
	t.sweep(used)
}

// texts numbers texts.
type texts struct {
	of    map[string]uint32
	list  []string
	free  []uint32
	swept int // Length after the last sweep.
	bytes int64
}

const textBytes = 72 // Of a text beside its own bytes: its place in list and map.

func newTexts() texts { return texts{of: map[string]uint32{}} }

func (t *texts) number(b []byte) uint32 {
	if n, ok := t.of[string(b)]; ok {
		return n
	}
	s := string(b)
	t.bytes += int64(len(s)) + textBytes
	if n := len(t.free); n > 0 {
		x := t.free[n-1]
		t.free = t.free[:n-1]
		t.list[x], t.of[s] = s, x
		return x
	}
	t.list = append(t.list, s)
	t.of[s] = uint32(len(t.list) - 1)
	return uint32(len(t.list) - 1)
}

// sweep forgets texts that are not used.
func (t *texts) sweep(used []bool) {
	t.free = t.free[:0]
	for i, u := range used {
		if u {
			continue
		}
		if s := t.list[i]; t.of[s] == uint32(i) {
			if _, ok := t.of[s]; ok {
				delete(t.of, s)
				t.bytes -= int64(len(s)) + textBytes
			}
		}
		t.list[i] = ""
		t.free = append(t.free, uint32(i))
	}
	t.swept = len(t.list) - len(t.free)
}

// splitTie takes the numbers off a tie key as RefOf writes it: sixteen hexadecimal digits, a separator, four more.
func splitTie(s string) (head string, number, index uint64, ok bool) {
	const tail = 16 + 1 + 4
	if len(s) < tail || s[len(s)-5] != '\x1f' {
		return s, 0, 0, false
	}
	number, ok = parseHex(s[len(s)-tail : len(s)-5])
	index, fine := parseHex(s[len(s)-4:])
	if !ok || !fine {
		return s, 0, 0, false
	}
	return s[:len(s)-tail], number, index, true
}

func joinTie(head string, number, index uint64) string {
	var b strings.Builder
	b.Grow(len(head) + 21)
	b.WriteString(head)
	writeHex(&b, number, 16)
	b.WriteByte('\x1f')
	writeHex(&b, index, 4)
	return b.String()
}

func writeHex(b *strings.Builder, v uint64, digits int) {
	for i := digits - 1; i >= 0; i-- {
		b.WriteByte("0123456789abcdef"[v>>(4*i)&15])
	}
}

func parseHex(s string) (v uint64, ok bool) {
	for _, d := range []byte(s) {
		switch {
		case d >= '0' && d <= '9':
			v = v<<4 | uint64(d-'0')
		case d >= 'a' && d <= 'f':
			v = v<<4 | uint64(d-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// entry is a hit in the list of a register.
type entry struct {
	time int64
	n    int64  // What the modifier wants to know of it.
	hit  uint32 // Handle.
	mark uint32 // Of the modifier's own.
}

const entryBytes = 24

// insert puts a hit into a sorted list; ok is false if it is there already.
func (s *held) insert(list []entry, e entry) (_ []entry, at int, ok bool) {
	at = len(list)
	if at > 0 && list[at-1].time >= e.time {
		at, ok = slices.BinarySearchFunc(list, e, func(x, e entry) int {
			if c := cmp.Compare(x.time, e.time); c != 0 {
				return c
			}
			order, _ := s.order(x.hit, e.hit)
			return order
		})
		if ok || s.repeated(list, at, e) {
			return list, at, false
		}
	}
	s.slab[e.hit].refs++
	s.listed++
	return slices.Insert(list, at, e), at, true
}

// repeated is repeats for hits that are held.
func (s *held) repeated(list []entry, at int, e entry) bool {
	for i := at - 1; i >= max(0, at-maxNeighbours) && list[i].time == e.time; i-- {
		if _, same := s.order(list[i].hit, e.hit); same {
			return true
		}
	}
	for i := at; i < min(len(list), at+maxNeighbours) && list[i].time == e.time; i++ {
		if _, same := s.order(list[i].hit, e.hit); same {
			return true
		}
	}
	return false
}

// drop takes the first n hits off a list.
func (s *held) drop(list []entry, n int) []entry {
	if n == 0 {
		return list
	}
	for i := range n {
		s.release(list[i].hit)
	}
	list = slices.Delete(list, 0, n)
	if len(list) == 0 && cap(list) > 16 {
		return nil
	}
	if cap(list) > 4*len(list)+64 {
		return slices.Clone(list)
	}
	return list
}

package correlate

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"

	"github.com/tocsin-siem/tocsin/event"
)

// A run of written hits that is only read again, if at all, is pressed: what stands in the same place of each hit is put side by side, numbers
// as the difference to the one before, and all of it but the ids of events, which are noise, is compressed together. What comes out again is
// the run byte by byte. A pressed run is:
//
//	ids of events n · n × 16 · rest, compressed: columns k · k × length · the columns
type press struct {
	short   bool // Short runs are pressed, too, for tests.
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	columns columns // Of the run that is pressed,
	taken   columns // and of the one that is opened.
	flat    []byte
	run     []byte // That was opened last,
	out     []byte // and what was pressed last.
	spare   []byte // Of a run that was pressed, for the next one that is begun.
}

// What a run that is begun has room for, and up to where a buffer is kept for the next one.
const (
	firstRoom = 1 << 10
	mostRoom  = 1 << 14
)

// room is an empty buffer for a run.
func (x *press) room() []byte {
	b := x.spare
	x.spare = nil
	if b == nil {
		b = make([]byte, 0, firstRoom)
	}
	return b
}

// leave gives the buffer of a run back that nothing refers to any more.
func (x *press) leave(b []byte) {
	if cap(b) >= firstRoom && cap(b) <= mostRoom {
		x.spare = b[:0]
	}
}

// The columns of a run: of the heads of hits, of texts and of fields. Every hit goes through them in the same order when it is put in and when
// it is taken out, so that none says how much of it belongs to a hit.
const (
	columnTemplate = iota
	columnFlags
	columnTime
	columnLatency
	columnPartition // In the tie key,
	columnNumber    // and beside it.
	columnSequence  // Tie keys that do not follow.
	columnWhole     // Hits without a template.
	columnShape     // What kind of text or value comes next.
	columnSummary
	columnTexts
	columnFields = columnTexts + maxSlots
	columnCount  = columnFields + maxSlots
	maxSlots     = 48 // Texts beyond share the columns of the first ones, and so do fields.
)

// maxRun bounds what a pressed run opens to: hits between two states, in which nothing is longer than an event may be.
const maxRun = 64 << 20

// columns are a run's, while it is put in or taken out.
type columns struct {
	of      [columnCount]reader
	values  [maxSlots]int64 // The number before, by field.
	numbers []int64         // That of the tie key before, by template and partition.
	ids     reader
	time    int64 // Of the hit before.
}

func (c *columns) reset(templates int) {
	for i := range c.of {
		c.of[i] = reader{b: c.of[i].b[:0]}
	}
	c.ids = reader{b: c.ids.b[:0]}
	clear(c.values[:])
	c.numbers = append(c.numbers[:0], make([]int64, templates*fewPartitions)...)
	c.time = 0
}

// fewPartitions are told apart by the tie keys of a template; others share the places of these.
const fewPartitions = 8

// number is that of the tie key before, of a template and partition; 0 for the template's own.
func (c *columns) number(template int, partition uint64) *int64 {
	return &c.numbers[(template-1)*fewPartitions+int(partition%fewPartitions)]
}

func (c *columns) byte(at int, v byte)   { c.of[at].b = append(c.of[at].b, v) }
func (c *columns) uint(at int, v uint64) { c.of[at].b = binary.AppendUvarint(c.of[at].b, v) }
func (c *columns) int(at int, v int64)   { c.of[at].b = binary.AppendVarint(c.of[at].b, v) }
func (c *columns) bytes(at int, v []byte) {
	c.uint(at, uint64(len(v)))
	c.of[at].b = append(c.of[at].b, v...)
}

// begin makes the encoder and the decoder when they are needed first: few engines in tests ever press anything.
func (x *press) begin() error {
	if x.encoder != nil {
		return nil
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return err
	}
	x.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRun), zstd.WithDecoderLowmem(true))
	x.encoder = encoder
	return err
}

// pressed appends the pressed form of a run of written hits to b; ok is false where it cannot be or would not be shorter.
func (s *packer) pressed(b, run []byte) (_ []byte, ok bool) {
	x := s.rule.press
	if len(run) > maxRun || x.begin() != nil {
		return b, false
	}
	c := &x.columns
	c.reset(len(s.templates.all))
	for rest := run; len(rest) > 0; {
		h, after, ok := nextHit(rest)
		if !ok || !s.put(c, &h) {
			return b, false
		}
		rest = after
	}
	x.flat = c.flatten(x.flat[:0])
	start := len(b)
	b = binary.AppendUvarint(b, uint64(len(c.ids.b)/len(event.ID{})))
	b = append(b, c.ids.b...)
	b = x.encoder.EncodeAll(x.flat, b)
	return b, x.short || len(b)-start < len(run)
}

func (c *columns) flatten(b []byte) []byte {
	n := len(c.of)
	for n > 0 && len(c.of[n-1].b) == 0 {
		n--
	}
	b = binary.AppendUvarint(b, uint64(n))
	for i := range c.of[:n] {
		b = binary.AppendUvarint(b, uint64(len(c.of[i].b)))
	}
	for i := range c.of[:n] {
		b = append(b, c.of[i].b...)
	}
	return b
}

// put lays a hit into the columns; false for damage.
func (s *packer) put(c *columns, h *writtenHit) bool {
	c.uint(columnTemplate, uint64(h.id))
	c.byte(columnFlags, h.flag)
	c.int(columnTime, h.time-c.time)
	c.time = h.time
	if h.id == 0 {
		c.bytes(columnWhole, h.rest)
		return true
	}
	if h.id > len(s.templates.all) {
		return false
	}
	t, r := s.templates.all[h.id-1], reader{b: h.rest}
	c.ids.b = append(c.ids.b, r.take(uint64(len(event.ID{})))...)
	c.int(columnLatency, r.int())
	if h.flag&sequenceCounts != 0 {
		partition := uint64(0)
		if h.flag&otherPartition != 0 {
			partition = r.uint() + 1
			c.uint(columnPartition, partition-1)
		}
		number, before := r.int(), c.number(h.id, partition)
		c.int(columnNumber, number-*before)
		*before = number
	} else {
		c.bytes(columnSequence, r.take(r.uint()))
	}
	for slot := range t.texts(h.flag) {
		op := r.byte()
		c.byte(columnShape, op)
		if op == textLiteral {
			c.bytes(slot, r.take(r.uint()))
		}
	}
	if h.flag&summaryFollows == 0 {
		c.byte(columnShape, r.byte())
		c.uint(columnSummary, r.uint())
		c.uint(columnSummary, r.uint())
		c.bytes(columnSummary, r.take(r.uint()))
	}
	c.putFields(&r, h.time)
	return r.err == nil && len(r.b) == 0
}

// texts yields the columns of the texts that are written of a hit, one after the other.
func (t *template) texts(flags uint8) func(func(int) bool) {
	return func(yield func(int) bool) {
		entities := 2 * len(t.keys)
		from, to := 0, entities+len(t.vars)
		if flags&entitiesFollow != 0 {
			from = entities
		}
		if flags&varsFollow != 0 {
			to = entities
		}
		for i := from; i < to; i++ {
			if !yield(columnTexts + i%maxSlots) {
				return
			}
		}
	}
}

func (c *columns) putFields(r *reader, time int64) {
	if len(r.b) == 0 {
		c.uint(columnShape, 0)
		return
	}
	n := r.count(2)
	c.uint(columnShape, uint64(n)+1)
	for i := range n {
		kind, at := r.byte(), columnFields+i%maxSlots
		c.byte(columnShape, kind)
		switch k := event.Kind(kind >> 1); k {
		case event.KindString:
			c.bytes(at, r.take(r.uint()))
		case event.KindFloat:
			c.of[at].b = append(c.of[at].b, r.take(8)...)
		case event.KindStrings:
			list := r.count(1)
			c.uint(at, uint64(list))
			for range list {
				c.bytes(at, r.take(r.uint()))
			}
		default:
			before := &c.values[i%maxSlots]
			v := r.int() - base(k, time)
			c.int(at, v-*before)
			*before = v
		}
	}
}

// base is what a number is counted from: times in fields are mostly the hit's own, in milliseconds.
func base(kind event.Kind, time int64) int64 {
	if kind == event.KindTime {
		return time / 1000
	}
	return 0
}

// opened appends the run of a pressed one to b; ok is false for damage.
func (s *packer) opened(b, pressed []byte) (_ []byte, ok bool) {
	x, r := s.rule.press, reader{b: pressed}
	if x.begin() != nil {
		return b, false
	}
	c := &x.taken
	c.reset(len(s.templates.all))
	ids := r.take(uint64(r.count(len(event.ID{})) * len(event.ID{})))
	if r.err != nil {
		return b, false
	}
	var err error
	if x.flat, err = x.decoder.DecodeAll(r.b, x.flat[:0]); err != nil || !c.unfold(x.flat) {
		return b, false
	}
	c.ids = reader{b: ids}
	for len(c.of[columnTemplate].b) > 0 {
		b = append(b, 0)
		start := len(b)
		if b, ok = s.get(b, c); !ok {
			return b, false
		}
		b = closeHit(b, start)
	}
	return b, c.empty()
}

// unfold finds the columns in what flatten made.
func (c *columns) unfold(flat []byte) bool {
	r := reader{b: flat}
	n := r.count(1)
	if n > len(c.of) {
		return false
	}
	var sizes [columnCount]uint64
	for i := range n {
		sizes[i] = r.uint()
	}
	for i := range n {
		c.of[i] = reader{b: r.take(sizes[i])}
	}
	return r.err == nil && len(r.b) == 0
}

// empty reports whether everything has been taken out, and nothing more.
func (c *columns) empty() bool {
	for i := range c.of {
		if len(c.of[i].b) > 0 || c.of[i].err != nil {
			return false
		}
	}
	return len(c.ids.b) == 0 && c.ids.err == nil
}

// get takes the next hit out of the columns and appends it to b, without its length; false for damage.
func (s *packer) get(b []byte, c *columns) ([]byte, bool) {
	id, flag := c.of[columnTemplate].uint(), c.of[columnFlags].byte()
	c.time += c.of[columnTime].int()
	b = append(binary.AppendUvarint(b, id), flag)
	b = binary.AppendVarint(b, c.time)
	if id == 0 {
		return append(b, c.of[columnWhole].text()...), c.of[columnWhole].err == nil
	}
	if id > uint64(len(s.templates.all)) {
		return b, false
	}
	t := s.templates.all[id-1]
	b = append(b, c.ids.take(uint64(len(event.ID{})))...)
	b = binary.AppendVarint(b, c.of[columnLatency].int())
	if flag&sequenceCounts != 0 {
		partition := uint64(0)
		if flag&otherPartition != 0 {
			partition = c.of[columnPartition].uint() + 1
			b = binary.AppendUvarint(b, partition-1)
		}
		number := c.number(int(id), partition)
		*number += c.of[columnNumber].int()
		b = binary.AppendVarint(b, *number)
	} else {
		b = appendRaw(b, c.of[columnSequence].text())
	}
	shape := &c.of[columnShape]
	for slot := range t.texts(flag) {
		op := shape.byte()
		b = append(b, op)
		if op == textLiteral {
			b = appendRaw(b, c.of[slot].text())
		}
	}
	if flag&summaryFollows == 0 {
		r := &c.of[columnSummary]
		b = append(b, shape.byte())
		b = binary.AppendUvarint(b, r.uint())
		b = binary.AppendUvarint(b, r.uint())
		b = appendRaw(b, r.text())
	}
	return c.getFields(b)
}

func (c *columns) getFields(b []byte) ([]byte, bool) {
	shape := &c.of[columnShape]
	n := shape.uint()
	if n == 0 {
		return b, shape.err == nil
	}
	b = binary.AppendUvarint(b, n-1)
	for i := range int(min(n-1, maxRun)) {
		kind, r := shape.byte(), &c.of[columnFields+i%maxSlots]
		if shape.err != nil || r.err != nil {
			return b, false
		}
		b = append(b, kind)
		switch k := event.Kind(kind >> 1); k {
		case event.KindString:
			b = appendRaw(b, r.text())
		case event.KindFloat:
			b = append(b, r.take(8)...)
		case event.KindStrings:
			list := r.count(1)
			b = binary.AppendUvarint(b, uint64(list))
			for range list {
				b = appendRaw(b, r.text())
			}
		default:
			v := &c.values[i%maxSlots]
			*v += r.int()
			b = binary.AppendVarint(b, *v+base(k, c.time))
		}
	}
	return b, shape.err == nil
}

// text takes bytes with their length before them.
func (r *reader) text() []byte { return r.take(r.uint()) }

func appendRaw(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

package store

import (
	"encoding/binary"

	"github.com/klauspost/compress/s2"

	"github.com/tocsin-siem/tocsin/event"
)

// Nothing but recovery reads hits, and it reads all of a batch. So thousands of them are one value, packed here: the server neither takes them apart
// nor compresses them, and merges copy them as they are.
//
// A block is its version and, compressed with S2, hits one after the other: twice the number of its step, plus one if its event is that of the hit
// before; else the event; variables and fields; the key, as the number of the variable that has the same text, from 1 on, or as 0 and the text.
// A step is told where a block first has it, behind the number that is one more than those told before.
const (
	hitBlockVersion = 1
	// maxHits and maxHitBytes bound a block: before compression it is no longer than that, unless a single hit is.
	maxHits     = 8192
	maxHitBytes = 1 << 20
	// maxHitBlock is beyond all blocks before compression: a hit's values are of one record, which is no longer than a megabyte.
	maxHitBlock = 256 << 20
)

// hitStep is the step of a rule that hits are of.
type hitStep struct {
	rule         string
	version      int32
	branch, step uint8
}

// hitEncoder makes rows of the table hit_blocks. Its memory is used again.
type hitEncoder struct {
	block
	entry entryKey
	hits  *fixed
	data  *text

	steps  map[hitStep]uint64 // Of the row under way.
	plain  []byte
	packed []byte
}

func newHitEncoder() *hitEncoder {
	e := &hitEncoder{block: block{table: "hit_blocks"}, steps: map[hitStep]uint64{}}
	b := &e.block
	e.entry = addEntryKey(b)
	e.hits = add(b, "hits", newFixed("UInt32", 4))
	e.data = add(b, "data", &text{})
	return e
}

func (e *hitEncoder) encode(hits []event.Hit, id event.BatchID, written uint32) {
	e.reset()
	for seq := 0; len(hits) > 0; seq++ {
		n := e.pack(hits)
		e.entry.add(id, seq, written)
		e.hits.add32(uint32(n))
		e.data.addBytes(e.compress())
		hits = hits[n:]
	}
}

// pack writes as many hits as go into a block, at least one, and says how many.
func (e *hitEncoder) pack(hits []event.Hit) int {
	e.plain = e.plain[:0]
	clear(e.steps)
	for i := range hits[:min(len(hits), maxHits)] {
		before := len(e.plain)
		e.add(&hits[i], i > 0 && hits[i].Ref == hits[i-1].Ref)
		if i > 0 && len(e.plain) > maxHitBytes {
			e.plain = e.plain[:before]
			return i
		}
	}
	return min(len(hits), maxHits)
}

// add writes a hit; again says that its event is that of the hit before.
func (e *hitEncoder) add(h *event.Hit, again bool) {
	s := hitStep{h.Rule, h.Version, h.Branch, h.Step}
	number, told := e.steps[s]
	if !told {
		number = uint64(len(e.steps))
		e.steps[s] = number
	}
	b := binary.AppendUvarint(e.plain, number<<1|uint64(flag(again)))
	if !told {
		b = binary.AppendVarint(appendString(b, s.rule), int64(s.version))
		b = append(b, s.branch, s.step)
	}
	if !again {
		b = event.AppendRef(b, h.Ref)
	}
	e.plain = appendKey(event.AppendHitValues(b, h), h)
}

func appendKey(b []byte, h *event.Hit) []byte {
	for i, v := range h.Vars {
		if v == h.Key {
			return binary.AppendUvarint(b, uint64(i)+1)
		}
	}
	return appendString(append(b, 0), h.Key)
}

// compress gives what was packed as it is stored, until the next call.
func (e *hitEncoder) compress() []byte {
	if most := 1 + s2.MaxEncodedLen(len(e.plain)); cap(e.packed) < most {
		e.packed = make([]byte, most)
	}
	e.packed = e.packed[:cap(e.packed)]
	e.packed[0] = hitBlockVersion
	return e.packed[:1+len(s2.Encode(e.packed[1:], e.plain))]
}

// hitReader reads blocks of hits. Its memory is used again.
type hitReader struct {
	reader
	plain []byte
	steps []hitStep
}

// read gives the hits of a block, of which there are n. Hits share no memory with data, and hits of one event have the same Ref where they follow
// each other.
func (r *hitReader) read(data []byte, n uint32, take func(event.Hit)) error {
	if err := r.open(data); err != nil {
		return err
	}
	var h event.Hit
	for i := range n {
		if h = r.hit(h.Ref, i > 0); r.err != nil {
			return r.err
		}
		take(h)
	}
	if len(r.b) > 0 {
		return errCorrupt
	}
	return nil
}

func (r *hitReader) open(data []byte) error {
	if len(data) == 0 || data[0] != hitBlockVersion {
		return errCorrupt
	}
	if n, err := s2.DecodedLen(data[1:]); err != nil || n > maxHitBlock {
		return errCorrupt
	}
	plain, err := s2.Decode(r.plain[:cap(r.plain)], data[1:])
	if err != nil {
		return errCorrupt
	}
	r.plain, r.steps = plain, r.steps[:0]
	r.reader = reader{b: plain}
	return nil
}

// hit reads a hit. Its event may be that of the hit before, where there is one.
func (r *hitReader) hit(before *event.Ref, again bool) (h event.Hit) {
	head := r.uvarint()
	s := r.step(head >> 1)
	h.Rule, h.Version, h.Branch, h.Step = s.rule, s.version, s.branch, s.step
	switch {
	case head&1 == 0:
		ref, rest, err := event.ReadRef(r.b)
		h.Ref = ref
		r.goOn(rest, err)
	case again:
		h.Ref = before
	default:
		r.fail()
	}
	r.goOn(event.ReadHitValues(r.b, &h))
	h.Key = r.key(h.Vars)
	return h
}

func (r *hitReader) step(number uint64) (s hitStep) {
	switch told := uint64(len(r.steps)); {
	case number < told:
		return r.steps[number]
	case number > told:
		r.fail()
		return s
	}
	s = hitStep{rule: r.text(), version: int32(r.varint()), branch: r.byte(), step: r.byte()}
	r.steps = append(r.steps, s)
	return s
}

func (r *hitReader) key(vars []string) string {
	n := r.uvarint()
	switch {
	case n == 0:
		return r.text()
	case n > uint64(len(vars)):
		r.fail()
		return ""
	}
	return vars[n-1]
}

// goOn takes up where another codec stopped.
func (r *hitReader) goOn(rest []byte, err error) {
	if err != nil || r.err != nil {
		r.fail()
		return
	}
	r.b = rest
}

package relay

import (
	"encoding/binary"

	"github.com/tocsin-siem/tocsin/event"
)

// A frame is sealed (seal.go). Its body is member, time and rules, marks, roster, the events that hits and observations cite (each once), hits and
// observations.
const (
	frameMagic   = "TCFR"
	frameVersion = 2
	maxFrame     = 64 << 20 // bytes; longer ones are not read
)

// FrameBytes is where frames are cut unless another size is set: under the million bytes that brokers and clients take by default, with room
// for what a record adds.
const FrameBytes = 900_000

// FrameEncoder turns frames into messages of bounded size. It keeps its buffers; use one per goroutine.
type FrameEncoder struct {
	Limit int // Bytes of a message; 0: FrameBytes.

	head     []byte // Member, time and rules.
	tail     []byte // Marks and roster.
	refs     frameList
	hits     frameList
	observed frameList
	places   map[*event.Ref]uint64
	item     []byte
	room     int // Bytes for the lists.

	oversized int
}

// frameList is a list under way: its elements one after the other.
type frameList struct {
	b []byte
	n int
}

// Append adds the messages of f to out: one, or more where it is larger than the limit, each with as much as fits, with marks and roster in the
// last only. A hit or observation that is larger than the limit by itself can never be sent; such are left out and counted in oversized.
// The messages are new memory.
func (e *FrameEncoder) Append(out [][]byte, f *Frame) (messages [][]byte, oversized int) {
	e.begin(f)
	for i := range f.Hits {
		e.item = event.AppendHit(e.item[:0], &f.Hits[i])
		out = e.add(out, &e.hits, f.Hits[i].Ref)
	}
	for i := range f.Observed {
		e.item = event.AppendNote(e.item[:0], &f.Observed[i])
		out = e.add(out, &e.observed, f.Observed[i].Ref)
	}
	return append(out, e.message(e.tail)), e.oversized
}

// add puts the item with its event into a list, if need be of the next message.
func (e *FrameEncoder) add(out [][]byte, s *frameList, r *event.Ref) [][]byte {
	for {
		was := e.state()
		s.b = append(e.cite(s.b, r), e.item...)
		s.n++
		if len(e.refs.b)+len(e.hits.b)+len(e.observed.b) <= e.room {
			return out
		}
		e.undo(was, r)
		if e.hits.n+e.observed.n == 0 {
			e.oversized++
			return out
		}
		out = append(out, e.message(nil))
		e.clear()
	}
}

func (e *FrameEncoder) begin(f *Frame) {
	limit := e.Limit
	if limit <= 0 {
		limit = FrameBytes
	}
	e.head = appendText(binary.AppendVarint(appendText(e.head[:0], f.Member), f.Received), f.Rules)
	e.tail = binary.AppendUvarint(e.tail[:0], uint64(len(f.Marks)))
	for i := range f.Marks {
		m := &f.Marks[i]
		e.tail = binary.AppendVarint(appendText(e.tail, m.Source), int64(m.Partition))
		e.tail = binary.AppendVarint(e.tail, m.Newest)
		e.tail = binary.AppendVarint(e.tail, m.Received)
		e.tail = append(e.tail, flag(m.Idle))
		e.tail = binary.AppendVarint(e.tail, int64(m.Generation))
	}
	e.tail = binary.AppendUvarint(e.tail, uint64(len(f.Roster)))
	for _, p := range f.Roster {
		e.tail = binary.AppendVarint(appendText(e.tail, p.Source), int64(p.Count))
	}
	e.room = max(limit/2, limit-sealBytes-len(e.head)-len(e.tail)-3*binary.MaxVarintLen32)
	e.oversized = 0
	e.clear()
}

// cite writes which of the frame's events is meant, from 1, and adds it if it is new; 0 is none.
func (e *FrameEncoder) cite(b []byte, r *event.Ref) []byte {
	if r == nil {
		return append(b, 0)
	}
	at, ok := e.places[r]
	if !ok {
		e.refs.b = event.AppendRef(e.refs.b, r)
		e.refs.n++
		at = uint64(e.refs.n)
		e.places[r] = at
	}
	return binary.AppendUvarint(b, at)
}

// lists says how far the lists were, to go back to.
type lists struct{ refs, hits, observed frameList }

func (e *FrameEncoder) state() lists { return lists{e.refs, e.hits, e.observed} }

func (e *FrameEncoder) undo(was lists, r *event.Ref) {
	if e.refs.n > was.refs.n {
		delete(e.places, r)
	}
	e.refs.cut(was.refs)
	e.hits.cut(was.hits)
	e.observed.cut(was.observed)
}

func (s *frameList) cut(was frameList) { s.b, s.n = s.b[:len(was.b)], was.n }

func (e *FrameEncoder) clear() {
	if e.places == nil || len(e.places) > 1<<12 { // Clearing costs what the map once held.
		e.places = map[*event.Ref]uint64{}
	}
	clear(e.places)
	for _, s := range [...]*frameList{&e.refs, &e.hits, &e.observed} {
		s.b, s.n = s.b[:0], 0
	}
}

// message puts the lists together; tail is nil in all but the last.
func (e *FrameEncoder) message(tail []byte) []byte {
	if tail == nil {
		tail = []byte{0, 0}
	}
	lists := [...]*frameList{&e.refs, &e.hits, &e.observed}
	size := sealBytes + len(e.head) + len(tail)
	for _, l := range lists {
		size += len(l.b) + binary.MaxVarintLen32
	}
	out, _ := seal(make([]byte, 0, size), frameMagic, frameVersion, func(b []byte) ([]byte, error) {
		b = append(append(b, e.head...), tail...)
		for _, l := range lists {
			b = append(binary.AppendUvarint(b, uint64(l.n)), l.b...)
		}
		return b, nil
	})
	return out
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

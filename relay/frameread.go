package relay

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
)

// ErrDamaged is wrapped by every refusal of bytes that are not what this program writes: cut short, changed on their way, or of another version.
var ErrDamaged = errors.New("damaged or foreign bytes")

// The least bytes that elements take, so that a count is never believed beyond what can follow.
const (
	leastRef  = 32
	leastHit  = 9
	leastNote = 9
	leastMark = 6
	leastPart = 2
)

// ReadFrame reads one message. The frame shares no memory with b. The error wraps ErrDamaged.
func ReadFrame(b []byte) (*Frame, error) {
	if len(b) > maxFrame {
		return nil, fmt.Errorf("frame: %w: it has %d bytes and the most is %d", ErrDamaged, len(b), maxFrame)
	}
	body, err := unseal(b, frameMagic, frameVersion)
	if err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	r := messageReader{b: body}
	f := &Frame{Member: r.text(), Received: r.varint(), Rules: r.text()}
	f.Marks, f.Roster = r.marks(), r.roster()
	refs := r.refs()
	if n := r.count(leastHit); n > 0 {
		f.Hits = make([]event.Hit, n)
		for i := range f.Hits {
			h := &f.Hits[i]
			h.Ref = r.cited(refs)
			r.take(event.ReadHit(r.b, h))
		}
	}
	if n := r.count(leastNote); n > 0 {
		f.Observed = make([]event.Note, n)
		for i := range f.Observed {
			o := &f.Observed[i]
			o.Ref = r.cited(refs)
			r.take(event.ReadNote(r.b, o))
		}
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("frame: %w: its parts do not fit together", ErrDamaged)
	}
	return f, nil
}

// messageReader takes values off bytes. After the first fault every read gives zero values, so loops end.
type messageReader struct {
	b   []byte
	bad bool
}

func (r *messageReader) fail() { r.bad, r.b = true, nil }

func (r *messageReader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *messageReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *messageReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *messageReader) int32() int32 {
	v := r.varint()
	if int64(int32(v)) != v {
		r.fail()
	}
	return int32(v)
}

func (r *messageReader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// count reads how many elements follow, each of at least size bytes.
func (r *messageReader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// take goes on where another codec stopped.
func (r *messageReader) take(rest []byte, err error) {
	if err != nil || r.bad {
		r.fail()
		return
	}
	r.b = rest
}

func (r *messageReader) refs() []*event.Ref {
	out := make([]*event.Ref, r.count(leastRef))
	for i := range out {
		ref, rest, err := event.ReadRef(r.b)
		if ref == nil {
			r.fail()
		}
		r.take(rest, err)
		out[i] = ref
	}
	return out
}

// cited gives the event that is meant; 0 is none.
func (r *messageReader) cited(refs []*event.Ref) *event.Ref {
	at := r.uvarint()
	if at > uint64(len(refs)) {
		r.fail()
	}
	if at == 0 || r.bad {
		return nil
	}
	return refs[at-1]
}

func (r *messageReader) marks() []SentMark {
	n := r.count(leastMark)
	if n == 0 {
		return nil
	}
	out := make([]SentMark, n)
	for i := range out {
		m := &out[i]
		m.Source, m.Partition, m.Newest, m.Received = r.text(), r.int32(), r.varint(), r.varint()
		m.Idle, m.Generation = r.byte() == 1, r.int32()
	}
	return out
}

func (r *messageReader) roster() []Partitions {
	n := r.count(leastPart)
	if n == 0 {
		return nil
	}
	out := make([]Partitions, n)
	for i := range out {
		out[i] = Partitions{Source: r.text(), Count: r.int32()}
	}
	return out
}

package correlate

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tocsin-siem/tocsin/event"
)

var errDamaged = errors.New("the snapshot is damaged")

// writer writes a snapshot. Strings, cells, chains and matches are written where they are first met and by number from then on.
type writer struct {
	b       []byte
	strings map[string]uint64
	cells   map[*cell]uint64
	links   map[*link]uint64
	matches map[*match]uint64
	keyed   keyed                     // Cells are written for this key.
	seen    int                       // So that reading ahead is not for nothing.
	full    func(piece []byte) []byte // Takes what was written once that is a piece, and gives room for the next; nil: all stays in b.
}

// written is how much a snapshot wrote out: about as much as the next one will.
type written struct{ strings, cells int }

func newWriter(b []byte) *writer {
	return &writer{b: b, strings: map[string]uint64{}, cells: map[*cell]uint64{}, links: map[*link]uint64{}, matches: map[*match]uint64{}}
}

// expect makes room for as much.
func (w *writer) expect(n written) {
	w.strings, w.cells = make(map[string]uint64, n.strings), make(map[*cell]uint64, n.cells)
}

func (w *writer) count() written { return written{len(w.strings), len(w.cells)} }

// pass hands over what was written if there is enough of it. Where it is called, nothing refers to a place in b.
func (w *writer) pass() {
	if w.full != nil && len(w.b) >= pieceBytes {
		w.b = w.full(w.b)
	}
}

func (w *writer) uint(v uint64)   { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)     { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) id(v event.ID)   { w.b = append(w.b, v[:]...) }
func (w *writer) float(v float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v)) }

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
		return
	}
	w.b = append(w.b, 0)
}

// numbered writes the number of v, and says whether it has to be written out as well.
func numbered[K comparable](w *writer, seen map[K]uint64, v K) bool {
	w.pass()
	n, known := seen[v]
	if !known {
		n = uint64(len(seen))
		seen[v] = n
	}
	w.uint(n)
	return !known
}

func (w *writer) string(s string) {
	if numbered(w, w.strings, s) {
		w.uint(uint64(len(s)))
		w.b = append(w.b, s...)
	}
}

func (w *writer) texts(list []string) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.string(s)
	}
}

// maybeTexts keeps nil and empty apart.
func (w *writer) maybeTexts(list []string) {
	w.bool(list != nil)
	if list != nil {
		w.texts(list)
	}
}

// reader reads what writer wrote. The first error sticks; from then on everything reads as zero.
type reader struct {
	b       []byte
	err     error
	strings []string
	cells   []*cell
	links   []*link
	matches []*match
	keyed   keyed
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errDamaged
	}
	r.b = nil
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// time reads an event time; anything that could overflow when a length is added is refused.
func (r *reader) time() int64 {
	t := r.int()
	if t < never || t > forever {
		r.fail()
		return 0
	}
	return t
}

func (r *reader) take(n uint64) []byte {
	if uint64(len(r.b)) < n {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) bool() bool {
	switch r.byte() {
	case 0:
	case 1:
		return true
	default:
		r.fail()
	}
	return false
}

func (r *reader) id() (id event.ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

func (r *reader) float() float64 {
	if b := r.take(8); len(b) == 8 {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// count reads the length of a list whose elements take at least size bytes.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// number reads a number: what is known under it, or that it has to be read, as the next one.
func number[V any](r *reader, known []V) (v V, fresh bool) {
	n := r.uint()
	switch {
	case r.err != nil:
	case n < uint64(len(known)):
		return known[n], false
	case n == uint64(len(known)):
		return v, true
	default:
		r.fail()
	}
	return v, false
}

func (r *reader) string() string {
	s, fresh := number(r, r.strings)
	if fresh {
		s = string(r.take(r.uint()))
		r.strings = append(r.strings, s)
	}
	return s
}

func (r *reader) texts() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string()
	}
	return list
}

func (r *reader) maybeTexts() []string {
	if !r.bool() {
		return nil
	}
	list := r.texts()
	if list == nil {
		list = []string{}
	}
	return list
}

package correlate

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/s2"
)

// A packed snapshot is a snapshot with a magic of its own, whose sections are in pieces: each its length when compressed (4 bytes, little-endian)
// and an S2 block of at most pieceBytes.
const (
	packedMagic = "TCSP"
	pieceBytes  = 1 << 20
	mostSlab    = 8 << 20
	mostPackers = 4
)

// Packed is a compressed snapshot in pieces, as they were made. Nothing of it refers to the engine.
type Packed struct{ sections [][][]byte }

// Pack makes a compressed snapshot, on up to four cores: no batch can be folded meanwhile, so that nothing is left to do then that can be done
// later. The same state gives the same bytes.
func (e *Engine) Pack() *Packed {
	p := &Packed{sections: make([][][]byte, e.sections())}
	order := e.largestFirst()
	var next atomic.Int64
	var packers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), mostPackers) {
		packers.Go(func() {
			x := packing{press: &press{}}
			for n := next.Add(1); int(n) <= len(order); n = next.Add(1) {
				p.sections[order[n-1]] = x.section(e, order[n-1])
			}
		})
	}
	packers.Wait()
	return p
}

// largestFirst are the sections in the order in which they are packed: those that take longest are not to be left to the end.
func (e *Engine) largestFirst() []int {
	order := make([]int, e.sections())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order[1:], func(a, b int) int { return cmp.Compare(e.fold.rules[b-1].held(), e.fold.rules[a-1].held()) })
	return order
}

// packing writes sections one after the other and compresses what was written as soon as it is a piece.
type packing struct {
	press  *press   // Runs of hits are opened with it: that of the rules is shared by all of them.
	raw    []byte   // Room for what is written.
	slab   []byte   // Room for what is compressed.
	pieces [][]byte // Of the section.
}

func (x *packing) section(e *Engine, i int) [][]byte {
	x.pieces = nil
	w := newWriter(x.raw[:0])
	w.full = x.take
	if i > 0 {
		r := e.fold.rules[i-1]
		defer func(own *press) { r.press = own }(r.press)
		r.press = x.press
	}
	x.raw = x.take(e.writeSection(w, i))
	return x.pieces
}

// take keeps what was written and gives its room back.
func (x *packing) take(raw []byte) []byte {
	for rest := raw; len(rest) > 0; {
		piece := rest[:min(len(rest), pieceBytes)]
		rest = rest[len(piece):]
		if most := s2.MaxEncodedLen(len(piece)); cap(x.slab)-len(x.slab) < most {
			x.slab = make([]byte, 0, max(most, min(2*cap(x.slab), mostSlab)))
		}
		at := len(x.slab)
		packed := s2.Encode(x.slab[at:cap(x.slab)], piece)
		x.slab = x.slab[:at+len(packed)]
		x.pieces = append(x.pieces, packed)
	}
	return raw[:0]
}

// Len is how many bytes AppendTo appends.
func (p *Packed) Len() int {
	n := snapshotHead
	for _, pieces := range p.sections {
		n += 8
		for _, piece := range pieces {
			n += 4 + len(piece)
		}
	}
	return n
}

// AppendTo appends the snapshot to b.
func (p *Packed) AppendTo(b []byte) []byte {
	at := len(b)
	b = appendHead(slices.Grow(b, p.Len()), packedMagic)
	for _, pieces := range p.sections {
		b = section(b, func(b []byte) []byte {
			for _, piece := range pieces {
				b = append(binary.LittleEndian.AppendUint32(b, uint32(len(piece))), piece...)
			}
			return b
		})
	}
	return closeHead(b, at, crc64.Checksum(b[at+snapshotHead:], crcTable))
}

// unpackPieces appends what a section was before it was packed to b.
func unpackPieces(b, packed []byte) ([]byte, error) {
	total := 0
	err := eachPiece(packed, func(piece []byte) error {
		n, err := s2.DecodedLen(piece)
		if err == nil && n > pieceBytes {
			err = fmt.Errorf("a piece claims %d bytes", n)
		}
		total += n
		return err
	})
	if err != nil {
		return b, err
	}
	b = slices.Grow(b, total)
	err = eachPiece(packed, func(piece []byte) error {
		raw, err := s2.Decode(b[len(b):cap(b)], piece)
		b = b[:len(b)+len(raw)]
		return err
	})
	return b, err
}

func eachPiece(b []byte, take func(packed []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return errDamaged
		}
		n := binary.LittleEndian.Uint32(b)
		if err := take(b[4 : 4+n]); err != nil {
			return err
		}
		b = b[4+n:]
	}
	return nil
}

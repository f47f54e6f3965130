package correlate

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/s2"
)

// A packed snapshot is a snapshot with a magic of its own, whose sections are in pieces: each its length when compressed (4 bytes, little-endian)
// and an S2 block of at most pieceBytes.
const (
	packedMagic = "TCSP"
	pieceBytes  = 1 << 20
	pieceRoom   = pieceBytes + 64<<10
	mostSlab    = 8 << 20
	packLater   = 64 << 20
	mostPackers = 4
)

// Packed is a snapshot in pieces, as they were made. Nothing of it refers to the engine.
type Packed struct {
	sections [][]piece
	later    atomic.Int64 // So many bytes may still wait to be compressed.
}

type piece struct {
	b   []byte
	raw bool // To be compressed.
}

// Pack makes a compressed snapshot, on up to four cores: no batch can be folded meanwhile, so nothing is done then that can be done later. The first
// 64 MiB are left to be compressed by AppendTo.
func (e *Engine) Pack() *Packed { return e.pack(packLater, e.sections()) }

// pack packs some sections.
func (e *Engine) pack(later int64, some []chapter) *Packed {
	p := &Packed{sections: make([][]piece, len(some))}
	p.later.Store(later)
	order := largestFirst(some)
	var next atomic.Int64
	var packers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), mostPackers) {
		packers.Go(func() {
			x := packing{of: p, press: &press{}}
			for n := next.Add(1); int(n) <= len(order); n = next.Add(1) {
				p.sections[order[n-1]] = x.section(some[order[n-1]])
			}
		})
	}
	packers.Wait()
	return p
}

// largestFirst are the places of sections in the order in which they are packed: those that take longest are not to be left to the end.
func largestFirst(some []chapter) []int {
	order := make([]int, len(some))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order[1:], func(a, b int) int { return cmp.Compare(some[b].rule.held(), some[a].rule.held()) })
	return order
}

// packing writes sections one after the other.
type packing struct {
	of     *Packed
	press  *press // Runs of hits are opened with it: that of the rules is shared by all of them.
	room   []byte // For what is written.
	slab   slab
	pieces []piece // Of the section.
}

func (x *packing) section(s chapter) []piece {
	x.pieces = nil
	w := newWriter(x.room[:0])
	w.full = x.take
	if r := s.rule; r != nil {
		defer func(own *press) { r.press = own }(r.press)
		r.press = x.press
	}
	x.room = x.take(s.write(w))
	return x.pieces
}

// take keeps what was written as pieces, and gives room for more.
func (x *packing) take(written []byte) []byte {
	later := len(written) >= pieceBytes && x.of.later.Add(-int64(len(written))) >= 0
	for rest := written; len(rest) > 0; {
		b := rest[:min(len(rest), pieceBytes)]
		rest = rest[len(b):]
		if !later {
			b = x.slab.compress(b)
		}
		x.pieces = append(x.pieces, piece{b, later})
	}
	if later {
		return make([]byte, 0, pieceRoom)
	}
	return written[:0]
}

// slab is room for what is compressed.
type slab []byte

func (s *slab) compress(b []byte) []byte {
	if most := s2.MaxEncodedLen(len(b)); cap(*s)-len(*s) < most {
		*s = make([]byte, 0, max(most, min(2*cap(*s), mostSlab)))
	}
	at := len(*s)
	packed := s2.Encode((*s)[at:cap(*s)], b)
	*s = (*s)[:at+len(packed)]
	return packed
}

// finish compresses what is left.
func (p *Packed) finish() {
	var s slab
	for _, pieces := range p.sections {
		for i := range pieces {
			if pieces[i].raw {
				pieces[i] = piece{b: s.compress(pieces[i].b)}
			}
		}
	}
}

// size is how many bytes AppendTo appends to what is finished.
func (p *Packed) size() int {
	n := snapshotHead
	for _, pieces := range p.sections {
		n += 8
		for i := range pieces {
			n += 4 + len(pieces[i].b)
		}
	}
	return n
}

// AppendTo appends the snapshot to b. The same state gives the same bytes. It is called by one goroutine, which may be another one than the
// engine's.
func (p *Packed) AppendTo(b []byte) []byte {
	p.finish()
	at := len(b)
	b = appendHead(slices.Grow(b, p.size()), packedMagic)
	for _, pieces := range p.sections {
		b = section(b, func(b []byte) []byte {
			for i := range pieces {
				b = append(binary.LittleEndian.AppendUint32(b, uint32(len(pieces[i].b))), pieces[i].b...)
			}
			return b
		})
	}
	return closeHead(b, at, xxhash.Sum64(b[at+snapshotHead:]))
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

package correlate

import (
	"encoding/binary"
	"fmt"
	"hash/crc64"

	"github.com/klauspost/compress/s2"
)

// A packed snapshot is a head as a snapshot has, with a magic of its own, and the snapshot's body in pieces: each its length when compressed (4
// bytes, little-endian) and an S2 block of at most pieceBytes.
const (
	packedMagic = "TCSP"
	pieceBytes  = 1 << 20
)

// Pack appends what Snapshot would, compressed piece by piece as it is written: beside b it takes a few megabytes. The same state gives the same
// bytes. Nothing of b refers to the engine, which may go on.
func (e *Engine) Pack(b []byte) []byte {
	p := newBodyPress(b)
	w := newWriter(nil)
	w.full = p.take
	w.engine(e)
	return p.end(w.b)
}

// bodyPress compresses what a writer wrote while it goes on.
type bodyPress struct {
	b     []byte
	at    int           // Where the head is.
	sum   uint64        // Of the body so far.
	raw   chan []byte   // Pieces as they were written,
	spare chan []byte   // and their room, for the next.
	done  chan struct{} // Closed when nothing comes any more.
}

func newBodyPress(b []byte) *bodyPress {
	p := &bodyPress{b: appendHead(b, packedMagic), at: len(b), raw: make(chan []byte, 1), spare: make(chan []byte, 4), done: make(chan struct{})}
	for range cap(p.spare) - 1 { // The writer has the other.
		p.spare <- nil
	}
	go func() {
		defer close(p.done)
		for piece := range p.raw {
			from := len(p.b)
			p.b = appendPieces(p.b, piece)
			p.sum = crc64.Update(p.sum, crcTable, p.b[from:])
			p.spare <- piece[:0]
		}
	}()
	return p
}

// take keeps a piece and gives room for the next.
func (p *bodyPress) take(piece []byte) []byte {
	p.raw <- piece
	return <-p.spare
}

// end takes the last piece and gives the whole.
func (p *bodyPress) end(piece []byte) []byte {
	p.raw <- piece
	close(p.raw)
	<-p.done
	return closeHead(p.b, p.at, p.sum)
}

func appendPieces(b, raw []byte) []byte {
	for len(raw) > 0 {
		piece := raw[:min(len(raw), pieceBytes)]
		raw = raw[len(piece):]
		at, most := len(b), s2.MaxEncodedLen(len(piece))
		if cap(b)-at < 4+most {
			b = append(make([]byte, 0, at+at/4+4+most), b...)
		}
		packed := s2.Encode(b[at+4:at+4+most], piece)
		binary.LittleEndian.PutUint32(b[at:at+4], uint32(len(packed)))
		b = b[:at+4+len(packed)]
	}
	return b
}

// unpackPieces is the body of a snapshot again.
func unpackPieces(b []byte) ([]byte, error) {
	total := 0
	err := eachPiece(b, func(packed []byte) error {
		n, err := s2.DecodedLen(packed)
		if err == nil && n > pieceBytes {
			err = fmt.Errorf("a piece claims %d bytes", n)
		}
		total += n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	raw := make([]byte, 0, total)
	err = eachPiece(b, func(packed []byte) error {
		piece, err := s2.Decode(raw[len(raw):total], packed)
		raw = raw[:len(raw)+len(piece)]
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return raw, nil
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

package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs of a batch: the low three bits of its attributes (Kafka protocol guide, "Record Batch").
const (
	codecNone = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

var errTooLarge = errors.New("it unpacks to more than max_batch")

// unpacker unpacks batches, never to more than limit bytes. kafka-go's codecs have no bound and live in a table of the whole process; these are
// the reader's own. It is for one goroutine, except zstd, which the readers of a cluster share.
type unpacker struct {
	limit  int
	zstd   *zstd.Decoder
	source bytes.Reader
	gzip   *gzip.Reader
	lz4    *lz4.Reader
	ratio  int // How many sixteenths of their packed size batches had of late, for the guess at the next.
}

// unpack gives the bytes packed holds, in memory of their own.
func (u *unpacker) unpack(codec int, packed []byte) ([]byte, error) {
	switch codec {
	case codecSnappy:
		return u.snappy(packed)
	case codecZstd:
		return u.unzstd(packed)
	case codecGzip:
		u.source.Reset(packed)
		if u.gzip == nil {
			u.gzip = new(gzip.Reader)
		}
		if err := u.gzip.Reset(&u.source); err != nil {
			return nil, err
		}
		return u.drain(packed, u.gzip)
	case codecLZ4:
		u.source.Reset(packed)
		if u.lz4 == nil {
			u.lz4 = lz4.NewReader(nil)
		}
		u.lz4.Reset(&u.source)
		return u.drain(packed, u.lz4)
	}
	return nil, fmt.Errorf("codec %d is not one Kafka has", codec)
}

// guess is what n packed bytes may hold: an eighth more than the ratio seen of late gives.
func (u *unpacker) guess(n int) int {
	ratio := max(u.ratio, 32)
	return max(min(n*(ratio+ratio/8)/16, u.limit), 512)
}

func (u *unpacker) learn(packed, out []byte) []byte {
	ratio := min(16*len(out)/max(len(packed), 1), 64*16)
	if ratio < u.ratio {
		ratio = u.ratio - (u.ratio-ratio)/4 // Small batches pack worse, and large ones come again.
	}
	u.ratio = ratio
	return out
}

func (u *unpacker) drain(packed []byte, from io.Reader) ([]byte, error) {
	out := make([]byte, 0, u.guess(len(packed)))
	for {
		n, err := from.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > u.limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return u.learn(packed, out), nil
		case err != nil:
			return nil, err
		case len(out) == cap(out):
			// One byte more than the bound tells full from too large.
			grown := make([]byte, len(out), min(2*cap(out), u.limit+1))
			copy(grown, out)
			out = grown
		}
	}
}

// zstdBlock is the most a block of a zstd frame holds (RFC 8878 section 3.1.1.2.4).
const zstdBlock = 128 << 10

// unzstd unpacks into memory of the size the frame gives, if it does, and otherwise of the usual ratio, unless the number of blocks promises much
// more: then for all of them. Left alone, the decoder grows its output by quarters, which for a bomb adds up to five times the bound.
func (u *unpacker) unzstd(packed []byte) ([]byte, error) {
	var head zstd.Header
	if err := head.Decode(packed); err != nil {
		return nil, err
	}
	room := int64(u.guess(len(packed)))
	switch most := zstdMost(packed, head.HeaderSize); {
	case head.HasFCS && head.FrameContentSize > uint64(u.limit):
		return nil, errTooLarge
	case head.HasFCS:
		room = int64(head.FrameContentSize)
	case most > 4*room:
		room = min(most, int64(u.limit)+zstdBlock)
	}
	out, err := u.zstd.DecodeAll(packed, make([]byte, 0, max(room, 1)))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded) || len(out) > u.limit:
		return nil, errTooLarge
	case err != nil:
		return nil, err
	}
	return u.learn(packed, out), nil
}

// zstdMost is the most the blocks of a frame can hold: each begins with three bytes that say whether it is the last, its type and its size, which of
// a repeated byte (type 1) is the number of times.
func zstdMost(packed []byte, at int) (most int64) {
	for at+3 <= len(packed) {
		head := uint32(packed[at]) | uint32(packed[at+1])<<8 | uint32(packed[at+2])<<16
		size := int(head >> 3)
		switch head >> 1 & 3 {
		case 0:
			most += int64(size)
		case 1:
			most, size = most+int64(size), 1
		default:
			most += zstdBlock
		}
		if head&1 != 0 {
			break
		}
		at += 3 + size
	}
	return most
}

// xerial is how Java's snappy streams begin: this, two version numbers of four bytes, then blocks each after its length.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

func (u *unpacker) snappy(packed []byte) ([]byte, error) {
	if !bytes.HasPrefix(packed, xerial) {
		n, err := s2.DecodedLen(packed)
		if err != nil {
			return nil, err
		}
		if n > u.limit {
			return nil, errTooLarge
		}
		return s2.Decode(make([]byte, n), packed)
	}
	// Lengths first, so that the memory is taken once.
	total := 0
	for block, err := range xerialBlocks(packed) {
		if err != nil {
			return nil, err
		}
		n, err := s2.DecodedLen(block)
		if err != nil {
			return nil, err
		}
		if total += n; total > u.limit {
			return nil, errTooLarge
		}
	}
	out := make([]byte, total)
	at := 0
	for block, err := range xerialBlocks(packed) {
		if err != nil {
			return nil, err
		}
		part, err := s2.Decode(out[at:], block)
		if err != nil {
			return nil, err
		}
		at += len(part)
	}
	return out[:at], nil
}

func xerialBlocks(packed []byte) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		if len(packed) < xerialHeader {
			yield(nil, io.ErrUnexpectedEOF)
			return
		}
		for rest := packed[xerialHeader:]; len(rest) > 0; {
			if len(rest) < 4 {
				yield(nil, io.ErrUnexpectedEOF)
				return
			}
			n := int64(binary.BigEndian.Uint32(rest))
			if n > int64(len(rest)-4) {
				yield(nil, io.ErrUnexpectedEOF)
				return
			}
			if !yield(rest[4:4+n], nil) {
				return
			}
			rest = rest[4+n:]
		}
	}
}

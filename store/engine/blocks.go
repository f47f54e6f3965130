package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ClickHouse/ch-go/compress"
)

// ClickHouse's native compressed blocks: 16 bytes checksum, 1 byte method, 4 bytes compressed size (with the 9 bytes from
// the method on), 4 bytes size before compression, then the compressed bytes.
const (
	blockHeader   = 25
	blockSizeAt   = 17
	blockSizePart = 9
	maxBlock      = 128 << 20 // bytes, compressed; clickhouse-go packs a whole batch into one block
	writtenBlock  = 1 << 20   // bytes before compression, as a server's max_compress_block_size
)

// blockReader decompresses native blocks. The library's reader cannot tell the end of the data from a block that is cut
// short, so the blocks are cut here and given to it one at a time: a truncated insert is an error.
type blockReader struct {
	from   io.Reader
	packed bytes.Buffer
	blocks *compress.Reader
	left   int64 // bytes of the current block still to be read
}

func newBlockReader(from io.Reader) *blockReader {
	b := &blockReader{from: from}
	b.blocks = compress.NewReader(&b.packed)
	return b
}

func (b *blockReader) Read(p []byte) (int, error) {
	for b.left == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n, err := b.blocks.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *blockReader) next() error {
	var header [blockHeader]byte
	if _, err := io.ReadFull(b.from, header[:]); err != nil {
		return err // io.EOF between two blocks is the end
	}
	size := int64(binary.LittleEndian.Uint32(header[blockSizeAt:])) - blockSizePart
	if size < 0 || size > maxBlock {
		return fmt.Errorf("compressed block of %d bytes: want 0 to %d", size, maxBlock)
	}
	b.packed.Reset()
	b.packed.Write(header[:])
	if _, err := io.CopyN(&b.packed, b.from, size); err != nil {
		return fmt.Errorf("compressed block cut short: %w", io.ErrUnexpectedEOF)
	}
	b.left = int64(binary.LittleEndian.Uint32(header[blockSizeAt+4:]))
	return nil
}

// blockWriter writes native compressed blocks.
type blockWriter struct {
	to     io.Writer
	blocks *compress.Writer
}

func (b *blockWriter) Write(p []byte) (int, error) {
	for at := 0; at < len(p); at += writtenBlock {
		if err := b.blocks.Compress(p[at:min(at+writtenBlock, len(p))]); err != nil {
			return at, err
		}
		if _, err := b.to.Write(b.blocks.Data); err != nil {
			return at, err
		}
	}
	return len(p), nil
}

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// block is rows of one table in ClickHouse's Native format, revision 0: the number of columns and rows, then per column its name, its type
// and its values. It belongs to one goroutine and is used again and again.
type block struct {
	table   string
	columns []blockColumn
	heads   [][]byte
	parts   [][]byte
}

type blockColumn struct {
	name string
	column
}

// add puts a column at the end and returns it, so that its owner fills it without a look-up.
func add[C column](b *block, name string, c C) C {
	b.columns = append(b.columns, blockColumn{name, c})
	return c
}

// into is the table with the columns of the block, as an INSERT names them.
func (b *block) into() string {
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = c.name
	}
	return b.table + " (" + strings.Join(names, ", ") + ")"
}

func (b *block) rows() int { return b.columns[0].values() }

func (b *block) size() int {
	n := 0
	for _, c := range b.columns {
		n += c.size()
	}
	return n
}

func (b *block) reset() {
	for _, c := range b.columns {
		c.reset()
	}
}

// seal writes the headers. The block must not change until it has been sent.
func (b *block) seal() error {
	rows := b.rows()
	if len(b.heads) != len(b.columns) {
		b.heads = make([][]byte, len(b.columns))
	}
	b.parts = b.parts[:0]
	for i, c := range b.columns {
		if c.values() != rows {
			return fmt.Errorf("store: table %s: column %s has %d values for %d rows", b.table, c.name, c.values(), rows)
		}
		h := b.heads[i][:0]
		if i == 0 {
			h = binary.AppendUvarint(h, uint64(len(b.columns)))
			h = binary.AppendUvarint(h, uint64(rows))
		}
		h = appendString(h, c.name)
		h = appendString(h, c.typeName())
		b.heads[i] = c.prefix(h)
		b.parts = c.column.parts(append(b.parts, b.heads[i]))
	}
	return nil
}

// reader gives the sealed block's bytes; each call starts from the beginning.
func (b *block) reader() io.Reader {
	readers := make([]io.Reader, len(b.parts))
	for i, p := range b.parts {
		readers[i] = bytes.NewReader(p)
	}
	return io.MultiReader(readers...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

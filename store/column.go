package store

import (
	"encoding/binary"
	"slices"
)

// column collects the values of one column in the form in which ClickHouse's Native format carries them, so that a block is sent without
// a second copy. A column belongs to one goroutine; its memory is kept from block to block.
type column interface {
	typeName() string
	// prefix is what stands before the column's data.
	prefix(b []byte) []byte
	// parts adds the wire bytes to dst; they are valid until the next reset.
	parts(dst [][]byte) [][]byte
	// size is about how many bytes parts will have.
	size() int
	// values is how many values there are.
	values() int
	reset()
}

// fixed is a column of values of one width.
type fixed struct {
	name  string
	width int
	b     []byte
}

func newFixed(name string, width int) *fixed { return &fixed{name: name, width: width} }

func (c *fixed) typeName() string            { return c.name }
func (c *fixed) prefix(b []byte) []byte      { return b }
func (c *fixed) parts(dst [][]byte) [][]byte { return append(dst, c.b) }
func (c *fixed) size() int                   { return len(c.b) }
func (c *fixed) values() int                 { return len(c.b) / c.width }
func (c *fixed) reset()                      { c.b = c.b[:0] }

func (c *fixed) add8(v uint8)         { c.b = append(c.b, v) }
func (c *fixed) add16(v uint16)       { c.b = binary.LittleEndian.AppendUint16(c.b, v) }
func (c *fixed) add32(v uint32)       { c.b = binary.LittleEndian.AppendUint32(c.b, v) }
func (c *fixed) add64(v uint64)       { c.b = binary.LittleEndian.AppendUint64(c.b, v) }
func (c *fixed) addBytes(v *[16]byte) { c.b = append(c.b, v[:]...) }

// addBool writes ClickHouse's Bool.
func (c *fixed) addBool(v bool) {
	if v {
		c.b = append(c.b, 1)
		return
	}
	c.b = append(c.b, 0)
}

// nullable is a fixed column in which a value may be absent.
type nullable struct {
	fixed
	nulls []byte
}

func newNullable(name string, width int) *nullable {
	return &nullable{fixed: fixed{name: "Nullable(" + name + ")", width: width}}
}

func (c *nullable) parts(dst [][]byte) [][]byte { return append(dst, c.nulls, c.b) }
func (c *nullable) size() int                   { return len(c.nulls) + len(c.b) }
func (c *nullable) reset()                      { c.nulls, c.b = c.nulls[:0], c.b[:0] }

// mark says whether the value that follows is known; an unknown one is written as zero.
func (c *nullable) mark(known bool) {
	if known {
		c.nulls = append(c.nulls, 0)
		return
	}
	c.nulls = append(c.nulls, 1)
}

// text is a column of strings.
type text struct {
	b      []byte
	rows   int
	coming int // How many rows will come, if that is known.
}

func (c *text) typeName() string            { return "String" }
func (c *text) prefix(b []byte) []byte      { return b }
func (c *text) parts(dst [][]byte) [][]byte { return append(dst, c.b) }
func (c *text) size() int                   { return len(c.b) }
func (c *text) values() int                 { return c.rows }
func (c *text) reset()                      { c.b, c.rows, c.coming = c.b[:0], 0, 0 }

func (c *text) add(s string) {
	c.b = append(binary.AppendUvarint(c.b, uint64(len(s))), s...)
	c.rows++
}

func (c *text) addBytes(s []byte) {
	if c.coming > c.rows && cap(c.b)-len(c.b) < len(s)+binary.MaxVarintLen64 {
		c.grow(len(s))
	}
	c.b = append(binary.AppendUvarint(c.b, uint64(len(s))), s...)
	c.rows++
}

// sampleRows is how many rows show how long those that come will be.
const sampleRows = 128

// grow makes room for all rows that will come, as far as those before show how long they are: growing step by step would copy them several times.
func (c *text) grow(next int) {
	if c.rows < sampleRows {
		return
	}
	mean := len(c.b)/c.rows + 1
	c.b = slices.Grow(c.b, min((c.coming-c.rows)*(mean+mean/16), maxBlockBytes)+next+binary.MaxVarintLen64)
}

// maxInterned bounds how many distinct strings a low column remembers from block to block.
const maxInterned = 1 << 16

// low is a LowCardinality(String) column. Strings are interned across blocks, so that a value costs one map look-up and no copy; each
// block has a dictionary of its own with the values it uses.
type low struct {
	interned map[string]uint32 // String to its place in texts and local.
	texts    []string
	local    []place
	block    uint32 // Stamp of the current block.
	keys     []byte // The block's dictionary, on the wire.
	distinct uint32
	ids      []uint32 // Per value: its place in the dictionary.
	lately   [16]met
	hashed   []met // The same by the hash that the caller knows; nil where none does.
	wire     []byte
	head     []byte
}

// met is an interned string met lately, with its place: values of one column take turns, and these are found without a hash of the whole.
type met struct {
	value  string
	number uint32 // In texts.
	place
}

// place is where a string stands in the dictionary of the block with the stamp.
type place struct{ block, id uint32 }

func newLow() *low { return &low{interned: map[string]uint32{}, block: 1} }

func (c *low) typeName() string { return "LowCardinality(String)" }
func (c *low) values() int      { return len(c.ids) }

// lowVersion and the flags below are ClickHouse's SerializationLowCardinality: one dictionary per block, sent with it.
const (
	lowVersion = 1
	lowFlags   = 1<<9 | 1<<10 // Additional keys follow; the dictionary is new.
)

func (c *low) prefix(b []byte) []byte { return binary.LittleEndian.AppendUint64(b, lowVersion) }

func (c *low) size() int { return len(c.keys) + 4*len(c.ids) + 24 }

func (c *low) reset() {
	if len(c.interned) > maxInterned {
		clear(c.interned)
		clear(c.texts)
		clear(c.hashed)
		c.texts, c.local = c.texts[:0], c.local[:0]
	}
	c.block++
	c.keys, c.ids, c.distinct = c.keys[:0], c.ids[:0], 0
}

func (c *low) add(s string) {
	slot := uint(len(s))
	if len(s) > 0 {
		slot += uint(s[0])*5 + uint(s[len(s)-1])*3 + uint(s[len(s)/2])
	}
	r := &c.lately[slot%uint(len(c.lately))]
	if r.block != c.block || r.value != s {
		*r = c.intern(s)
	}
	c.ids = append(c.ids, r.id)
}

// hashedValues is for how many values that come with a hash a place is remembered: half a megabyte for some thousand people, machines and addresses.
const hashedValues = 1 << 14

// addHashed is add for a column of many values, of which the caller knows a hash.
func (c *low) addHashed(s string, hash uint64) {
	if c.hashed == nil {
		c.hashed = make([]met, hashedValues)
	}
	r := &c.hashed[hash%hashedValues]
	switch {
	case r.block == 0 || r.value != s:
		*r = c.intern(s)
	case r.block != c.block:
		r.place = c.put(r.number)
	}
	c.ids = append(c.ids, r.id)
}

// intern gives the place of s in the block's dictionary, where it now stands.
func (c *low) intern(s string) met {
	n, ok := c.interned[s]
	if !ok {
		n = uint32(len(c.local))
		s = string([]byte(s)) // The map outlives the batch that s points into.
		c.interned[s] = n
		c.texts, c.local = append(c.texts, s), append(c.local, place{})
	}
	return met{c.texts[n], n, c.put(n)}
}

// put gives the place of the interned string of that number in the block's dictionary, where it now stands.
func (c *low) put(n uint32) place {
	p := &c.local[n]
	if p.block != c.block {
		*p = place{block: c.block, id: c.distinct}
		c.distinct++
		c.keys = append(binary.AppendUvarint(c.keys, uint64(len(c.texts[n]))), c.texts[n]...)
	}
	return *p
}

func (c *low) parts(dst [][]byte) [][]byte {
	if len(c.ids) == 0 {
		return dst
	}
	width := uint64(0) // 0: one byte, 1: two, 2: four.
	switch {
	case c.distinct > 1<<16:
		width = 2
	case c.distinct > 1<<8:
		width = 1
	}
	c.head = binary.LittleEndian.AppendUint64(c.head[:0], lowFlags|width)
	c.head = binary.LittleEndian.AppendUint64(c.head, uint64(c.distinct))
	c.wire = binary.LittleEndian.AppendUint64(c.wire[:0], uint64(len(c.ids)))
	switch width {
	case 0:
		for _, id := range c.ids {
			c.wire = append(c.wire, byte(id))
		}
	case 1:
		for _, id := range c.ids {
			c.wire = binary.LittleEndian.AppendUint16(c.wire, uint16(id))
		}
	default:
		for _, id := range c.ids {
			c.wire = binary.LittleEndian.AppendUint32(c.wire, id)
		}
	}
	return append(dst, c.head, c.keys, c.wire)
}

// list is an array column: each row is closed by end, after its elements have been added to of.
type list[C column] struct {
	of   C
	ends fixed
}

func newList[C column](of C) *list[C] { return &list[C]{of: of, ends: fixed{width: 8}} }

func (c *list[C]) typeName() string       { return "Array(" + c.of.typeName() + ")" }
func (c *list[C]) prefix(b []byte) []byte { return c.of.prefix(b) }
func (c *list[C]) size() int              { return c.ends.size() + c.of.size() }
func (c *list[C]) values() int            { return c.ends.values() }
func (c *list[C]) end()                   { c.ends.add64(uint64(c.of.values())) }

func (c *list[C]) parts(dst [][]byte) [][]byte { return c.of.parts(append(dst, c.ends.b)) }

func (c *list[C]) reset() {
	c.ends.reset()
	c.of.reset()
}

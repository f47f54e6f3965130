package correlate

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// textIndex finds by the value of one field. Exact values are looked up as they are. For the rest the value is brought into its canonical form
// once, and then read once from the start for what it may begin with or be, once from the end for what it may end with, and once over all its
// grams (four bytes) for what it may hold: each literal is filed under its rarest gram and compared only where that stands.
type textIndex struct {
	field        *event.Field
	name         string // Of a raw field.
	salt         uint64 // Tells equal values of different fields apart; by the name.
	exact        map[string]int32
	exactLengths uint64 // Of exact, as bits; the last one is for all from 63 on.
	empty        int32  // The posting of the exact value ""; −1: none.
	start        anchored
	end          anchored
	grams        gramIndex
	canon        bool // Any of start, end and grams is in use.
	// shortest is the length of the shortest text looked for: no shorter value can be or hold one, since canonical forms are never longer.
	shortest int
	held     int  // The same of those that are not exact values.
	onlyHeld bool // Nothing is looked for but long literals anywhere.
	dear     bool // To search costs more than to remember.
}

func newTextIndex(fd *event.Field, list []expression.Predicate, postings []int32) *textIndex {
	x := &textIndex{field: fd, empty: -1}
	x.name, _ = fd.RawName()
	for i := range len(x.name) {
		x.salt = hashByte(x.salt, x.name[i])
	}
	var start, end, inside []literal
	for i, at := range postings {
		p := &list[at]
		if i == 0 || len(p.Text) < x.shortest {
			x.shortest = len(p.Text)
		}
		if p.Test != expression.Equal && (len(start)+len(end)+len(inside) == 0 || len(p.Text) < x.held) {
			x.held = len(p.Text)
		}
		l := literal{text: p.Text, posting: at}
		switch p.Test {
		case expression.Equal:
			if p.Text == "" {
				x.empty = at
				continue
			}
			if x.exact == nil {
				x.exact = map[string]int32{}
			}
			x.exact[p.Text] = at
			x.exactLengths |= 1 << min(len(p.Text), 63)
		case expression.Spelled:
			l.whole = true
			start = append(start, l)
		case expression.Prefix:
			start = append(start, l)
		case expression.Suffix:
			end = append(end, l)
		default:
			inside = append(inside, l)
		}
	}
	x.canon = len(start)+len(end)+len(inside) > 0
	x.start, x.end, x.grams = newAnchored(start, false), newAnchored(end, true), newGramIndex(inside)
	x.onlyHeld = len(start)+len(end) == 0 && x.grams.short == nil
	x.dear = len(x.start.lengths)+len(x.end.lengths) > 4 || x.grams.short != nil || 0 < x.grams.stride && x.grams.stride < maxStride
	return x
}

// find takes what the value s of the field is a witness for.
func (t *textIndex) find(x *index, c *candidates, s string) {
	if t.plain(x, c, s) {
		c.canon = expression.Canon(c.canon[:0], s)
		t.spelled(x, c)
	}
}

// plain takes what needs no canonical form, and reports whether there is more to find in one.
func (t *textIndex) plain(x *index, c *candidates, s string) bool {
	if s == "" {
		if t.empty >= 0 {
			c.take(x, t.empty)
		}
		if t.start.blank >= 0 {
			c.take(x, t.start.blank)
		}
		return false
	}
	if t.exactLengths>>min(len(s), 63)&1 != 0 {
		if p, ok := t.exact[s]; ok {
			c.take(x, p)
		}
	}
	return t.canon && len(s) >= t.held && (!t.onlyHeld || t.grams.mayHold(s))
}

// absent appends the postings that a field holds by being absent.
func (t *textIndex) absent(to []int32) []int32 {
	for _, p := range [...]int32{t.empty, t.start.blank} {
		if p >= 0 {
			to = append(to, p)
		}
	}
	return to
}

// spelled takes what the canonical form in c holds.
func (t *textIndex) spelled(x *index, c *candidates) {
	if t.start.lengths != nil {
		t.start.find(x, c, false)
	}
	if t.end.lengths != nil {
		t.end.find(x, c, true)
	}
	t.grams.find(x, c)
}

// literal is a canonical text to find and the posting of those it is a witness for.
type literal struct {
	text    string
	posting int32
	whole   bool  // The value must be nothing else.
	at      int32 // Where in text the gram stands under which it is filed.
	next    int32 // The next literal of the same slot; −1: none.
}

// table finds literals by a hash. A filter of one bit for each of many times as many hashes says no in most cases.
type table struct {
	literals []literal
	slots    []int32 // By the upper bits of a hash: the first literal; −1: none.
	filter   []uint64
	slot     uint8 // How far to shift a hash to get a slot,
	bit      uint8 // and a bit of the filter.
}

// newTable files literals under their hashes.
func newTable(literals []literal, hashes []uint64) table {
	size := max(4, bits.Len(uint(2*len(literals))))
	wide := min(max(size+4, 9), 18)
	t := table{literals: literals, slots: make([]int32, 1<<size), filter: make([]uint64, 1<<(wide-6)), slot: uint8(64 - size), bit: uint8(64 - wide)}
	for i := range t.slots {
		t.slots[i] = -1
	}
	for i := len(literals) - 1; i >= 0; i-- {
		h := hashes[i]
		slot := h >> t.slot
		literals[i].next, t.slots[slot] = t.slots[slot], int32(i)
		t.filter[h>>t.bit>>6] |= 1 << (h >> t.bit & 63)
	}
	return t
}

func (t *table) may(h uint64) bool { return t.filter[h>>t.bit>>6]>>(h>>t.bit&63)&1 != 0 }

// anchored finds literals at one end of a value.
type anchored struct {
	table
	lengths []int32 // Of the literals, ascending, each once.
	blank   int32   // The posting of a literal that is the whole value "".
}

func newAnchored(literals []literal, end bool) anchored {
	x := anchored{blank: -1}
	var kept []literal
	var hashes []uint64
	for _, l := range literals {
		if l.text == "" {
			x.blank = l.posting
			continue
		}
		h := uint64(hashStart)
		for i := range len(l.text) {
			if end {
				h = hashByte(h, l.text[len(l.text)-1-i])
			} else {
				h = hashByte(h, l.text[i])
			}
		}
		kept, hashes, x.lengths = append(kept, l), append(hashes, h), append(x.lengths, int32(len(l.text)))
	}
	slices.Sort(x.lengths)
	x.lengths = slices.Compact(x.lengths)
	if len(kept) > 0 {
		x.table = newTable(kept, hashes)
	}
	return x
}

func (t *anchored) find(x *index, c *candidates, end bool) {
	b := c.canon
	h, n := uint64(hashStart), 0
	for _, length := range t.lengths {
		if int(length) > len(b) {
			return
		}
		if end {
			for ; n < int(length); n++ {
				h = hashByte(h, b[len(b)-1-n])
			}
		} else {
			for ; n < int(length); n++ {
				h = hashByte(h, b[n])
			}
		}
		if !t.may(h) {
			continue
		}
		piece := b[:n]
		if end {
			piece = b[len(b)-n:]
		}
		for i := t.slots[h>>t.slot]; i >= 0; i = t.literals[i].next {
			if l := &t.literals[i]; l.text == string(piece) && (!l.whole || n == len(b)) {
				c.take(x, l.posting)
			}
		}
	}
}

// gramIndex finds literals anywhere in a value. Where all of them are long enough, each is filed under several grams side by side, so that one of
// them is met although only every second or fourth gram of the value is looked at.
type gramIndex struct {
	table
	short    [][]literal // Literals of less than a gram by their first byte; nil: none.
	stride   int         // How far it is from one gram looked at to the next: 1, 2 or 4.
	shortest int         // Length of the shortest literal of the table.
	blind    []uint64    // Of a table with the widest stride: a filter like the table's, of grams with blindGram.
}

const maxStride = 4

// gramLength is the length of a gram in bytes.
const gramLength = 4

func newGramIndex(literals []literal) (x gramIndex) {
	var long []literal
	shortest := 0
	for _, l := range literals {
		if len(l.text) < gramLength {
			if x.short == nil {
				x.short = make([][]literal, 256)
			}
			x.short[l.text[0]] = append(x.short[l.text[0]], l)
			continue
		}
		if len(long) == 0 || len(l.text) < shortest {
			shortest = len(l.text)
		}
		long = append(long, l)
	}
	if len(long) == 0 {
		return x
	}
	x.shortest, x.stride = shortest, 1
	for x.stride < maxStride && gramLength+2*x.stride-1 <= shortest {
		x.stride *= 2
	}
	shared := map[uint32]int{}
	for i := range long {
		for j := range len(long[i].text) - gramLength + 1 {
			shared[gramAt([]byte(long[i].text), j)]++
		}
	}
	var filed []literal
	var hashes []uint64
	for _, l := range long {
		text := []byte(l.text)
		at := x.rarest(text, shared, float64(len(long)))
		for k := range x.stride {
			l.at = int32(at + k)
			filed, hashes = append(filed, l), append(hashes, hashGram(gramAt(text, at+k)))
		}
	}
	x.table = newTable(filed, hashes)
	if x.stride == maxStride {
		x.blind = make([]uint64, len(x.filter))
		for i := range filed {
			n := hashGram(gramAt([]byte(filed[i].text), int(filed[i].at))|blindGram) >> x.bit
			x.blind[n>>6] |= 1 << (n & 63)
		}
	}
	return x
}

// blindGram sets the bit in which small letters of ASCII and capitals differ, and with it some other characters.
const blindGram = 0x20202020

// mayHold reports whether s, which is not in canonical form, may hold a literal: mostly not, and then its canonical form need not be made.
func (t *gramIndex) mayHold(s string) bool {
	if t.literals == nil || len(s) < t.shortest {
		return false
	}
	if t.blind == nil || len(s) < 8 {
		return true
	}
	bit, blind, i := t.bit, t.blind, 0
	for ; i+8 <= len(s); i += 8 {
		w := eightOf(s, i)
		m, n := hashGram(uint32(w)|blindGram)>>bit, hashGram(uint32(w>>32)|blindGram)>>bit
		if (blind[m>>6]>>(m&63)|blind[n>>6]>>(n&63))&1 != 0 || w&highBits != 0 {
			return true
		}
	}
	rest := eightOf(s, len(s)-8)
	if rest&highBits != 0 {
		return true
	}
	if i+gramLength <= len(s) {
		n := hashGram(uint32(rest>>(8*uint(8-(len(s)-i))))|blindGram) >> bit
		return blind[n>>6]>>(n&63)&1 != 0
	}
	return false
}

// highBits are those that bytes of ASCII do not have.
const highBits = 0x8080808080808080

// rarest is where the rarest grams of a literal are, as many side by side as the stride is long.
func (t *gramIndex) rarest(text []byte, shared map[uint32]int, all float64) (at int) {
	least := 0.0
	for i := range len(text) - gramLength - t.stride + 2 {
		w := 0.0
		for j := i; j < i+t.stride; j++ {
			w += commonness(text[j:j+gramLength]) + float64(shared[gramAt(text, j)])/all
		}
		if i == 0 || w < least {
			at, least = i, w
		}
	}
	return at
}

func (t *gramIndex) find(x *index, c *candidates) {
	b := c.canon
	if t.short != nil {
		t.findShort(x, c)
	}
	if t.literals == nil || len(b) < t.shortest {
		return
	}
	if t.stride > 1 {
		for i := 0; i+gramLength <= len(b); i += t.stride {
			if h := hashGram(gramAt(b, i)); t.may(h) {
				t.verify(x, c, h, i)
			}
		}
		return
	}
	t.findEverywhere(x, c, b)
}

// findEverywhere looks at every gram, four at a time.
func (t *gramIndex) findEverywhere(x *index, c *candidates, b []byte) {
	filter, bit := t.filter, t.bit
	i := 0
	for ; i+8 <= len(b); i += 4 {
		w := binary.LittleEndian.Uint64(b[i:])
		h0, h1, h2, h3 := hashGram(uint32(w)), hashGram(uint32(w>>8)), hashGram(uint32(w>>16)), hashGram(uint32(w>>24))
		n0, n1, n2, n3 := h0>>bit, h1>>bit, h2>>bit, h3>>bit
		f0, f1, f2, f3 := filter[n0>>6]>>(n0&63)&1, filter[n1>>6]>>(n1&63)&1, filter[n2>>6]>>(n2&63)&1, filter[n3>>6]>>(n3&63)&1
		if f0|f1|f2|f3 == 0 {
			continue
		}
		if f0 != 0 {
			t.verify(x, c, h0, i)
		}
		if f1 != 0 {
			t.verify(x, c, h1, i+1)
		}
		if f2 != 0 {
			t.verify(x, c, h2, i+2)
		}
		if f3 != 0 {
			t.verify(x, c, h3, i+3)
		}
	}
	for ; i+gramLength <= len(b); i++ {
		if h := hashGram(gramAt(b, i)); t.may(h) {
			t.verify(x, c, h, i)
		}
	}
}

// verify compares the literals filed under the gram at i with what stands around it.
func (t *gramIndex) verify(x *index, c *candidates, h uint64, i int) {
	for at := t.slots[h>>t.slot]; at >= 0; at = t.literals[at].next {
		l := &t.literals[at]
		from := i - int(l.at)
		if from < 0 || from+len(l.text) > len(c.canon) || c.taken[l.posting] == c.epoch {
			continue
		}
		if string(c.canon[from:from+len(l.text)]) == l.text {
			c.take(x, l.posting)
		}
	}
}

func (t *gramIndex) findShort(x *index, c *candidates) {
	for i, first := range c.canon {
		for _, l := range t.short[first] {
			if bytes.HasPrefix(c.canon[i:], []byte(l.text)) {
				c.take(x, l.posting)
			}
		}
	}
}

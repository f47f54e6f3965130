package correlate

import "encoding/binary"

// Records of resting keys lie in pages without pointers, so that the collector does not look at them. A page holds blocks of one size; a block
// in use begins with the length of its record, a free one with 0 and the place of the next free block of its page.
const (
	unitBytes  = 16
	pageUnits  = 1 << 10 // 16 KiB: a rule with few resting keys wastes little.
	pageBytes  = pageUnits * unitBytes
	maxRecord  = 128 * unitBytes
	spareEmpty = 8
)

// classes are the sizes of blocks in units: fine where most records are.
var classes = [...]uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40, 44, 48, 52, 56, 60, 64, 80, 96, 112, 128}

// classOf is the smallest class that takes n bytes; n is at most maxRecord.
func classOf(n int) int {
	u := (n + unitBytes - 1) / unitBytes
	switch {
	case u <= 16:
		return max(u, 1) - 1
	case u <= 32:
		return 15 + (u-15)/2
	case u <= 64:
		return 23 + (u-29)/4
	default:
		return 31 + (u-49)/16
	}
}

// place is where a block lies: its page and its first unit. Unit 0 of a page is left free, so that 0 is no place.
type place uint32

func (p place) page() int { return int(p / pageUnits) }
func (p place) unit() int { return int(p % pageUnits) }

// page is what is known of a page outside of it.
type page struct {
	bytes      []byte
	class      int8   // −1: empty, of no class.
	free       uint16 // First free block; 0: none.
	fresh      uint16 // First unit that was never used.
	used       uint16 // Blocks in use.
	prev, next int32  // Among the pages of the class that have room; −1: none.
	listed     bool
}

// arena is the pages of one rule.
type arena struct {
	pages []page
	open  [len(classes)]int32 // Pages with room by class, +1.
	empty []int32
	held  int64 // Bytes of blocks in use.
}

// at is the block at a place, to its page's end.
func (a *arena) at(p place) []byte { return a.pages[p.page()].bytes[p.unit()*unitBytes:] }

// record is the record at a place.
func (a *arena) record(p place) []byte {
	b := a.at(p)
	return b[:binary.LittleEndian.Uint16(b)]
}

// room takes a block for n bytes.
func (a *arena) room(n int) place {
	class := classOf(n)
	at := a.open[class] - 1
	if at < 0 {
		at = a.grow(class)
	}
	g := &a.pages[at]
	u := g.free
	if u != 0 {
		g.free = binary.LittleEndian.Uint16(g.bytes[int(u)*unitBytes+2:])
	} else {
		u = g.fresh
		g.fresh += classes[class]
	}
	g.used++
	a.held += int64(classes[class]) * unitBytes
	if g.full() {
		a.unlist(at)
	}
	return place(int(at)*pageUnits + int(u))
}

func (g *page) full() bool { return g.free == 0 && g.fresh+classes[g.class] > pageUnits }

// release gives a block back.
func (a *arena) release(p place) {
	at := int32(p.page())
	g := &a.pages[at]
	b := a.at(p)
	binary.LittleEndian.PutUint16(b, 0)
	binary.LittleEndian.PutUint16(b[2:], g.free)
	g.free = uint16(p.unit())
	g.used--
	a.held -= int64(classes[g.class]) * unitBytes
	if g.used > 0 {
		a.list(at)
		return
	}
	a.unlist(at)
	g.class = -1
	if len(a.empty) >= spareEmpty {
		g.bytes = nil
	}
	a.empty = append(a.empty, at)
}

// grow makes a page for a class.
func (a *arena) grow(class int) int32 {
	var at int32
	if n := len(a.empty); n > 0 {
		at, a.empty = a.empty[n-1], a.empty[:n-1]
	} else {
		at = int32(len(a.pages))
		a.pages = append(a.pages, page{})
	}
	g := &a.pages[at]
	if g.bytes == nil {
		g.bytes = make([]byte, pageBytes)
	}
	g.class, g.free, g.fresh = int8(class), 0, 1
	a.list(at)
	return at
}

func (a *arena) list(at int32) {
	g := &a.pages[at]
	if g.listed {
		return
	}
	head := a.open[g.class] - 1
	g.listed, g.prev, g.next = true, -1, head
	if head >= 0 {
		a.pages[head].prev = at
	}
	a.open[g.class] = at + 1
}

func (a *arena) unlist(at int32) {
	g := &a.pages[at]
	if !g.listed {
		return
	}
	if g.next >= 0 {
		a.pages[g.next].prev = g.prev
	}
	if g.prev >= 0 {
		a.pages[g.prev].next = g.next
	} else {
		a.open[g.class] = g.next + 1
	}
	g.listed = false
}

// each yields the records of a page in order. The one that is yielded may be released.
func (a *arena) each(at int) func(func(place, []byte) bool) {
	return func(yield func(place, []byte) bool) {
		g := &a.pages[at]
		if g.class < 0 {
			return
		}
		size := classes[g.class]
		for u, end := uint16(1), g.fresh; u < end; u += size {
			b := a.pages[at].bytes[int(u)*unitBytes:]
			n := binary.LittleEndian.Uint16(b)
			if n > 0 && !yield(place(at*pageUnits+int(u)), b[:n]) {
				return
			}
			if a.pages[at].class < 0 {
				return // The last one was released.
			}
		}
	}
}

// capacity is how many blocks a page of a class holds.
func capacity(class int8) int { return (pageUnits - 1) / int(classes[class]) }

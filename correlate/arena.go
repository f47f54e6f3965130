package correlate

import (
	"encoding/binary"
	"slices"
)

// Records of resting keys lie in pages without pointers, so that the collector does not look at them. A page holds blocks of one size; a block
// in use begins with the length of its record, a free one with 0 and the place of the next free block of its page. Pages lie in slabs, for
// which the operating system is asked for large pages: without them every other look-up of a record waits twice, the first time for where in
// memory it lies.
const (
	unitBytes = 16
	pageUnits = 1 << 10
	pageBytes = pageUnits * unitBytes // 16 KiB
	slabPages = 1 << 7
	slabUnits = slabPages * pageUnits
	slabBytes = slabPages * pageBytes // 2 MiB
	maxRecord = 128 * unitBytes
	maxHot    = 1 << 7
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

// page is what is known of a page, beside its class: little, since what is given back goes to any of thousands.
type page struct {
	free   uint16 // First free block; 0: none.
	fresh  uint16 // First unit that was never used.
	used   uint16 // Blocks in use.
	listed bool   // It has room, and stands among those that do.
}

// neighbours are the pages before and after one among those of its class that have room; −1: none.
type neighbours struct{ prev, next int32 }

// arena is the pages of one rule. What finding a record reads of it is small: a million keys have thousands of pages.
type arena struct {
	slabs  []recordSlab
	class  []int8 // By page; −1: empty, of no class.
	pages  []page
	beside []neighbours          // By page.
	open   [len(classes)]int32   // Pages with room by class, +1.
	empty  []int32               // Pages of slabs that are there.
	absent []int32               // Slabs that are not there any more.
	hot    [len(classes)][]place // Blocks that records have left not long ago; their pages count them as used.
	held   int64                 // Bytes of blocks in use.
	laid   int                   // Slabs that were gathered into large pages.
	seen   uint16                // So that reading ahead is not for nothing.
}

// recordSlab is the memory of some pages. The first of an arena is smaller as long as that is enough: a rule with few resting keys wastes little.
type recordSlab struct {
	bytes []byte
	used  int // Pages with a class.
}

// at is the block at a place, and what comes after it in its slab.
func (a *arena) at(p place) []byte {
	return a.slabs[p/slabUnits].bytes[uint(p%slabUnits)*unitBytes:]
}

// size is how many bytes the block at a place has.
func (a *arena) size(p place) int { return int(classes[a.class[p.page()]]) * unitBytes }

// record is the record at a place.
func (a *arena) record(p place) []byte {
	b := a.at(p)
	return b[:binary.LittleEndian.Uint16(b)]
}

// settle gathers one slab into large pages if a later one is in use: one at a time, since it takes a while.
func (a *arena) settle() {
	if a.laid+1 < len(a.slabs) {
		gather(a.slabs[a.laid].bytes)
		a.laid++
	}
}

// room takes a block for n bytes. The first slab may move: bytes of records that were at hand are no longer those of the arena.
func (a *arena) room(n int) place {
	class := classOf(n)
	a.held += int64(classes[class]) * unitBytes
	if n := len(a.hot[class]); n > 0 {
		p := a.hot[class][n-1]
		a.hot[class] = a.hot[class][:n-1]
		return p
	}
	at := a.open[class] - 1
	if at < 0 {
		at = a.grow(class)
	}
	g := &a.pages[at]
	u := g.free
	if u != 0 {
		g.free = binary.LittleEndian.Uint16(a.at(place(int(at)*pageUnits + int(u)))[2:])
	} else {
		u = g.fresh
		g.fresh += classes[class]
	}
	g.used++
	if g.free == 0 && g.fresh+classes[class] > pageUnits {
		a.unlist(at)
	}
	return place(int(at)*pageUnits + int(u))
}

// leave gives a block back that another record will soon be in: the one left last is taken first, since the cache has it still.
func (a *arena) leave(p place) {
	class := a.class[p.page()]
	hot := a.hot[class]
	if len(hot) == maxHot {
		a.cool(class, maxHot/2)
		hot = a.hot[class]
	}
	a.held -= int64(classes[class]) * unitBytes
	binary.LittleEndian.PutUint16(a.at(p), 0)
	a.hot[class] = append(hot, p)
}

// cool gives the n blocks of a class back to their pages that were left first.
func (a *arena) cool(class int8, n int) {
	hot := a.hot[class]
	for _, p := range hot[:n] { // All at once, since the cache has few of them.
		a.seen ^= a.pages[p.page()].free
	}
	for _, p := range hot[:n] {
		a.held += int64(classes[class]) * unitBytes
		a.release(p)
	}
	a.hot[class] = append(hot[:0], hot[n:]...)
}

// coolAll gives all of them back.
func (a *arena) coolAll() {
	for class, hot := range a.hot {
		a.cool(int8(class), len(hot))
	}
}

// release gives a block back to its page.
func (a *arena) release(p place) {
	at := int32(p.page())
	g := &a.pages[at]
	b := a.at(p)
	binary.LittleEndian.PutUint16(b, 0)
	binary.LittleEndian.PutUint16(b[2:], g.free)
	g.free = uint16(p.unit())
	g.used--
	a.held -= int64(a.size(p))
	if g.used > 0 {
		a.list(at)
		return
	}
	a.unlist(at)
	a.class[at] = -1
	a.empty = append(a.empty, at)
	c := int(at) / slabPages
	if a.slabs[c].used--; a.slabs[c].used == 0 && c > 0 && len(a.empty) >= 2*slabPages {
		a.slabs[c].bytes = nil
		a.absent = append(a.absent, int32(c))
		a.empty = slices.DeleteFunc(a.empty, func(at int32) bool { return int(at)/slabPages == c })
	}
}

// grow takes a page for a class.
func (a *arena) grow(class int) int32 {
	if len(a.empty) == 0 {
		a.extend()
	}
	n := len(a.empty) - 1
	at := a.empty[n]
	a.empty = a.empty[:n]
	a.class[at] = int8(class)
	a.pages[at] = page{fresh: firstUnit(classes[class])}
	a.slabs[at/slabPages].used++
	a.list(at)
	return at
}

// extend makes empty pages.
func (a *arena) extend() {
	var c, from, to int
	switch n := len(a.absent); {
	case n > 0:
		c, a.absent = int(a.absent[n-1]), a.absent[:n-1]
		from, to = c*slabPages, (c+1)*slabPages
		a.slabs[c].bytes = largePages(make([]byte, slabBytes))
	case len(a.pages) < slabPages:
		from, to = len(a.pages), max(1, 2*len(a.pages))
		if from == 0 {
			a.slabs = make([]recordSlab, 1)
		}
		bytes := make([]byte, to*pageBytes)
		copy(bytes, a.slabs[0].bytes)
		a.slabs[0].bytes = bytes
	default:
		c = len(a.slabs)
		from, to = c*slabPages, (c+1)*slabPages
		a.slabs = append(a.slabs, recordSlab{bytes: largePages(make([]byte, slabBytes))})
	}
	for at := len(a.pages); at < to; at++ {
		a.pages, a.beside, a.class = append(a.pages, page{}), append(a.beside, neighbours{}), append(a.class, -1)
	}
	for at := to - 1; at >= from; at-- {
		a.empty = append(a.empty, int32(at))
	}
}

func (a *arena) list(at int32) {
	g := &a.pages[at]
	if g.listed {
		return
	}
	head := a.open[a.class[at]] - 1
	g.listed, a.beside[at] = true, neighbours{-1, head}
	if head >= 0 {
		a.beside[head].prev = at
	}
	a.open[a.class[at]] = at + 1
}

func (a *arena) unlist(at int32) {
	g := &a.pages[at]
	if !g.listed {
		return
	}
	x := a.beside[at]
	if x.next >= 0 {
		a.beside[x.next].prev = x.prev
	}
	if x.prev >= 0 {
		a.beside[x.prev].next = x.next
	} else {
		a.open[a.class[at]] = x.next + 1
	}
	g.listed = false
}

// each yields the records of a page in order. The one that is yielded may be released.
func (a *arena) each(at int) func(func(place, []byte) bool) {
	return func(yield func(place, []byte) bool) {
		if a.class[at] < 0 {
			return
		}
		size := classes[a.class[at]]
		for u, end := firstUnit(size), a.pages[at].fresh; u < end; u += size {
			b := a.at(place(at*pageUnits + int(u)))
			n := binary.LittleEndian.Uint16(b)
			if n > 0 && !yield(place(at*pageUnits+int(u)), b[:n]) {
				return
			}
			if a.class[at] < 0 {
				return // The last one was released.
			}
		}
	}
}

// capacity is how many blocks a page of a class holds.
func capacity(class int8) int {
	size := classes[class]
	return int((pageUnits - firstUnit(size)) / size)
}

// firstUnit is where the first block of a page begins: such that blocks of so many units lie in as few cache lines as they can.
func firstUnit(size uint16) uint16 { return min(size&-size, cacheLine/unitBytes) }

package correlate

import (
	"bytes"
	"slices"

	"github.com/tocsin-siem/tocsin/rules"
)

// The hits of a busy key stay for as long as one that is late may come between them, which is minutes, while nearly all that come out of order do
// so within seconds. So older hits are shelved: written into bytes without pointers, block by block, each with the state before it. A hit that
// belongs before one of them takes the blocks from there on out again, and is then scanned as any other.
//
// Shelved are hits of rules whose states hold few cells, sequences and consecutive, and of keys that have found nothing of late.

// shelveAfter is how far event time is ahead of hits that are shelved, in microseconds; further for a key whose hits come later.
const shelveAfter = 5 * second

// blockHits is how many hits a block has before the next one is begun, fewer if it spans a quarter of the time that they stay: what a block
// costs beside its hits is a state and a cell, and it goes as a whole.
const (
	blockHits  = 384
	smallBlock = 64
)

// block is a run of hits on the shelf. The newest of a key's grows, as written hits one after the other; the others are pressed (columns.go).
type block struct {
	base    state // Before its hits.
	last    *cell // The last of them.
	n       int
	epoch   int64  // Times count from here.
	hits    []byte // All of them, last included.
	pressed bool
}

// shelf is what a key has on the shelf.
type shelf struct {
	blocks []block
	n      int   // Hits in them,
	bytes  int64 // and an estimate of what they take.
	slack  int64 // So much older than shelveAfter have hits to be.
}

func (s *shelf) push(b block) {
	s.blocks = append(s.blocks, b)
	s.count(&b, 1)
}

// top is the block that grows; nil if a new one is to be begun.
func (s *shelf) top() *block {
	if n := len(s.blocks); n > 0 && !s.blocks[n-1].pressed {
		return &s.blocks[n-1]
	}
	return nil
}

func (s *shelf) count(b *block, sign int) {
	s.n += sign * b.n
	s.bytes += int64(sign) * int64(blockBytes+cap(b.hits))
}

// newShelf is what packs the hits of a rule; nil if they are kept as they are.
func newShelf(r *ruleState) *packer {
	if len(r.branches) != 1 || r.guards > 0 || len(r.gates) > 0 || len(r.rule.Upstream) > 0 {
		return nil
	}
	if kind := r.branches[0].Kind; kind != rules.Sequence && kind != rules.Consecutive {
		return nil
	}
	p := newPacker(r, 0)
	return &p
}

// putAway shelves the hits that are old when event time is at newest, up to a stored state.
func (k *partition) putAway(newest int64) {
	p, until := k.rule.shelf, newest-shelveAfter-k.shelf.slack
	if p == nil || len(k.marks) == 0 || k.marks[0].after.time() >= until || len(k.matches)+len(k.known)+len(k.throttle) > 0 {
		return
	}
	m := 0
	for m < len(k.marks) && k.marks[m].after.time() < until && k.marks[m].after != k.buf[len(k.buf)-1] {
		m++
	}
	k.shelf.slack -= k.shelf.slack / 64
	if m == 0 {
		return
	}
	last := k.marks[m-1]
	end, _ := find(k.buf, last.after)
	b := k.shelf.top()
	if b == nil {
		k.shelf.push(block{base: k.base, epoch: last.after.time()})
		b = k.shelf.top()
	}
	k.shelf.count(b, -1)
	p.grow(b, k.buf[:end+1])
	k.shelf.count(b, 1)
	k.base = last.state
	clear(k.buf[:end+1])
	k.buf = k.buf[end+1:]
	k.marks = slices.Delete(k.marks, 0, m)
}

// grow adds hits to a block, and presses it when it has enough.
func (p *packer) grow(b *block, cells []*cell) {
	pieces := piecesOf(cells[0].Key)
	p.epoch = b.epoch
	p.scratch = append(p.scratch[:0], b.hits...)
	for _, c := range cells {
		p.scratch = p.appendHit(p.scratch, &c.Hit, &pieces)
	}
	b.n += len(cells)
	b.last = cells[len(cells)-1]
	if b.n >= blockHits || (b.n >= smallBlock || p.rule.press.short) && b.last.time()-b.epoch > p.rule.plan.Lateness/4 {
		p.packed, b.pressed = p.pressed(p.packed[:0], p.scratch)
	}
	if b.pressed {
		b.hits = bytes.Clone(p.packed)
		return
	}
	b.hits = append(b.hits, p.scratch[len(b.hits):]...)
}

// cells reads the hits of a block. Those that states name are the very cells: after is the state after the block, which names all that states
// and matches beyond it can.
func (b *block) cells(p *packer, after *state) []*cell {
	cells, _ := p.unpack(b.hits, b.epoch, b.last.Key, b.pressed)
	cells[len(cells)-1] = b.last
	for _, c := range after.collect(nil) {
		if at, ok := find(cells, c); ok {
			cells[at] = c
		}
	}
	return cells
}

// unpack reads the hits of a block; ok is false for damage.
func (p *packer) unpack(hits []byte, epoch int64, key string, pressed bool) (cells []*cell, ok bool) {
	if pressed {
		if p.scratch, ok = p.opened(p.scratch[:0], hits); !ok {
			return nil, false
		}
		hits = p.scratch
	}
	p.epoch = epoch
	return p.cells(hits, key)
}

// takeOut takes the blocks from the shelf in or before which a hit at t belongs.
func (k *partition) takeOut(t int64) {
	all := k.shelf.blocks
	n := len(all)
	for n > 0 && t <= all[n-1].last.time() {
		n--
	}
	if n == len(all) {
		return
	}
	if late := k.buf[len(k.buf)-1].time() - t - shelveAfter; late > k.shelf.slack {
		k.shelf.slack = min(late+late/4, 2*k.shelf.slack+shelveAfter)
	}
	var buf []*cell
	var marks []mark
	for i := n; i < len(all); i++ {
		b, after := &all[i], k.after(i)
		k.shelf.count(b, -1)
		buf = append(buf, b.cells(k.rule.shelf, after)...)
		marks = append(marks, mark{after: b.last, state: *after})
	}
	k.base = all[n].base
	k.buf, k.marks = append(buf, k.buf...), append(marks, k.marks...)
	clear(all[n:])
	k.shelf.blocks = all[:n]
}

// discard drops the blocks at or before w.
func (k *partition) discard(w int64) {
	all, n := k.shelf.blocks, 0
	for n < len(all) && all[n].last.time() <= w {
		k.shelf.count(&all[n], -1)
		n++
	}
	clear(all[:n])
	k.shelf.blocks = all[n:]
}

// whole is the hits on the shelf and those of the buffer.
func (k *partition) whole() []*cell {
	if k.shelf.n == 0 {
		return k.buf
	}
	all := make([]*cell, 0, k.shelf.n+len(k.buf))
	for i := range k.shelf.blocks {
		all = append(all, k.shelf.blocks[i].cells(k.rule.shelf, k.after(i))...)
	}
	if k.done != nil {
		if at, ok := find(all, k.done); ok {
			all[at] = k.done
		}
	}
	return append(all, k.buf...)
}

// after is the state after a block.
func (k *partition) after(i int) *state {
	if i+1 < len(k.shelf.blocks) {
		return &k.shelf.blocks[i+1].base
	}
	return &k.base
}

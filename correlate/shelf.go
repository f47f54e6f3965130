package correlate

import (
	"bytes"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/tocsin-siem/tocsin/rules"
)

// The hits of a busy key stay for as long as one that is late may come between them, which is minutes, while nearly all that come out of order do
// so within seconds. So older hits are shelved: packed into bytes without pointers, block by block, each with the state before it. A hit that
// belongs before one of them takes the blocks from there on out again, and is then scanned as any other.
//
// Shelved are hits of rules whose states hold few cells, sequences and consecutive, and of keys that have found nothing of late.

// shelveAfter is how far event time is ahead of hits that are shelved, in microseconds; further for a key whose hits come later.
const shelveAfter = 5 * second

// marksPerBlock is how many stored states a block spans at most: what a block costs beside its hits is that of one.
const marksPerBlock = 4

// block is a run of hits on the shelf.
type block struct {
	base state // Before its hits.
	last *cell // The last of them.
	n    int
	hits []byte // All of them, last included.
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

func (s *shelf) count(b *block, sign int) {
	s.n += sign * b.n
	s.bytes += int64(sign) * int64(blockBytes+len(b.hits))
}

// newShelf is what packs the hits of a rule; nil if they are kept as they are.
func newShelf(r *ruleState) *packer {
	if len(r.branches) != 1 || r.guards > 0 || len(r.gates) > 0 || len(r.rule.Upstream) > 0 {
		return nil
	}
	if kind := r.branches[0].Kind; kind != rules.Sequence && kind != rules.Consecutive {
		return nil
	}
	p := newPacker(r)
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
	start := 0
	for run := range slices.Chunk(k.marks[:m], marksPerBlock) {
		last := &run[len(run)-1]
		end, _ := find(k.buf, last.after)
		k.shelf.push(p.block(k.base, k.buf[start:end+1]))
		k.base, start = last.state, end+1
	}
	clear(k.buf[:start])
	k.buf = k.buf[start:]
	k.marks = slices.Delete(k.marks, 0, m)
}

func (p *packer) block(base state, cells []*cell) block {
	last := cells[len(cells)-1]
	pieces := piecesOf(last.Key)
	p.epoch = last.time()
	p.scratch = p.scratch[:0]
	for _, c := range cells {
		p.scratch = p.appendHit(p.scratch, &c.Hit, &pieces)
	}
	p.packed = s2.Encode(p.packed[:cap(p.packed)], p.scratch)
	return block{base: base, last: last, n: len(cells), hits: bytes.Clone(p.packed)}
}

// cells reads the hits of a block. Those that states name are the very cells: after is the state after the block, which names all that states
// and matches beyond it can.
func (b *block) cells(p *packer, after *state) []*cell {
	cells, _ := p.unpack(b.hits, b.last.time(), b.last.Key)
	cells[len(cells)-1] = b.last
	for _, c := range after.collect(nil) {
		if at, ok := find(cells, c); ok {
			cells[at] = c
		}
	}
	return cells
}

// maxBlock bounds what a block unpacks to: a run of hits between two stored states, in which nothing is longer than an event may be.
const maxBlock = 64 << 20

// unpack reads packed hits; ok is false for damage.
func (p *packer) unpack(packed []byte, epoch int64, key string) (cells []*cell, ok bool) {
	n, err := s2.DecodedLen(packed)
	if err != nil || n > maxBlock {
		return nil, false
	}
	p.scratch, err = s2.Decode(p.scratch[:cap(p.scratch)], packed)
	if err != nil {
		return nil, false
	}
	p.epoch = epoch
	return p.cells(p.scratch, key)
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

package correlate

import (
	"bytes"
	"slices"
)

// In a snapshot blocks are their bytes, and the templates that these name; the states between them are made anew. A key whose findings may still
// change is written hit by hit, since these name hits.

// shelved writes what all blocks of a rule refer to.
func (w *writer) shelved(p *packer) {
	if p == nil {
		w.uint(0)
		return
	}
	w.uint(uint64(len(p.templates.all)))
	for _, t := range p.templates.all {
		w.wholeCell(&t.sample)
	}
}

// shelved reads it.
func (r *reader) shelved(rule *ruleState) *packer {
	var p *packer
	for range r.count(3) {
		c := r.wholeCell()
		if p == nil && len(rule.branches) == 1 {
			if p = rule.shelf; p == nil {
				own := newPacker(rule, 0)
				p = &own
			}
		}
		if r.err != nil || p == nil || !p.soundTemplate(c) {
			r.fail()
			return nil
		}
		p.templates.add(c.Hit)
	}
	return p
}

// first is the state before all hits of a key.
func (k *partition) first() *state {
	switch {
	case k.shelf.n > 0:
		return &k.shelf.blocks[0].base
	case len(k.buf) > 0:
		return &k.base
	}
	return &k.head
}

// shelf writes a key's blocks and hits.
func (w *writer) shelf(k *partition) {
	if len(k.matches)+len(k.known)+len(k.throttle) > 0 {
		w.uint(0)
		w.cellList(k.whole())
		return
	}
	w.uint(uint64(len(k.shelf.blocks)))
	for i := range k.shelf.blocks {
		b := &k.shelf.blocks[i]
		w.int(b.epoch)
		w.bool(b.pressed)
		w.uint(uint64(len(b.hits)))
		w.b = append(w.b, b.hits...)
		w.pass()
	}
	if k.named() {
		w.cellList(k.buf)
		return
	}
	w.looseList(k.buf)
}

// named reports whether what is written after the hits may name some of them.
func (k *partition) named() bool {
	return k.done != nil || len(k.rule.heard) > 0 || slices.ContainsFunc(k.guards, func(list []*cell) bool { return len(list) > 0 })
}

// packedBlock is a block as it was read.
type packedBlock struct {
	epoch   int64
	pressed bool
	hits    []byte
}

func (r *reader) shelf() (all []packedBlock) {
	for range r.count(4) {
		all = append(all, packedBlock{r.time(), r.bool(), r.take(r.uint())})
	}
	return all
}

// restock puts blocks on a key's shelf again and gives the state after them, from the one before; where the rule has no shelf they go before
// the buffer. It is false if one is damaged.
func (f *fold) restock(p *packer, k *partition, all []packedBlock, before state) (state, bool) {
	st := newState(k.rule.program)
	st.copyFrom(&before)
	s := f.scan.quiet(k.rule, k)
	var loose []*cell
	var last *cell
	for _, x := range all {
		if p == nil {
			return st, false
		}
		cells, ok := p.unpack(x.hits, x.epoch, k.key, x.pressed)
		if !ok || len(cells) == 0 || last != nil && compare(last, cells[0]) >= 0 {
			return st, false
		}
		last = cells[len(cells)-1]
		if k.rule.shelf == nil {
			loose = append(loose, cells...)
			continue
		}
		b := block{last: last, n: len(cells), epoch: x.epoch, hits: bytes.Clone(x.hits), pressed: x.pressed}
		b.base.copyFrom(&st)
		s.st, s.guards, s.found = &st, k.guards, s.found[:0]
		for _, c := range cells {
			s.apply(c) // What it finds is final.
		}
		k.shelf.push(b)
	}
	if last != nil && (len(k.buf) == 0 || compare(last, k.buf[0]) >= 0) {
		return st, false
	}
	s.found = s.found[:0]
	k.buf = append(loose, k.buf...)
	return st, true
}

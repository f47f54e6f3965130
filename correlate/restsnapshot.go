package correlate

import (
	"encoding/binary"
	"maps"
	"slices"
)

// In a snapshot resting keys are their records, one after the other, and the templates that these name. The index is made anew. Records are
// written class by class in the order of their pages, so that an engine that reads them back writes the same bytes. Piles follow in the order of
// their records, in which they are numbered.

func (w *writer) resting(s *resting) {
	if s == nil || s.n == 0 {
		w.uint(0)
		return
	}
	w.uint(uint64(s.n))
	w.int(s.epoch)
	w.int(s.swept)
	w.uint(uint64(len(s.templates.all)))
	for _, t := range s.templates.all {
		w.wholeCell(&t.sample)
	}
	size := uint64(0)
	for i := range s.arena.pages {
		for _, b := range s.arena.each(i) {
			size += uint64(len(b))
		}
	}
	w.uint(size)
	var piled []*pile
	for class := range classes {
		for i := range s.arena.pages {
			if int(s.arena.class[i]) != class {
				continue
			}
			for _, b := range s.arena.each(i) {
				w.b = append(w.b, b...)
				if b := record(b); b.piled() {
					record(w.b[len(w.b)-len(b):]).setPile(len(piled))
					piled = append(piled, s.piles.of(b))
				}
				w.pass()
			}
		}
	}
	w.uint(uint64(len(piled)))
	for _, q := range piled {
		w.uint(uint64(len(q.layers)))
		for i := range q.layers {
			w.bool(q.layers[i].pressed)
			w.uint(uint64(len(q.layers[i].bytes)))
			w.b = append(w.b, q.layers[i].bytes...)
			w.pass()
		}
		w.uint(uint64(len(q.recent.last)))
		for _, v := range slices.Sorted(maps.Keys(q.recent.last)) {
			w.string(v)
			w.int(*q.recent.last[v])
			w.pass()
		}
	}
}

// resting reads resting keys.
func (r *reader) resting(f *fold, rule *ruleState) {
	n := r.uint()
	if n == 0 {
		return
	}
	s := newResting(rule, f.settings)
	if s == nil {
		r.fail()
		return
	}
	s.epoch, s.swept = r.time(), r.time()
	for range r.count(3) {
		c := r.wholeCell()
		if r.err != nil || !s.soundTemplate(c) {
			r.fail()
			return
		}
		s.templates.add(c.Hit)
	}
	all := r.take(r.uint())
	for range r.count(1) {
		q := r.pile(s)
		if r.err != nil {
			return
		}
		s.piles.add(q)
	}
	if r.err != nil || n > uint64(len(all)/recordHead) || !s.load(all, int(n)) {
		r.fail()
		return
	}
	if rule.rest != nil {
		rule.rest = s
		return
	}
	rule.rest = s // For as long as it takes to wake all.
	for i := range s.arena.pages {
		for p, b := range s.arena.each(i) {
			f.wake(rule, s.index.hash(record(b).key()), p)
		}
	}
	rule.rest = nil
}

func (r *reader) pile(s *resting) (q pile) {
	before := int64(never)
	for range r.count(2) {
		read := layer{pressed: r.bool(), bytes: r.take(r.uint())}
		if r.err != nil {
			return q
		}
		run, ok := s.run(&read)
		c, _, sound := s.soundHits(run)
		if !ok || !sound || c.n == 0 || c.first <= before {
			r.fail()
			return q
		}
		c.bytes, c.pressed, before = slices.Clone(read.bytes), read.pressed, c.last
		q.layers = append(q.layers, c)
		q.n += c.n
	}
	for range r.count(2) {
		q.recent.note(r.string(), r.int())
	}
	return q
}

// soundTemplate is sound for the hit that a template is learned from, whose fields are not kept.
func (s *packer) soundTemplate(c *cell) bool {
	r := s.rule
	return c != nil && c.Ref != nil && int(c.Branch) == s.branch && int(c.Step) < len(r.branches[s.branch].parts) && len(c.Vars) == len(r.plan.Vars)
}

// load stores records; false if one is damaged.
func (s *resting) load(all []byte, n int) bool {
	entries, piled := make([]uint64, 0, n), uint32(0)
	for ; len(all) >= recordHead && len(entries) < n; s.n++ {
		size := int(binary.LittleEndian.Uint16(all))
		if size > len(all) || size > maxRecord || size < recordHead {
			return false
		}
		b := record(all[:size])
		if all = all[size:]; !s.soundRecord(b, &piled) {
			return false
		}
		p := s.arena.room(size)
		copy(s.arena.at(p), b)
		entries = append(entries, uint64(s.index.hash(b.key()))<<32|uint64(p))
	}
	return len(all) == 0 && s.n == n && int(piled) == len(s.piles.all) && s.index.fill(entries, s.sameKey)
}

func (s *resting) sameKey(a, b place) bool {
	return string(record(s.arena.record(a)).key()) == string(record(s.arena.record(b)).key())
}

// soundRecord checks what a fold relies on without waking a key: that the hits end where the record does, belong to steps of the rule and
// follow each other in time, and that the head agrees with them. A record whose hits are on a pile names the next one.
func (s *resting) soundRecord(b record, piled *uint32) bool {
	if recordHead+int(b[16]) > len(b) || b.hits() == 0 || s.rule.parts[string(b.key())] != nil {
		return false
	}
	if !b.piled() {
		c, steps, ok := s.soundHits(b.body())
		return ok && c.n == b.hits() && steps == b.steps() && c.last == b.last()
	}
	if len(b.body()) != pileNumber || b.pile() != *piled || int(*piled) >= len(s.piles.all) {
		return false
	}
	*piled++
	layers := s.piles.of(b).layers
	return len(layers) > 0 && layers[len(layers)-1].last == b.last() && s.mayPile(b.steps())
}

// soundHits measures a run of written hits; ok is false for damage.
func (s *resting) soundHits(b []byte) (c layer, steps uint16, ok bool) {
	c.first, c.last = never, never
	for rest := b; len(rest) > 0; c.n++ {
		x, after, ok := nextHit(rest)
		if !ok || x.time < c.last || !spanFits(x.time) {
			return c, 0, false
		}
		step := s.step(&x)
		if step < 0 || step >= len(s.keep) {
			return c, 0, false
		}
		steps |= 1 << step
		if c.n == 0 {
			c.first = x.time
		}
		c.last, rest = x.time, after
	}
	return c, steps, true
}

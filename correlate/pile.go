package correlate

import (
	"encoding/binary"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// A busy key whose hits can complete nothing rests as well. When its hits outgrow a record they are piled up beside it: in layers, each a run of
// written hits in order, so that a hit costs writing it at the end, one that comes late only touches its layer, and what has become too old
// goes a layer at a time. The record stays where it is and names the pile.

// pile is the hits of one key.
type pile struct {
	layers []layer // None empty; hits of one time are in one layer.
	n      int     // Hits in them.
	recent recent  // Values, where those are counted.

	settled int   // So many layers have been pressed, if they can be.
	slack   int64 // So much longer than shelveAfter layers wait for that: hits have come so late.
}

// layer is a run of hits. Times count from the epoch.
type layer struct {
	first, last int64
	n           int
	bytes       []byte
	tail        int  // What begins before this place is earlier than last.
	pressed     bool // Nothing is added to it; see columns.go.
}

// layerHits is how many hits a layer has before the next one is begun.
const layerHits = 96

// pressAbove is what the piles of a rule take, in bytes, before their layers are pressed: below it next to nothing would be gained, and
// pressing costs time.
const pressAbove = 4 << 20

// maxPiledAtOnce bounds the hits of a partition that come to rest at once.
const maxPiledAtOnce = 1 << 16

// pileBytes is an estimate of what a pile takes beside its layers, and a layer beside its hits.
const (
	pileBytes  = 96
	layerBytes = 64
)

// piles are those of a rule, by number. Numbers are used again.
type piles struct {
	all   []pile
	spare []uint32
	held  int64 // Estimate of their bytes.
	above int   // Records with so many hits become piles; none do where it is 0.
	layer int   // Hits in a layer.
}

// newPiles says where hits may be piled up: where those that are too old for a match are easily told. Counts drop what has left the window;
// of sequences see resting.latest.
func newPiles(s *resting, settings Settings) piles {
	p := piles{above: maxRestingHits, layer: layerHits}
	if settings.pileAbove > 0 {
		p.above, p.layer = settings.pileAbove, 2
	}
	if !s.counts && !s.latest || !s.direct {
		p.above = 0
	}
	return p
}

func (b record) piled() bool       { return b[13] == pileMark }
func (b record) pile() uint32      { return binary.LittleEndian.Uint32(b.body()) }
func (b record) setPile(n int)     { binary.LittleEndian.PutUint32(b.body(), uint32(n)) }
func (p *piles) of(b record) *pile { return &p.all[b.pile()] }

// hitsOf is how many hits a key has.
func (s *resting) hitsOf(b record) int {
	if b.piled() {
		return s.piles.of(b).n
	}
	return b.hits()
}

// add takes a number for a pile.
func (p *piles) add(q pile) int {
	p.held += pileBytes + q.recent.bytes
	for i := range q.layers {
		p.held += q.layers[i].held()
	}
	if n := len(p.spare); n > 0 {
		at := p.spare[n-1]
		p.spare = p.spare[:n-1]
		p.all[at] = q
		return int(at)
	}
	p.all = append(p.all, q)
	return len(p.all) - 1
}

// drop gives the pile of a record back.
func (p *piles) drop(b record) {
	q := p.of(b)
	p.held -= pileBytes + q.recent.bytes
	for i := range q.layers {
		p.held -= q.layers[i].held()
	}
	*q = pile{}
	p.spare = append(p.spare, b.pile())
}

func (c *layer) held() int64 { return layerBytes + int64(cap(c.bytes)) }

// mayPile reports whether hits of these steps may be piled up. What a sequence drops is clear for hits of the first step alone, and without any.
func (s *resting) mayPile(steps uint16) bool {
	return s.piles.above > 0 && (s.counts || steps == 1 || steps&1 == 0)
}

// heap makes a pile of hits in order.
func (s *resting) heap(cells []*cell, pieces *keyPieces) (q pile) {
	q.n = len(cells)
	for _, c := range cells {
		t, n := c.time()-s.epoch, len(q.layers)
		if n == 0 || q.layers[n-1].n >= s.piles.layer && q.layers[n-1].last < t {
			q.layers = append(q.layers, layer{first: t})
			n++
		}
		l := &q.layers[n-1]
		l.bytes = s.appendHit(l.bytes, &c.Hit, pieces)
		l.last = t
		l.n++
	}
	s.press(&q)
	s.noteAll(&q, cells)
	return q
}

// press presses the layers of a pile into which nothing will come any more, or hardly, and gives by how much the pile has grown, which is less
// than nothing.
func (s *resting) press(q *pile) (by int64) {
	x, n := s.rule.press, len(q.layers)-1
	if s.piles.held < pressAbove && !x.short || n < 0 {
		return 0
	}
	q.slack -= q.slack / 64
	until := max(s.rule.w-s.epoch, q.layers[n].last-shelveAfter-q.slack)
	for ; q.settled < n && q.layers[q.settled].last <= until; q.settled++ {
		c := &q.layers[q.settled]
		if c.pressed {
			continue
		}
		by -= c.held()
		if x.out, c.pressed = s.pressed(x.out[:0], c.bytes); c.pressed {
			x.leave(c.bytes)
			c.bytes = slices.Clone(x.out)
		}
		by += c.held()
	}
	return by
}

// run is the written hits of a layer, valid until the next call.
func (s *resting) run(c *layer) (run []byte, ok bool) {
	if !c.pressed {
		return c.bytes, true
	}
	x := s.rule.press
	x.run, ok = s.opened(x.run[:0], c.bytes)
	return x.run, ok
}

// heapUp makes a pile of a record's hits; false if they stay.
func (s *resting) heapUp(hash uint32, p place, b record) (record, bool) {
	c := layer{bytes: slices.Clone(b.body()), n: b.hits(), last: b.last()}
	x, _, ok := nextHit(c.bytes)
	if !ok {
		return nil, false
	}
	c.first = x.time
	q := pile{layers: []layer{c}, n: c.n}
	if s.distinct >= 0 {
		cells, ok := s.cells(c.bytes, string(b.key()))
		if !ok {
			return nil, false
		}
		s.noteAll(&q, cells)
	}
	out := append(s.scratch[:0], b[:recordHead+int(b[16])]...)
	out[13] = pileMark
	out = append(out, 0, 0, 0, 0)
	out.setPile(s.piles.add(q))
	s.scratch = out
	return record(s.arena.record(s.replace(hash, p, out))), true
}

// pileOn puts a hit on the pile of a record. It is false where add is.
func (s *resting) pileOn(b record, h *event.Hit, written []byte, limit int) bool {
	q := s.piles.of(b)
	t, steps := h.Ref.Time-s.epoch, b.steps()|1<<h.Step
	if !s.mayPile(steps) {
		return false
	}
	n := len(q.layers)
	if full := n > 0 && q.layers[n-1].n >= s.piles.layer; full || q.n >= limit || s.hitsComplete(q, steps) {
		s.trim(q, b.steps())
		if n = len(q.layers); q.n >= limit || s.hitsComplete(q, steps) {
			return false
		}
	}
	if s.fills(q, h) {
		return false
	}
	switch {
	case n == 0 || t > q.layers[n-1].last && q.layers[n-1].n >= s.piles.layer:
		q.layers = append(q.layers, layer{first: t, last: t, n: 1})
		s.piles.held += s.press(q)
		c := &q.layers[len(q.layers)-1]
		c.bytes = append(s.rule.press.room(), written...)
		s.piles.held += c.held()
	case t > q.layers[n-1].last:
		c := &q.layers[n-1]
		s.piles.held -= c.held()
		c.tail = len(c.bytes)
		c.bytes = append(c.bytes, written...)
		s.piles.held += c.held()
		c.last = t
		c.n++
	default:
		return s.slip(q, b, h, written)
	}
	q.n++
	b.mark(1 << h.Step)
	b.setLast(t)
	return true
}

// hitsComplete reports whether one hit more might complete a match by how many there are then, or of which steps.
func (s *resting) hitsComplete(q *pile, steps uint16) bool {
	return s.distinct < 0 && s.complete(steps, q.n+1)
}

// trim drops layers of which no hit matters any more.
func (s *resting) trim(q *pile, steps uint16) {
	w, n := s.rule.w-s.epoch, 0
	switch {
	case s.counts:
		for n < len(q.layers) && q.layers[n].last <= w-s.longest {
			n++
		}
	case steps == 1: // Of those at or before w the newest replaces the others.
		for n+1 < len(q.layers) && q.layers[n+1].first <= w {
			n++
		}
	default: // There is nothing for them to follow.
		for n < len(q.layers) && q.layers[n].last <= w {
			n++
		}
	}
	if n == 0 {
		return
	}
	for i := range q.layers[:n] {
		s.piles.held -= q.layers[i].held()
		q.n -= q.layers[i].n
	}
	clear(q.layers[:n])
	q.layers = q.layers[n:]
	q.settled = max(0, q.settled-n)
}

// cellsOf reads the hits of a resting key; ok is false if it had to leave some out.
func (s *resting) cellsOf(b record, key string) (cells []*cell, ok bool) {
	if !b.piled() {
		return s.cells(b.body(), key)
	}
	for i := range s.piles.of(b).layers {
		run, fine := s.run(&s.piles.of(b).layers[i])
		more, ok := s.cells(run, key)
		if !fine || !ok || len(cells) > 0 && len(more) > 0 && compare(cells[len(cells)-1], more[0]) >= 0 {
			return cells, false
		}
		cells = append(cells, more...)
	}
	return cells, true
}

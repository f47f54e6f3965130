package correlate

import (
	"slices"
	"sort"

	"github.com/tocsin-siem/tocsin/event"
)

// A hit that comes late goes between the others of its layer. Only what is earlier is looked at, and of that little more than times; hits of its
// very time are told from it by their events.

// maxTwins bounds how many hits of the very same time a pile looks at one by one, and maxTwinsRead how many of them it reads; with more the key
// wakes.
const (
	maxTwins     = 256
	maxTwinsRead = 16
)

// slip puts a hit between others, and leaves it out if it is there already. False is as in pileOn.
func (s *resting) slip(q *pile, b record, h *event.Hit, written []byte) bool {
	t := h.Ref.Time - s.epoch
	i := max(0, sort.Search(len(q.layers), func(i int) bool { return q.layers[i].first > t })-1)
	c := &q.layers[i]
	if !s.lift(c) {
		return false
	}
	q.settled, q.slack = min(q.settled, i), max(q.slack, q.layers[len(q.layers)-1].last-t)
	from := 0
	if t == c.last {
		from = c.tail
	}
	at, repeated, ok := s.gap(c.bytes, from, h)
	if !ok {
		return false
	}
	if repeated {
		s.rule.stats.Repeated++
		return true
	}
	s.piles.held -= c.held()
	c.bytes = slices.Insert(c.bytes, at, written...)
	switch {
	case t > c.last:
		c.tail = at
	case t < c.last && at <= c.tail:
		c.tail += len(written)
	}
	c.first, c.last = min(c.first, t), max(c.last, t)
	c.n++
	q.n++
	b.mark(1 << h.Step)
	b.setLast(max(b.last(), t))
	s.piles.held += c.held()
	if c.n >= 2*s.piles.layer {
		s.split(q, i)
	}
	return true
}

// gap is where a hit belongs in a run of written ones, of which those that begin before a place are earlier. It is not ok where slip is not.
func (s *resting) gap(run []byte, from int, h *event.Hit) (at int, repeated, ok bool) {
	t := h.Ref.Time - s.epoch
	s.twins = s.twins[:0]
	for at = from; at < len(run); {
		x, ok := s.glance(run[at:])
		if !ok {
			return 0, false, false
		}
		if x.time > t {
			break
		}
		if x.time == t {
			s.twins = append(s.twins, at)
		}
		at += x.size
	}
	if len(s.twins) == 0 {
		return at, false, true
	}
	repeated, ok = s.repeats(run, h)
	if repeated || !ok {
		return 0, repeated, ok
	}
	later := func(i int) bool {
		o := s.read(run[s.twins[i]:], h.Key)
		ok = ok && o != nil
		return o == nil || compareHits(&o.Hit, h) > 0
	}
	if last := len(s.twins) - 1; later(last) { // Most go behind all of them.
		at = s.twins[sort.Search(last, later)]
	}
	return at, false, ok
}

// repeats reports whether one of the twins is the hit itself. Most are told by their event, and need not be read.
func (s *resting) repeats(run []byte, h *event.Hit) (repeated, ok bool) {
	if len(s.twins) > maxTwins {
		return false, false
	}
	read := 0
	for _, at := range s.twins {
		x, _, ok := nextHit(run[at:])
		if !ok {
			return false, false
		}
		if x.id > 0 && len(x.rest) >= len(h.Ref.Event) && event.ID(x.rest) != h.Ref.Event {
			continue
		}
		o := s.read(run[at:], h.Key)
		if read++; o == nil || read > maxTwinsRead {
			return false, false
		}
		if o.sameHit(&cell{Hit: *h}) {
			return true, true
		}
	}
	return false, true
}

// read reads the first hit of a run of a key's; nil for damage.
func (s *resting) read(run []byte, key string) *cell {
	x, _, ok := nextHit(run)
	if !ok {
		return nil
	}
	s.pieces.split(key)
	return s.readHit(&x, key, &s.pieces)
}

// lift makes a layer one that can be added to; false for damage. It is pressed again when another layer is begun.
func (s *resting) lift(c *layer) bool {
	if !c.pressed {
		return true
	}
	run, ok := s.run(c)
	if !ok {
		return false
	}
	s.piles.held -= c.held()
	c.bytes, c.pressed = slices.Clone(run), false
	s.piles.held += c.held()
	return true
}

// split makes two layers of one, as long as each other or nearly, but hits of one time stay together.
func (s *resting) split(q *pile, i int) {
	c := q.layers[i]
	a, b := layer{first: c.first}, layer{last: c.last}
	cut, before := 0, c.first
	for n, end := 0, 0; n <= c.n/2; n++ {
		x, ok := s.glance(c.bytes[end:])
		if !ok {
			return
		}
		if x.time > before {
			cut, a.n, a.last, b.first = end, n, before, x.time
		}
		before = x.time
		end += x.size
	}
	if cut == 0 {
		return
	}
	a.bytes, b.bytes, b.n = c.bytes[:cut], slices.Clone(c.bytes[cut:]), c.n-a.n
	s.piles.held += a.held() + b.held() - c.held()
	q.layers = slices.Insert(q.layers, i+1, b)
	q.layers[i] = a
}

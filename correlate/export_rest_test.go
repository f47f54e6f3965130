package correlate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"weak"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Blocks is an arena.
type Blocks struct{ a arena }

// Room takes a block for a record of these bytes, which begin with their length.
func (b *Blocks) Room(record []byte) uint32 {
	binary.LittleEndian.PutUint16(record, uint16(len(record)))
	p := b.a.room(len(record))
	copy(b.a.at(p), record)
	return uint32(p)
}

// At is the record of a block.
func (b *Blocks) At(p uint32) []byte { return b.a.record(place(p)) }

// Leave gives a block back; soon says that another one will be wanted.
func (b *Blocks) Leave(p uint32, soon bool) {
	if soon {
		b.a.leave(place(p))
		return
	}
	b.a.release(place(p))
}

// Settle gives back what was kept at hand.
func (b *Blocks) Settle() { b.a.coolAll() }

// Records are those of all pages.
func (b *Blocks) Records() map[uint32]string {
	out := map[uint32]string{}
	for i := range b.a.pages {
		for p, r := range b.a.each(i) {
			out[uint32(p)] = string(r)
		}
	}
	return out
}

// Held are the bytes of blocks in use, and of memory.
func (b *Blocks) Held() (used, memory int64) {
	for i := range b.a.slabs {
		memory += int64(len(b.a.slabs[i].bytes))
	}
	return b.a.held, memory
}

// Glance reads the beginning of a written hit in the two ways there are.
func Glance(b []byte) (short, long [3]int64, ok, also bool) {
	s := packer{rule: &ruleState{program: &program{rule: &rules.Rule{}}}}
	for i := range 3 {
		s.templates.all = append(s.templates.all, &template{step: uint8(7 * i)})
	}
	x, ok := s.glance(b)
	y, also := s.glanceLong(b)
	return [3]int64{x.time, int64(x.step), int64(x.size)}, [3]int64{y.time, int64(y.step), int64(y.size)}, ok, also
}

// WithoutRest keeps every key in the working form.
func (s Settings) WithoutRest() Settings {
	s.restAbove = keysWithoutRest
	return s
}

// AllMayRest lets the first keys of a rule rest, too.
func (s Settings) AllMayRest() Settings {
	s.restAbove = -1
	return s
}

// PileAbove piles the hits of a key up from so many on, two in a layer.
func (s Settings) PileAbove(n int) Settings {
	s.pileAbove = n
	return s
}

// Piled counts the hits on piles, and the piles.
func (e *Engine) Piled() (hits, n int) {
	for _, r := range e.fold.rules {
		if r.rest == nil {
			continue
		}
		for i := range r.rest.piles.all {
			if q := &r.rest.piles.all[i]; q.n > 0 {
				hits, n = hits+q.n, n+1
			}
		}
	}
	return hits, n
}

// PilesAgree says what of piles is not as their layers' hits have it: how many there are, from when to when, where the last of them begin, and
// what all take.
func (e *Engine) PilesAgree() error {
	for _, r := range e.fold.rules {
		if r.rest == nil {
			continue
		}
		held := int64(0)
		for i := range r.rest.piles.all {
			q := &r.rest.piles.all[i]
			if q.n == 0 {
				continue
			}
			held += pileBytes + q.recent.bytes
			for j := range q.layers {
				held += q.layers[j].held()
				if err := r.rest.agrees(&q.layers[j]); err != nil {
					return fmt.Errorf("pile %d, layer %d of %d: %w", i, j, len(q.layers), err)
				}
			}
		}
		if held != r.rest.piles.held {
			return fmt.Errorf("piles take %d bytes, and are said to take %d", held, r.rest.piles.held)
		}
	}
	return nil
}

func (s *resting) agrees(c *layer) error {
	run, ok := s.run(c)
	if !ok {
		return errors.New("it does not open")
	}
	found, tail := layer{first: never, last: never}, false
	for at := 0; at < len(run); found.n++ {
		x, ok := s.glance(run[at:])
		if !ok || x.time < found.last || at < c.tail && x.time >= c.last {
			return fmt.Errorf("at %d of %d there is time %d after %d (%t); the last is %d from %d on", at, len(run), x.time, found.last, ok, c.last, c.tail)
		}
		if found.n == 0 {
			found.first = x.time
		}
		tail = tail || at == c.tail
		found.last = x.time
		at += x.size
	}
	if found.n != c.n || found.first != c.first || found.last != c.last || !tail {
		return fmt.Errorf("%d hits from %d to %d, which is said to be %d from %d to %d; a hit begins where the last are said to: %t",
			found.n, found.first, found.last, c.n, c.first, c.last, tail)
	}
	return nil
}

// Hex reads 16 hexadecimal digits, in two ways.
func Hex(s string) (one, other uint64, ok, also bool) {
	one, ok = hex16(s)
	other, also = parseHex(s)
	return one, other, ok, also
}

// Resting counts the keys that rest.
func (e *Engine) Resting() (n int) {
	for _, r := range e.fold.rules {
		if r.rest != nil {
			n += r.rest.n
		}
	}
	return n
}

// Plain lets busy keys keep their hits as they are, and scans all that comes out of order.
func (s Settings) Plain() Settings {
	s.plain = true
	return s
}

// Shelved counts the hits on shelves.
func (e *Engine) Shelved() (n int) {
	for _, r := range e.fold.rules {
		for _, k := range r.parts {
			n += k.shelf.n
		}
	}
	return n
}

// ReadPlaces reads the places in memory that a fold of the hits would read first, and does nothing with them.
func (e *Engine) ReadPlaces(hits []event.Hit) {
	e.fold.sort(hits, e.prepared(hits))
	for few := range slices.Chunk(e.fold.queue, hitsAhead) {
		e.fold.foresee(few)
	}
}

// Prepared counts the hits of the last call of Match or Hits that were written as bytes there.
func (e *Engine) Prepared() (n int) {
	for i := range e.ready {
		if e.ready[i].written != nil {
			n++
		}
	}
	return n
}

// Located counts the hits of the last call of Match or Hits whose keys' entries were found there, and those that are still where they were.
func (e *Engine) Located() (found, there int) {
	for i := range e.ready {
		if x := &e.ready[i]; x.entry != 0 {
			found++
			if x.there() {
				there++
			}
		}
	}
	return found, there
}

// Epoch is the time from which the resting keys of the first rule count.
func (e *Engine) Epoch() int64 { return e.fold.rules[0].rest.epoch }

// WriteHits writes hits of the first rule as bytes, and puts them nowhere.
func (e *Engine) WriteHits(hits []event.Hit) {
	s := e.fold.rules[0].rest
	for i := range hits {
		s.pieces.split(hits[i].Key)
		s.packed = s.appendHit(s.packed[:0], &hits[i], &s.pieces)
	}
}

// Slabs are the slabs of the first rule's records, and how many there are.
func (e *Engine) Slabs() (list []weak.Pointer[byte], n int) {
	for _, s := range e.fold.rules[0].rest.arena.slabs {
		if s.bytes != nil {
			list = append(list, weak.Make(&s.bytes[0]))
		}
	}
	return list, len(list)
}

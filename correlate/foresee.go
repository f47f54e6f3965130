package correlate

import "github.com/tocsin-siem/tocsin/event"

// hitsAhead is how many hits are looked ahead at, and keysAhead from how many resting keys on: fewer are in the cache anyway.
const (
	hitsAhead = 160
	keysAhead = 1 << 14
)

// foresight reads what is needed first for each of the hits that come next, so that the processor waits for their places in memory at once and
// not for one after the other: in each round it only reads what the rounds before have brought. It changes nothing.
type foresight struct {
	lost   []*ahead
	blocks [hitsAhead][]byte
	heaps  [hitsAhead]*pile
	seen   uint64 // So that reading is not for nothing.
}

// foresee does that for hits of a batch. What was prepared was found then, and is as a rule in a cache still.
func (f *fold) foresee(hits []queued) {
	var r *ruleState
	many := 0
	for i := range hits {
		h, x := hits[i].hit, hits[i].next
		if x == nil || x.rule != r {
			if r == nil || r.rule.ID != h.Rule {
				r = f.byID[h.Rule]
			}
		}
		if x == nil || x.rule != r || r == nil {
			x = &f.near[i]
			hits[i].next = x
			x.look(r, h)
		}
		if x.rest != nil && x.rest.n >= keysAhead {
			f.far[many] = x
			many++
		}
	}
	f.places.read(f.far[:many])
}

// overlook lets go of what was known of hits that were taken.
func (f *fold) overlook() {
	f.next, f.other = nil, ahead{}
	clear(f.near[:])
	clear(f.far[:])
	f.places.forget()
}

// look finds out what can be known of a hit of a rule; nil: of none.
func (x *ahead) look(r *ruleState, h *event.Hit) {
	*x = ahead{}
	if r == nil || r.rule.Version != h.Version || !r.fits(h) {
		return
	}
	x.rule = r
	if r.rest != nil && r.rest.direct && r.rest.n > 0 {
		x.rest, x.hash = r.rest, r.rest.index.hashString(h.Key)
	}
}

// read reads the entries of at most hitsAhead hits, their records, and where their next hits go.
func (o *foresight) read(far []*ahead) {
	o.locate(far)
	there := 0
	for _, a := range far {
		if a.entry != 0 {
			s, p := &a.rest.arena, place(a.entry)
			o.blocks[there] = s.at(p)[:s.size(p)]
			far[there] = a
			there++
		}
	}
	o.touch(far[:there])
}

// forget lets go of what was read: records that are given back meanwhile are to be free, and so is what a rule held that is no longer there.
func (o *foresight) forget() {
	clear(o.lost[:cap(o.lost)])
	clear(o.blocks[:])
	clear(o.heaps[:])
}

// locate finds the first entries with the hashes of hits, but for those that stand where they were found before.
func (o *foresight) locate(far []*ahead) {
	o.lost = o.lost[:0]
	for _, a := range far {
		if !a.there() {
			o.lost = append(o.lost, a)
		}
	}
	seen := uint64(0)
	for _, a := range o.lost {
		x := &a.rest.index
		seen ^= x.entries[x.home(a.hash)]
	}
	for _, a := range o.lost {
		e, at := a.rest.index.first(a.hash)
		a.entry, a.at = e, int32(at)
	}
	o.seen ^= seen
}

// touch reads the blocks of records, and the ends of piles.
func (o *foresight) touch(far []*ahead) {
	seen := uint64(0)
	for _, b := range o.blocks[:len(far)] { // Where a loop does little the processor is further ahead of itself.
		seen ^= uint64(b[0])
		if len(b) > cacheLine {
			seen ^= uint64(b[len(b)-1])
		}
		if len(b) > 2*cacheLine {
			seen ^= uint64(b[cacheLine])
		}
	}
	piled := 0
	for i, a := range far {
		b := record(o.blocks[i])
		if len(b) > 3*cacheLine-unitBytes {
			for at := 2 * cacheLine; at < min(len(b), linesAhead*cacheLine); at += cacheLine {
				seen ^= uint64(b[at])
			}
		}
		if b.piled() {
			if q := a.rest.piles.of(b); len(q.layers) > 0 {
				o.heaps[piled] = q
				piled++
			}
		}
	}
	for _, q := range o.heaps[:piled] {
		seen ^= uint64(q.layers[len(q.layers)-1].n)
	}
	for _, q := range o.heaps[:piled] {
		last := q.layers[len(q.layers)-1].bytes
		seen ^= uint64(last[len(last)-1])
	}
	o.seen ^= seen
}

// cacheLine is how many bytes the processor reads at once, and linesAhead of how many lines of a record it is worth while to read them ahead.
const (
	cacheLine  = 64
	linesAhead = 6
)

// ahead is what is known of a hit that comes next.
type ahead struct {
	rule    *ruleState // nil: it is for none.
	rest    *resting   // Of the rule, where it may go into a record, and then
	hash    uint32     // the hash of its key,
	at      int32      // where that stands first in the index,
	entry   uint64     // and what stood there; 0 if there is none, or few keys.
	written []byte     // As bytes, if it was prepared,
	epoch   int64      // from this time on,
	of      *event.Ref // of this event.
}

// find gives the place of the record of the hit's key and that of its entry; 0 if it does not rest. The entry may have gone elsewhere since it
// was seen.
func (x *ahead) find(key string) (place, int) {
	s := x.rest
	if x.there() {
		if p := place(x.entry); string(record(s.arena.at(p)).key()) == key {
			return p, int(x.at)
		}
	}
	return s.find(x.hash, key)
}

// there reports whether the entry that was found stands where it was found.
func (x *ahead) there() bool {
	entries := x.rest.index.entries
	return x.entry != 0 && int(x.at) < len(entries) && entries[x.at] == x.entry
}

// bytes are the hit as bytes, valid until the next is written.
func (x *ahead) bytes(h *event.Hit) []byte {
	s := x.rest
	if x.written != nil && x.epoch == s.epoch {
		return x.written
	}
	s.pieces.split(h.Key)
	s.packed = s.appendHit(s.packed[:0], h, &s.pieces)
	return s.packed
}

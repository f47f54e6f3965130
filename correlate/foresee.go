package correlate

import "github.com/tocsin-siem/tocsin/event"

// hitsAhead is how many hits are looked ahead at, and keysAhead from how many resting keys on: fewer are in the cache anyway.
const (
	hitsAhead = 160
	keysAhead = 1 << 14
)

// foresee reads what is needed first for each of the hits that come next, so that the processor waits for their places in memory at once and
// not for one after the other: in each round it only reads what the rounds before have brought.
func (f *fold) foresee(hits []*event.Hit) {
	var last *ruleState
	near := f.near[:len(hits)]
	many := 0
	for i, h := range hits {
		if last == nil || last.rule.ID != h.Rule {
			last = f.byID[h.Rule]
		}
		near[i] = ahead{rule: last}
		if last != nil && last.rest != nil && last.rest.direct && last.rest.n > 0 {
			near[i].rest, near[i].hash = last.rest, last.rest.index.hashString(h.Key)
			if last.rest.n >= keysAhead {
				f.far[many] = &near[i]
				many++
			}
		}
	}
	f.touchRecords(f.far[:many])
}

// touchRecords reads the records of keys, and where their next hits go.
func (f *fold) touchRecords(far []*ahead) {
	seen := uint64(0)
	for _, a := range far {
		x := &a.rest.index
		seen ^= x.entries[x.home(a.hash)]
	}
	there := 0
	for _, a := range far {
		if a.entry, a.at = a.rest.index.first(a.hash); a.entry != 0 {
			s, p := &a.rest.arena, place(a.entry)
			f.blocks[there] = s.at(p)[:s.size(p)]
			far[there] = a
			there++
		}
	}
	far = far[:there]
	for _, b := range f.blocks[:there] { // Where a loop does little the processor is further ahead of itself.
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
		b := record(f.blocks[i])
		if len(b) > 3*cacheLine-unitBytes {
			for at := 2 * cacheLine; at < min(len(b), linesAhead*cacheLine); at += cacheLine {
				seen ^= uint64(b[at])
			}
		}
		if b.piled() {
			if q := a.rest.piles.of(b); len(q.layers) > 0 {
				f.heaps[piled] = q
				piled++
			}
		}
	}
	for _, q := range f.heaps[:piled] {
		seen ^= uint64(q.layers[len(q.layers)-1].n)
	}
	for _, q := range f.heaps[:piled] {
		last := q.layers[len(q.layers)-1].bytes
		seen ^= uint64(last[len(last)-1])
	}
	f.seen ^= seen
}

// cacheLine is how many bytes the processor reads at once, and linesAhead of how many lines of a record it is worth while to read them ahead.
const (
	cacheLine  = 64
	linesAhead = 6
)

// ahead is what is known of a hit that comes next: its rule and, where it may go into a record, the hash of its key.
type ahead struct {
	rule  *ruleState
	rest  *resting
	hash  uint32
	entry uint64 // Of the first key with this hash in the index; 0 if there is none, or few keys,
	at    int    // and where that stood.
}

// find is resting.find for the hit that is taken now, whose entry may have gone elsewhere since it was seen.
func (a *ahead) find(s *resting, hash uint32, key string) place {
	if x := s.index.entries; a.rest == s && a.entry != 0 && a.at < len(x) && x[a.at] == a.entry {
		if p := place(a.entry); string(record(s.arena.at(p)).key()) == key {
			return p
		}
	}
	return s.find(hash, key)
}

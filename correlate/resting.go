package correlate

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Most keys of a rule wait for something that will not happen: they hold one or a few hits and are not looked at until they expire. Such a key
// rests: it is not a partition but a record, the list of its hits in bytes (restcodec.go) in pages without pointers (arena.go).
//
// What makes that exact: the state of a partition is what a scan makes of its hits in order, from nothing. A key may rest if that is true of
// its state now (packing.go tries it), and a scan of the list gives back the same state. A hit for a resting key is put into the list and
// scanned later, if it cannot complete a match whatever the order: while a step of the pattern has no hit at all, or a count has too few,
// nothing can be found, so nothing is announced late. Any other hit wakes the key, which then is a partition as before.
//
// A busy key rests, too, its hits on a pile (pile.go). While a rule has few keys only those rest that hold much: with others nothing would be
// gained by it.
type resting struct {
	packer
	arena arena
	index keyIndex
	piles piles

	pieces keyPieces // Of the key whose hit is being written.
	twins  []int     // Where hits begin at the very time of one that is put between them.

	n     int   // Keys.
	swept int64 // W when expired keys were last removed.

	direct   bool    // Hits may be put into records.
	pattern  uint16  // The steps of a match.
	need     int     // So many of them, or for a count hits or values, must be there before a match can be.
	counts   bool    // It is a count.
	distinct int     // The field whose values it counts; −1: it does not count values.
	latest   bool    // Of hits of the first step alone the newest replaces the others.
	alone    bool    // Hits bear on each other only when they make a match: each can be dropped once it is too old for one.
	memory   int64   // After its last hit a key is of no interest so much later.
	keep     []int64 // How old a hit is then, by step.
	shortest int64   // The shortest of these,
	longest  int64   // and the longest.
	most     int     // Hits in a record; more wake the key, which keeps only those it needs.
}

// restAbove is up to how many keys of a rule none rests that does not hold much (where hits do not go into records: so many never do); with
// keysWithoutRest none do.
const (
	restAbove       = 256
	keysWithoutRest = 1 << 40
)

// muchBytes is how much a key holds that rests in any case.
const muchBytes = 64 << 10

// indexBytes is what a key costs in the index.
const indexBytes = 12

// newResting prepares a rule's resting keys; nil if none may rest.
func newResting(r *ruleState, settings Settings) *resting {
	if len(r.branches) != 1 || len(r.branches[0].parts) > maxRestingStep {
		return nil
	}
	b := &r.branches[0]
	s := &resting{packer: newPacker(r, 0), index: newKeyIndex(), swept: never, memory: b.memory, distinct: -1}
	switch b.Kind {
	case rules.Sequence:
		s.need = len(b.Steps)
	case rules.All:
		s.need = b.AtLeast
		if s.need == 0 {
			s.need = len(b.Steps)
		}
	case rules.Count:
		s.counts, s.need, s.distinct = true, b.AtLeast, b.Distinct
	}
	s.pattern = 1<<len(b.Steps) - 1
	s.direct = s.need > 1 && len(r.gates) == 0 && len(r.rule.Upstream) == 0
	for i := range b.parts {
		x := &b.parts[i]
		s.direct = s.direct && (x.guard == nil || x.guard.When == nil) // What a scan evaluates it evaluates once.
		s.keep = append(s.keep, b.memory+x.keep+1)                     // A guard's hit stays for hits that are scanned later.
		s.memory = max(s.memory, x.keep)
	}
	if s.counts {
		s.keep[0] = b.Within // The window is open on the left.
	}
	s.alone = b.Kind != rules.Sequence
	s.latest = b.Kind == rules.Sequence && b.simple && !b.SelectFirst && b.OrderTolerance == 0 && len(b.parts) == len(b.Steps) && b.parts[0].AtLeast <= 1
	if s.most = maxRestingHits; !s.alone && !s.latest {
		s.most = 8
	}
	s.shortest, s.longest = slices.Min(s.keep), slices.Max(s.keep)
	s.piles = newPiles(s, settings)
	return s
}

// keys is how many keys a rule has, working and resting.
func (r *ruleState) keys() int {
	if r.rest == nil {
		return len(r.parts)
	}
	return len(r.parts) + r.rest.n
}

// held is an estimate of the memory of all keys and gates of a rule.
func (r *ruleState) held() int64 {
	if r.rest == nil {
		return r.bytes + r.gated
	}
	return r.bytes + r.gated + r.rest.arena.held + r.rest.piles.held + indexBytes*int64(r.rest.n)
}

// find gives the record of a key and where its entry stands; 0 if it does not rest.
func (s *resting) find(hash uint32, key string) (p place, at int) {
	x := &s.index
	if x.homes == 0 {
		return 0, 0
	}
	for i := x.home(hash); i < len(x.entries); i++ {
		e := x.entries[i]
		if e == 0 || uint32(e>>32) > hash {
			return 0, 0
		}
		if uint32(e>>32) == hash && string(record(s.arena.at(place(e))).key()) == key {
			return place(e), i
		}
	}
	return 0, 0
}

// complete reports whether hits of these steps might make a match.
func (s *resting) complete(steps uint16, hits int) bool {
	if s.counts {
		return hits >= s.need
	}
	return bits.OnesCount16(steps&s.pattern) >= s.need
}

// rest puts a hit of a direct rule into the record of its key, making one if there is none. It is false if the hit is for a partition to take.
func (f *fold) rest(r *ruleState, h *event.Hit) bool {
	s := r.rest
	if s.n == 0 && len(r.parts) < f.settings.restAbove {
		return false
	}
	x := f.next
	if x == nil || x.rest != s {
		x = &f.other
		*x = ahead{rest: s, hash: s.index.hashString(h.Key)}
	}
	p, at := x.find(h.Key)
	if p == 0 {
		return r.keys() >= f.settings.restAbove && r.parts[h.Key] == nil && f.open(x, h)
	}
	if s.add(x, p, at, h, f.settings.MaxHits) {
		return true
	}
	p, _ = s.find(x.hash, h.Key) // It may lie elsewhere by now.
	f.wake(r, x.hash, p)
	return false
}

// open makes a record of a key that is new.
func (f *fold) open(x *ahead, h *event.Hit) bool {
	s := x.rest
	if s.complete(1<<h.Step, 1) || len(h.Key) > maxRestingKey || s.rule.born >= maxBorn {
		return false
	}
	s.begin(h.Ref.Time)
	if !spanFits(h.Ref.Time - s.epoch) {
		return false
	}
	if s.rule.keys() >= f.settings.MaxKeys {
		s.sweep(s.rule.w)
		if s.rule.keys() >= f.settings.MaxKeys {
			return false
		}
	}
	s.rule.born++
	b := append(record(appendRecord(s.scratch[:0], h.Key, s.rule.born, false)), x.bytes(h)...)
	s.scratch = b
	if len(b) > maxRecord {
		return false
	}
	b.setHits(1)
	b.mark(1 << h.Step)
	b.setLast(h.Ref.Time - s.epoch)
	s.put(x.hash, b)
	return true
}

// begin sets the epoch when the first key comes to rest.
func (s *resting) begin(t int64) {
	if s.n == 0 {
		s.epoch = t
	}
}

// put stores a new record.
func (s *resting) put(hash uint32, b record) {
	b.set(len(b))
	p := s.arena.room(len(b))
	copy(s.arena.at(p), b)
	s.index.put(hash, p)
	s.n++
}

// add puts a hit into a record, whose entry stands at some place; false if it might complete a match, or has no place there.
func (s *resting) add(x *ahead, p place, at int, h *event.Hit, limit int) bool {
	b := record(s.arena.record(p))
	t := h.Ref.Time - s.epoch
	n, bit := b.hits()+1, uint16(1)<<h.Step
	if !spanFits(t) {
		return false
	}
	written := x.bytes(h)
	if b.piled() {
		return s.pileOn(b, h, written, limit)
	}
	complete := s.complete(b.steps()|bit, n)
	to := len(b) + len(written)
	if (n > s.piles.above || to > maxRecord) && s.mayPile(b.steps()|bit) && (!complete || s.distinct >= 0) {
		b, ok := s.heapUp(x.hash, p, b)
		return ok && s.pileOn(b, h, written, limit)
	}
	if t > b.last() && n <= min(s.most, limit) && !complete {
		size := s.arena.size(p)
		if to > size && to <= maxRecord && s.allMatter(b) {
			b = s.enlarge(x.hash, p, at, b, to)
			size = to
		}
		if to <= size {
			copy(b[len(b):to], written)
			b.grown(to, n, bit, t)
			return true
		}
	}
	out, ok := s.rebuild(b, t, int(h.Step), written, limit)
	if ok {
		s.replace(x.hash, p, out)
	}
	return ok
}

// allMatter reports whether it is plain that none of a record's hits can be dropped yet; false says nothing.
func (s *resting) allMatter(b record) bool {
	w := s.rule.w - s.epoch
	switch n := b.hits(); {
	case s.alone && n == 1:
		return b.last() > w-s.shortest
	case n == 1:
		return b.last() >= w-s.memory // It stays until it has expired.
	case !s.alone && n == 2:
		return b.last() > w
	}
	body := b.body()
	x, ok := s.glance(body)
	if s.alone || !ok {
		return ok && x.time > w-s.shortest
	}
	x, ok = s.glance(body[x.size:])
	return ok && x.time > w
}

// enlarge moves a record, whose entry stands at some place, to where there is room for more bytes.
func (s *resting) enlarge(hash uint32, p place, at int, b record, size int) record {
	to := s.arena.room(size)
	moved := s.arena.at(to)
	copy(moved, b)
	s.index.entries[at] = uint64(hash)<<32 | uint64(to)
	s.arena.leave(p)
	return record(moved[:len(b):size])
}

// rebuild makes the record anew with a hit more, without the hits that do not matter any more. It is false where add is, and for a hit at the
// very time of another: which of them is first, or whether they are the same, is for a partition to tell.
func (s *resting) rebuild(b record, t int64, step int, written []byte, limit int) (record, bool) {
	w := s.rule.w - s.epoch
	out := append(s.scratch[:0], b[:recordHead+int(b[16])]...)
	binary.LittleEndian.PutUint16(out[14:], 0)
	if b.degraded() {
		out.mark(degradedBit)
	}
	n, last, done := 0, int64(never), false
	note := func(step int, t int64) {
		n++
		last = t
		out.mark(1 << step)
	}
	write := func() {
		out = append(out, written...)
		note(step, t)
		done = true
	}
	oldest := s.oldest(b, t, w)
	for rest := b.body(); len(rest) > 0; {
		x, ok := s.glance(rest)
		if !ok || x.step >= len(s.keep) || x.time == t {
			return nil, false
		}
		all := rest[:x.size]
		rest = rest[x.size:]
		if x.time < oldest || s.alone && x.time <= w-s.keep[x.step] {
			continue
		}
		if !done && x.time > t {
			write()
		}
		out = append(out, all...)
		note(x.step, x.time)
	}
	if !done {
		write()
	}
	if n > min(s.most, limit) || len(out) > maxRecord || s.complete(out.steps(), n) {
		return nil, false
	}
	out.setHits(n)
	out.setLast(last)
	s.scratch = out
	return out, true
}

// oldest is the time of the first hit that matters when one at t is put in; never for all. A hit matters as long as it bears on how those after
// it are scanned, even if it is too old for a match itself: chains that it began took hits that others would have got. So of a sequence's
// hits all go that lie before a gap in which everything expires; or, where there are hits of the first step alone and the newest replaces
// the others, all but the newest at or before w.
func (s *resting) oldest(b record, t, w int64) int64 {
	if b.last() < w-s.memory {
		return t // All have expired.
	}
	first, before := int64(never), int64(never)
	replaced := s.latest && b.steps() == 1
	for rest := b.body(); len(rest) > 0; {
		x, ok := s.glance(rest)
		if !ok || x.time > w {
			break // A hit that is not late may still come before this one.
		}
		if replaced || x.time-before > s.memory {
			first = x.time
		}
		before, rest = x.time, rest[x.size:]
	}
	return first
}

// replace stores a record in the place of an older one, and says where it lies now.
func (s *resting) replace(hash uint32, p place, b record) place {
	b.set(len(b))
	if classOf(len(b)) == int(s.arena.class[p.page()]) {
		copy(s.arena.at(p), b)
		return p
	}
	to := s.arena.room(len(b))
	copy(s.arena.at(to), b)
	s.index.move(hash, p, to)
	s.arena.leave(p)
	return to
}

// drop forgets a record.
func (s *resting) drop(hash uint32, p place) {
	if b := record(s.arena.record(p)); b.piled() {
		s.piles.drop(b)
	}
	s.index.drop(hash, p)
	s.arena.release(p)
	s.n--
}

// expire removes keys in which nothing can matter any more, once W has moved by a quarter of the time that they are kept.
func (s *resting) expire() {
	s.index.settle()
	s.arena.settle()
	if s.n > 0 && s.rule.w-s.swept >= max(s.memory/4, second) {
		s.sweep(s.rule.w)
	}
}

func (s *resting) sweep(w int64) {
	if w <= s.swept {
		return
	}
	s.swept = w
	s.arena.coolAll()
	oldest := w - s.epoch - s.memory - 1
	for i := range s.arena.pages {
		for p, b := range s.arena.each(i) {
			if record(b).last() <= oldest {
				s.drop(s.index.hash(record(b).key()), p)
			}
		}
		s.thin(i)
	}
}

// thin empties a page of which little is left: its records go to other pages of the class.
func (s *resting) thin(i int) {
	a := &s.arena
	if a.class[i] < 0 || int(a.pages[i].used)*4 > capacity(a.class[i]) {
		return
	}
	a.unlist(int32(i))
	if a.open[a.class[i]] == 0 {
		a.list(int32(i)) // There is no other with room.
		return
	}
	for p, b := range a.each(i) {
		if a.open[a.class[i]] == 0 {
			a.list(int32(i))
			return
		}
		to := a.room(len(b))
		copy(a.at(to), b)
		s.index.move(s.index.hash(record(b).key()), p, to)
		a.release(p)
		if a.class[i] >= 0 {
			a.unlist(int32(i))
		}
	}
}

// ages goes over the keys, as they lie.
func (s *resting) ages(each func(aged)) {
	for i := range s.arena.pages {
		for p, b := range s.arena.each(i) {
			each(aged{born: record(b).born(), place: p})
		}
	}
}

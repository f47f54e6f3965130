package correlate

import (
	"slices"
)

// wake makes a partition of a resting key. It is touched, so that the batch settles it.
func (f *fold) wake(r *ruleState, hash uint32, p place) *partition {
	s := r.rest
	b := record(s.arena.record(p))
	k := newPartition(r, string(b.key()), b.born())
	k.degraded = b.degraded()
	cells, ok := s.cellsOf(b, k.key)
	if !ok { // Only what a damaged snapshot brought in can be unreadable.
		k.degraded = true
		r.degraded = true
		r.stats.Evicted++
	}
	s.drop(hash, p)
	r.parts[k.key] = k
	k.recall(f.scan.quiet(r, k), cells, r.passed())
	k.measure()
	f.touch(k)
	if len(cells) > maxRestingHits {
		k.owed, k.retry = len(cells), f.batch+min(uint64(len(cells)/64), maxWait)
	}
	return k
}

// cells reads the hits of a key; ok is false if it had to leave some out.
func (s *packer) cells(b []byte, k string) (cells []*cell, ok bool) {
	key := piecesOf(k)
	for rest := b; len(rest) > 0; {
		x, after, ok := nextHit(rest)
		if !ok {
			return cells, false
		}
		c := s.readHit(&x, k, &key)
		if c == nil || !s.rule.sound(c, k) || len(cells) > 0 && compare(cells[len(cells)-1], c) >= 0 {
			return cells, false
		}
		cells, rest = append(cells, c), after
	}
	return cells, true
}

// scanned reports whether a scan walks over hits of this part; the others are only looked up from it.
func (x *part) scanned(b *branch, step int) bool {
	return x.memory < 0 || !x.remembered() || x.guard.Between || step >= len(b.Steps)+len(b.Guards)
}

// remembered reports whether hits of this part stand in the partition's guards.
func (x *part) remembered() bool {
	return x.guard != nil && (x.guard.Before > 0 || x.guard.After > 0 || x.guard.QuietFor > 0)
}

// passed is the time up to which no hit can enter a partition any more. Where hits wait at a gate for W they enter when it has reached them.
func (r *ruleState) passed() int64 {
	if r.hold > 0 {
		return never
	}
	return r.w
}

// recall scans a resting key's hits: those up to a time make the state before the buffer, the others are the buffer.
func (k *partition) recall(s *scan, cells []*cell, until int64) {
	for _, c := range cells {
		if x := &s.branches[c.Branch].parts[c.Step]; x.remembered() {
			k.guards[x.memory] = append(k.guards[x.memory], c)
		}
	}
	for _, c := range cells {
		b := &s.branches[c.Branch]
		if !b.parts[c.Step].scanned(b, int(c.Step)) {
			continue
		}
		if c.time() <= until {
			s.st, s.guards, s.found = &k.head, k.guards, s.found[:0]
			s.apply(c)
			k.take(s)
			continue
		}
		if len(k.buf) == 0 {
			k.base.copyFrom(&k.head)
		}
		k.buf = append(k.buf, c)
		k.scanOne(s, c)
	}
}

// cool packs partitions that the batch before this one had touched and this one has not; and now and then busy ones, where their hits may be
// piled up. Packing and waking cost as much as all hits of a key do, so one with many is tried only after as many have come, or some time.
func (f *fold) cool() {
	kept := f.warmKeys[:0]
	for _, k := range f.warmKeys {
		busy := k.used == f.batch && !k.gone
		if busy && (k.owed > 0 || k.rule.rest.piles.above == 0) || !k.gone && f.batch < k.retry && (busy || k.bytes > muchBytes) {
			kept = append(kept, k)
			continue
		}
		packed := !k.gone && k.rule.mayRest(f.settings.restAbove, k) && f.pack(k, busy)
		if !packed && (busy || k.bytes > muchBytes) {
			k.wait = min(2*k.wait+4, maxWait)
			k.retry = f.batch + k.wait
		}
		if busy && !packed {
			kept = append(kept, k)
			continue
		}
		k.warm = false
	}
	clear(f.warmKeys[len(kept):])
	f.warmKeys = kept
}

// mayRest reports whether a key is worth packing: its rule has more keys than stay working in any case, or it holds much. Where hits go into
// records the resting ones count, since a key that rests costs less for each hit, too.
func (r *ruleState) mayRest(above int, k *partition) bool {
	if r.rest != nil && r.rest.direct {
		return r.keys() > above || k.bytes > muchBytes && above < keysWithoutRest
	}
	return len(r.parts) > above
}

// pack lets a partition rest if it can: nothing that was found is open, it is small, and its state is what a scan makes of its hits. A busy one
// rests only if its next hit does not wake it.
func (f *fold) pack(k *partition, busy bool) bool {
	s := k.rule.rest
	if s == nil || k.shelf.n > 0 && s.piles.above == 0 || len(k.matches)+len(k.known)+len(k.throttle) > 0 || len(k.changes) > 0 || len(k.key) > maxRestingKey || k.born > maxBorn {
		return false
	}
	if k.done != nil && (k.shelf.n > 0 || len(k.buf) > 0 && compare(k.done, k.buf[0]) >= 0) {
		return false // A scan of what lingers would find it again.
	}
	if steps := k.steps(); busy && (!s.mayPile(steps) || s.distinct < 0 && s.complete(steps, len(k.buf)+1)) {
		return false
	}
	cells := k.gather(s.mostPacked())
	if len(cells) == 0 || len(cells) > s.mostPacked() {
		return false
	}
	s.begin(cells[0].time())
	steps := uint16(0)
	for _, c := range cells {
		if !spanFits(c.time() - s.epoch) {
			return false
		}
		steps |= 1 << c.Step
	}
	if !s.lasts(cells, steps, busy, f.settings.MaxHits) || !k.repeatable(f.scan.quiet(k.rule, k), cells) {
		return false
	}
	b := record(appendRecord(s.scratch[:0], k.key, k.born, k.degraded))
	b.mark(steps)
	b.setLast(cells[len(cells)-1].time() - s.epoch)
	b.setHits(len(cells))
	pieces := piecesOf(k.key)
	if len(cells) > maxRestingHits {
		b.setHits(pileMark)
		b = append(b, 0, 0, 0, 0)
		b.setPile(s.piles.add(s.heap(cells, &pieces)))
	} else {
		for _, c := range cells {
			b = s.appendHit(b, &c.Hit, &pieces)
		}
	}
	s.scratch = b
	if len(b) > maxRecord {
		return false
	}
	f.release(k.rule, k)
	s.put(s.index.hashString(k.key), b)
	return true
}

// lasts reports whether a key may rest with these hits, and if it is busy with some more.
func (s *resting) lasts(cells []*cell, steps uint16, busy bool, limit int) bool {
	if busy && len(cells) > limit-limit/8 {
		return false
	}
	if len(cells) > maxRestingHits {
		return s.mayPile(steps) && !s.enough(cells, steps, busy)
	}
	return !busy || s.mayPile(steps) && !s.complete(steps, len(cells)+1)
}

// steps are those of the hits in the buffer.
func (k *partition) steps() (steps uint16) {
	for _, c := range k.buf {
		steps |= 1 << c.Step
	}
	return steps
}

// maxWait is after how many batches at most a busy key is tried again.
const maxWait = 256

// mostPacked is how many hits a partition may have to be packed.
func (s *resting) mostPacked() int {
	if s.piles.above > 0 {
		return maxPiledAtOnce
	}
	return maxRestingHits
}

// gather collects every hit the partition depends on, in order; nil if there are too many to rest.
func (k *partition) gather(most int) []*cell {
	st := k.first()
	n := k.shelf.n + len(k.buf)
	for _, list := range k.guards {
		n += len(list)
	}
	if n > 2*most { // Guards may stand in the buffer, too.
		return nil
	}
	cells := slices.Clone(k.whole())
	for _, list := range k.guards {
		cells = append(cells, list...)
	}
	cells = st.collect(cells)
	slices.SortFunc(cells, compare)
	return slices.Compact(cells)
}

// collect adds every hit that a state names, some more than once.
func (s *state) collect(cells []*cell) []*cell {
	for i := range s.branches {
		b := &s.branches[i]
		for j := range b.slots {
			for _, l := range b.slots[j] {
				cells = l.collect(cells)
			}
			for _, w := range b.pools[j] {
				cells = w.pred.collect(append(cells, w.cell))
			}
		}
		for _, g := range b.groups {
			cells = append(cells, g.cells...)
			if g.prev != nil {
				cells = append(cells, g.prev)
			}
		}
	}
	return cells
}

func (l *link) collect(cells []*cell) []*cell {
	for ; l != nil; l = l.prev {
		cells = append(cells, l.hits...)
	}
	return cells
}

// repeatable reports whether a scan of the hits from nothing gives the partition's states, and finds nothing.
func (k *partition) repeatable(s *scan, cells []*cell) bool {
	st := newState(s.program)
	s.st, s.guards, s.found = &st, k.guards, s.found[:0]
	base := len(k.buf) == 0
	for i, c := range cells {
		if i > 0 && compare(cells[i-1], c) == 0 {
			return false
		}
		b := &s.branches[c.Branch]
		if !b.parts[c.Step].scanned(b, int(c.Step)) {
			continue
		}
		if !base && c == k.buf[0] {
			if base = true; !st.equal(&k.base) {
				return false
			}
		}
		s.apply(c)
	}
	return base && len(s.found) == 0 && st.equal(&k.head)
}

package correlate

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/incident"
)

// Estimates of memory in bytes; what counts is that they grow with what is held.
const (
	partitionBytes = 600
	cellBytes      = 500
	blockBytes     = 1000 // With the state and the cell that a block keeps.
)

// measure estimates the partition's memory anew.
func (k *partition) measure() {
	n, named := len(k.buf)+len(k.matches)+4*len(k.known), 0
	for _, g := range k.guards {
		n += len(g)
	}
	for i := range k.head.branches {
		b := &k.head.branches[i]
		for j := range b.slots {
			n += len(b.slots[j]) + len(b.pools[j])
		}
		for _, g := range b.groups {
			n += 1 + k.apart(g.cells)
			named += len(g.cells)
		}
	}
	bytes := int64(partitionBytes+n*cellBytes+named*8) + k.shelf.bytes
	k.rule.bytes += bytes - k.bytes
	k.bytes = bytes
}

// apart is how many of a window's hits are not those of the buffer.
func (k *partition) apart(cells []*cell) int {
	if len(k.buf) == 0 {
		return len(cells)
	}
	at, _ := find(cells, k.buf[0])
	return at
}

// refuse counts a hit for which there is no room.
func (f *fold) refuse(r *ruleState, c *cell) {
	r.stats.Evicted++
	r.degraded = true
	f.trace(trace{Kind: traceEvicted, Rule: r.rule, Cell: c, Branch: int(c.Branch)})
}

// gateShare is the part of all memory that the gates of one rule may take, and stepShare that which is given up at a time where all of it is
// full: one in so many bytes. It is little, since all batches wait meanwhile.
const (
	gateShare = 4
	stepShare = 64
)

// shed keeps the whole within its bytes, and the gates of each rule within their share: the noisiest rule gives up its newest keys and
// registers, so that a flood of keys cannot push out a slow attack. The rule's findings say so from then on.
func (f *fold) shed() {
	if f.replayed {
		return // A rule that gave something up then has its state from later.
	}
	total := int64(0)
	for _, r := range f.rules {
		if share := f.settings.MaxBytes / gateShare; r.gated > share {
			f.shedGates(r, share-share/stepShare)
		}
		total += r.held()
	}
	if total <= f.settings.MaxBytes {
		return
	}
	target := f.settings.MaxBytes - f.settings.MaxBytes/stepShare
	for total > target {
		noisy := slices.MaxFunc(f.rules, func(a, b *ruleState) int { return cmp.Compare(a.held(), b.held()) })
		before := noisy.held()
		switch {
		case noisy.gated >= before-noisy.gated:
			f.shedGates(noisy, noisy.gated-(total-target))
		case noisy.keys() > 0:
			f.shedKeys(noisy, before-(total-target))
		}
		freed := before - noisy.held()
		if freed <= 0 {
			return
		}
		total -= freed
	}
}

// shedKeys gives up a rule's newest keys until it is within target bytes: so many of them as that takes where they are like the others, but a tenth
// of all at most, and not so few that keys smaller than the others have to be looked for again and again.
func (f *fold) shedKeys(r *ruleState, target int64) {
	all := int64(r.keys())
	n := min(max(1+all*(r.held()-target)/r.held(), all/stepShare), (all+9)/10)
	r.degraded = true
	f.gaveUp = append(f.gaveUp, r)
	for _, k := range r.youngest(int(n)) {
		if k.key != nil {
			f.evict(r, k.key)
		} else {
			r.rest.evict(k.place)
		}
		if r.held() <= target {
			return
		}
	}
}

// shedGates gives up registers of a rule, a tenth at a time and the newest first, until its gates are within target bytes. Hits that have
// passed stay where they are.
func (f *fold) shedGates(r *ruleState, target int64) {
	f.gaveUp = append(f.gaveUp, r)
	for r.gated > target && r.giveUpRegisters() {
		r.degraded = true
	}
}

// giveUpRegisters gives up a tenth of a rule's registers, and says whether there were any.
func (r *ruleState) giveUpRegisters() bool {
	gave := 0
	r.gated = 0
	for _, g := range r.gates {
		for _, m := range g.mods {
			gave += m.giveUp(10)
		}
		g.held.compact()
		_, bytes := g.size()
		r.gated += bytes
	}
	if gave == 0 {
		return false
	}
	r.stats.Shed += int64(gave)
	return true
}

// aged is a key with its order of creation: a partition, or the place of its record.
type aged struct {
	born  uint64
	key   *partition
	place place
}

// spans is into how many spans of creation keys are told apart before the newest are put in order.
const spans = 1 << 12

// youngest gives the n newest keys of a rule, the newest first.
func (r *ruleState) youngest(n int) []aged {
	if n = min(n, r.keys()); n == 0 {
		return nil
	}
	width := r.born/spans + 1
	span := func(born uint64) int { return spans - 1 - int(min(born/width, spans-1)) } // Of the newest: 0.
	var in [spans]int
	r.ages(func(k aged) { in[span(k.born)]++ })
	last, met := 0, in[0]
	for met < n {
		last++
		met += in[last]
	}
	keys := make([]aged, 0, met)
	r.ages(func(k aged) {
		if span(k.born) <= last {
			keys = append(keys, k)
		}
	})
	slices.SortFunc(keys, func(a, b aged) int { return cmp.Compare(b.born, a.born) })
	return keys[:n]
}

// ages goes over all keys of a rule.
func (r *ruleState) ages(each func(aged)) {
	for _, k := range r.parts {
		each(aged{born: k.born, key: k})
	}
	if r.rest != nil {
		r.rest.ages(each)
	}
}

// evict gives up a partition. What it had announced stands: provisional findings become final, and say that the rule is degraded.
func (f *fold) evict(r *ruleState, k *partition) {
	k.degraded = true
	for _, o := range k.known {
		if o.state == incident.Provisional {
			f.tell(r, k, o, true)
		}
	}
	r.stats.Evicted += int64(len(k.buf) + k.shelf.n + 1)
	r.stats.Shed++
	f.release(r, k)
}

// evict gives up a resting key. Nothing was announced of it.
func (s *resting) evict(p place) {
	b := record(s.arena.record(p))
	s.rule.stats.Evicted += int64(s.hitsOf(b))
	s.rule.stats.Shed++
	s.drop(s.index.hash(b.key()), p)
}

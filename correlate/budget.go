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
)

// measure estimates the partition's memory anew.
func (k *partition) measure() {
	n := len(k.buf) + len(k.matches) + 4*len(k.known)
	for _, g := range k.guards {
		n += len(g)
	}
	for i := range k.head.branches {
		b := &k.head.branches[i]
		for j := range b.slots {
			n += len(b.slots[j]) + len(b.pools[j])
		}
		for _, g := range b.groups {
			n += 1 + len(g.cells)
		}
	}
	bytes := int64(partitionBytes + n*cellBytes)
	k.rule.bytes += bytes - k.bytes
	k.bytes = bytes
}

// refuse counts a hit for which there is no room.
func (f *fold) refuse(r *ruleState, c *cell) {
	r.stats.Evicted++
	r.degraded = true
	f.trace(trace{Kind: traceEvicted, Rule: r.rule, Cell: c, Branch: int(c.Branch)})
}

// shed keeps the whole within its bytes: the noisiest rule gives up its newest keys, so that a flood of keys cannot push out a slow attack.
// The rule's findings say so from then on.
func (f *fold) shed() {
	total := int64(0)
	for _, r := range f.rules {
		total += r.bytes
	}
	if total <= f.settings.MaxBytes {
		return
	}
	target := f.settings.MaxBytes - f.settings.MaxBytes/10
	for total > target {
		noisy := slices.MaxFunc(f.rules, func(a, b *ruleState) int { return cmp.Compare(a.bytes, b.bytes) })
		if len(noisy.parts) == 0 {
			return
		}
		noisy.degraded = true
		keys := make([]*partition, 0, len(noisy.parts))
		for _, k := range noisy.parts {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b *partition) int { return cmp.Compare(b.born, a.born) })
		before := noisy.bytes
		for _, k := range keys[:(len(keys)+9)/10] {
			f.evict(noisy, k)
			if total-(before-noisy.bytes) <= target {
				break
			}
		}
		total -= before - noisy.bytes
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
	r.stats.Evicted += int64(len(k.buf) + 1)
	r.stats.Shed++
	f.release(r, k)
}

package correlate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

// stateEvery is how many hits lie between two stored states of a partition (N6).
const stateEvery = 32

// fold turns hits into findings. It never sees events and reads no tables: the same hits and marks in the same batches give the same bytes.
type fold struct {
	settings Settings
	rules    []*ruleState // By rule id.
	byID     map[string]*ruleState
	frontier int64
	newest   int64 // How far any source is known to have come.
	end      int64 // How far event time is known to have gone, for what waits for silence; forever but at the end of all input.

	eval     *evaluator
	scan     *scan
	watch    stopwatch
	work     map[*program]*state // Scratch of rescans.
	queue    []queued            // Hits of the batch, in the order of a scan.
	offered  cell                // At a gate.
	touched  []*partition
	near     [hitsAhead]ahead // The hits that come next,
	next     *ahead           // and the one that is taken now; nil: none of them,
	other    ahead            // but this.
	far      [hitsAhead]*ahead
	places   foresight
	warmKeys []*partition // Settled not long ago: they may rest soon.
	batch    uint64
	gated    []gated // Of this batch; kept for an observer alone.
	out      []incident.Finding

	chains chains
	aside  []*ruleState // Companions while new rules are warmed; see chain.go.

	leftover []incident.Finding // Of rules that were stopped, for the next batch.
	gaveUp   []*ruleState       // Rules that gave something up after this batch, for want of memory.
	replayed bool               // For rules of which some are not there yet: see resume.go.
	fresh    bool               // There may be rules to be warmed up until the next batch.
	warming  bool
	observe  func(trace)
}

func newFold(s Settings) *fold {
	f := &fold{settings: s, byID: map[string]*ruleState{}, frontier: never, newest: never, work: map[*program]*state{}, observe: s.observe}
	f.watch.clock = s.Stopwatch
	f.eval = &evaluator{machine: expression.NewMachine(nil)}
	f.scan = &scan{eval: f.eval, observe: s.observe, limit: s.MaxHits, every: cmp.Or(s.stateEvery, stateEvery)}
	f.eval.errors = f.scan.failed
	return f
}

func (f *fold) trace(t trace) {
	if f.observe != nil {
		f.observe(t)
	}
}

// add folds hits in, in any order, and then moves W to where the frontier allows. What was prepared for the hits stands in the same places, if
// anything was. The result is valid until the next call.
func (f *fold) add(hits []event.Hit, ready []ahead, frontier int64, ok bool) []incident.Finding {
	f.out, f.gaveUp = append(f.out[:0], f.leftover...), f.gaveUp[:0]
	f.leftover, f.aside = nil, nil
	f.fill()
	f.sort(hits, ready)
	f.begin(len(hits))
	for few := range slices.Chunk(f.queue, hitsAhead) {
		f.foresee(few)
		for i := range few {
			f.next = few[i].next
			if r := f.next.rule; r != nil {
				f.take(r, few[i].hit, nil)
				f.spent(r)
			}
		}
	}
	f.overlook()
	f.run(frontier, ok)
	f.watch.on = false
	slices.SortStableFunc(f.out, func(a, b incident.Finding) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.ID.Compare(b.ID), cmp.Compare(a.Revision, b.Revision))
	})
	return f.out
}

// warm folds earlier hits into the rules that wait for it. W of the others does not move, and nothing is announced.
func (f *fold) warm(hits []event.Hit, frontier int64, ok bool) {
	all, byID := f.rules, f.byID
	if f.aside == nil {
		f.aside = f.companions()
	}
	f.rules = append(slices.DeleteFunc(slices.Clone(all), func(r *ruleState) bool { return !r.waiting() }), f.aside...)
	f.byID = maps.Clone(byID)
	for _, r := range f.aside {
		f.byID[r.rule.ID] = r
	}
	f.warming, f.out = true, f.out[:0]
	now := f.frontier
	f.frontier = never
	f.sort(hits, nil)
	for _, q := range f.queue {
		h := q.hit
		if r := f.byID[h.Rule]; r != nil && r.waiting() && r.rule.Version == h.Version && r.fits(h) {
			f.take(r, h, nil)
		}
	}
	f.run(min(frontier, now), ok)
	f.leftover = append(f.leftover, f.out...) // Final by now, and not of the version before.
	f.out, f.rules, f.byID, f.frontier, f.warming = f.out[:0], all, byID, now, false
}

// waiting reports whether the rule has been started by a swap, and may be warmed up.
func (r *ruleState) waiting() bool { return !r.filled && r.silentYet() }

// silentYet reports whether the rule has been started by a swap and has not come to it yet.
func (r *ruleState) silentYet() bool { return r.swap != never && r.w <= r.swap }

// fill ends the time in which rules may be warmed up.
func (f *fold) fill() {
	if !f.fresh {
		return
	}
	f.fresh = false
	for _, r := range f.rules {
		r.filled = true
	}
}

// run scans what was touched and moves W: first of the rules that listen to events alone, then of those that listen to them, and so on.
func (f *fold) run(frontier int64, ok bool) {
	clear(f.queue)
	f.end = forever
	if frontier >= forever {
		f.end = max(f.frontier, f.newest) // The end of all input is not silence.
	}
	if ok {
		f.frontier = max(f.frontier, min(frontier, forever))
	}
	f.turns()
	f.tidy()
	for f.shed(); f.unheard(); f.shed() { // Shedding makes findings final, which is news.
		f.turns()
	}
	f.sweepFound()
	f.cool()
	clear(f.touched)
	f.touched = f.touched[:0]
	f.batch++
}

func (f *fold) turns() {
	f.turn(0)
	for level := 1; level <= f.chains.levels; level++ {
		f.hear(level)
		f.turn(level)
	}
}

// turn scans what was touched in the rules of a level and moves their W.
func (f *fold) turn(level int) {
	f.flush(level)
	f.decideGates(level)
	f.spent(nil)
	for _, k := range f.touched {
		if r := k.rule; r.level() == level {
			k.rescan(f.scan.with(r, k), f.scratch(r))
			f.spent(r)
		}
	}
	for _, r := range f.rules {
		if r.level() == level {
			r.w = f.limit(r)
		}
	}
	f.tellGated(forever)
	f.spent(nil)
	for _, k := range f.touched {
		if k.touched && k.rule.level() == level {
			f.settle(k)
			f.spent(k.rule)
		}
	}
	for _, r := range f.rules {
		for r.level() == level && len(r.queue) > 0 && r.queue[0].due <= r.w {
			f.settle(r.queue[0])
			f.spent(r)
		}
		r.prune()
		if r.rest != nil {
			r.rest.expire()
		}
	}
}

// stop ends a rule. What it has announced stands: provisional findings become final with the next batch.
func (f *fold) stop(r *ruleState) {
	f.out = f.out[:0]
	for _, key := range sortedKeys(r.parts) {
		k := r.parts[key]
		for _, o := range k.known {
			if o.state == incident.Provisional {
				f.tell(r, k, o, true)
			}
		}
	}
	f.leftover = append(f.leftover, f.out...)
}

// fits reports whether a hit has the shape the rule's plan expects: a logged hit of an older build might not.
func (r *ruleState) fits(c *event.Hit) bool {
	if !r.takes(c) {
		r.stats.Misfits++
		return false
	}
	return true
}

// takes is fits without counting.
func (r *ruleState) takes(c *event.Hit) bool {
	if t := c.Ref.Time; t < never/2 || t > forever/2 || int(c.Branch) >= len(r.branches) || int(c.Step) >= len(r.branches[c.Branch].parts) {
		return false
	}
	x := r.branches[c.Branch].parts[c.Step].Step
	return len(c.Vars) == len(r.plan.Vars) && len(c.Fields) == len(x.Fields)+len(x.Values)
}

// take puts one hit where it belongs; c is its cell if it has one.
func (f *fold) take(r *ruleState, h *event.Hit, c *cell) {
	r.stats.Hits++
	if h.Ref.Time <= r.w+r.hold {
		f.late(r, h)
		return
	}
	r.since = min(r.since, h.Ref.Time)
	f.newest = max(f.newest, h.Ref.Time)
	if r.rest == nil || !r.rest.direct || !f.rest(r, h) {
		f.admit(r, h, c)
	}
}

func (f *fold) late(r *ruleState, h *event.Hit) {
	r.stats.Late++
	f.trace(trace{Kind: traceLate, Rule: r.rule, Cell: &cell{Hit: *h}, At: r.w})
}

// admit puts one hit into its partition, if there is no gate or that lets it pass.
func (f *fold) admit(r *ruleState, h *event.Hit, c *cell) {
	g := r.gate(h)
	if c == nil && g != nil && f.observe == nil {
		f.offered.Hit = *h // Most hits at a gate do not pass, and the gate keeps its own record of them.
		c = &f.offered
	} else if c == nil {
		c = &cell{Hit: *h} // One by one: a cell outlives its batch by hours.
	}
	if g == nil {
		f.place(r, c)
		return
	}
	flips, x, v := g.offer(c, r.w)
	switch v {
	case unknownValue:
		r.stats.Nulls++
	case noRoom:
		f.refuse(r, c)
	case seenBefore:
		r.stats.Repeated++
	case passedOver:
		f.trace(trace{Kind: traceGated, Rule: r.rule, Cell: c, Branch: int(c.Branch), Why: "frozen"})
	case taken:
		f.flip(r, flips)
		if f.observe != nil {
			f.gated = append(f.gated, gated{r, g, c, x})
		}
	}
}

// flip lets hits enter and leave their partitions.
func (f *fold) flip(r *ruleState, flips []flip) {
	for i := range flips {
		x := &flips[i]
		if x.leaves {
			if k := f.working(r, x.Key); k != nil && k.remove(x.cell) {
				f.touch(k)
			}
		}
		if x.enters {
			if x.cell == &f.offered {
				x.cell = &cell{Hit: f.offered.Hit}
			}
			f.place(r, x.cell)
		}
	}
	clear(flips)
}

// gated is a hit at a gate, for whoever wants to be told why it did not pass.
type gated struct {
	rule *ruleState
	gate *gate
	cell *cell
	hit  uint32
}

// flush lets the gates answer for what hits out of order have left open.
func (f *fold) flush(level int) {
	for _, r := range f.rules {
		if r.level() != level {
			continue
		}
		for _, g := range r.gates {
			f.flip(r, g.flush())
			f.spent(r)
		}
	}
	f.tellGated(never)
}

// decideGates lets the gates answer for what W is about to reach: what passes must be in its partition when W passes it there.
func (f *fold) decideGates(level int) {
	for _, r := range f.rules {
		for _, g := range r.gates {
			if g.waits && r.level() == level {
				f.flip(r, g.decide(f.limit(r), f.end))
				f.spent(r)
			}
		}
	}
}

// tellGated tells an observer of hits that did not pass, but for those that wait for W.
func (f *fold) tellGated(until int64) {
	f.gated = slices.DeleteFunc(f.gated, func(x gated) bool {
		if x.gate.waits && x.cell.time() > min(x.rule.w, until) {
			return false
		}
		if !x.gate.held.slab[x.hit].placed {
			f.trace(trace{Kind: traceGated, Rule: x.rule.rule, Cell: x.cell, Branch: int(x.cell.Branch), Why: x.gate.why(x.hit)})
		}
		return true
	})
}

// tidy lets the gates fold away what W has passed, and counts what they hold.
func (f *fold) tidy() {
	for _, r := range f.rules {
		r.gated = 0
		for _, g := range r.gates {
			g.tidy(r.w)
			_, bytes := g.size()
			r.gated += bytes
		}
	}
}

// place adds a hit to its partition.
func (f *fold) place(r *ruleState, c *cell) {
	k := f.working(r, c.Key)
	if k == nil {
		if r.keys() >= f.settings.MaxKeys {
			f.refuse(r, c)
			return
		}
		r.born++
		k = newPartition(r, c.Key, r.born)
		r.parts[c.Key] = k
	}
	if len(k.buf)+k.shelf.n >= f.settings.MaxHits {
		k.degraded = true
		f.refuse(r, c)
		return
	}
	c.Key, c.Rule = k.key, r.rule.ID
	if !k.add(f.scan.with(r, k), c) {
		r.stats.Repeated++
		return
	}
	k.owed = max(0, k.owed-1)
	f.touch(k)
}

// working gives the partition of a key, waking it if it rests; nil if there is none.
func (f *fold) working(r *ruleState, key string) *partition {
	if k := r.parts[key]; k != nil || r.rest == nil || r.rest.n == 0 {
		return k
	}
	hash := r.rest.index.hashString(key)
	if p, _ := r.rest.find(hash, key); p != 0 {
		return f.wake(r, hash, p)
	}
	return nil
}

func (f *fold) touch(k *partition) {
	k.used = f.batch
	if !k.touched {
		k.touched = true
		f.touched = append(f.touched, k)
	}
}

// limit is W of a rule at the frontier. Where a drop has to be waited for it is behind by that: hits are late by the rule's lateness alone.
func (f *fold) limit(r *ruleState) int64 {
	if f.frontier == never {
		return r.w
	}
	return max(r.w, f.frontier-r.plan.Lateness-r.hold)
}

// settle does what is due in a partition at W and says when it has to be looked at again.
func (f *fold) settle(k *partition) {
	r := k.rule
	k.touched = false
	f.scan.with(r, k)
	f.decide(r, k)
	k.commit(r.program, r.w)
	k.advance(f.scan, r.w)
	k.putAway(f.newest)
	due := k.next(r.program)
	if len(k.buf) == 0 && len(k.matches) == 0 && len(k.known) == 0 && due <= r.w {
		f.release(r, k)
		return
	}
	k.measure()
	f.keep(k, due)
}

// keep says when a partition has to be looked at again; it may soon rest.
func (f *fold) keep(k *partition, due int64) {
	r := k.rule
	r.queue.set(k, max(due, r.w+1))
	if !k.warm && r.rest != nil {
		k.warm = true
		f.warmKeys = append(f.warmKeys, k)
	}
}

// release forgets a partition.
func (f *fold) release(r *ruleState, k *partition) {
	r.queue.remove(k)
	k.gone = true
	delete(r.parts, k.key)
	r.bytes -= k.bytes
}

func (f *fold) scratch(r *ruleState) *state {
	if f.work[r.program] == nil {
		s := newState(r.program)
		f.work[r.program] = &s
	}
	return f.work[r.program]
}

func sortedKeys(parts map[string]*partition) []string { return slices.Sorted(maps.Keys(parts)) }

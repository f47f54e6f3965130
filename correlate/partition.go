package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// partition is what the fold keeps for one rule and key: the hits later than W in order, the state before them and after them, and the
// matches that are not final yet.
type partition struct {
	key   string
	rule  *ruleState
	born  uint64 // Order of creation: the newest are shed first.
	bytes int64  // Estimate of what it holds.
	due   int64  // Event time at which W makes something happen here.
	slot  int    // Place in the rule's queue; −1 outside.

	buf    []*cell // Hits that are scanned; those at or before W may linger until they can be dropped cheaply.
	base   state   // Before buf; meaningless while buf is empty.
	head   state   // After buf.
	marks  []mark  // States within buf, in order.
	guards [][]*cell

	dirty   *cell // The first hit whose surroundings changed; nil: head is up to date.
	horizon int64 // States are comparable only after this time: every change lies before it, and guards put in reach that far.
	touched bool
	used    uint64 // The batch that touched it last.
	warm    bool   // It is among the fold's warm keys.
	gone    bool   // Released.

	matches  []*candidate // Not final, by completing hit.
	done     *cell        // Completing hit of the last match that became final; nil before.
	fresh    int          // Hits of buf after the last mark.
	known    []*known     // Announced and not final, withdrawn and not final, or final and open for repeats.
	byID     map[event.ID]*known
	throttle []window // After the final matches.
	degraded bool     // The budget took something away here.
}

// mark is the state right after a hit of the buffer.
type mark struct {
	after *cell
	state state
}

func newPartition(r *ruleState, key string, born uint64) *partition {
	return &partition{key: key, rule: r, born: born, slot: -1, horizon: never, head: newState(r.program), guards: make([][]*cell, r.guards)}
}

// add takes a hit in; false means that it was there already. In order this is the whole work of a hit; out of order it leaves a note for rescan.
func (k *partition) add(s *scan, c *cell) bool {
	x := &s.branches[c.Branch].parts[c.Step]
	if g := x.guard; g != nil && (g.Before > 0 || g.After > 0 || g.QuietFor > 0) {
		list, _, ok := insert(k.guards[x.memory], c)
		if !ok {
			return false
		}
		k.guards[x.memory] = list
		until := int(c.Step) >= len(s.branches[c.Branch].Steps)+len(s.branches[c.Branch].Guards)
		if !until && !g.Between {
			if g.Before > 0 && len(k.buf) > 0 && compare(c, k.buf[len(k.buf)-1]) < 0 {
				k.disturb(c, c.time()+x.keep)
			}
			return true
		}
	}
	buf, at, ok := insert(k.buf, c)
	if !ok {
		return false
	}
	if len(k.buf) == 0 && k.dirty == nil {
		k.base.copyFrom(&k.head)
	}
	k.buf = buf
	if at < len(buf)-1 || k.dirty != nil {
		k.disturb(c, c.time()+x.keep)
		return true
	}
	k.scanOne(s, c)
	return true
}

// remove takes back a hit that a gate no longer lets pass, or lets pass with another earlier value; false means that it is not there.
func (k *partition) remove(c *cell) bool {
	at, ok := find(k.buf, c)
	if !ok {
		return false
	}
	k.buf = slices.Delete(k.buf, at, at+1)
	k.matches = slices.DeleteFunc(k.matches, func(m *candidate) bool { return compare(m.at, c) == 0 }) // A rescan looks for it in buf.
	k.disturb(c, c.time())
	return true
}

// disturb notes that a rescan must start no later than c and may not end before horizon.
func (k *partition) disturb(c *cell, horizon int64) {
	if k.dirty == nil || compare(c, k.dirty) < 0 {
		k.dirty = c
	}
	k.horizon = max(k.horizon, horizon)
}

// scanOne applies the hit that has just been put at the end.
func (k *partition) scanOne(s *scan, c *cell) {
	s.st, s.guards, s.found = &k.head, k.guards, s.found[:0]
	s.apply(c)
	k.take(s)
	k.fresh++
	k.remember(s, &k.head, c)
}

// take adds what the scan has just found, but for matches that are final already and only scanned again.
func (k *partition) take(s *scan) {
	for _, m := range s.found {
		if k.done == nil || compare(m.at, k.done) > 0 {
			k.matches = append(k.matches, &candidate{match: m, deadline: s.deadline(m)})
		}
	}
	s.found = s.found[:0]
}

// remember stores the state after c if the last stored one is far enough back.
func (k *partition) remember(s *scan, st *state, c *cell) {
	if k.fresh < s.every {
		return
	}
	m := mark{after: c}
	m.state.copyFrom(st)
	k.marks = append(k.marks, m)
	k.fresh = 0
}

// rescan brings head and matches up to date after hits were put in or taken out: from the stored state before the first change to where the
// state equals the stored one again. work is scratch.
func (k *partition) rescan(s *scan, work *state) {
	if k.dirty == nil {
		return
	}
	first, start := k.resume(work)
	k.head.lend(s.program, work)
	cut := slices.IndexFunc(k.matches, func(m *candidate) bool { return k.place(m) >= start })
	if cut < 0 {
		cut = len(k.matches)
	}
	dropped := slices.Clone(k.matches[cut:])
	old := slices.Clone(k.marks[first:])
	k.matches, k.marks, k.fresh = k.matches[:cut], k.marks[:first], 0
	s.st, s.guards, s.found = work, k.guards, s.found[:0]
	for _, c := range k.buf[start:] {
		s.apply(c)
		k.take(s)
		k.fresh++
		for len(old) > 0 && compare(old[0].after, c) < 0 {
			old = old[1:]
		}
		if len(old) > 0 && old[0].after == c {
			if c.time() > k.horizon && work.equal(&old[0].state) {
				work.lend(s.program, &k.head)
				k.converge(old, dropped, c)
				return
			}
			old = old[1:]
		}
		k.remember(s, work, c)
	}
	k.head, *work = *work, k.head
	k.clean()
}

// converge keeps what the last scan made of everything after c.
func (k *partition) converge(old []mark, dropped []*candidate, c *cell) {
	k.marks = append(k.marks, old...)
	for _, m := range dropped {
		if compare(m.at, c) > 0 {
			k.matches = append(k.matches, m)
		}
	}
	at, _ := find(k.buf, old[len(old)-1].after)
	k.fresh = len(k.buf) - at - 1
	k.clean()
}

// place is the index in buf of a match's completing hit, −1 if it is no longer in buf.
func (k *partition) place(m *candidate) int {
	if len(k.buf) == 0 || compare(m.at, k.buf[0]) < 0 {
		return -1
	}
	at, _ := find(k.buf, m.at)
	return at
}

// resume makes work the last state stored before the first change and gives how many marks stand before it and where to go on.
func (k *partition) resume(work *state) (marks, start int) {
	marks, _ = slices.BinarySearchFunc(k.marks, k.dirty, func(m mark, c *cell) int {
		if compare(m.after, c) < 0 {
			return -1
		}
		return 1
	})
	if marks == 0 {
		work.copyFrom(&k.base)
		return 0, 0
	}
	m := &k.marks[marks-1]
	work.copyFrom(&m.state)
	at, found := find(k.buf, m.after)
	if found {
		at++
	}
	return marks, at
}

func (k *partition) clean() { k.dirty, k.horizon = nil, never }

// commit forgets hits at or before w where that costs nothing: all of them, or up to a stored state.
func (k *partition) commit(p *program, w int64) {
	n := from(k.buf, w+1)
	switch {
	case n == 0:
	case n == len(k.buf):
		clear(k.buf)
		k.buf, k.marks, k.fresh = k.buf[:0], nil, 0
		if cap(k.buf) > 64 {
			k.buf = nil
		}
	default:
		for len(k.marks) > 0 && compare(k.marks[0].after, k.buf[n-1]) <= 0 {
			at, _ := find(k.buf, k.marks[0].after)
			k.base = k.marks[0].state
			k.buf = slices.Delete(k.buf, 0, at+1)
			k.marks = k.marks[1:]
			n -= at + 1
			if n == 0 {
				break
			}
		}
	}
	if len(k.buf) > 0 {
		w = min(w, k.buf[0].time()) // What lingers may be scanned again.
	}
	for i := range p.branches {
		for j := range p.branches[i].parts {
			x := &p.branches[i].parts[j]
			if x.memory < 0 || len(k.guards[x.memory]) == 0 {
				continue
			}
			list := k.guards[x.memory]
			if old := from(list, w-x.keep); old > 0 {
				k.guards[x.memory] = slices.Delete(list, 0, old)
			}
		}
	}
}

// next is the event time at which W has something to do here.
func (k *partition) next(p *program) int64 {
	t := int64(forever)
	for _, m := range k.matches {
		t = min(t, m.deadline)
	}
	if n := len(k.buf); n > 0 {
		if len(k.marks) > 0 {
			t = min(t, k.marks[0].after.time())
		}
		return min(t, k.buf[n-1].time())
	}
	for _, f := range k.known {
		if f.state != final {
			t = min(t, f.match.time())
		}
	}
	if t < forever {
		return t
	}
	alive := k.head.alive(p)
	for i := range p.branches {
		for j := range p.branches[i].parts {
			if x := &p.branches[i].parts[j]; x.memory >= 0 {
				if list := k.guards[x.memory]; len(list) > 0 {
					alive = max(alive, list[len(list)-1].time()+x.keep)
				}
			}
		}
	}
	for _, w := range k.throttle {
		alive = max(alive, w.time+p.plan.Throttle.For)
	}
	return alive + 1
}

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

	shelf  shelf   // Hits before those of buf.
	buf    []*cell // Hits that are scanned; those at or before W may linger until they can be dropped cheaply.
	base   state   // Before buf; meaningless while buf is empty, and then the shelf is.
	head   state   // After buf.
	marks  []mark  // States within buf, in order.
	guards [][]*cell

	changes []change // What a rescan has to look at: hits put in or taken out before others that are scanned already.
	behind  *cell    // The first of the hits at the end that wait for the rescan; nil if there are none.
	touched bool
	used    uint64 // The batch that touched it last.
	warm    bool   // It is among the fold's warm keys.
	gone    bool   // Released.
	retry   uint64 // The batch in which it may be packed although it is busy,
	wait    uint64 // and how many it waited for that.
	owed    int    // So many hits are to come before that: those that were read when it was woken.

	matches  []*candidate     // Not final, by completing hit.
	done     *cell            // Completing hit of the last match that became final; nil before.
	fresh    int              // Hits of buf after the last mark.
	values   map[string]int32 // How often each value of a distinct count is in buf and in the window before it; nil until that is asked.
	known    []*known         // Announced and not final, withdrawn and not final, or final and open for repeats.
	byID     map[event.ID]*known
	throttle []window // After the final matches.
	degraded bool     // The budget took something away here.
}

// mark is the state right after a hit of the buffer.
type mark struct {
	after *cell
	state state
}

// change is a hit whose surroundings are others than when they were scanned.
type change struct {
	at    *cell
	until int64 // States after it are comparable only later than this: a guard that was put in reaches that far.
}

func newPartition(r *ruleState, key string, born uint64) *partition {
	return &partition{key: key, rule: r, born: born, slot: -1, head: newState(r.program), guards: make([][]*cell, r.guards)}
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
				k.change(c, c.time()+x.keep)
			}
			return true
		}
	}
	k.takeOut(c.time())
	buf, at, ok := insert(k.buf, c)
	if !ok {
		return false
	}
	if len(k.buf) == 0 && len(k.changes) == 0 {
		k.base.copyFrom(&k.head)
	}
	if k.buf = buf; k.values != nil {
		k.weigh(buf[at:at+1], 1)
	}
	switch {
	case k.behind != nil && compare(c, k.behind) > 0: // Scanned in its turn.
	case at < len(buf)-1 && buf[at+1] != k.behind:
		k.change(c, c.time()+x.keep)
	case len(k.changes) > 0:
		k.behind = c
	default:
		k.scanOne(s, c)
	}
	return true
}

// remove takes back a hit that a gate no longer lets pass, or lets pass with another earlier value; false means that it is not there.
func (k *partition) remove(c *cell) bool {
	k.takeOut(c.time())
	at, ok := find(k.buf, c)
	if !ok {
		return false
	}
	k.buf = slices.Delete(k.buf, at, at+1)
	k.matches = slices.DeleteFunc(k.matches, func(m *candidate) bool { return compare(m.at, c) == 0 }) // A rescan looks for it in buf.
	switch {
	case k.behind == nil || compare(c, k.behind) < 0:
		k.change(c, c.time())
	case c == k.behind && at < len(k.buf):
		k.behind = k.buf[at]
	case c == k.behind:
		k.behind = nil
	}
	return true
}

func (k *partition) change(c *cell, until int64) {
	k.changes = append(k.changes, change{at: c, until: until})
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
	k.marks = append(k.marks, newMark(c, st))
	k.fresh = 0
}

// place is the index in buf of a match's completing hit, −1 if it is no longer in buf.
func (k *partition) place(m *candidate) int {
	if len(k.buf) == 0 || compare(m.at, k.buf[0]) < 0 {
		return -1
	}
	at, _ := find(k.buf, m.at)
	return at
}

// commit forgets hits at or before w where that costs nothing: all of them, or up to a stored state.
func (k *partition) commit(p *program, w int64) {
	k.discard(w)
	n := from(k.buf, w+1)
	switch {
	case n == 0:
	case n == len(k.buf):
		clear(k.buf)
		k.buf, k.marks, k.fresh, k.values = k.buf[:0], nil, 0, nil
		if cap(k.buf) > 64 {
			k.buf = nil
		}
	default:
		if m := k.marksBefore(k.buf[n]); m > 0 {
			k.forget(m)
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

// forget drops the hits up to the m-th stored state.
func (k *partition) forget(m int) {
	var old []*cell
	if k.values != nil {
		old = k.before()
	}
	last := &k.marks[m-1]
	k.base = last.state
	at, _ := find(k.buf, last.after)
	k.drop(old, at+1)
	k.marks = slices.Delete(k.marks, 0, m)
}

// next is the event time at which W has something to do here.
func (k *partition) next(p *program) int64 {
	t := int64(forever)
	for _, m := range k.matches {
		t = min(t, m.deadline)
	}
	if k.shelf.n > 0 {
		return min(t, k.shelf.blocks[0].last.time())
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

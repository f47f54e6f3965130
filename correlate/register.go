package correlate

import (
	"cmp"
	"slices"
)

// register is what every modifier keeps for one set of per values, beside what is its own.
type register struct {
	per  string
	born uint64  // Order of creation: the newest are given up first.
	held []entry // Its hits later than W, in order.
	due  int64   // W at which there is something to do; see agenda.
	slot int     // Place in the agenda; −1 outside.
}

func (r *register) head() *register { return r }

// settled is how many hits at the front of the list are at or before w.
func (r *register) settled(w int64) int {
	n := 0
	for n < len(r.held) && r.held[n].time <= w {
		n++
	}
	return n
}

// pace is how much of event time is let pass before hits of an idle register are folded away.
const pace = 10 * second

// nextVisit is when a register with these hits has to be seen again: when W passes them, but not for each of them.
func nextVisit(list []entry, w int64) int64 {
	if len(list) == 0 {
		return forever
	}
	return max(list[0].time, w+pace)
}

// registers are those of one modifier.
type registers[R interface {
	comparable
	head() *register
}] struct {
	of     map[string]R
	agenda []R // A binary heap by due.
	born   uint64
	text   int64 // Bytes of their names.
	dirty  []R   // Those that wait to be judged anew.
}

// add takes in a new register.
func (a *registers[R]) add(per string, r R) {
	if a.of == nil {
		a.of = map[string]R{}
	}
	h := r.head()
	a.born++
	h.per, h.born, h.slot = per, a.born, -1
	a.of[per] = r
	a.text += int64(len(per))
}

// remove forgets a register.
func (a *registers[R]) remove(r R) {
	h := r.head()
	a.set(r, forever)
	delete(a.of, h.per)
	a.text -= int64(len(h.per))
}

// later notes that a register has to be judged anew from a held hit on, unless that is its last one and nothing waits already. A register
// that hits come to out of order is judged once a batch.
func (a *registers[R]) later(r R, dirty *int, at, last int) bool {
	switch {
	case *dirty >= 0:
		*dirty = min(*dirty, at)
		return true
	case at < last:
		*dirty = at
		a.dirty = append(a.dirty, r)
		return true
	}
	return false
}

func (a *registers[R]) clean() {
	clear(a.dirty)
	a.dirty = a.dirty[:0]
}

// newest gives the share of registers that were made last, the newest first.
func (a *registers[R]) newest(share int) []R {
	list := make([]R, 0, len(a.of))
	for _, r := range a.of {
		list = append(list, r)
	}
	slices.SortFunc(list, func(x, y R) int { return cmp.Compare(y.head().born, x.head().born) })
	return list[:(len(list)+share-1)/share]
}

// set says when there is something to do for a register: forever takes it off the agenda.
func (a *registers[R]) set(r R, due int64) {
	h := r.head()
	switch {
	case h.slot < 0 && due >= forever:
		return
	case h.slot < 0:
		h.due, h.slot = due, len(a.agenda)
		a.agenda = append(a.agenda, r)
		a.up(h.slot)
	case due >= forever:
		at, last := h.slot, len(a.agenda)-1
		a.swap(at, last)
		var none R
		a.agenda[last] = none
		a.agenda = a.agenda[:last]
		h.slot = -1
		if at < last {
			a.up(at)
			a.down(at)
		}
	default:
		h.due = due
		a.up(h.slot)
		a.down(h.slot)
	}
}

// next is a register for which there is something to do at w.
func (a *registers[R]) next(w int64) (r R, ok bool) {
	if len(a.agenda) == 0 || a.agenda[0].head().due > w {
		return r, false
	}
	return a.agenda[0], true
}

func (a *registers[R]) less(i, j int) bool { return a.agenda[i].head().due < a.agenda[j].head().due }

func (a *registers[R]) swap(i, j int) {
	a.agenda[i], a.agenda[j] = a.agenda[j], a.agenda[i]
	a.agenda[i].head().slot, a.agenda[j].head().slot = i, j
}

func (a *registers[R]) up(i int) {
	for i > 0 && a.less(i, (i-1)/2) {
		a.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (a *registers[R]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(a.agenda) {
			return
		}
		if child+1 < len(a.agenda) && a.less(child+1, child) {
			child++
		}
		if !a.less(child, i) {
			return
		}
		a.swap(i, child)
		i = child
	}
}

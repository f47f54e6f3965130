package correlate

import "slices"

// rescan brings head and matches up to date after hits were put in or taken out: for each change from the stored state before it to where the
// state equals the stored one again, and then over the hits that came at the end. work is scratch.
func (k *partition) rescan(s *scan, work *state) {
	if len(k.changes) == 0 {
		return
	}
	slices.SortFunc(k.changes, func(a, b change) int { return compare(a.at, b.at) })
	if !k.absorb(s) {
		rest, converged := k.redo(s, work, k.changes)
		for len(rest) > 0 {
			rest, converged = k.redo(s, work, rest)
		}
		if converged {
			k.catchUp(s)
		}
	}
	clear(k.changes)
	k.changes, k.behind = k.changes[:0], nil
}

// redo scans from the last stored state before the first of the changes. It ends, converged, where a stored state is found again, and gives
// the changes that lie beyond; or at the end of the buffer, which makes work the head.
func (k *partition) redo(s *scan, work *state, changes []change) (rest []change, converged bool) {
	at, start := k.resume(work, changes[0].at)
	k.head.lend(s.program, work)
	dropped := k.cut(start)
	s.st, s.guards, s.found = work, k.guards, s.found[:0]
	until, since := int64(never), 0
	for _, c := range k.buf[start:] {
		s.apply(c)
		k.take(s)
		since++
		for len(changes) > 0 && compare(changes[0].at, c) <= 0 {
			until = max(until, changes[0].until)
			changes = changes[1:]
		}
		for at < len(k.marks) && compare(k.marks[at].after, c) < 0 {
			k.marks = slices.Delete(k.marks, at, at+1) // Its hit was taken out.
		}
		switch {
		case at < len(k.marks) && k.marks[at].after == c:
			if c.time() > until && work.equal(&k.marks[at].state) {
				work.lend(s.program, &k.head)
				k.keep(dropped, c)
				return changes, true
			}
			k.marks[at].state.copyFrom(work)
			at, since = at+1, 0
		case since >= 2*s.every || since >= s.every && at == len(k.marks):
			k.marks = slices.Insert(k.marks, at, newMark(c, work))
			at, since = at+1, 0
		}
	}
	k.marks = slices.Delete(k.marks, at, len(k.marks))
	k.head, *work = *work, k.head
	k.fresh = since
	return nil, false
}

// catchUp scans the hits at the end, from a head that is as it was before the rescan.
func (k *partition) catchUp(s *scan) {
	end := len(k.buf)
	if k.behind != nil {
		end, _ = find(k.buf, k.behind)
	}
	last, _ := find(k.buf, k.marks[len(k.marks)-1].after)
	k.fresh = end - last - 1
	for _, c := range k.buf[end:] {
		k.scanOne(s, c)
	}
}

// cut takes the matches off that were completed at a place of the buffer or later.
func (k *partition) cut(start int) []*candidate {
	if start == len(k.buf) {
		return nil
	}
	n, _ := slices.BinarySearchFunc(k.matches, k.buf[start], func(m *candidate, c *cell) int { return compare(m.at, c) })
	dropped := slices.Clone(k.matches[n:])
	k.matches = k.matches[:n]
	return dropped
}

// keep puts the matches back that were completed after c.
func (k *partition) keep(dropped []*candidate, c *cell) {
	for _, m := range dropped {
		if compare(m.at, c) > 0 {
			k.matches = append(k.matches, m)
		}
	}
}

// resume makes work the last state stored before c and gives how many marks stand before it and where to go on.
func (k *partition) resume(work *state, c *cell) (marks, start int) {
	marks = k.marksBefore(c)
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

// marksBefore is how many marks lie before c.
func (k *partition) marksBefore(c *cell) int {
	n, _ := slices.BinarySearchFunc(k.marks, c, func(m mark, c *cell) int {
		if compare(m.after, c) < 0 {
			return -1
		}
		return 1
	})
	return n
}

func newMark(c *cell, st *state) mark {
	m := mark{after: c}
	m.state.copyFrom(st)
	return m
}

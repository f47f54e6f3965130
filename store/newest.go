package store

import (
	"cmp"
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/incident"
)

// Bounds of newest: documents of incidents in bytes, and changes.
const (
	newestBytes   = 16 << 20
	newestChanges = 10_000
)

// newest are the newest changes of the epoch that this process has claimed, in their order. Whoever follows the log asks for these again and again,
// and nobody else writes any. It is safe for concurrent use; its zero value answers nothing.
type newest struct {
	mu    sync.Mutex
	begun bool
	after ChangeCursor      // All changes behind it are held.
	list  []incident.Change // Of incidents that must not be changed.
	sizes []int             // Of their documents.
	bytes int
}

// begin says that all changes behind a place will be added.
func (l *newest) begin(after ChangeCursor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun, l.after = true, after
	l.list, l.sizes, l.bytes = nil, nil, 0
}

// add holds changes that have just been recorded.
func (l *newest) add(changes []incident.Change, sizes []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		return
	}
	for i := range changes {
		last := l.after
		if n := len(l.list); n > 0 {
			last = changeAt(&l.list[n-1])
		}
		if last.compare(changeAt(&changes[i])) >= 0 {
			continue // Recorded once more.
		}
		l.list, l.sizes = append(l.list, changes[i]), append(l.sizes, sizes[i])
		l.bytes += sizes[i]
	}
	l.forget()
}

// forget drops the oldest changes until a quarter of the room is free, once there is none.
func (l *newest) forget() {
	if l.bytes <= newestBytes && len(l.list) <= newestChanges {
		return
	}
	n := 0
	for ; n < len(l.list) && (l.bytes > newestBytes*3/4 || len(l.list)-n > newestChanges*3/4); n++ {
		l.bytes -= l.sizes[n]
	}
	l.after = changeAt(&l.list[n-1])
	l.list, l.sizes = slices.Clone(l.list[n:]), slices.Clone(l.sizes[n:])
}

// page gives at most n changes behind a place; whole is false if some of them may not be held.
func (l *newest) page(after ChangeCursor, n int) (page []incident.Change, whole bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun || after.compare(l.after) < 0 {
		return nil, false
	}
	from, found := slices.BinarySearchFunc(l.list, after, func(c incident.Change, at ChangeCursor) int { return changeAt(&c).compare(at) })
	if found {
		from++
	}
	return slices.Clone(l.list[from:min(from+n, len(l.list))]), true
}

func (c ChangeCursor) compare(d ChangeCursor) int {
	return cmp.Or(c.Batch.Compare(d.Batch), cmp.Compare(c.Index, d.Index))
}

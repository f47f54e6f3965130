package ingest

import (
	"sync"
	"time"
)

// patience is how long a batch may be written until the next one goes ahead of that although it is not full: several times as long as a small batch
// takes. Where a disk stands still for a moment, what came meanwhile is matched by the time it goes on.
const patience = 200 * time.Millisecond

// lane says when the next batch may be handed over: when all before it are durable, or, if it is full or they take long, when all but one are and that
// one lets it. One that is neither waits and grows.
type lane struct {
	mu     sync.Mutex
	under  int           // guarded by mu: batches that were handed over and are not durable yet
	next   bool          // guarded by mu: the last of them lets another one be started
	slow   bool          // guarded by mu: and has been written for as long as patience lasts
	handed uint64        // guarded by mu: batches so far
	news   chan struct{} // guarded by mu: closed when the way may be free
}

func newLane() *lane { return &lane{news: make(chan struct{})} }

// way reports whether the next batch may go, and what is closed when that may have changed.
func (l *lane) way(full bool) (free bool, news <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.under == 0 || l.under == 1 && l.next && (full || l.slow), l.news
}

// goes says that a batch is handed over.
func (l *lane) goes() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under++
	l.handed++
	l.next, l.slow = false, false
}

// started says that the last batch was started, and whether another one may be.
func (l *lane) started(next bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = next
	l.tell()
	if n := l.handed; next {
		time.AfterFunc(patience, func() { l.tarries(n) })
	}
}

// tarries says that batch n was started a while ago. It may be durable since.
func (l *lane) tarries(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n == l.handed && l.under > 0 {
		l.slow = true
		l.tell()
	}
}

// finished says that the first batch under way is durable, or will never be.
func (l *lane) finished() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under--
	l.tell()
}

// tell expects mu to be held.
func (l *lane) tell() {
	close(l.news)
	l.news = make(chan struct{})
}

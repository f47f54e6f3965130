package ingest

import "sync"

// lane says when the next batch may be handed over: when all before it are durable, or, if it is full, when all but one are and that one lets it. One
// that is not waits and grows.
type lane struct {
	mu    sync.Mutex
	under int           // guarded by mu: batches that were handed over and are not durable yet
	next  bool          // guarded by mu: the last of them lets another one be started
	news  chan struct{} // guarded by mu: closed when the way may be free
}

func newLane() *lane { return &lane{news: make(chan struct{})} }

// way reports whether the next batch may go, and what is closed when that may have changed.
func (l *lane) way(full bool) (free bool, news <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.under == 0 || full && l.under == 1 && l.next, l.news
}

// handed says that a batch goes.
func (l *lane) handed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under++
	l.next = false
}

// started says that the last batch was started, and whether another one may be.
func (l *lane) started(next bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = next
	l.tell()
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

package broker

import (
	"io"
	"sync"
)

// feed writes what it is given in the background: whoever gives never waits for the reader, who may be waiting for a broker that the giver is
// about to start.
type feed struct {
	mu      sync.Mutex
	waiting []byte
	closed  bool
	more    chan struct{} // Something is waiting, or it was closed.
}

func newFeed(to io.WriteCloser) *feed {
	f := &feed{more: make(chan struct{}, 1)}
	go f.run(to)
	return f
}

func (f *feed) write(line string) {
	f.mu.Lock()
	f.waiting = append(f.waiting, line...)
	f.mu.Unlock()
	f.wake()
}

// close has the reader's end come after what is waiting.
func (f *feed) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wake()
}

func (f *feed) wake() {
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// run ends with close, or when the reader is gone.
func (f *feed) run(to io.WriteCloser) {
	defer to.Close()
	for range f.more {
		f.mu.Lock()
		lines, closed := f.waiting, f.closed
		f.waiting = nil
		f.mu.Unlock()
		if _, err := to.Write(lines); err != nil || closed {
			return
		}
	}
}

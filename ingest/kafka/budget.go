package kafka

import (
	"context"
	"sync"
)

// budget bounds the bytes that were fetched and not handed out yet. Who wants some waits in line, so that no partition starves another; what a
// fetch gave beyond what was asked for counts, but cannot be refused any more.
type budget struct {
	size int

	mu   sync.Mutex // guards what follows
	used int
	line []*waiting
	peak int // the most there ever was
}

type waiting struct {
	bytes int
	ready chan struct{}
}

// take waits until n bytes are free, or nothing is used at all.
func (b *budget) take(ctx context.Context, n int) error {
	b.mu.Lock()
	if len(b.line) == 0 && b.fits(n) {
		b.add(n)
		b.mu.Unlock()
		return nil
	}
	w := &waiting{n, make(chan struct{})}
	b.line = append(b.line, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, x := range b.line {
		if x == w {
			b.line = append(b.line[:i], b.line[i+1:]...)
			b.serve()
			return ctx.Err()
		}
	}
	b.used -= n // It was served meanwhile.
	b.serve()
	return ctx.Err()
}

// change makes used right: by what a fetch gave beyond its share, or, below zero, what is given back.
func (b *budget) change(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(n)
	b.serve()
}

func (b *budget) fits(n int) bool { return b.used == 0 || b.used+n <= b.size }

func (b *budget) add(n int) {
	b.used += n
	b.peak = max(b.peak, b.used)
}

func (b *budget) serve() {
	for len(b.line) > 0 && b.fits(b.line[0].bytes) {
		b.add(b.line[0].bytes)
		close(b.line[0].ready)
		b.line = b.line[1:]
	}
}

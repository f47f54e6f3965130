package format

import (
	"unsafe"

	"github.com/tocsin-siem/tocsin/event"
)

// Memory is memory for parts of the events of one batch. It is used again for the next batch once nobody holds those events. The zero Memory is
// ready; it belongs to one goroutine.
type Memory[T any] struct {
	chunks [][]T
	next   int // The chunk to be taken next.
	free   []T // What is left of the one before.
}

// FieldMemory is memory for raw fields.
type FieldMemory = Memory[event.RawField]

const (
	// chunkBytes is how much memory is taken at once: about the largest piece that Go does not map on its own.
	chunkBytes = 32_000
	// mostChunks is how many chunks are kept for the next batch.
	mostChunks = 1024
)

// Take is memory for n elements, all blank.
func (m *Memory[T]) Take(n int) []T {
	size := chunkBytes / int(unsafe.Sizeof(*new(T)))
	if n > size {
		return make([]T, n)
	}
	if len(m.free) < n {
		m.free = m.chunk(size)
	}
	out := m.free[:n:n]
	m.free = m.free[n:]
	return out
}

func (m *Memory[T]) chunk(size int) []T {
	if m.next < len(m.chunks) {
		m.next++
		return m.chunks[m.next-1]
	}
	c := make([]T, size)
	if len(m.chunks) < mostChunks {
		m.chunks = append(m.chunks, c)
		m.next++
	}
	return c
}

// Reset makes the memory ready for another batch. What events made from it held is gone.
func (m *Memory[T]) Reset() {
	for _, c := range m.chunks[:m.next] {
		clear(c)
	}
	m.next, m.free = 0, nil
}

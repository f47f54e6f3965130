package format

import "github.com/tocsin-siem/tocsin/event"

// FieldMemory is memory for the raw fields of the events of one batch. It is used again for the next batch once nobody holds those events. The zero
// FieldMemory is ready; it belongs to one goroutine.
type FieldMemory struct {
	chunks [][]event.RawField
	next   int              // The chunk to be taken next.
	free   []event.RawField // What is left of the one before.
}

const (
	// rawChunk is how many raw fields get memory at once: about the largest piece that Go does not map on its own.
	rawChunk = 1000
	// mostChunks is how many chunks of 32 KB are kept for the next batch.
	mostChunks = 1024
)

// take is memory for n fields, all blank.
func (m *FieldMemory) take(n int) []event.RawField {
	if n > rawChunk {
		return make([]event.RawField, n)
	}
	if len(m.free) < n {
		m.free = m.chunk()
	}
	out := m.free[:n:n]
	m.free = m.free[n:]
	return out
}

func (m *FieldMemory) chunk() []event.RawField {
	if m.next < len(m.chunks) {
		m.next++
		return m.chunks[m.next-1]
	}
	c := make([]event.RawField, rawChunk)
	if len(m.chunks) < mostChunks {
		m.chunks = append(m.chunks, c)
		m.next++
	}
	return c
}

// Reset makes the memory ready for another batch. The raw fields of all events made from it are gone.
func (m *FieldMemory) Reset() {
	for _, c := range m.chunks[:m.next] {
		clear(c)
	}
	m.next, m.free = 0, nil
}

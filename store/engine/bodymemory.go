package engine

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// bodyShare is the part of the memory limit, beside it, that the data of inserts may take, 128 MiB of 2 GiB: one over this.
	bodyShare = 16
	// firstRoom and nextRoom are by how many bytes a body grows at least and at most.
	firstRoom, nextRoom = 256 << 10, 4 << 20
	// bodyRest is how long memory that no insert has asked for again is kept.
	bodyRest = time.Minute
	// bodyKinds bounds how many bodies rest, each with a descriptor.
	bodyKinds = 32
)

// bodyMemory lends memory for the data of inserts. To take a page of memory and clear it costs as much as to fill it, so that what one insert had is
// kept for the next of the same kind, which mostly is about as long: to cut a file of memory gives the rest away.
type bodyMemory struct {
	limit int64

	mu   sync.Mutex
	used int64     // guarded by mu: bytes of all bodies
	idle []*memory // guarded by mu: the one that has rested longest first
}

// memory is a file that lies in memory. It belongs to one insert at a time.
type memory struct {
	of    *bodyMemory
	kind  string
	file  *os.File
	path  string
	bytes []byte // As many as of.limit; those behind room are not there.
	room  int64
	since time.Time // When it was put to rest.
}

// take gives memory for an insert of a kind: of what begins the statement, with its table.
func (b *bodyMemory) take(kind string) (*memory, error) {
	if m := b.rested(kind); m != nil {
		return m, nil
	}
	m := &memory{of: b, kind: kind}
	var err error
	if m.file, m.path, err = memoryFile(); err != nil {
		return nil, err
	}
	if m.bytes, err = mapMemory(m.file, b.limit); err != nil {
		_ = m.file.Close()
		return nil, err
	}
	return m, nil
}

func (b *bodyMemory) rested(kind string) *memory {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, m := range slices.Backward(b.idle) {
		if m.kind == kind {
			b.idle = slices.Delete(b.idle, i, i+1)
			return m
		}
	}
	return nil
}

// put lets memory rest whose data has been read, and gives back what has rested for long.
func (b *bodyMemory) put(m *memory) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m.since = time.Now()
	b.idle = append(b.idle, m)
	for len(b.idle) > bodyKinds || m.since.Sub(b.idle[0].since) > bodyRest {
		b.endOldest()
	}
}

// drop gives memory back.
func (b *bodyMemory) drop(m *memory) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end(m)
}

func (b *bodyMemory) endOldest() {
	m := b.idle[0]
	b.idle = slices.Delete(b.idle, 0, 1)
	b.end(m)
}

func (b *bodyMemory) end(m *memory) {
	b.used -= m.room
	unmapMemory(m.bytes)
	_ = m.file.Close()
}

// reserve counts bytes as used, if need be at the expense of what rests.
func (b *bodyMemory) reserve(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.used+n > b.limit && len(b.idle) > 0 {
		b.endOldest()
	}
	if b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

func (b *bodyMemory) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

// fill reads data into the memory and cuts it to what there was. It is not whole where there was no room for all; the rest has not been read then.
func (m *memory) fill(data io.Reader) (size int64, whole bool, err error) {
	for {
		if size == m.room && !m.grow() {
			return size, false, nil
		}
		n, err := data.Read(m.bytes[size:m.room])
		size += int64(n)
		if errors.Is(err, io.EOF) {
			return size, true, m.cut(size)
		}
		if err != nil {
			return size, false, err
		}
	}
}

func (m *memory) grow() bool {
	more := min(max(m.room, firstRoom), nextRoom)
	if !m.of.reserve(more) {
		return false
	}
	if growMemory(m.file, m.room, m.room+more) != nil {
		m.of.release(more)
		return false
	}
	m.room += more
	return true
}

func (m *memory) cut(size int64) error {
	if size == m.room {
		return nil
	}
	if err := m.file.Truncate(size); err != nil {
		return err
	}
	m.of.release(m.room - size)
	m.room = size
	return nil
}

package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// Stream reads a stream that cannot be read again, such as standard input. Nothing of a previous run is known, so an event's id is made
// from the record's bytes and how often the same bytes came before.
type Stream struct {
	name   string
	format *format.Format
	site   string
	zone   *time.Location
	clock  func() int64
	frames framer
	blocks chan block
	offset int64
	rest   []byte
	ended  bool
	seen   occurrences
}

type block struct {
	data []byte
	err  error
}

// NewStream reads r in a goroutine of its own, since reading cannot be interrupted; the goroutine ends with r or with ctx.
func NewStream(ctx context.Context, name string, r io.Reader, f *format.Format, site string, zone *time.Location, clock func() int64) *Stream {
	s := &Stream{name: name, format: f, site: site, zone: zone, clock: clock, frames: newFramer(f.Framing), blocks: make(chan block), seen: occurrences{}}
	go func() {
		defer close(s.blocks)
		for {
			b := make([]byte, 256<<10)
			n, err := r.Read(b)
			select {
			case s.blocks <- block{b[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return s
}

// Fetch implements Source.
func (s *Stream) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	start := len(dst)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		dst = s.cut(dst, start+limit)
		if len(dst) > start {
			return dst, nil
		}
		if s.ended {
			return dst, io.EOF
		}
		select {
		case <-ctx.Done():
			return dst, ctx.Err()
		case <-timeout.C:
			return dst, nil
		case b, open := <-s.blocks:
			if !open || errors.Is(b.err, io.EOF) {
				s.ended = true
			} else if b.err != nil {
				return dst, b.err
			}
			s.rest = append(s.rest[:len(s.rest):len(s.rest)], b.data...)
		}
	}
}

func (s *Stream) cut(dst []event.Record, limit int) []event.Record {
	now := s.clock()
	for len(dst) < limit && len(s.rest) > 0 {
		fr, ok := s.frames.cut(s.rest, s.ended)
		if ok {
			value := s.rest[fr.start:fr.end:fr.end]
			dst = append(dst, event.Record{
				Value: value, Context: fr.context, Format: s.format.Name, Site: s.site, Location: s.zone, Received: now, Partial: fr.partial,
				Position: event.Position{Source: s.name, Partition: Unpositioned, Offset: s.offset + int64(fr.start)}, Basis: s.seen.basis(s.name, value, ""),
			})
		}
		s.rest = s.rest[fr.next:]
		s.offset += int64(fr.next)
		if !ok {
			break
		}
	}
	return dst
}

// Ends implements Source: there is nothing to come back to.
func (s *Stream) Ends() []event.End { return nil }

// Commit implements Source.
func (s *Stream) Commit(context.Context, []event.End) error { return nil }

// Close implements Source.
func (s *Stream) Close() error { return nil }

// Unpositioned is the partition of records whose place cannot be read again; no redelivery filter applies to them.
const Unpositioned = -1

// occurrences counts how often the same bytes were seen, so that two equal lines are two events. It is bounded: when full it starts again
// under a new generation.
type occurrences map[event.ID]uint32

// maxOccurrences bounds the memory of repeats, about 40 MB.
const maxOccurrences = 1 << 20

func (o occurrences) basis(source string, value []byte, key string) event.ID {
	id := event.NewID("record", source, string(value), key)
	n := o[id]
	if n == 0 && len(o) >= maxOccurrences {
		clear(o)
	}
	o[id] = n + 1
	if n == 0 {
		return id
	}
	return event.NewID("repeat", string(binary.BigEndian.AppendUint32(id[:], n)), strconv.Itoa(int(n)))
}

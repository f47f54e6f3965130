package ingest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// smallBatch is the number of records below which starting more goroutines costs more than it saves.
const smallBatch = 512

// decoder turns records into events. Formats run on as many goroutines as there are cores; results keep the order of the records.
type decoder struct {
	formats map[string]*format.Format
	workers []decodeWorker
	full    int         // About as many events as a full batch has.
	backlog atomic.Bool // The last batches outgrew the room of a small one.
}

type decodeWorker struct {
	scratch  format.Scratch
	format   *format.Format             // Of the record before; nil: none.
	fields   [berths]format.FieldMemory // Of the batches in turn,
	refs     [berths]format.Memory[event.EntityRef]
	entities *format.Memory[event.EntityRef] // and that of this one; nil: every event has memory of its own.
	events   []event.Event
	rejects  []event.Reject
}

func newDecoder(full int) *decoder {
	d := &decoder{formats: map[string]*format.Format{}, workers: make([]decodeWorker, runtime.GOMAXPROCS(0)), full: full}
	for _, f := range format.All() {
		d.formats[f.Name] = &f
	}
	return d
}

// begin says that a batch begins in a berth.
func (d *decoder) begin(berth int) {
	for i := range d.workers {
		w := &d.workers[i]
		w.scratch.Fields, w.entities = &w.fields[berth], &w.refs[berth]
	}
}

// end says that nobody holds the events of the batch in a berth any more. It may be called beside the decoding of others.
func (d *decoder) end(berth int) {
	for i := range d.workers {
		w := &d.workers[i]
		w.fields[berth].Reset()
		w.refs[berth].Reset()
	}
}

// shrink gives back the memory of a berth, in which there is no batch.
func (d *decoder) shrink(berth int) {
	for i := range d.workers {
		w := &d.workers[i]
		w.fields[berth], w.refs[berth] = format.FieldMemory{}, format.Memory[event.EntityRef]{}
	}
}

// decode appends the events and rejects of records to b. t may be nil.
func (d *decoder) decode(b *event.Batch, records []event.Record, t Transcoder) {
	n := min(len(d.workers), 1+len(records)/smallBatch)
	b.Events = d.room(b.Events, len(records))
	if n == 1 {
		w := &d.workers[0]
		w.events, w.rejects = b.Events, b.Rejects
		d.run(w, records, t)
		b.Events, b.Rejects = w.events, w.rejects
		w.events, w.rejects = nil, nil
		return
	}
	// Workers append in place: each has as many slots as records, which nearly always is as many as it needs.
	base := len(b.Events)
	slots := b.Events[base : base+len(records)]
	first := func(i int) int { return i * len(records) / n }
	var wg sync.WaitGroup
	for i := range n {
		w := &d.workers[i]
		w.events, w.rejects = slots[first(i):first(i):first(i+1)], w.rejects[:0]
		wg.Go(func() { d.run(w, records[first(i):first(i+1)], t) })
	}
	wg.Wait()
	for i := range n {
		w := &d.workers[i]
		if len(w.events) > first(i+1)-first(i) {
			for j := i + 1; j < n; j++ { // Their slots are about to be overwritten.
				d.workers[j].events = slices.Clone(d.workers[j].events)
			}
		}
		b.Events = appendEvents(b.Events, w.events)
		b.Rejects = append(b.Rejects, w.rejects...)
		w.events = nil
	}
	if end := base + len(records); len(b.Events) < end {
		clear(b.Events[len(b.Events):end]) // They would keep records alive.
	}
}

// room gives events room for more. A batch that begins with many has that of a small one at once, and one that outgrows this stands before a backlog, so
// it gets that of a full batch, as do those after it: growing step by step copies all events each time, and takes more memory than it ends with.
func (d *decoder) room(events []event.Event, more int) []event.Event {
	need := len(events) + more
	switch {
	case need <= cap(events):
		return events
	case need <= roomyBatch && more < smallBatch:
		return grow(events, min(max(more, len(events)), roomyBatch-len(events)))
	case need <= roomyBatch && !d.backlog.Load():
		return grow(events, max(more, min(roomyBatch, d.full)-len(events)))
	default:
		if need > roomyBatch {
			d.backlog.Store(true)
		}
		return grow(events, max(more, d.full-len(events)))
	}
}

// grow is slices.Grow, and writes to every page of the new memory at once. If the collector were the first to touch it, reading, the system would give
// each page twice: one of zeros to read, and another at the first write, of which every core has to hear.
func grow(events []event.Event, more int) []event.Event {
	events = slices.Grow(events, more)
	fresh := events[len(events):cap(events)]
	for i := range fresh {
		fresh[i].Time = 0 // A number: a pointer would be read before it is written while the collector runs.
	}
	return events
}

// appendEvents is append, without copying events that already stand right behind dst.
func appendEvents(dst, events []event.Event) []event.Event {
	if n := len(dst); len(events) > 0 && n < cap(dst) && &dst[:n+1][n] == &events[0] {
		return dst[:n+len(events)]
	}
	return append(dst, events...)
}

func (d *decoder) run(w *decodeWorker, records []event.Record, t Transcoder) {
	for i := range records {
		r := &records[i]
		start := len(w.events)
		events, err := d.one(w, r, t)
		if err != nil {
			w.events = w.events[:start]
			w.rejects = append(w.rejects, rejectOf(r, err))
			continue
		}
		w.events = events
		for j := start; j < len(w.events); j++ {
			finish(&w.events[j], r, j-start)
			w.findEntities(&w.events[j])
		}
	}
}

// one decodes one record. A panic of a format is a bug of ours, but no reason to lose the record or stop the others.
func (d *decoder) one(w *decodeWorker, r *event.Record, t Transcoder) (events []event.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = format.Rejectf("format_panic", "format %s failed on this record: %v", r.Format, p)
		}
	}()
	f := w.format
	if f == nil || f.Name != r.Format {
		f = d.formats[r.Format]
		w.format = f
	}
	if f == nil {
		return nil, format.Rejectf("format_unknown", "there is no format %q", r.Format)
	}
	switch {
	case r.Unread != nil:
		return nil, &format.Reject{Code: r.Unread.Code, Reason: r.Unread.Reason}
	case r.Value == nil && r.Key != nil:
		return nil, format.Rejectf("tombstone", "the record has a key and no value: it says that the key is gone, which is no event")
	case len(r.Value) == 0:
		return nil, format.Rejectf("empty", "the record has no bytes")
	}
	if t != nil {
		if err := t.Transcode(r); err != nil {
			return nil, err
		}
	}
	return f.Append(&w.scratch, w.events, r)
}

// finish sets what the pipeline knows of an event and the format does not.
func finish(e *event.Event, r *event.Record, index int) {
	env := &e.Envelope
	env.Position, env.Index, env.Format, env.Site, env.Received = r.Position, uint16(index), r.Format, r.Site, r.Received
	if env.Raw == nil { // a format that found a secret has put a redacted copy here
		env.Raw = r.Value
	}
	if r.Partial {
		env.Quality |= event.Truncated
	}
	if index == 0 && !utf8.Valid(r.Value) {
		env.Quality |= event.LossyDecode
	}
	switch {
	case env.ID.IsZero() && !r.Basis.IsZero():
		env.ID = r.Basis
		if index > 0 {
			env.ID = event.NewID("part", string(r.Basis[:]), strconv.Itoa(index))
		}
	case env.ID.IsZero():
		env.ID = event.PositionID(r.Position, index)
	}
}

// findEntities names what an event is about, in memory of its batch.
func (w *decodeWorker) findEntities(e *event.Event) {
	if e.Entities == nil && w.entities != nil {
		e.Entities = w.entities.Take(event.UsualEntities)[:0]
	}
	if e.FindEntities(); len(e.Entities) == 0 {
		e.Entities = nil
	}
}

func rejectOf(r *event.Record, err error) event.Reject {
	out := event.Reject{
		Position: r.Position, Format: r.Format, Received: r.Received, Code: "undecodable", Reason: err.Error(), Raw: wire(r.Wire, r.Value), Key: r.Key, Headers: r.Headers,
		Context: r.Context, Basis: r.Basis, Partial: r.Partial,
	}
	if x, ok := errors.AsType[*format.Reject](err); ok {
		out.Code, out.Reason = x.Code, x.Reason
	} else if x, ok := errors.AsType[*jsonscan.Error](err); ok {
		out.Code = string(x.Code)
	}
	if r.Partial {
		out.Reason = fmt.Sprintf("%s (the record was cut: it is longer than %d bytes or parts of it never came)", out.Reason, MaxRecord)
	}
	return out
}

// wire is what came: value, unless it was made from other bytes.
func wire(came, value []byte) []byte {
	if came != nil {
		return came
	}
	return value
}

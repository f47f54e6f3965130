package store

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// LogSpan is a stretch of the log. Its zero value is empty.
type LogSpan struct {
	Before      event.BatchID // The batch before the first; zero if there is none.
	First, Last event.BatchID
	Batches     int
	Events      int // Of all classes, as appended.

	From, To int64 // Batches leaves out events before and from then on, event time in microseconds; 0: none. Span leaves them unset.
}

// Bounds of one read: markers, and events of all classes that they count.
const (
	spanMarkers = 500
	spanEvents  = 50_000
)

// Span finds the stretch of the log from the first batch that has an event at or after from to the last that has one before to (microseconds of
// event time, 0 for no bound). Batches of roles are in no log; without others the span is empty.
func (db *DB) Span(ctx context.Context, from, to int64) (s LogSpan, err error) {
	list, err := db.voids(ctx)
	if err != nil {
		return s, fmt.Errorf("find a stretch of the log: %w", err)
	}
	q := query{head: "SELECT count() > 0, min((epoch, number)) AS first, max((epoch, number)) AS last, first.1, first.2, last.1, last.2 FROM " + db.table("events")}
	q.and(valid(list))
	q.and("(epoch, number) IN (SELECT epoch, number FROM " + db.table("batches") + ")")
	q.inTime(from, to)
	found := false
	_, _, err = first(stream(ctx, db, "find a stretch of the log", query{head: "SELECT * EXCEPT (first, last) FROM (" + q.String() + ")", args: q.args}, func(rows driver.Rows) (bool, error) {
		err := rows.Scan(&found, &s.First.Epoch, &s.First.Number, &s.Last.Epoch, &s.Last.Number)
		return found, err
	}))
	if err != nil || !found {
		return LogSpan{}, err
	}
	before := query{head: "SELECT epoch, number FROM " + db.table("batches"), tail: "ORDER BY epoch DESC, number DESC LIMIT 1"}
	before.and(valid(list))
	before.and("(epoch, number) < (?, ?)", uns(s.First.Epoch), uns(s.First.Number))
	if s.Before, _, err = first(stream(ctx, db, "find the batch before a stretch of the log", before, scanBatchID)); err != nil {
		return s, err
	}
	q = query{head: "SELECT count(), sum(events) FROM (SELECT any(events) AS events FROM " + db.table("batches"), tail: "GROUP BY epoch, number)"}
	q.and(valid(list))
	q.and("(epoch, number) >= (?, ?)", uns(s.First.Epoch), uns(s.First.Number))
	q.and("(epoch, number) <= (?, ?)", uns(s.Last.Epoch), uns(s.Last.Number))
	_, _, err = first(stream(ctx, db, "count a stretch of the log", q, func(rows driver.Rows) (bool, error) {
		var batches, events uint64
		err := rows.Scan(&batches, &events)
		s.Batches, s.Events = int(batches), int(events)
		return true, err
	}))
	return s, err
}

func scanBatchID(rows driver.Rows) (id event.BatchID, err error) {
	err = rows.Scan(&id.Epoch, &id.Number)
	return id, err
}

// Batches reads a stretch of the log as it came: batch by batch with the marks after each, and its events of some classes (empty: of all) in order
// of (time, id), without raw text. The batch before the stretch comes first, without events, if there is one: its marks say what was late
// then. Each batch belongs to the caller. Reading holds about 50,000 events.
func (db *DB) Batches(ctx context.Context, s LogSpan, classes []string) iter.Seq2[*event.Batch, error] {
	return func(yield func(*event.Batch, error) bool) {
		if s.First == (event.BatchID{}) {
			return
		}
		fail := func(err error) { yield(nil, fmt.Errorf("read a stretch of the log: %w", err)) }
		list, err := db.voids(ctx)
		if err != nil {
			fail(err)
			return
		}
		after := event.BatchID{Epoch: s.First.Epoch, Number: s.First.Number - 1}
		if s.Before != (event.BatchID{}) {
			head, err := db.spanMarkers(ctx, event.BatchID{Epoch: s.Before.Epoch, Number: s.Before.Number - 1}, s.Before, list)
			if err != nil {
				fail(err)
				return
			}
			for _, m := range head {
				if !yield(m.Batch, nil) {
					return
				}
			}
		}
		for {
			found, err := db.spanMarkers(ctx, after, s.Last, list)
			if err != nil {
				fail(err)
				return
			}
			if len(found) == 0 {
				return
			}
			if err := db.spanRows(ctx, after, found, s, classes); err != nil {
				fail(err)
				return
			}
			for _, m := range found {
				if !yield(m.Batch, nil) {
					return
				}
			}
			after = found[len(found)-1].ID
		}
	}
}

// spanMarker is a batch with what its marker says it has.
type spanMarker struct {
	*event.Batch
	events uint32
}

// spanMarkers reads markers behind a batch, as many as may be filled at once.
func (db *DB) spanMarkers(ctx context.Context, after, last event.BatchID, list []void) ([]spanMarker, error) {
	q := query{
		head: "SELECT epoch, number, toUnixTimestamp64Micro(received), events, mark_source, mark_partition, mark_newest, mark_received, mark_idle FROM " + db.table("batches"),
		tail: fmt.Sprintf("ORDER BY epoch, number LIMIT 1 BY epoch, number LIMIT %d", spanMarkers),
	}
	q.and(valid(list))
	q.and("(epoch, number) > (?, ?)", uns(after.Epoch), uns(after.Number))
	q.and("(epoch, number) <= (?, ?)", uns(last.Epoch), uns(last.Number))
	var out []spanMarker
	events := 0
	for m, err := range stream(ctx, db, "markers", q, scanSpanMarker) {
		if err != nil {
			return nil, err
		}
		if events += int(m.events); events > spanEvents && len(out) > 0 {
			break
		}
		out = append(out, m)
	}
	return out, nil
}

func scanSpanMarker(rows driver.Rows) (m spanMarker, err error) {
	m.Batch = &event.Batch{}
	var source []string
	var partition []int32
	var newest, received []int64
	var idle []bool
	err = rows.Scan(&m.ID.Epoch, &m.ID.Number, &m.Received, &m.events, &source, &partition, &newest, &received, &idle)
	for i := range source {
		m.Marks = append(m.Marks, event.Mark{Source: source[i], Partition: partition[i], Newest: newest[i], Received: received[i], Idle: idle[i]})
	}
	return m, err
}

// spanRows fills batches that follow each other with their events.
func (db *DB) spanRows(ctx context.Context, after event.BatchID, found []spanMarker, s LogSpan, classes []string) error {
	last := found[len(found)-1].ID
	q := query{head: eventSelect + "'', epoch, number FROM " + db.table("events"), tail: "ORDER BY epoch, number, time, id"}
	q.and("(epoch, number) > (?, ?)", uns(after.Epoch), uns(after.Number))
	q.and("(epoch, number) <= (?, ?)", uns(last.Epoch), uns(last.Number))
	q.inTime(s.From, s.To)
	if err := q.classes(classes); err != nil {
		return err
	}
	type row struct {
		*event.Event
		of event.BatchID
	}
	at := 0
	for r, err := range stream(ctx, db, "events", q, func(rows driver.Rows) (r row, err error) {
		r.Event, err = scanEvent(rows, &r.of.Epoch, &r.of.Number)
		return r, err
	}) {
		if err != nil {
			return err
		}
		for at < len(found) && found[at].ID.Less(r.of) {
			at++
		}
		if at == len(found) || found[at].ID != r.of {
			continue // Of a batch without a marker.
		}
		b := found[at].Batch
		if n := len(b.Events); n > 0 && b.Events[n-1].Envelope.ID == r.Envelope.ID {
			continue // Written twice and not merged yet.
		}
		b.Events = append(b.Events, *r.Event)
		b.Sorted = append(b.Sorted, int32(len(b.Events)-1))
	}
	for _, m := range found {
		m.Events, m.Sorted = slices.Clip(m.Events), slices.Clip(m.Sorted)
	}
	return nil
}

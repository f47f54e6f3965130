// Package ingest brings records in and turns them into batches of events: source → frame → join → decode → enrich → handler → commit. A
// batch is the unit of everything. The handler returning nil means that the batch is durable; only then are its positions committed, so a
// slow store slows the sources down and nothing is held in between.
package ingest

import (
	"context"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// Source is where records come from. One goroutine uses it at a time.
type Source interface {
	// Fetch appends at most limit records to dst, waiting for the first of them no longer than wait. No record and no error means that
	// the source has been read to its end for now; io.EOF that it has ended for good. Record bytes are the caller's to keep.
	Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error)
	// Ends is the place after everything fetched so far, one end a partition. An end whose Offset is negative is not known yet. The caller
	// keeps the slice.
	Ends() []event.End
	// Commit says that everything before ends is durable. It may be called from another goroutine than Fetch.
	Commit(ctx context.Context, ends []event.End) error
	// Close gives up what Fetch holds.
	Close() error
}

// Partitioned is a source with partitions, such as Kafka's: its Ends are all the partitions that it owns at the time, be it none. Event time
// has a frontier for each of them, which becomes idle when the partition is Drained and silent. Any other source is one partition.
type Partitioned interface {
	Source
	Partitioned()
}

// Transcoder makes the text that a format reads of a record in a binary encoding, such as Avro: it sets Value, and Wire to the bytes as they
// came. An error rejects the record; a *format.Reject keeps its code. It is called by several goroutines at once, and may wait.
type Transcoder interface {
	Transcode(rec *event.Record) error
}

// Handler takes a batch. Nil means it is durable. It retries its own I/O for as long as ctx lives, so an error ends the run.
type Handler interface {
	Handle(ctx context.Context, b *event.Batch) error
}

// Ahead is a Handler that can take the next batch while the one before is still being written.
type Ahead interface {
	Handler
	// Start takes a batch; durable waits until it is that, and is called once, by any goroutine. next says that another batch may be enriched and
	// started before durable has returned. Batches are started in order; after an error of Start or durable none is.
	Start(ctx context.Context, b *event.Batch) (durable func() error, next bool, err error)
}

// Start starts a batch with a handler, or hands it over as a whole to one that is no Ahead.
func Start(ctx context.Context, h Handler, b *event.Batch) (durable func() error, next bool, err error) {
	if a, ok := h.(Ahead); ok {
		return a.Start(ctx, b)
	}
	return func() error { return nil }, false, h.Handle(ctx, b)
}

// Whole is Handle made of what Start gives.
func Whole(durable func() error, _ bool, err error) error {
	if err != nil {
		return err
	}
	return durable()
}

// Enricher resolves and enriches the events of a batch in place, in the order of Sorted. It never fails: what it could not do it counts.
type Enricher interface {
	Enrich(b *event.Batch)
}

// Input is one configured source with the context of its records.
type Input struct {
	Name     string
	Format   string
	Site     string
	Location *time.Location
	Source   Source
	// Transcoder is asked before the format; nil: the format reads records as they came.
	Transcoder Transcoder
	Idle       time.Duration // Silence after which the source, read to its end, no longer holds event time back.
	IsFile     bool          // Old data: events are compared with the source's own frontier, not with the clock (N1).
}

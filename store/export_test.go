package store

import (
	"context"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Encoder lets benchmarks make the blocks of events without a database.
type Encoder struct{ enc *eventEncoder }

func NewEncoder() (*Encoder, error) {
	enc, err := newEventEncoder()
	return &Encoder{enc}, err
}

// Encode makes the blocks of a batch and returns their bytes. The batch must fit into one block.
func (e *Encoder) Encode(events []event.Event, id event.BatchID) (int, error) {
	e.enc.block.reset()
	e.enc.index.reset()
	for rest := e.enc.order.of(events); len(rest) > 0; {
		rest = rest[e.enc.encode(events, rest, id, 1):]
	}
	if err := e.enc.block.seal(); err != nil {
		return 0, err
	}
	if err := e.enc.index.seal(); err != nil {
		return 0, err
	}
	return e.enc.block.size() + e.enc.index.size(), nil
}

// SendRowByRow makes the store send blocks the way it must over the native protocol.
func (db *DB) SendRowByRow() { db.cfg.Protocol = "native" }

// Written reports whether hunts look for a field's text in the compact form of events.
func Written(f *event.Field) bool { return written(f) }

// AppendDirectly makes the store write batches of any size to their tables at once.
func (db *DB) AppendDirectly() { db.direct = true }

// Die ends what moves drafts, as the end of the process would.
func (db *DB) Die() {
	db.delta.end()
	db.delta.over.Wait()
}

// Bounds of drafts.
const (
	DeltaBatch  = deltaBatch
	DeltaBehind = deltaBehind
	DeltaRows   = deltaRows
	AwaitMost   = awaitMost
)

// DraftTables are the tables whose rows may be drafts, in the order in which they are moved.
var DraftTables = draftTables

// AppendMarker writes a marker alone.
func (db *DB) AppendMarker(ctx context.Context, e *incident.Entry) error {
	db.enc.marker.encode(e, uint32(db.now().Unix()))
	return db.insert(ctx, &db.enc.marker.block, tokenOf(e.Batch.ID, "marker", 0))
}

// CheckFence asks whether a newer epoch has begun.
func (db *DB) CheckFence(ctx context.Context) error { return db.checkFence(ctx, "check") }

// AppendDelta writes the rows of a small batch into the table accrued, without a marker.
func (db *DB) AppendDelta(ctx context.Context, e *incident.Entry) error {
	if _, err := db.draftRows(e, uint32(db.now().Unix())); err != nil {
		return err
	}
	return db.insert(ctx, &db.enc.delta.block, tokenOf(e.Batch.ID, "delta", 0))
}

// DropDrafts takes batches out of the table accrued.
func (db *DB) DropDrafts(ctx context.Context, ids []event.BatchID) error {
	return db.dropDrafts(ctx, ids)
}

// Voids counts the epochs that have batches which do not count.
func (db *DB) Voids(ctx context.Context) (int, error) {
	list, err := db.voids(ctx)
	return len(list), err
}

// Exec gives the server a statement as it is.
func (db *DB) Exec(ctx context.Context, statement string) error {
	return db.conn.Exec(ctx, statement)
}

// HitsOfRow is how many hits a row of the table hit_blocks has at most.
const HitsOfRow = maxHits

// StopClock keeps drafts where they are until somebody asks for them.
func (db *DB) StopClock() {
	db.delta.mu.Lock()
	defer db.delta.mu.Unlock()
	db.delta.clock.Stop()
}

// StopMoving keeps drafts where they are for good, and appending goes on.
func (db *DB) StopMoving() {
	db.delta.clock = time.AfterFunc(time.Hour, func() {})
}

// GiveUp ends waiting for drafts that are not moved.
func (db *DB) GiveUp() { db.delta.done(0, context.Canceled) }

package store

import "github.com/tocsin-siem/tocsin/event"

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
	for rest := events; len(rest) > 0; {
		rest = rest[e.enc.encode(rest, id, 1):]
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
func (db *DB) AppendDirectly() { db.draftBelow = 0 }

// Die ends what moves drafts, as the end of the process would.
func (db *DB) Die() {
	db.delta.end()
	db.delta.over.Wait()
}

// Bounds of drafts.
const (
	DeltaBatch = deltaBatch
	DeltaRows  = deltaRows
)

// DraftTables are the tables whose rows may be drafts, in the order in which they are moved.
var DraftTables = draftTables

package store

import (
	"io"

	"github.com/tocsin-siem/tocsin/event"
)

// Encoder lets tests and benchmarks see the blocks of events without a database.
type Encoder struct{ enc *eventEncoder }

func NewEncoder() (*Encoder, error) {
	enc, err := newEventEncoder()
	return &Encoder{enc}, err
}

// Encode makes the blocks of a batch and returns their bytes.
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

// Block gives the bytes of the events' block.
func (e *Encoder) Block() io.Reader { return e.enc.block.reader() }

// SendRowByRow makes the store send blocks the way it must over the native protocol.
func (db *DB) SendRowByRow() { db.cfg.Protocol = "native" }

// EventColumnNames lists the columns the encoder writes.
func (e *Encoder) EventColumnNames() []string {
	var names []string
	for _, c := range e.enc.block.columns {
		names = append(names, c.name)
	}
	return names
}

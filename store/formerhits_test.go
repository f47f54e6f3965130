package store

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// formerHits makes rows of the table hits, one for each hit, as programs before the table hit_blocks did.
type formerHits struct {
	block
	entry         entryKey
	rule          *low
	version       *fixed
	branch, step  *fixed
	key           *text
	time, eventID *fixed
	payload       *text
	scratch       []byte
}

func newFormerHits() *formerHits {
	e := &formerHits{block: block{table: "hits"}}
	b := &e.block
	e.entry = addEntryKey(b)
	e.rule = add(b, "rule", newLow())
	e.version = add(b, "version", newFixed("Int32", 4))
	e.branch = add(b, "branch", newFixed("UInt8", 1))
	e.step = add(b, "step", newFixed("UInt8", 1))
	e.key = add(b, "key", &text{})
	e.time = add(b, "time", newFixed(timeType, 8))
	e.eventID = add(b, "event", newFixed("FixedString(16)", 16))
	e.payload = add(b, "payload", &text{})
	return e
}

func (e *formerHits) encode(hits []event.Hit, id event.BatchID, written uint32) {
	e.reset()
	for i := range hits {
		h := &hits[i]
		e.entry.add(id, i, written)
		e.rule.add(h.Rule)
		e.version.add32(uint32(h.Version))
		e.branch.add8(h.Branch)
		e.step.add8(h.Step)
		e.key.add(h.Key)
		addRef(e.time, e.eventID, h.Ref)
		e.scratch = appendHit(e.scratch[:0], h)
		e.payload.addBytes(e.scratch)
	}
}

// appendHit writes what the columns of such a row do not hold: variables, fields and the event.
func appendHit(b []byte, h *event.Hit) []byte {
	return event.AppendRef(event.AppendHitValues(b, h), h.Ref)
}

// AsBefore gives the hits of a batch that was appended the form in which an earlier program had them: rows of the table hits, or drafts of such rows.
func (db *DB) AsBefore(ctx context.Context, e *incident.Entry, drafts bool) error {
	table := "hit_blocks"
	of := fmt.Sprintf("epoch = %d AND number = %d", e.Batch.ID.Epoch, e.Batch.ID.Number)
	if drafts {
		table = "accrued"
		of += " AND startsWith(into, 'hit_blocks (')"
	}
	if err := db.conn.Exec(ctx, "ALTER TABLE "+db.table(table)+" DELETE WHERE "+of+" SETTINGS mutations_sync = 2"); err != nil {
		return err
	}
	former, written := newFormerHits(), uint32(db.now().Unix())
	former.encode(e.Hits, e.Batch.ID, written)
	if !drafts {
		return db.insert(ctx, &former.block, "")
	}
	delta := newDeltaEncoder()
	x := draft{id: e.Batch.ID, written: written, pieces: make([]piece, 100)} // Behind the rows that are there.
	if err := delta.add(&x, &former.block); err != nil {
		return err
	}
	return db.insert(ctx, &delta.block, "")
}

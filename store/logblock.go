package store

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// encoders are the blocks of everything that Append writes.
type encoders struct {
	events  *eventEncoder
	hits    *hitEncoder
	notes   *noteEncoder
	actions *actionEncoder
	rejects *rejectEncoder
	marker  *markerEncoder
	delta   *deltaEncoder
}

func newEncoders() (*encoders, error) {
	events, err := newEventEncoder()
	if err != nil {
		return nil, err
	}
	return &encoders{events: events, hits: newHitEncoder(), notes: newNoteEncoder(), actions: newActionEncoder(), rejects: newRejectEncoder(), marker: newMarkerEncoder(), delta: newDeltaEncoder()}, nil
}

// entryKey are the columns with which every row of the log begins.
type entryKey struct {
	epoch, number, seq, written *fixed
}

func addEntryKey(b *block) entryKey {
	return entryKey{
		epoch:   add(b, "epoch", newFixed("UInt64", 8)),
		number:  add(b, "number", newFixed("UInt64", 8)),
		seq:     add(b, "seq", newFixed("UInt32", 4)),
		written: add(b, "written", newFixed("DateTime('UTC')", 4)),
	}
}

func (k entryKey) add(id event.BatchID, seq int, written uint32) {
	k.epoch.add64(id.Epoch)
	k.number.add64(id.Number)
	k.seq.add32(uint32(seq))
	k.written.add32(written)
}

func addRef(time, id *fixed, r *event.Ref) {
	var none event.Ref
	if r == nil {
		r = &none
	}
	time.add64(uint64(r.Time))
	id.addBytes((*[16]byte)(&r.Event))
}

type noteEncoder struct {
	block
	entry                      entryKey
	entity, prev, value, actor *text
	what                       *low
	time, eventID              *fixed
	payload                    *text
	scratch                    []byte
}

func newNoteEncoder() *noteEncoder {
	e := &noteEncoder{block: block{table: "notes"}}
	b := &e.block
	e.entry = addEntryKey(b)
	e.entity = add(b, "entity", &text{})
	e.what = add(b, "what", newLow())
	e.prev = add(b, "prev", &text{})
	e.value = add(b, "value", &text{})
	e.actor = add(b, "actor", &text{})
	e.time = add(b, "time", newFixed(timeType, 8))
	e.eventID = add(b, "event", newFixed("FixedString(16)", 16))
	e.payload = add(b, "payload", &text{})
	return e
}

func (e *noteEncoder) encode(notes []event.Note, id event.BatchID, written uint32) {
	e.reset()
	for i := range notes {
		n := &notes[i]
		e.entry.add(id, i, written)
		e.entity.add(n.Entity)
		e.what.add(n.What)
		e.prev.add(n.Prev)
		e.value.add(n.Value)
		e.actor.add(n.Actor)
		addRef(e.time, e.eventID, n.Ref)
		e.scratch = appendRef(e.scratch[:0], n.Ref)
		e.payload.addBytes(e.scratch)
	}
}

type actionEncoder struct {
	block
	entry        entryKey
	id, incident *fixed
	kind         *low
	actor        *text
	at           *fixed
	doc          *text
}

func newActionEncoder() *actionEncoder {
	e := &actionEncoder{block: block{table: "actions"}}
	b := &e.block
	e.entry = addEntryKey(b)
	e.id = add(b, "id", newFixed("FixedString(16)", 16))
	e.kind = add(b, "kind", newLow())
	e.incident = add(b, "incident", newFixed("FixedString(16)", 16))
	e.actor = add(b, "actor", &text{})
	e.at = add(b, "at", newFixed(timeType, 8))
	e.doc = add(b, "doc", &text{})
	return e
}

func (e *actionEncoder) encode(actions []incident.Action, id event.BatchID, written uint32) error {
	e.reset()
	for i := range actions {
		a := &actions[i]
		e.entry.add(id, i, written)
		e.id.addBytes((*[16]byte)(&a.ID))
		e.kind.add(string(a.Kind))
		e.incident.addBytes((*[16]byte)(&a.Incident))
		e.actor.add(a.By)
		e.at.add64(uint64(a.At))
		doc, err := document(a)
		if err != nil {
			return err
		}
		e.doc.addBytes(doc)
	}
	return nil
}

type markerEncoder struct {
	block
	epoch, number, received, written      *fixed
	frontier                              *nullable
	events, rejects, hits, notes, actions *fixed
	rules, tables                         *low
	endSource                             *list[*low]
	endPartition, endOffset               *list[*fixed]
	endCookie                             *list[*text]
	markSource                            *list[*low]
	markPartition, markNewest             *list[*fixed]
	markReceived, markIdle                *list[*fixed]
	carry, learned                        *text
}

func newMarkerEncoder() *markerEncoder {
	e := &markerEncoder{block: block{table: "batches"}}
	b := &e.block
	e.epoch = add(b, "epoch", newFixed("UInt64", 8))
	e.number = add(b, "number", newFixed("UInt64", 8))
	e.received = add(b, "received", newFixed(timeType, 8))
	e.written = add(b, "written", newFixed("DateTime('UTC')", 4))
	e.frontier = add(b, "frontier", newNullable(timeType, 8))
	for _, c := range []struct {
		name string
		to   **fixed
	}{{"events", &e.events}, {"rejects", &e.rejects}, {"hits", &e.hits}, {"notes", &e.notes}, {"actions", &e.actions}} {
		*c.to = add(b, c.name, newFixed("UInt32", 4))
	}
	e.rules = add(b, "rules", newLow())
	e.tables = add(b, "tables", newLow())
	e.endSource = add(b, "end_source", newList(newLow()))
	e.endPartition = add(b, "end_partition", newList(newFixed("Int32", 4)))
	e.endOffset = add(b, "end_offset", newList(newFixed("Int64", 8)))
	e.endCookie = add(b, "end_cookie", newList(&text{}))
	e.markSource = add(b, "mark_source", newList(newLow()))
	e.markPartition = add(b, "mark_partition", newList(newFixed("Int32", 4)))
	e.markNewest = add(b, "mark_newest", newList(newFixed("Int64", 8)))
	e.markReceived = add(b, "mark_received", newList(newFixed("Int64", 8)))
	e.markIdle = add(b, "mark_idle", newList(newFixed("Bool", 1)))
	e.carry = add(b, "carry", &text{})
	e.learned = add(b, "learned", &text{})
	return e
}

func (e *markerEncoder) encode(x *incident.Entry, written uint32) {
	e.reset()
	b := x.Batch
	e.epoch.add64(b.ID.Epoch)
	e.number.add64(b.ID.Number)
	e.received.add64(uint64(b.Received))
	e.written.add32(written)
	f, known := b.Frontier()
	e.frontier.mark(known)
	e.frontier.add64(uint64(f))
	e.events.add32(uint32(len(b.Events)))
	e.rejects.add32(uint32(len(b.Rejects)))
	e.hits.add32(uint32(len(x.Hits)))
	e.notes.add32(uint32(len(x.Notes)))
	e.actions.add32(uint32(len(x.Actions)))
	e.rules.add(x.Rules)
	e.tables.add(x.Tables)
	for i := range b.Ends {
		end := &b.Ends[i]
		e.endSource.of.add(end.Source)
		e.endPartition.of.add32(uint32(end.Partition))
		e.endOffset.of.add64(uint64(end.Offset))
		e.endCookie.of.add(end.Cookie)
	}
	for i := range b.Marks {
		m := &b.Marks[i]
		e.markSource.of.add(m.Source)
		e.markPartition.of.add32(uint32(m.Partition))
		e.markNewest.of.add64(uint64(m.Newest))
		e.markReceived.of.add64(uint64(m.Received))
		e.markIdle.of.addBool(m.Idle)
	}
	e.endSource.end()
	e.endPartition.end()
	e.endOffset.end()
	e.endCookie.end()
	e.markSource.end()
	e.markPartition.end()
	e.markNewest.end()
	e.markReceived.end()
	e.markIdle.end()
	e.carry.addBytes(appendCarry(nil, b.Carry))
	e.learned.addBytes(b.Learned)
}

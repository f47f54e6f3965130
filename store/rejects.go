package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// Reject is a record that could not become an event as the store has it: with its id and with what became of it when it was decoded again.
type Reject struct {
	event.Reject          // With the newest code and reason.
	ID           event.ID // Of the record; see RejectID.
	Tried        int64    // When it was last decoded again, our clock, microseconds; 0 for never.
	Events       int      // How many events it gave then; 0: it is a reject still.
}

// Replayed reports whether the record has become events since.
func (r *Reject) Replayed() bool { return r.Events > 0 }

// RejectPrefix is what the textual ids of rejects begin with; see event.FormatID.
const RejectPrefix = "rj_"

// RejectID is the id of a rejected record: the one that its first event would have had from its place. The same record has the same id
// whenever it comes.
func RejectID(r *event.Reject) event.ID {
	if !r.Basis.IsZero() {
		return r.Basis
	}
	return event.PositionID(r.Position, 0)
}

// RejectFilter says which rejects are wanted; its zero value is all that have not become events since, the last received first.
type RejectFilter struct {
	IDs      []event.ID // Empty for all.
	Source   string
	Format   string
	Code     string // The newest.
	From, To int64  // When they were received, microseconds, from inclusive, to exclusive; 0 for no bound.
	All      bool   // Those that have become events since, too.
	Forward  bool   // The first received first.
	After    RejectCursor
	Limit    int // 0 for no limit.
}

// RejectCursor is a reject's place in the order of its list; the zero value is before all.
type RejectCursor struct {
	Received int64
	ID       event.ID
}

// codeTombstone is the one code whose record has no value, which is not the same as an empty one.
const codeTombstone = "tombstone"

// Rejects lists records that could not become events, with their bytes. The console and the commands read them; see Rejected for more of each.
func (db *DB) Rejects(ctx context.Context, f RejectFilter) iter.Seq2[event.Reject, error] {
	return func(yield func(event.Reject, error) bool) {
		for r, err := range db.Rejected(ctx, f) {
			if !yield(r.Reject, err) || err != nil {
				return
			}
		}
	}
}

const rejectColumns = "SELECT id, source, partition, offset, format, toUnixTimestamp64Micro(received), code, reason, keyed, key, header_keys, header_values, context, based, partial, raw FROM "

// rejectKey is the sorting key: rows are fetched by it at the cost of the granules they are in.
const rejectKey = "source, partition, offset, id"

// rejectsStep bounds how many rejects are asked for their retries at a time, rejectsBytes how many bytes of them are held.
const (
	rejectsStep  = 500
	rejectsBytes = 8 << 20
)

// Rejected lists records that could not become events, by (received, id), with their bytes and what became of them since. A record that came
// more than once is listed once.
func (db *DB) Rejected(ctx context.Context, f RejectFilter) iter.Seq2[Reject, error] {
	return func(yield func(Reject, error) bool) {
		for n := 0; f.Limit <= 0 || n < f.Limit; {
			step := rejectsStep
			if f.Limit > 0 {
				step = min(step, f.Limit-n)
			}
			page, more, err := db.rejectsPage(ctx, f, step)
			if err != nil {
				yield(Reject{}, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if !more {
				return
			}
			n += len(page)
			last := page[len(page)-1]
			f.After = RejectCursor{last.Received, last.ID}
		}
	}
}

// rejectsPage reads at most n rejects and then what became of them; more says whether there may be others behind them.
func (db *DB) rejectsPage(ctx context.Context, f RejectFilter, n int) (page []Reject, more bool, err error) {
	size := 0
	for r, err := range stream(ctx, db, "list rejects", db.rejectsQuery(f, n), scanReject) {
		if err != nil {
			return nil, false, err
		}
		page = append(page, r)
		if size += len(r.Raw); size > rejectsBytes {
			more = true
			break
		}
	}
	return page, more || len(page) == n, db.addRetries(ctx, page)
}

// rejectsQuery finds rejects by their small columns first and then fetches those rows: the bytes are not read for rows that sorting throws away.
func (db *DB) rejectsQuery(f RejectFilter, n int) query {
	direction, sign := "DESC", "<"
	if f.Forward {
		direction, sign = "", ">"
	}
	order := fmt.Sprintf("ORDER BY received %s, id %s LIMIT %d", direction, direction, n)
	inner := query{head: "SELECT " + rejectKey + " FROM " + db.table("rejects") + " FINAL", tail: order}
	if len(f.IDs) > 0 {
		inner.and("id IN ("+idSet+")", hexIDs(f.IDs))
	}
	inner.equal("source", f.Source)
	inner.equal("format", f.Format)
	inner.between("received", f.From, f.To)
	if f.After != (RejectCursor{}) {
		inner.and("(received, id) "+sign+" ("+moment+", toFixedString(unhex(?), 16))", num(f.After.Received), hexID(f.After.ID))
	}
	if !f.All {
		inner.and("id NOT IN (SELECT id FROM " + db.table("retries") + " WHERE events > 0)")
	}
	if f.Code != "" {
		again := "SELECT id FROM (SELECT id, argMax(code, at) AS newest, argMax(events, at) AS became FROM " + db.table("retries") + " GROUP BY id)"
		inner.and("((code = ? AND id NOT IN ("+again+" WHERE became = 0)) OR id IN ("+again+" WHERE became = 0 AND newest = ?))", str(f.Code), str(f.Code))
	}
	return query{head: rejectColumns + db.table("rejects") + " FINAL", where: []string{"(" + rejectKey + ") IN (" + inner.String() + ")"}, tail: order, args: inner.args}
}

func scanReject(rows driver.Rows) (r Reject, err error) {
	var id, key, raw string
	var keyed, based bool
	var lines string
	var names, values []string
	p := &r.Position
	err = rows.Scan(&id, &p.Source, &p.Partition, &p.Offset, &r.Format, &r.Received, &r.Code, &r.Reason, &keyed, &key, &names, &values, &lines, &based, &r.Partial, &raw)
	if err != nil {
		return r, err
	}
	if r.ID, err = idOf(id); err != nil {
		return r, err
	}
	if len(names) != len(values) {
		return r, fmt.Errorf("%w: reject %s has %d names and %d values of headers", errCorrupt, event.FormatID(RejectPrefix, r.ID), len(names), len(values))
	}
	if based {
		r.Basis = r.ID
	}
	if lines != "" {
		r.Context = []byte(lines)
	}
	if keyed {
		r.Key = []byte(key)
	}
	for i := range names {
		r.Headers = append(r.Headers, event.Header{Key: names[i], Value: []byte(values[i])})
	}
	if raw != "" || r.Code != codeTombstone {
		r.Raw = []byte(raw)
	}
	return r, nil
}

// retry is what became of a reject.
type retry struct {
	id     event.ID
	at     int64
	events uint32
	code   string
	reason string
	format string
}

// addRetries puts what became of rejects over what was said of them at first.
func (db *DB) addRetries(ctx context.Context, page []Reject) error {
	if len(page) == 0 {
		return nil
	}
	ids := make([]event.ID, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	q := query{
		head: "SELECT id, toUnixTimestamp64Micro(at), events, format, code, reason FROM " + db.table("retries"),
		tail: "ORDER BY id, at DESC LIMIT 1 BY id",
	}
	q.and("id IN ("+idSet+")", hexIDs(ids))
	found := map[event.ID]retry{}
	for x, err := range stream(ctx, db, "read what became of rejects", q, scanRetry) {
		if err != nil {
			return err
		}
		found[x.id] = x
	}
	for i := range page {
		r := &page[i]
		x, ok := found[r.ID]
		if !ok {
			continue
		}
		r.Tried, r.Events = x.at, int(x.events)
		if x.events == 0 {
			r.Code, r.Reason, r.Format = x.code, x.reason, x.format
		}
	}
	return nil
}

func scanRetry(rows driver.Rows) (x retry, err error) {
	var id string
	if err := rows.Scan(&id, &x.at, &x.events, &x.format, &x.code, &x.reason); err != nil {
		return x, err
	}
	x.id, err = idOf(id)
	return x, err
}

// Retried records what became of rejects that were decoded again, at Tried: events, or the newest code and reason. Recording the same again changes
// nothing. What became events is recorded only once their batch is durable.
func (db *DB) Retried(ctx context.Context, list []Reject) error {
	b := &block{table: "retries"}
	id := add(b, "id", newFixed("FixedString(16)", 16))
	at := add(b, "at", newFixed(timeType, 8))
	written := add(b, "written", newFixed("DateTime('UTC')", 4))
	events := add(b, "events", newFixed("UInt32", 4))
	format := add(b, "format", newLow())
	code := add(b, "code", newLow())
	reason := add(b, "reason", &text{})
	now := uint32(db.now().Unix())
	for i := range list {
		r := &list[i]
		id.addBytes((*[16]byte)(&r.ID))
		at.add64(uint64(r.Tried))
		written.add32(now)
		events.add32(uint32(r.Events))
		format.add(r.Format)
		code.add(r.Code)
		reason.add(r.Reason)
	}
	return db.insertFirm(ctx, "record what became of rejects", b, "")
}

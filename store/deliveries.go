package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Settle records how deliveries stand after an attempt: their state, attempts, next time and last error. The change itself is not stored
// again. The row with the most attempts is a delivery's state, of equal ones the latest.
func (db *DB) Settle(ctx context.Context, deliveries ...incident.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	now := db.now().UnixMicro()
	b := &block{table: "attempts"}
	id := add(b, "id", newFixed("FixedString(16)", 16))
	attempts := add(b, "attempts", newFixed("UInt32", 4))
	at := add(b, "at", newFixed(timeType, 8))
	endpoint := add(b, "endpoint", newLow())
	in := add(b, "incident", newFixed("FixedString(16)", 16))
	revision := add(b, "revision", newFixed("Int32", 4))
	state := add(b, "state", newLow())
	next := add(b, "next", newFixed(timeType, 8))
	reason := add(b, "error", &text{})
	status := add(b, "status", newFixed("UInt16", 2))
	answer := add(b, "answer", &text{})
	took := add(b, "took", newFixed("Int64", 8))
	spent := add(b, "spent", newFixed("UInt32", 4))
	replayed := add(b, "replayed", newFixed("Int64", 8))
	by := add(b, "by", &text{})
	for i := range deliveries {
		d := &deliveries[i]
		if d.Change.Incident == nil {
			return fmt.Errorf("settle a delivery to %s: it has no incident", d.Endpoint)
		}
		id.addBytes((*[16]byte)(&d.ID))
		attempts.add32(uint32(d.Attempts))
		at.add64(uint64(now))
		endpoint.add(d.Endpoint)
		in.addBytes((*[16]byte)(&d.Change.Incident.ID))
		revision.add32(uint32(d.Change.Incident.Revision))
		state.add(string(d.State))
		next.add64(uint64(d.Next))
		reason.add(d.Error)
		status.add16(uint16(max(0, min(d.Status, 65535))))
		answer.add(d.Answer)
		took.add64(uint64(d.Took))
		spent.add32(uint32(d.Spent))
		replayed.add64(uint64(d.Replayed))
		by.add(d.By)
	}
	return db.insertFirm(ctx, "record the outcome of deliveries", b, "")
}

// DeliveryFilter says which deliveries are wanted; its zero value is all that have been attempted.
type DeliveryFilter struct {
	State    incident.DeliveryState
	Endpoint string
	Incident event.ID
	IDs      []event.ID
	Since    int64    // Only those whose last attempt was at or after, our clock, microseconds; 0 for all.
	Until    int64    // Only those whose last attempt was before; 0 for all.
	Newest   bool     // The last attempted first; then at most Limit are read, and After does not count.
	Due      int64    // Only those whose next attempt is due by then, our clock, microseconds; 0 for all.
	After    event.ID // Go on behind this delivery, in order of ids.
	Limit    int      // 0 for no limit.
	Whole    bool     // With incidents as they were at the change, not only what a list shows of them.
}

// Standings reads how the deliveries to an endpoint that have been attempted stand now, by id, without their changes. It is one pass over the
// table in its own order: nothing is sorted and no document is read, so a start costs little however much has been delivered.
func (db *DB) Standings(ctx context.Context, endpoint string) iter.Seq2[incident.Delivery, error] {
	return func(yield func(incident.Delivery, error) bool) {
		q := query{
			head: "SELECT " + deliveryColumns + " FROM " + db.table("attempts"),
			tail: "ORDER BY id, attempts, at",
		}
		q.equal("endpoint", endpoint)
		var last incident.Delivery // the newest row so far of the delivery being read
		for row, err := range stream(ctx, db, "read how deliveries stand", q, scanDelivery) {
			if err != nil {
				yield(incident.Delivery{}, err)
				return
			}
			if !last.ID.IsZero() && last.ID != row.ID && !yield(last, nil) {
				return
			}
			last = row.Delivery
		}
		if !last.ID.IsZero() {
			yield(last, nil)
		}
	}
}

// deliveriesStep bounds how many deliveries are held at a time, maxNewest how many that are not read in the order of the table.
const (
	deliveriesStep = 200
	maxNewest      = 5000
)

// Deliveries reads the deliveries that have been attempted, as they stand now, with their changes, by id. Of the incidents there is only what a
// list shows (id, revision, title, severity, sites and when they were updated), unless the filter asks for the whole.
func (db *DB) Deliveries(ctx context.Context, f DeliveryFilter) iter.Seq2[incident.Delivery, error] {
	return func(yield func(incident.Delivery, error) bool) {
		for n := 0; f.Limit <= 0 || n < f.Limit; {
			step := deliveriesStep
			if f.Newest {
				step = cmp.Or(f.Limit, maxNewest)
			} else if f.Limit > 0 {
				step = min(step, f.Limit-n)
			}
			page, err := db.deliveriesPage(ctx, f, step)
			if err != nil {
				yield(incident.Delivery{}, fmt.Errorf("read deliveries: %w", err))
				return
			}
			for _, d := range page {
				if !yield(d, nil) {
					return
				}
			}
			if len(page) < step || f.Newest {
				return
			}
			n += len(page)
			f.After = page[len(page)-1].ID
		}
	}
}

func (db *DB) deliveriesPage(ctx context.Context, f DeliveryFilter, n int) ([]incident.Delivery, error) {
	inner := query{
		head: "SELECT * FROM " + db.table("attempts"),
		tail: "ORDER BY id, attempts DESC, at DESC LIMIT 1 BY id",
	}
	inner.equal("endpoint", f.Endpoint)
	if !f.Incident.IsZero() {
		inner.and("incident = toFixedString(unhex(?), 16)", hexID(f.Incident))
	}
	if len(f.IDs) > 0 {
		inner.and("id IN ("+idSet+")", hexIDs(f.IDs))
	}
	if !f.After.IsZero() {
		inner.and("id > toFixedString(unhex(?), 16)", hexID(f.After))
	}
	q := query{
		head: "SELECT " + deliveryColumns + " FROM (" + inner.String() + ")",
		args: inner.args, tail: fmt.Sprintf("ORDER BY id LIMIT %d", n),
	}
	q.equal("state", string(f.State))
	q.between("at", f.Since, f.Until)
	if f.Newest {
		q.tail = fmt.Sprintf("ORDER BY at DESC, id LIMIT %d", n)
	}
	if f.Due != 0 {
		q.and("next <= "+moment, num(f.Due))
	}
	var page []incident.Delivery
	var keys []revisionKey
	for row, err := range stream(ctx, db, "table attempts", q, scanDelivery) {
		if err != nil {
			return nil, err
		}
		page, keys = append(page, row.Delivery), append(keys, row.key)
	}
	read := db.outlines
	if f.Whole {
		read = db.revisions
	}
	return page, db.addChanges(ctx, page, keys, read)
}

// deliveryRow is a delivery without its change.
type deliveryRow struct {
	incident.Delivery
	key revisionKey
}

// deliveryColumns are what scanDelivery reads.
const deliveryColumns = "id, endpoint, incident, revision, attempts, state, toUnixTimestamp64Micro(next), error, spent, replayed, by, toUnixTimestamp64Micro(at), status, answer, took"

func scanDelivery(rows driver.Rows) (r deliveryRow, err error) {
	var id, in, state string
	var attempts, spent uint32
	var status uint16
	if err := rows.Scan(&id, &r.Endpoint, &in, &r.key.revision, &attempts, &state, &r.Next, &r.Error, &spent, &r.Replayed, &r.By, &r.At, &status, &r.Answer, &r.Took); err != nil {
		return r, err
	}
	r.Attempts, r.State, r.Spent, r.Status = int(attempts), incident.DeliveryState(state), int(spent), int(status)
	if r.ID, err = idOf(id); err != nil {
		return r, err
	}
	r.key.id, err = idOf(in)
	return r, err
}

// addChanges gives deliveries the changes that they are about.
func (db *DB) addChanges(ctx context.Context, page []incident.Delivery, keys []revisionKey, read readRevisions) error {
	if len(page) == 0 {
		return nil
	}
	changes, err := db.changesOf(ctx, keys, read)
	if err != nil {
		return err
	}
	for i := range page {
		c, ok := changes[keys[i]]
		if !ok {
			return fmt.Errorf("%w: incident %s has no change for revision %d", errCorrupt, event.FormatID(event.IncidentPrefix, keys[i].id), keys[i].revision)
		}
		page[i].Change = c
	}
	return nil
}

// Attempts reads what was recorded of one delivery, the oldest first, at most limit of the latest; without their changes.
func (db *DB) Attempts(ctx context.Context, id event.ID, limit int) ([]incident.Delivery, error) {
	q := query{head: "SELECT " + deliveryColumns + " FROM " + db.table("attempts"), tail: fmt.Sprintf("ORDER BY attempts DESC, at DESC LIMIT %d", limit)}
	q.and("id = toFixedString(unhex(?), 16)", hexID(id))
	var out []incident.Delivery
	for row, err := range stream(ctx, db, "read attempts", q, scanDelivery) {
		if err != nil {
			return nil, err
		}
		out = append(out, row.Delivery)
	}
	slices.Reverse(out)
	return out, nil
}

// Replays reads the deliveries to an endpoint that somebody asked for again at or after a time and that have not ended since, with their
// changes.
func (db *DB) Replays(ctx context.Context, endpoint string, since int64) ([]incident.Delivery, error) {
	inner := query{head: "SELECT * FROM " + db.table("attempts"), tail: "ORDER BY id, attempts DESC, at DESC LIMIT 1 BY id"}
	inner.equal("endpoint", endpoint)
	inner.and("id IN (SELECT id FROM "+db.table("attempts")+" WHERE replayed >= ?)", num(since))
	q := query{head: "SELECT " + deliveryColumns + " FROM (" + inner.String() + ")", args: inner.args, tail: "ORDER BY id"}
	q.equal("state", string(incident.DeliveryPending))
	var page []incident.Delivery
	var keys []revisionKey
	for row, err := range stream(ctx, db, "read replays", q, scanDelivery) {
		if err != nil {
			return nil, err
		}
		page, keys = append(page, row.Delivery), append(keys, row.key)
	}
	return page, db.addChanges(ctx, page, keys, db.revisions)
}

package store

import (
	"context"
	"fmt"
	"iter"

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
	}
	return db.insertFirm(ctx, "record the outcome of deliveries", b, "")
}

// DeliveryFilter says which deliveries are wanted; its zero value is all that have been attempted.
type DeliveryFilter struct {
	State    incident.DeliveryState
	Endpoint string
	Incident event.ID
	Due      int64    // Only those whose next attempt is due by then, our clock, microseconds; 0 for all.
	After    event.ID // Go on behind this delivery, in order of ids.
	Limit    int      // 0 for no limit.
}

// Standings reads how the deliveries to an endpoint that have been attempted stand now, by id, without their changes. It is one pass over the
// table in its own order: nothing is sorted and no document is read, so a start costs little however much has been delivered.
func (db *DB) Standings(ctx context.Context, endpoint string) iter.Seq2[incident.Delivery, error] {
	return func(yield func(incident.Delivery, error) bool) {
		q := query{
			head: "SELECT id, endpoint, incident, revision, attempts, state, toUnixTimestamp64Micro(next), error FROM " + db.table("attempts"),
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

// deliveriesStep bounds how many deliveries are held at a time.
const deliveriesStep = 200

// Deliveries reads the deliveries that have been attempted, as they stand now, with their changes, by id.
func (db *DB) Deliveries(ctx context.Context, f DeliveryFilter) iter.Seq2[incident.Delivery, error] {
	return func(yield func(incident.Delivery, error) bool) {
		for n := 0; f.Limit <= 0 || n < f.Limit; {
			step := deliveriesStep
			if f.Limit > 0 {
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
			if len(page) < step {
				return
			}
			n += len(page)
			f.After = page[len(page)-1].ID
		}
	}
}

func (db *DB) deliveriesPage(ctx context.Context, f DeliveryFilter, n int) ([]incident.Delivery, error) {
	inner := query{
		head: "SELECT id, endpoint, incident, revision, attempts, state, next, error FROM " + db.table("attempts"),
		tail: "ORDER BY id, attempts DESC, at DESC LIMIT 1 BY id",
	}
	inner.equal("endpoint", f.Endpoint)
	if !f.Incident.IsZero() {
		inner.and("incident = toFixedString(unhex(?), 16)", hexID(f.Incident))
	}
	if !f.After.IsZero() {
		inner.and("id > toFixedString(unhex(?), 16)", hexID(f.After))
	}
	q := query{
		head: "SELECT id, endpoint, incident, revision, attempts, state, toUnixTimestamp64Micro(next), error FROM (" + inner.String() + ")",
		args: inner.args, tail: fmt.Sprintf("ORDER BY id LIMIT %d", n),
	}
	q.equal("state", string(f.State))
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
	return page, db.addChanges(ctx, page, keys)
}

// deliveryRow is a delivery without its change.
type deliveryRow struct {
	incident.Delivery
	key revisionKey
}

func scanDelivery(rows driver.Rows) (r deliveryRow, err error) {
	var id, in, state string
	var attempts uint32
	if err := rows.Scan(&id, &r.Endpoint, &in, &r.key.revision, &attempts, &state, &r.Next, &r.Error); err != nil {
		return r, err
	}
	r.Attempts, r.State = int(attempts), incident.DeliveryState(state)
	if r.ID, err = idOf(id); err != nil {
		return r, err
	}
	r.key.id, err = idOf(in)
	return r, err
}

// addChanges gives deliveries the changes that they are about.
func (db *DB) addChanges(ctx context.Context, page []incident.Delivery, keys []revisionKey) error {
	if len(page) == 0 {
		return nil
	}
	changes, err := db.changesOf(ctx, keys)
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

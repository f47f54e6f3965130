package store

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// AroundFilter says whose events are wanted, and of which time. Entities, From and To must be set.
type AroundFilter struct {
	Entities []string // Canonical ids; at most MaxAround.
	From, To int64    // Event time in microseconds, from inclusive, to exclusive; at most MaxAroundSpan apart.
	Sites    []string // Only events of these sites, and of none; nil for all.
	Limit    int      // 1 to 2,000.
}

// The bounds of AroundFilter. The span is in microseconds.
const (
	MaxAround      = 50
	MaxAroundSpan  = 7 * 24 * 3600 * 1_000_000
	maxAroundLimit = 2000
)

func (f *AroundFilter) check() error {
	switch {
	case len(f.Entities) == 0 || len(f.Entities) > MaxAround:
		return fmt.Errorf("events around: %d entities; name 1 to %d", len(f.Entities), MaxAround)
	case f.From <= 0 || f.To <= f.From || f.To-f.From > MaxAroundSpan:
		return fmt.Errorf("events around: from %d to %d is no stretch of at most seven days", f.From, f.To)
	case f.Limit < 1 || f.Limit > maxAroundLimit:
		return fmt.Errorf("events around: limit %d; use 1 to %d", f.Limit, maxAroundLimit)
	}
	return nil
}

// Around reads events that name any of some entities within a stretch of time, oldest first, without their raw text; found through the index
// of entities, so that it costs by what is found and not by what is stored. more says that there are more than the limit.
func (db *DB) Around(ctx context.Context, f AroundFilter) (events []*event.Event, more bool, err error) {
	if err := f.check(); err != nil {
		return nil, false, err
	}
	keys := make([]uint64, len(f.Entities))
	for i, id := range f.Entities {
		keys[i] = entityKey(id)
	}
	index := query{head: "SELECT " + indexKey + " FROM " + db.table("entity_index")}
	index.and("entity IN ?", typed{"Array(UInt64)", keys})
	index.between("time", f.From, f.To)
	q := query{head: eventSelect + "'' FROM " + db.table("events"), args: index.args, tail: "ORDER BY hour, time, id LIMIT 1 BY id" + limit(f.Limit+1)}
	q.and("hour >= ? AND hour <= ?", num(int64(hourOf(f.From))), num(int64(hourOf(f.To))))
	q.and("(" + eventKey + ") IN (" + index.String() + ")")
	q.and("hasAny(entities, ?)", strs(f.Entities))
	if f.Sites != nil {
		q.and("(site = '' OR site IN ?)", strs(f.Sites))
	}
	for e, err := range stream(ctx, db, "read events around", q, scanOneEvent) {
		if err != nil {
			return nil, false, err
		}
		if len(events) == f.Limit {
			return events, true, nil
		}
		events = append(events, e)
	}
	return events, false, nil
}

// maxPicked bounds the events that are read by their ids at once.
const maxPicked = 2000

// Pick reads events by their ids, oldest first, without their raw text. Those that the store does not have are left out.
func (db *DB) Pick(ctx context.Context, ids []event.ID) ([]*event.Event, error) {
	return db.pick(ctx, ids, "''")
}

// PickWhole is like Pick, and the events come with the raw text of their records.
func (db *DB) PickWhole(ctx context.Context, ids []event.ID) ([]*event.Event, error) {
	list, err := db.pick(ctx, ids, "raw")
	for i, e := range list {
		if e.Envelope.Index == 0 {
			continue
		}
		whole, found, err := db.Event(ctx, e.Envelope.ID) // The first event of the record has its text.
		if err != nil {
			return nil, err
		}
		if found {
			list[i] = whole
		}
	}
	return list, err
}

func (db *DB) pick(ctx context.Context, ids []event.ID, raw string) ([]*event.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if len(ids) > maxPicked {
		return nil, fmt.Errorf("read events by id: %d ids; at most %d at once", len(ids), maxPicked)
	}
	keys := make([]uint64, len(ids))
	for i, id := range ids {
		keys[i] = idKey(id)
	}
	index := query{head: "SELECT " + indexKey + " FROM " + db.table("entity_index")}
	index.and("entity IN ?", typed{"Array(UInt64)", keys})
	index.and("id IN ("+idSet+")", hexIDs(ids))
	q := query{head: eventSelect + raw + " FROM " + db.table("events"), args: index.args, tail: "ORDER BY hour, time, id LIMIT 1 BY id"}
	q.and("(" + eventKey + ") IN (" + index.String() + ")")
	var out []*event.Event
	for e, err := range stream(ctx, db, "read events by id", q, scanOneEvent) {
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// maxHistory bounds the changes of one incident that are read at once.
const maxHistory = 500

// History reads what happened to an incident behind a revision, in order, each change with the incident as it was after it; at most 500 of
// them, the latest.
func (db *DB) History(ctx context.Context, id event.ID, after int32) ([]incident.Change, error) {
	list, err := db.voids(ctx)
	if err != nil {
		return nil, err
	}
	newest := query{head: changeSelect + db.table("changes"), tail: fmt.Sprintf("ORDER BY revision DESC, epoch DESC, number DESC, idx DESC LIMIT 1 BY revision LIMIT %d", maxHistory)}
	newest.and("incident = toFixedString(unhex(?), 16)", hexID(id))
	newest.and("revision > ?", num(int64(after)))
	newest.and(valid(list))
	q := query{head: "SELECT * FROM (" + newest.String() + ")", args: newest.args, tail: "ORDER BY revision"}
	changes, err := db.readChanges(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read what happened to %s: %w", event.FormatID(event.IncidentPrefix, id), err)
	}
	return changes, nil
}

// Holder is the incident that holds a finding now, by its latest revision; found is false if none does.
func (db *DB) Holder(ctx context.Context, finding event.ID) (in *incident.Incident, found bool, err error) {
	q := query{head: "SELECT doc FROM " + db.table("incidents"), tail: "ORDER BY updated DESC, id LIMIT 1"}
	q.and("has(findings, toFixedString(unhex(?), 16))", hexID(finding))
	q.and("(id, revision) IN (SELECT id, max(revision) FROM " + db.table("incidents") + " GROUP BY id)")
	return first(stream(ctx, db, "find the incident of finding "+event.FormatID(event.FindingPrefix, finding), q, scanDocument[incident.Incident]))
}

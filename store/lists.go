package store

import (
	"context"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// NoteFilter says which changes are wanted; its zero value is all of them.
type NoteFilter struct {
	Entities []string // Canonical ids: of what changed, or of who changed it; empty for all.
	What     string   // firmware, mode, map …
	From, To int64    // Event time, microseconds, from inclusive, to exclusive; 0 for no bound.
	After    EventCursor
	Limit    int // 0 for no limit.
}

// Notes lists what changed, newest first; After goes on behind the changes of an event.
func (db *DB) Notes(ctx context.Context, f NoteFilter) iter.Seq2[event.Note, error] {
	const order = "ORDER BY time DESC, event DESC, what, entity LIMIT 1 BY time, event, entity, what"
	q := query{head: "SELECT epoch, number, seq FROM " + db.table("notes"), tail: order + limit(f.Limit)}
	if len(f.Entities) > 0 {
		q.and("(entity IN ? OR actor IN ?)", strs(f.Entities), strs(f.Entities))
	}
	q.equal("what", f.What)
	q.between("time", f.From, f.To)
	if c := f.After; c != (EventCursor{}) {
		q.and("time <= "+moment, num(c.Time))
		q.and("(time, event) < ("+moment+", toFixedString(unhex(?), 16))", num(c.Time), hexID(c.ID))
	}
	// The places first: what is large is read for them alone.
	whole := query{head: "SELECT entity, what, prev, value, actor, payload FROM " + db.table("notes"), where: []string{"(epoch, number, seq) IN (" + q.String() + ")"}, tail: order, args: q.args}
	return stream(ctx, db, "list notes", whole, func(rows driver.Rows) (n event.Note, err error) {
		var payload string
		if err := rows.Scan(&n.Entity, &n.What, &n.Prev, &n.Value, &n.Actor, &payload); err != nil {
			return n, err
		}
		n.Ref, err = decodeRef([]byte(payload))
		return n, err
	})
}

// Binding says that an identifier belonged to an entity for a time, as a row of the mirror.
type Binding struct {
	Relation   string // ip-mac, ip-device, ip-user, mac-device, mac-user, device-user.
	Identifier string
	Entity     string // Canonical id.
	Session    string
	Since      int64 // Event time, microseconds.
	Until      int64 // Event time, microseconds, exclusive.
	Source     string
	Confidence uint8 // Per cent.
}

// MirrorBindings writes bindings that are new or have another end than before. The mirror is for searching; losing it loses nothing.
func (db *DB) MirrorBindings(ctx context.Context, list []Binding) error {
	b := &block{table: "bindings"}
	relation := add(b, "relation", newLow())
	identifier := add(b, "identifier", &text{})
	entity := add(b, "entity", &text{})
	session := add(b, "session", &text{})
	since := add(b, "since", newFixed(timeType, 8))
	until := add(b, "until", newFixed(timeType, 8))
	source := add(b, "source", newLow())
	confidence := add(b, "confidence", newFixed("UInt8", 1))
	written := add(b, "written", newFixed(timeType, 8))
	now := uint64(db.now().UnixMicro())
	for i := range list {
		x := &list[i]
		relation.add(x.Relation)
		identifier.add(x.Identifier)
		entity.add(x.Entity)
		session.add(x.Session)
		since.add64(uint64(x.Since))
		until.add64(uint64(x.Until))
		source.add(x.Source)
		confidence.add8(x.Confidence)
		written.add64(now)
	}
	return db.insertFirm(ctx, "mirror bindings", b, "")
}

// Bindings lists what a name, or all for "", was bound to at an instant (event time, microseconds; 0 for ever), latest first. The name is an
// identifier or an entity.
func (db *DB) Bindings(ctx context.Context, name string, at int64, max int) iter.Seq2[Binding, error] {
	q := query{
		head: "SELECT relation, identifier, entity, session, toUnixTimestamp64Micro(since), toUnixTimestamp64Micro(until), source, confidence FROM " + db.table("bindings") + " FINAL",
		tail: "ORDER BY since DESC, identifier, relation, entity, source" + limit(max),
	}
	if name != "" {
		q.and("(identifier = ? OR entity = ?)", str(name), str(name))
	}
	if at != 0 {
		q.and("since <= "+moment+" AND until > "+moment, num(at), num(at))
	}
	return stream(ctx, db, "list bindings", q, func(rows driver.Rows) (x Binding, err error) {
		err = rows.Scan(&x.Relation, &x.Identifier, &x.Entity, &x.Session, &x.Since, &x.Until, &x.Source, &x.Confidence)
		return x, err
	})
}

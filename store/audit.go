package store

import (
	"context"
	"crypto/rand"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// AuditEntry says who did something, or tried to and was refused.
type AuditEntry struct {
	ID     event.ID // Random; given by Audit if it is zero.
	At     int64    // Microseconds, our clock; given by Audit if it is 0.
	Who    string
	Via    string // How we know: loopback, local, oidc, token:<id>; empty for nobody.
	Action string // Such as sign-in or incident.close.
	Target string
	Detail []byte // JSON, or empty.
	From   string // Address of the client, without port.
	OK     bool
}

// AuditCursor is an entry's place in the order of time; the zero value is before all.
type AuditCursor struct {
	At int64
	ID event.ID
}

// AuditFilter says which entries are wanted; its zero value is all, the latest first.
type AuditFilter struct {
	Who, Via, Action, Target string // Exactly these; empty for all.
	From, To                 int64  // Microseconds, from inclusive, to exclusive; 0 for no bound.
	Refused                  bool   // Only what was refused or failed.
	Forward                  bool   // The earliest first.
	After                    AuditCursor
	Limit                    int // 0 for no limit.
}

// Audit adds an entry. When it returns nil the entry is on the disk. Transient errors are retried until ctx ends.
func (db *DB) Audit(ctx context.Context, e AuditEntry) error {
	if e.At == 0 {
		e.At = db.now().UnixMicro()
	}
	if e.ID.IsZero() {
		_, _ = rand.Read(e.ID[:])
	}
	b := &block{table: "audit"}
	add(b, "at", newFixed(timeType, 8)).add64(uint64(e.At))
	add(b, "id", newFixed("FixedString(16)", 16)).addBytes((*[16]byte)(&e.ID))
	add(b, "who", &text{}).add(e.Who)
	add(b, "via", newLow()).add(e.Via)
	add(b, "action", newLow()).add(e.Action)
	add(b, "target", &text{}).add(e.Target)
	add(b, "detail", &text{}).addBytes(e.Detail)
	add(b, "from", &text{}).add(e.From)
	add(b, "ok", newFixed("Bool", 1)).addBool(e.OK)
	return db.insertFirm(ctx, "write the audit", b, rand.Text())
}

// Audited reads entries by (time, id).
func (db *DB) Audited(ctx context.Context, f AuditFilter) iter.Seq2[AuditEntry, error] {
	direction, sign := " DESC", "<"
	if f.Forward {
		direction, sign = "", ">"
	}
	q := query{
		head: "SELECT id, toUnixTimestamp64Micro(at), who, via, action, target, detail, from, ok FROM " + db.table("audit"),
		tail: "ORDER BY at" + direction + ", id" + direction + limit(f.Limit),
	}
	q.equal("who", f.Who)
	q.equal("via", f.Via)
	q.equal("action", f.Action)
	q.equal("target", f.Target)
	q.between("at", f.From, f.To)
	if f.Refused {
		q.and("NOT ok")
	}
	if f.After != (AuditCursor{}) {
		q.and("(at, id) "+sign+" ("+moment+", toFixedString(unhex(?), 16))", num(f.After.At), hexID(f.After.ID))
	}
	return stream(ctx, db, "read the audit", q, func(rows driver.Rows) (e AuditEntry, err error) {
		var id, detail string
		if err := rows.Scan(&id, &e.At, &e.Who, &e.Via, &e.Action, &e.Target, &detail, &e.From, &e.OK); err != nil {
			return e, err
		}
		if detail != "" {
			e.Detail = []byte(detail)
		}
		e.ID, err = idOf(id)
		return e, err
	})
}

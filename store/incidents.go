package store

import (
	"context"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// IncidentFilter says which incidents are wanted, by their latest revision; its zero value is all of them.
type IncidentFilter struct {
	ID       event.ID // Only this one; zero for all.
	Status   []incident.Status
	Severity incident.Severity // At least.
	Owner    string
	Assignee string
	Robot    string // Canonical id.
	Entity   string // Canonical id.
	Rule     string
	Title    string         // Part of the title, without regard to ASCII case.
	From, To int64          // When it was last updated, microseconds, from inclusive, to exclusive; 0 for no bound.
	After    IncidentCursor // Go on behind this incident.
	Limit    int            // 0 for no limit.
}

// IncidentCursor is an incident's place in the order of the list, the last updated first; the zero value is before all.
type IncidentCursor struct {
	Updated int64 // Microseconds.
	ID      event.ID
}

// Incidents lists the latest revisions, the last updated first, equal ones by id.
func (db *DB) Incidents(ctx context.Context, f IncidentFilter) iter.Seq2[*incident.Incident, error] {
	return stream(ctx, db, "list incidents", db.incidentQuery(f), scanDocument[incident.Incident])
}

func (db *DB) incidentQuery(f IncidentFilter) query {
	q := query{head: "SELECT doc FROM " + db.table("incidents"), tail: "ORDER BY updated DESC, id LIMIT 1 BY id" + limit(f.Limit)}
	if f.ID == (event.ID{}) {
		q.and("(id, revision) IN (SELECT id, max(revision) FROM " + db.table("incidents") + " GROUP BY id)")
	} else {
		q.and("id = toFixedString(unhex(?), 16)", hexID(f.ID))
		q.tail = "ORDER BY revision DESC LIMIT 1"
	}
	if len(f.Status) > 0 {
		names := make([]string, len(f.Status))
		for i, s := range f.Status {
			names[i] = s.String()
		}
		q.and("status IN ?", strs(names))
	}
	if f.Severity > 0 {
		q.and("severity >= ?", num(int64(f.Severity)))
	}
	q.equal("owner", f.Owner)
	q.equal("assignee", f.Assignee)
	for _, has := range []struct{ column, value string }{{"robots", f.Robot}, {"entities", f.Entity}, {"rules", f.Rule}} {
		if has.value != "" {
			q.and("has("+has.column+", ?)", str(has.value))
		}
	}
	if f.Title != "" {
		q.and("positionCaseInsensitive(title, ?) > 0", str(f.Title))
	}
	q.between("updated", f.From, f.To)
	if c := f.After; c != (IncidentCursor{}) {
		q.and("(updated < "+moment+" OR (updated = "+moment+" AND id > toFixedString(unhex(?), 16)))", num(c.Updated), num(c.Updated), hexID(c.ID))
	}
	return q
}

// IncidentsOf reads the latest revisions of those incidents, by id; what there is not is left out.
func (db *DB) IncidentsOf(ctx context.Context, ids []event.ID) iter.Seq2[*incident.Incident, error] {
	q := query{head: "SELECT doc FROM " + db.table("incidents"), tail: "ORDER BY id, revision DESC LIMIT 1 BY id"}
	q.and("id IN ("+idSet+")", hexIDs(ids))
	return stream(ctx, db, "read incidents", q, scanDocument[incident.Incident])
}

// Incident reads one revision of an incident, the latest for revision 0; found is false if there is none.
func (db *DB) Incident(ctx context.Context, id event.ID, revision int32) (in *incident.Incident, found bool, err error) {
	q := query{head: "SELECT doc FROM " + db.table("incidents"), tail: "ORDER BY revision DESC LIMIT 1"}
	q.and("id = toFixedString(unhex(?), 16)", hexID(id))
	if revision != 0 {
		q.and("revision = ?", num(int64(revision)))
	}
	return first(stream(ctx, db, "read incident "+event.FormatID(event.IncidentPrefix, id), q, scanDocument[incident.Incident]))
}

// FindingFilter says which findings are wanted, by their latest revision; its zero value is all of them.
type FindingFilter struct {
	Rule     string
	State    incident.State // 0 for all.
	Entity   string         // Canonical id that the evidence names.
	Shadow   event.Bool     // Only shadow rules' findings, or only the others.
	From, To int64          // Time of the completing event, microseconds, from inclusive, to exclusive; 0 for no bound.
	After    EventCursor    // Go on behind the finding with this time and id.
	Limit    int            // 0 for no limit.
}

// Findings lists the latest revisions, newest first, equal ones by id downwards.
func (db *DB) Findings(ctx context.Context, f FindingFilter) iter.Seq2[*incident.Finding, error] {
	q := query{head: "SELECT doc FROM " + db.table("findings"), tail: "ORDER BY time DESC, id DESC LIMIT 1 BY id" + limit(f.Limit)}
	q.and("(id, revision) IN (SELECT id, max(revision) FROM " + db.table("findings") + " GROUP BY id)")
	q.equal("rule", f.Rule)
	q.equal("state", f.State.String())
	if f.Entity != "" {
		q.and("has(entities, ?)", str(f.Entity))
	}
	if f.Shadow.Known() {
		q.and("shadow = ?", typed{"Bool", f.Shadow == event.True})
	}
	q.between("time", f.From, f.To)
	if c := f.After; c != (EventCursor{}) {
		q.and("(time, id) < ("+moment+", toFixedString(unhex(?), 16))", num(c.Time), hexID(c.ID))
	}
	return stream(ctx, db, "list findings", q, scanDocument[incident.Finding])
}

// Finding reads the latest revision of a finding; found is false if there is none.
func (db *DB) Finding(ctx context.Context, id event.ID) (f *incident.Finding, found bool, err error) {
	q := query{head: "SELECT doc FROM " + db.table("findings"), tail: "ORDER BY revision DESC LIMIT 1"}
	q.and("id = toFixedString(unhex(?), 16)", hexID(id))
	return first(stream(ctx, db, "read finding "+event.FormatID(event.FindingPrefix, id), q, scanDocument[incident.Finding]))
}

func scanDocument[T any](rows driver.Rows) (*T, error) {
	var doc string
	if err := rows.Scan(&doc); err != nil {
		return nil, err
	}
	v := new(T)
	return v, readDocument([]byte(doc), v)
}

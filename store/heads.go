package store

import (
	"context"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Head is what lists say of an incident, read from its columns without the document.
type Head struct {
	ID       event.ID
	Status   string
	Title    string
	Severity incident.Severity
	Score    uint8
	First    int64 // Event time, microseconds.
	Last     int64
	Updated  int64 // Our clock, microseconds.
	Robots   []string
	Entities []string
	Rules    []string
	Sites    []string
}

// Heads lists incidents as Incidents does, in short.
func (db *DB) Heads(ctx context.Context, f IncidentFilter) iter.Seq2[Head, error] {
	q := db.incidentQuery(f)
	q.head = "SELECT id, status, title, severity, score, toUnixTimestamp64Micro(first), toUnixTimestamp64Micro(last), toUnixTimestamp64Micro(updated), robots, entities, rules, sites FROM " + db.table("incidents")
	return stream(ctx, db, "list incidents", q, func(rows driver.Rows) (h Head, err error) {
		var id string
		var severity uint8
		if err := rows.Scan(&id, &h.Status, &h.Title, &severity, &h.Score, &h.First, &h.Last, &h.Updated, &h.Robots, &h.Entities, &h.Rules, &h.Sites); err != nil {
			return h, err
		}
		h.Severity = incident.Severity(severity)
		h.ID, err = idOf(id)
		return h, err
	})
}

// RobotEvents gives of each robot the latest event of each class and activity since an event time, among those appended since a time of our
// clock, without raw text: from these what is known of a robot follows. Both are in microseconds. Robots are told apart by robot.uid.
func (db *DB) RobotEvents(ctx context.Context, appended, since int64) iter.Seq2[*event.Event, error] {
	inner := query{head: "SELECT " + eventKey + " FROM " + db.table("events"), tail: "ORDER BY time DESC LIMIT 1 BY robot, class"}
	inner.and("robot != ''")
	inner.between("time", since, 0)
	if since != 0 {
		inner.and("hour >= ?", num(int64(hourOf(since))))
	}
	if appended != 0 {
		inner.and("written >= toDateTime(?, 'UTC')", num(appended/1e6))
	}
	q := query{head: eventSelect + "'' FROM " + db.table("events"), args: inner.args, tail: "ORDER BY time, id"}
	q.and("(" + eventKey + ") IN (" + inner.String() + ")")
	return stream(bounded(ctx), db, "read the robots' latest events", q, scanOneEvent)
}

// Newest is the newest event time that a source had reached with the last batches (microseconds; 0 if none had).
func (db *DB) Newest(ctx context.Context) (int64, error) {
	q := query{head: "SELECT toInt64(max(arrayMax(arrayConcat([0], mark_newest)))) FROM (SELECT mark_newest FROM " + db.table("batches") + " ORDER BY epoch DESC, number DESC LIMIT 100)"}
	newest, _, err := first(stream(ctx, db, "find the newest event time", q, func(rows driver.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		return n, err
	}))
	return newest, err
}

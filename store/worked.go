package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// Told is when the first delivery of an incident arrived somewhere.
type Told struct {
	Incident event.ID
	At       int64 // Our clock, microseconds; 0: attempted, and none has arrived.
}

// Told reads which incidents endpoints have been told of by attempts made at or after a time, our clock in microseconds; by id.
func (db *DB) Told(ctx context.Context, since int64) ([]Told, error) {
	q := query{
		head: "SELECT incident, toUnixTimestamp64Micro(minIf(at, state IN ('delivered', 'digested'))) FROM " + db.table("attempts"), tail: "GROUP BY incident ORDER BY incident",
	}
	q.between("at", since, 0)
	var out []Told
	for x, err := range stream(ctx, db, "read when incidents were told", q, scanTold) {
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func scanTold(rows driver.Rows) (x Told, err error) {
	var in string
	if err := rows.Scan(&in, &x.At); err != nil {
		return x, err
	}
	x.Incident, err = idOf(in)
	return x, err
}

// Worked is an hour in which somebody acted on an incident.
type Worked struct {
	Incident event.ID
	Actor    string // As the log has it: user: and the name.
	Hour     int64  // When it began, our clock, unix seconds.
}

// Worked reads the hours in which people acted on incidents at or after a time, our clock in microseconds; what programs reported back is left out.
func (db *DB) Worked(ctx context.Context, since int64) ([]Worked, error) {
	list, err := db.voids(ctx)
	if err != nil {
		return nil, fmt.Errorf("read when people worked: %w", err)
	}
	q := query{
		head: "SELECT DISTINCT incident, actor, toInt64(toUnixTimestamp(toStartOfHour(written))) AS hour FROM " + db.table("changes"), tail: "ORDER BY incident, actor, hour",
	}
	q.between("written", since, 0)
	q.and("startsWith(actor, 'user:')")
	q.and("origin = ''")
	q.and(valid(list))
	var out []Worked
	for x, err := range stream(ctx, db, "read when people worked", q, scanWorked) {
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func scanWorked(rows driver.Rows) (x Worked, err error) {
	var in string
	if err := rows.Scan(&in, &x.Actor, &x.Hour); err != nil {
		return x, err
	}
	x.Incident, err = idOf(in)
	return x, err
}

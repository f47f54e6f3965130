package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Happened reads the latest changes of some kinds that were recorded at or after a moment of our clock, in microseconds, in the order of the log,
// at most limit. Of an incident that a change not of a person opened there is only what a list shows: id, revision, title, severity, sites and
// when it was updated.
func (db *DB) Happened(ctx context.Context, since int64, kinds []incident.ChangeKind, limit int) ([]incident.Change, error) {
	changes, err := db.happened(ctx, since, kinds, limit)
	if err != nil {
		return nil, fmt.Errorf("read what happened: %w", err)
	}
	return changes, nil
}

func (db *DB) happened(ctx context.Context, since int64, kinds []incident.ChangeKind, limit int) ([]incident.Change, error) {
	list, err := db.voids(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	q := query{head: changeSelect + db.table("changes"), tail: fmt.Sprintf("ORDER BY epoch DESC, number DESC, idx DESC LIMIT 1 BY epoch, number, idx LIMIT %d", limit)}
	q.between("written", since, 0)
	q.and("kind IN ?", strs(names))
	q.and(valid(list))
	var rows []changeRow
	var whole, short []revisionKey
	for row, err := range stream(ctx, db, "table changes", q, scanChange) {
		if err != nil {
			return nil, err
		}
		if rows = append(rows, row); row.Kind == incident.ChangeOpened && !strings.HasPrefix(row.Actor, "user:") {
			short = append(short, row.key)
		} else {
			whole = append(whole, row.key)
		}
	}
	found, err := db.revisions(ctx, whole)
	if err != nil {
		return nil, err
	}
	outlines, err := db.outlines(ctx, short)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, nil
	}
	changes := make([]incident.Change, len(rows))
	for i, row := range slices.Backward(rows) {
		c := &changes[len(rows)-1-i]
		*c = row.Change
		if c.Incident = found[row.key]; c.Incident == nil {
			c.Incident = outlines[row.key]
		}
		if c.Incident == nil {
			return nil, fmt.Errorf("%w: incident %s lacks revision %d", errCorrupt, event.FormatID(event.IncidentPrefix, row.key.id), row.key.revision)
		}
	}
	return changes, nil
}

// outlines are revisions of incidents as far as small columns know them.
func (db *DB) outlines(ctx context.Context, keys []revisionKey) (map[revisionKey]*incident.Incident, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	q := query{head: "SELECT id, revision, title, severity, toUnixTimestamp64Micro(updated), sites FROM " + db.table("incidents")}
	q.revisions("id", keys)
	found := make(map[revisionKey]*incident.Incident, len(keys))
	for in, err := range stream(ctx, db, "outline incidents", q, scanOutline) {
		if err != nil {
			return nil, err
		}
		found[revisionKey{in.ID, in.Revision}] = in
	}
	return found, nil
}

func scanOutline(rows driver.Rows) (*incident.Incident, error) {
	var in incident.Incident
	var id string
	var severity uint8
	err := rows.Scan(&id, &in.Revision, &in.Title, &severity, &in.Updated, &in.Sites)
	if err != nil {
		return nil, err
	}
	if len(in.Sites) == 0 {
		in.Sites = nil
	}
	in.Severity = incident.Severity(severity)
	in.ID, err = idOf(id)
	return &in, err
}

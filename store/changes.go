package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// ChangeCursor is a change's place in the log; the zero value is before all.
type ChangeCursor struct {
	Batch event.BatchID
	Index int
}

// changesStep bounds how many changes are held at a time.
const changesStep = 200

// Changes reads what happened to incidents, in the order of the log, behind a cursor.
func (db *DB) Changes(ctx context.Context, after ChangeCursor, limit int) iter.Seq2[incident.Change, error] {
	return func(yield func(incident.Change, error) bool) {
		for n := 0; limit <= 0 || n < limit; {
			step := changesStep
			if limit > 0 {
				step = min(step, limit-n)
			}
			page, err := db.changesPage(ctx, after, step)
			if err != nil {
				yield(incident.Change{}, fmt.Errorf("read changes: %w", err))
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			if len(page) < step {
				return
			}
			n += len(page)
			last := page[len(page)-1]
			after = ChangeCursor{last.Batch, last.Index}
		}
	}
}

// LastChange is the place of the newest change; zero if there is none.
func (db *DB) LastChange(ctx context.Context) (ChangeCursor, error) {
	list, err := db.voids(ctx)
	if err != nil {
		return ChangeCursor{}, err
	}
	q := query{head: "SELECT epoch, number, idx FROM " + db.table("changes"), tail: "ORDER BY epoch DESC, number DESC, idx DESC LIMIT 1"}
	q.and(valid(list))
	at, _, err := first(stream(ctx, db, "read the last change", q, func(rows driver.Rows) (at ChangeCursor, err error) {
		var idx uint32
		err = rows.Scan(&at.Batch.Epoch, &at.Batch.Number, &idx)
		at.Index = int(idx)
		return at, err
	}))
	return at, err
}

func (db *DB) changesPage(ctx context.Context, after ChangeCursor, n int) ([]incident.Change, error) {
	if page, whole := db.newest.page(after, n); whole {
		return page, nil
	}
	list, err := db.voids(ctx)
	if err != nil {
		return nil, err
	}
	q := query{head: changeSelect + db.table("changes"), tail: fmt.Sprintf("ORDER BY epoch, number, idx LIMIT 1 BY epoch, number, idx LIMIT %d", n)}
	if after != (ChangeCursor{}) {
		q.and("(epoch, number, idx) > (?, ?, ?)", uns(after.Batch.Epoch), uns(after.Batch.Number), num(int64(after.Index)))
	}
	q.and(valid(list))
	return db.readChanges(ctx, q)
}

// changesOf finds the changes that made the revisions.
func (db *DB) changesOf(ctx context.Context, keys []revisionKey, read readRevisions) (map[revisionKey]incident.Change, error) {
	q := query{head: changeSelect + db.table("changes")}
	q.revisions("incident", keys)
	list, _, err := db.readChangesWith(ctx, q, false, read)
	found := make(map[revisionKey]incident.Change, len(list))
	for _, c := range list {
		found[revisionKey{c.Incident.ID, c.Incident.Revision}] = c
	}
	return found, err
}

const changeSelect = "SELECT epoch, number, idx, kind, fields, actor, origin, incident, revision FROM "

// changeRow is a change without its incident.
type changeRow struct {
	incident.Change
	key revisionKey
}

func scanChange(rows driver.Rows) (c changeRow, err error) {
	var idx uint32
	var kind, id string
	if err := rows.Scan(&c.Batch.Epoch, &c.Batch.Number, &idx, &kind, &c.Fields, &c.Actor, &c.Origin, &id, &c.key.revision); err != nil {
		return c, err
	}
	c.Index, c.Kind = int(idx), incident.ChangeKind(kind)
	if len(c.Fields) == 0 {
		c.Fields = nil
	}
	c.key.id, err = idOf(id)
	return c, err
}

// readChanges reads changes with their incidents, which are shared with others: they must not be changed.
func (db *DB) readChanges(ctx context.Context, q query) ([]incident.Change, error) {
	length := 0
	changes, read, err := db.readChangesWith(ctx, q, true, func(ctx context.Context, keys []revisionKey) (found map[revisionKey]*incident.Incident, err error) {
		found, length, err = db.measuredRevisions(ctx, keys)
		return found, err
	})
	for _, i := range read {
		db.recent.put(changeAt(&changes[i]), changes[i].Incident, length/len(read))
	}
	return changes, err
}

func changeAt(c *incident.Change) ChangeCursor { return ChangeCursor{c.Batch, c.Index} }

// readRevisions reads revisions of incidents, whole or as far as a list needs them.
type readRevisions func(context.Context, []revisionKey) (map[revisionKey]*incident.Incident, error)

// readChangesWith reads changes and the incidents that are not held, of which only whole ones are; fresh are the places of those read in the list.
func (db *DB) readChangesWith(ctx context.Context, q query, whole bool, read readRevisions) (changes []incident.Change, fresh []int, err error) {
	var keys []revisionKey
	for row, err := range stream(ctx, db, "table changes", q, scanChange) {
		if err != nil {
			return nil, nil, err
		}
		if whole {
			row.Incident = db.recent.get(changeAt(&row.Change), row.key)
		}
		if row.Incident == nil {
			fresh, keys = append(fresh, len(changes)), append(keys, row.key)
		}
		changes = append(changes, row.Change)
	}
	found, err := read(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	for k, i := range fresh {
		if changes[i].Incident = found[keys[k]]; changes[i].Incident == nil {
			return nil, nil, fmt.Errorf("%w: incident %s lacks revision %d", errCorrupt, event.FormatID(event.IncidentPrefix, keys[k].id), keys[k].revision)
		}
	}
	return changes, fresh, nil
}

type revisionKey struct {
	id       event.ID
	revision int32
}

// revisions reads several revisions of incidents at once.
func (db *DB) revisions(ctx context.Context, keys []revisionKey) (map[revisionKey]*incident.Incident, error) {
	found, _, err := db.measuredRevisions(ctx, keys)
	return found, err
}

// measuredRevisions also gives how long their documents are together.
func (db *DB) measuredRevisions(ctx context.Context, keys []revisionKey) (found map[revisionKey]*incident.Incident, length int, err error) {
	if len(keys) == 0 {
		return nil, 0, nil
	}
	q := query{head: "SELECT doc FROM " + db.table("incidents")}
	q.revisions("id", keys)
	found = map[revisionKey]*incident.Incident{}
	list, err := readAll[incident.Incident](stream(ctx, db, "read incidents", q, func(rows driver.Rows) (string, error) {
		doc, err := scanText(rows)
		length += len(doc)
		return doc, err
	}))
	for _, in := range list {
		found[revisionKey{in.ID, in.Revision}] = in
	}
	return found, length, err
}

// readAll reads documents, in any order, while more of them come: reading one takes longer than fetching it.
func readAll[T any](docs iter.Seq2[string, error]) ([]*T, error) {
	readers := min(4, runtime.GOMAXPROCS(0))
	feed := make(chan string, readers)
	lists, errs := make([][]*T, readers), make([]error, readers+1)
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() {
			for doc := range feed {
				v := new(T)
				if err := readDocument([]byte(doc), v); err != nil {
					errs[i] = err
				}
				lists[i] = append(lists[i], v)
			}
		})
	}
	for doc, err := range docs {
		if err != nil {
			errs[readers] = err
			break
		}
		feed <- doc
	}
	close(feed)
	all.Wait()
	return slices.Concat(lists...), cmp.Or(errs...)
}

func scanText(rows driver.Rows) (s string, err error) {
	err = rows.Scan(&s)
	return s, err
}

// revisions keeps the rows of those revisions; column holds the incident's id.
func (q *query) revisions(column string, keys []revisionKey) {
	ids, numbers := make([]string, len(keys)), make([]int32, len(keys))
	for i, k := range keys {
		ids[i], numbers[i] = hex.EncodeToString(k.id[:]), k.revision
	}
	q.and("("+column+", revision) IN (SELECT toFixedString(unhex(pair.1), 16), pair.2 FROM (SELECT arrayJoin(arrayZip(?, ?)) AS pair))",
		strs(ids), typed{"Array(Int32)", numbers})
}

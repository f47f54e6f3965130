package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Tail reads the end of the log. What it returns is also what this process' claim will rest on.
//
// A batch is appended only after everything that follows from its predecessor has been recorded (in Recover, from all batches before). So the
// last batch alone is in doubt, and Recorded is the one before it. The last one's findings and changes are recorded once more at a start without
// a checkpoint behind it, which changes nothing; in return no insert is spent on a mark for every batch.
func (db *DB) Tail(ctx context.Context) (incident.Tail, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.readTail(ctx)
}

func (db *DB) readTail(ctx context.Context) (t incident.Tail, err error) {
	err = db.retry(ctx, "read the end of the log", func() error {
		t, err = db.findTail(ctx)
		return err
	})
	if err == nil {
		db.tail, db.read = t.Batch, true
	}
	return t, err
}

func (db *DB) findTail(ctx context.Context) (t incident.Tail, err error) {
	err = db.settled(ctx, func(list []void) error {
		t, err = db.tailWithout(ctx, list)
		return err
	})
	return t, err
}

func (db *DB) tailWithout(ctx context.Context, list []void) (t incident.Tail, err error) {
	if t.Epoch, err = db.newestEpoch(ctx); err != nil {
		return t, err
	}
	drafts, err := db.draftMarkers(ctx, valid(list))
	if err != nil {
		return t, err
	}
	last, err := db.markers(ctx, "WHERE "+valid(list)+" ORDER BY epoch DESC, number DESC LIMIT 1 BY epoch, number LIMIT 2")
	if err != nil {
		return t, err
	}
	slices.Reverse(last)
	var upTo event.BatchID // What the table of batches had then. Later statements find more of it.
	if len(last) > 0 {
		upTo = last[len(last)-1].Batch.ID
	}
	last = merged(last, drafts)
	if n := len(last); n > 0 {
		b := last[n-1].Batch
		t.Batch, t.Received, t.Marks, t.Carry, t.Rules, t.Tables = b.ID, b.Received, b.Marks, b.Carry, last[n-1].Rules, last[n-1].Tables
	}
	if n := len(last); n > 1 {
		t.Recorded = last[n-2].Batch.ID
	}
	if t.Ends, err = db.ends(ctx, upTo, list); err != nil {
		return t, err
	}
	for _, m := range drafts {
		if upTo.Less(m.Batch.ID) {
			t.Ends = passed(t.Ends, m.Batch.Ends)
		}
	}
	return t, nil
}

// ends are the ends of all partitions by the table of batches, up to one of these.
func (db *DB) ends(ctx context.Context, upTo event.BatchID, list []void) (ends []event.End, err error) {
	rows, err := db.rows(ctx, `SELECT source, partition, max(offset), argMax(cookie, (epoch, number, offset)) FROM `+db.table("batches")+`
		ARRAY JOIN end_source AS source, end_partition AS partition, end_offset AS offset, end_cookie AS cookie
		WHERE (epoch, number) <= ({epoch:UInt64}, {number:UInt64}) AND `+valid(list)+` GROUP BY source, partition ORDER BY source, partition`,
		named{"epoch", upTo.Epoch}, named{"number", upTo.Number})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e event.End
		if err := rows.Scan(&e.Source, &e.Partition, &e.Offset, &e.Cookie); err != nil {
			return nil, err
		}
		ends = append(ends, e)
	}
	return ends, rows.Err()
}

// passed are ends after a batch that was not among those they are of: offsets only grow, cookies are the newest batch's.
func passed(ends, later []event.End) []event.End {
	for _, e := range later {
		at, found := slices.BinarySearchFunc(ends, e, func(a, b event.End) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Partition, b.Partition))
		})
		if !found {
			ends = slices.Insert(ends, at, e)
			continue
		}
		ends[at].Offset, ends[at].Cookie = max(ends[at].Offset, e.Offset), e.Cookie
	}
	return ends
}

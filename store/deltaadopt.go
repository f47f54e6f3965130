package store

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
)

// left is what older processes have left in the table accrued.
type left struct {
	epochs, numbers, written [2]uint64 // Least and greatest; written in seconds since 1970.
	batches                  uint64
}

// anyEpoch is beyond all epochs.
const anyEpoch = RoleEpoch

// marked keeps drafts of batches that exist. Markers were not among the drafts once.
func (db *DB) marked(list []void) string {
	return valid(list) + " AND ((epoch, number) IN (SELECT epoch, number FROM " + db.table("batches") + ") OR (epoch, number) IN (SELECT epoch, number FROM " + db.table("accrued") + " WHERE startsWith(into, 'batches (')))"
}

// adoptAll moves what dead processes have left in the table accrued, where no other process writes.
func (db *DB) adoptAll(ctx context.Context) error {
	if err := db.adoptDrafts(ctx, anyEpoch); err != nil {
		return err
	}
	void, err := db.voidDrafts(ctx)
	if err != nil {
		return err
	}
	return db.dropDraftsWhere(ctx, db.marked(void))
}

// adoptClaimed is adoptAll once the claim of an epoch is written: what an older process adds from now on is void, and drafts of batches that do not
// exist never will.
func (db *DB) adoptClaimed(ctx context.Context, epoch uint64) error {
	if err := db.adoptDrafts(ctx, epoch); err != nil {
		return err
	}
	return db.dropDraftsWhere(ctx, fmt.Sprintf("epoch < %d", epoch))
}

// adoptDrafts moves the rows of batches of older epochs that exist, and leaves them in the table accrued.
func (db *DB) adoptDrafts(ctx context.Context, epoch uint64) error {
	const what = "move the rows that an earlier process left in the table accrued"
	var l left
	err := db.retry(ctx, what, func() error {
		return db.row(ctx, "SELECT uniqExact(epoch, number), min(epoch), max(epoch), min(number), max(number), toUInt64(min(toUnixTimestamp(written))), toUInt64(max(toUnixTimestamp(written))) FROM "+
			db.table("accrued")+" WHERE epoch < {epoch:UInt64}", named{"epoch", epoch}).Scan(&l.batches, &l.epochs[0], &l.epochs[1], &l.numbers[0], &l.numbers[1], &l.written[0], &l.written[1])
	})
	if err != nil || l.batches == 0 {
		return err
	}
	db.log.InfoContext(ctx, "moving rows that an earlier process left to their tables", "batches", l.batches)
	for _, table := range draftTables {
		if err := db.adoptTable(ctx, what, table, epoch, l); err != nil {
			return fmt.Errorf("%s: table %s: %w", what, table, err)
		}
	}
	return nil
}

func (db *DB) dropDraftsWhere(ctx context.Context, where string) error {
	var ids []event.BatchID
	err := db.retry(ctx, "list the rows in the table accrued", func() (err error) {
		ids, err = db.draftIDs(ctx, where)
		return err
	})
	if err != nil {
		return err
	}
	return db.dropDrafts(ctx, ids)
}

// voidDrafts says what does not count of the epochs that the table accrued has batches of, be they there or still to come: their process may be alive.
func (db *DB) voidDrafts(ctx context.Context) (list []void, err error) {
	claims, err := db.claims(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.rows(ctx, "SELECT DISTINCT epoch FROM "+db.table("accrued"))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var epoch uint64
		if err := rows.Scan(&epoch); err != nil {
			return nil, err
		}
		if bound, ok := boundOf(epoch, claims); ok {
			list = append(list, void{epoch, bound})
		}
	}
	return list, rows.Err()
}

// notThere keeps drafts of batches of which a table has no rows. Findings, incidents and changes are replaced by what is written again.
func (db *DB) notThere(table string, l left) string {
	switch table {
	case "findings", "incidents", "changes":
		return "1"
	case "entity_index":
		table = "events" // The index does not say which batch a row is of.
	}
	return fmt.Sprintf("(epoch, number) NOT IN (SELECT epoch, number FROM %s WHERE epoch BETWEEN %d AND %d AND number BETWEEN %d AND %d AND written BETWEEN toDateTime(%d, 'UTC') AND toDateTime(%d, 'UTC'))",
		db.table(table), l.epochs[0], l.epochs[1], l.numbers[0], l.numbers[1], l.written[0], l.written[1])
}

// adoptTable moves the rows of one table, but for those of batches that are there already: their process died between two tables.
func (db *DB) adoptTable(ctx context.Context, what, table string, epoch uint64, l left) error {
	var list []draft
	err := db.retry(ctx, what, func() error {
		list = nil
		void, err := db.voidDrafts(ctx)
		if err != nil {
			return err
		}
		return db.readDrafts(ctx, fmt.Sprintf("WHERE epoch < %d AND %s AND startsWith(into, '%s (') AND %s", epoch, db.marked(void), table, db.notThere(table, l)), func(x draft) error {
			list = append(list, x)
			return nil
		})
	})
	for err == nil && len(list) > 0 {
		n := sameDay(list)
		first, last := list[0].id, list[n-1].id
		err = db.insertPieces(ctx, what, piecesOf(list[:n], table), fmt.Sprintf("%d-%d-%d-%d-%d-%s-adopted", epoch, first.Epoch, first.Number, last.Epoch, last.Number, table))
		list = list[n:]
	}
	return err
}

func (db *DB) draftIDs(ctx context.Context, where string) (ids []event.BatchID, err error) {
	rows, err := db.rows(ctx, "SELECT DISTINCT epoch, number FROM "+db.table("accrued")+" WHERE "+where+" ORDER BY epoch, number")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id event.BatchID
		if err := rows.Scan(&id.Epoch, &id.Number); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// void says that batches of an epoch beyond a number do not count: their process had been overtaken.
type void struct{ epoch, after uint64 }

// voids lists the epochs that have batches which do not count. There is one only after a process wrote on while another had taken over.
func (db *DB) voids(ctx context.Context) ([]void, error) {
	claims, err := db.claims(ctx)
	if err != nil || len(claims) == 0 {
		return nil, err
	}
	newest := claims[len(claims)-1].epoch // No claim speaks of it, and most markers may be of it.
	// Past rows, which would wait for our own drafts: they are looked at where they are.
	rows, err := db.conn.Query(ctx, "SELECT epoch, max(number) FROM (SELECT epoch, number FROM "+db.table("batches")+" WHERE epoch < {newest:UInt64} UNION ALL SELECT epoch, number FROM "+db.table("accrued")+
		" WHERE epoch < {newest:UInt64}) GROUP BY epoch ORDER BY epoch", bind([]named{{"newest", newest}})...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []void
	for rows.Next() {
		var epoch, last uint64
		if err := rows.Scan(&epoch, &last); err != nil {
			return nil, err
		}
		if bound, ok := boundOf(epoch, claims); ok && last > bound {
			list = append(list, void{epoch, bound})
		}
	}
	return list, rows.Err()
}

// claimed is one row of the table of epochs.
type claimed struct {
	epoch uint64
	after event.BatchID
}

// boundOf is the last number of an epoch that the claims of newer epochs let stand; ok is false if none speaks of it.
func boundOf(epoch uint64, claims []claimed) (bound uint64, ok bool) {
	for _, c := range claims {
		switch {
		case c.epoch <= epoch || c.after.Epoch > epoch:
			continue
		case c.after.Epoch < epoch:
			return 0, true
		case !ok || c.after.Number < bound:
			bound, ok = c.after.Number, true
		}
	}
	return bound, ok
}

func (db *DB) claims(ctx context.Context) ([]claimed, error) {
	rows, err := db.rows(ctx, "SELECT epoch, after_epoch, after_number FROM "+db.table("epochs")+" ORDER BY epoch")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []claimed
	for rows.Next() {
		var c claimed
		if err := rows.Scan(&c.epoch, &c.after.Epoch, &c.after.Number); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// valid is the condition that keeps void batches out.
func valid(list []void) string {
	var b strings.Builder
	b.WriteString("1")
	for _, v := range list {
		fmt.Fprintf(&b, " AND NOT (epoch = %d AND number > %d)", v.epoch, v.after)
	}
	return b.String()
}

// settled reads the log without void batches. A process that has been overtaken may be about to write a marker: what read sees must not be younger
// than the list of what is void, so the list is taken again afterwards and read repeated until it is the same.
func (db *DB) settled(ctx context.Context, read func(list []void) error) error {
	list, err := db.voids(ctx)
	for err == nil {
		if err = read(list); err != nil {
			return err
		}
		before := list
		if list, err = db.voids(ctx); err == nil && slices.Equal(before, list) {
			return nil
		}
	}
	return err
}

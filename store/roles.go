package store

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
)

// RoleEpoch is the least epoch of batches that are not batches of this log: those of the roles of a scaled-out installation, whose logs are
// topics. An epoch of a process that does everything is always less.
const RoleEpoch = 1 << 32

// AppendRows writes what an ingest member has to store of a batch: its event rows and rejects. There is no marker and no fence, so any number of
// members may write at once, each under an epoch of its own, RoleEpoch or greater. When it returns nil, all of it is on the disk. Transient
// errors are retried until ctx ends. Rows that are written again, by whomever, replace the same rows: events by their id, rejects by their record.
func (db *DB) AppendRows(ctx context.Context, b *event.Batch) error {
	if b.ID.Epoch < RoleEpoch || b.ID.Number == 0 {
		return fmt.Errorf("append the rows of batch %d/%d: epochs of members begin at %d and numbers at 1", b.ID.Epoch, b.ID.Number, uint64(RoleEpoch))
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	start := db.now()
	what := fmt.Sprintf("append the rows of batch %d/%d", b.ID.Epoch, b.ID.Number)
	written := uint32(start.Unix())
	if err := db.appendEvents(ctx, what, b, written); err != nil {
		return err
	}
	if err := db.appendRejects(ctx, what, b, written); err != nil {
		return err
	}
	db.metrics.append.Record(ctx, db.now().Sub(start).Seconds())
	return nil
}

// roleRecorded reports whether roles have recorded changes here.
func (db *DB) roleRecorded(ctx context.Context) (found bool, err error) {
	err = db.retry(ctx, "look for records of roles", func() error {
		return db.row(ctx, fmt.Sprintf("SELECT count() > 0 FROM %s WHERE epoch >= %d", db.table("changes"), uint64(RoleEpoch))).Scan(&found)
	})
	return found, err
}

// Accept counts one more incarnation of a source: its topic was created anew and somebody decided to read it from its beginning. It returns the
// incarnation, 1 for the first; positions of it belong to the source SOURCE#n from then on. Both by and reason are kept for people.
func (db *DB) Accept(ctx context.Context, source, by, reason string) (int, error) {
	if source == "" {
		return 0, fmt.Errorf("accept a new topic: name its source")
	}
	known, err := db.Incarnations(ctx)
	if err != nil {
		return 0, err
	}
	n := known[source] + 1
	b := &block{table: "accepted"}
	add(b, "source", &text{}).add(source)
	add(b, "incarnation", newFixed("UInt32", 4)).add32(uint32(n))
	add(b, "at", newFixed(timeType, 8)).add64(uint64(db.now().UnixMicro()))
	add(b, "by", &text{}).add(by)
	add(b, "reason", &text{}).add(reason)
	return n, db.insertFirm(ctx, "accept the new topic of source "+source, b, "")
}

// Incarnations says how often the topics of sources were created anew and accepted; sources that never were are not named.
func (db *DB) Incarnations(ctx context.Context) (list map[string]int, err error) {
	const what = "read which new topics were accepted"
	err = db.retry(ctx, what, func() error {
		list = map[string]int{}
		rows, err := db.rows(ctx, "SELECT source, max(incarnation) FROM "+db.table("accepted")+" GROUP BY source")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var source string
			var n uint32
			if err := rows.Scan(&source, &n); err != nil {
				return err
			}
			list[source] = int(n)
		}
		return rows.Err()
	})
	return list, err
}

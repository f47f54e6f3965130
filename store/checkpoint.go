package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const (
	keptCheckpoints = 3
	chunkBytes      = 4 << 20
	maxCheckpoint   = 4 << 30 // bytes; larger ones are not read back
)

// Save keeps a checkpoint in chunks with a checksum, removes all but the newest three, and then what of the log has outlived its
// retention and the oldest checkpoint kept. It may run beside Append.
func (db *DB) Save(ctx context.Context, c incident.Checkpoint) error {
	what := fmt.Sprintf("save the checkpoint after batch %d/%d", c.Batch.Epoch, c.Batch.Number)
	sum := sha256.Sum256(c.Data)
	chunks := max(1, (len(c.Data)+chunkBytes-1)/chunkBytes)
	written := db.now()
	for i := range chunks {
		b := checkpointBlock(c, i, chunks, sum, written)
		if err := db.insertFirm(ctx, what, b, tokenOf(c.Batch, "checkpoint", i)); err != nil {
			return err
		}
	}
	if err := db.retry(ctx, "remove old checkpoints", func() error { return db.dropCheckpoints(ctx) }); err != nil {
		return err
	}
	return db.retry(ctx, "remove the log's old end", func() error { return db.prune(ctx, written) })
}

func checkpointBlock(c incident.Checkpoint, i, chunks int, sum [32]byte, written time.Time) *block {
	b := &block{table: "checkpoints"}
	add(b, "epoch", newFixed("UInt64", 8)).add64(c.Batch.Epoch)
	add(b, "number", newFixed("UInt64", 8)).add64(c.Batch.Number)
	add(b, "chunk", newFixed("UInt32", 4)).add32(uint32(i))
	add(b, "chunks", newFixed("UInt32", 4)).add32(uint32(chunks))
	add(b, "length", newFixed("UInt64", 8)).add64(uint64(len(c.Data)))
	s := add(b, "sha256", newFixed("FixedString(32)", 32))
	s.b = append(s.b, sum[:]...)
	add(b, "written", newFixed(timeType, 8)).add64(uint64(written.UnixMicro()))
	add(b, "data", &text{}).addBytes(c.Data[i*chunkBytes : min(len(c.Data), (i+1)*chunkBytes)])
	return b
}

// savedCheckpoint is what the table says of one.
type savedCheckpoint struct {
	batch   event.BatchID
	chunks  uint32
	length  uint64
	written time.Time
}

// saved lists the checkpoints that are complete, newest first. Those that lack chunks were cut off by a crash.
func (db *DB) saved(ctx context.Context) (whole []savedCheckpoint, cut []event.BatchID, err error) {
	rows, err := db.rows(ctx, "SELECT epoch, number, any(chunks), any(length), max(written), uniqExact(chunk) FROM "+db.table("checkpoints")+
		" GROUP BY epoch, number ORDER BY epoch DESC, number DESC")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c savedCheckpoint
		var have uint64
		if err := rows.Scan(&c.batch.Epoch, &c.batch.Number, &c.chunks, &c.length, &c.written, &have); err != nil {
			return nil, nil, err
		}
		if have == uint64(c.chunks) {
			whole = append(whole, c)
		} else {
			cut = append(cut, c.batch)
		}
	}
	return whole, cut, rows.Err()
}

// Latest is the newest checkpoint that is whole; a damaged one is reported in the log and the one before it is taken. A checkpoint after a
// batch that is not part of the log is not taken either. Where none is left the zero Checkpoint is returned, and it is reported if there was one.
func (db *DB) Latest(ctx context.Context) (c incident.Checkpoint, err error) {
	err = db.retry(ctx, "read the latest checkpoint", func() error {
		c, err = db.latest(ctx)
		return err
	})
	return c, err
}

func (db *DB) latest(ctx context.Context) (incident.Checkpoint, error) {
	whole, _, err := db.saved(ctx)
	if err != nil {
		return incident.Checkpoint{}, err
	}
	list, err := db.voids(ctx)
	if err != nil {
		return incident.Checkpoint{}, err
	}
	for _, s := range whole {
		data, err := db.loadCheckpoint(ctx, s)
		if err == nil {
			err = db.inLog(ctx, s.batch, list)
		}
		switch {
		case err == nil:
			return incident.Checkpoint{Batch: s.batch, Data: data}, nil
		case !errors.Is(err, errCorrupt):
			return incident.Checkpoint{}, err
		}
		db.log.WarnContext(ctx, "checkpoint refused", "epoch", s.batch.Epoch, "number", s.batch.Number, "err", err)
	}
	if len(whole) > 0 {
		db.log.ErrorContext(ctx, "no checkpoint is whole, the log is folded from its beginning", "refused", len(whole))
	}
	return incident.Checkpoint{}, nil
}

func (db *DB) inLog(ctx context.Context, id event.BatchID, list []void) error {
	found, err := db.markers(ctx, "WHERE epoch = {e:UInt64} AND number = {n:UInt64} AND "+valid(list), named{"e", id.Epoch}, named{"n", id.Number})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w: the log has no such batch", errCorrupt)
	}
	return err
}

func (db *DB) loadCheckpoint(ctx context.Context, s savedCheckpoint) ([]byte, error) {
	if s.length > maxCheckpoint {
		return nil, fmt.Errorf("%w: it claims %d bytes", errCorrupt, s.length)
	}
	rows, err := db.rows(ctx, "SELECT chunk, sha256, data FROM "+db.table("checkpoints")+" WHERE epoch = {e:UInt64} AND number = {n:UInt64} ORDER BY chunk LIMIT 1 BY chunk",
		named{"e", s.batch.Epoch}, named{"n", s.batch.Number})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	data := make([]byte, 0, s.length)
	var sum string
	for n := uint32(0); rows.Next(); n++ {
		var chunk uint32
		var part string
		if err := rows.Scan(&chunk, &sum, &part); err != nil {
			return nil, err
		}
		if chunk != n {
			return nil, fmt.Errorf("%w: chunk %d is missing", errCorrupt, n)
		}
		data = append(data, part...)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if got := sha256.Sum256(data); uint64(len(data)) != s.length || string(got[:]) != sum {
		return nil, fmt.Errorf("%w: %d bytes with another checksum than written, %d are due", errCorrupt, len(data), s.length)
	}
	return data, nil
}

// dropCheckpoints removes all but the newest whole ones, and cut-off ones that are older than the newest.
func (db *DB) dropCheckpoints(ctx context.Context) error {
	whole, cut, err := db.saved(ctx)
	if err != nil || len(whole) == 0 {
		return err
	}
	var old []event.BatchID
	for _, c := range whole[min(keptCheckpoints, len(whole)):] {
		old = append(old, c.batch)
	}
	for _, id := range cut {
		if id.Less(whole[0].batch) {
			old = append(old, id)
		}
	}
	for _, id := range old {
		if err := db.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s%s DROP PARTITION (%d, %d)", db.table("checkpoints"), db.onCluster(), id.Epoch, id.Number)); err != nil {
			return err
		}
	}
	return nil
}

// prune drops the partitions of the log that are older than its retention and hold nothing newer than the oldest of three
// checkpoints. With fewer than three nothing is dropped.
func (db *DB) prune(ctx context.Context, now time.Time) error {
	whole, _, err := db.saved(ctx)
	if err != nil || len(whole) < keptCheckpoints {
		return err
	}
	oldest := whole[keptCheckpoints-1]
	before := now.Add(-db.cfg.Retention.Log)
	if t := oldest.written.Add(-day); t.Before(before) {
		before = t
	}
	for _, table := range []string{"hits", "notes", "actions", "batches"} {
		rows, err := db.rows(ctx, "SELECT DISTINCT _partition_id FROM "+db.table(table)+" GROUP BY _partition_id HAVING max(written) < toDateTime({before:Int64}) AND max((epoch, number)) < ({e:UInt64}, {n:UInt64})",
			named{"before", before.Unix()}, named{"e", oldest.batch.Epoch}, named{"n", oldest.batch.Number})
		if err != nil {
			return err
		}
		ids, err := readStrings(rows)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := db.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s%s DROP PARTITION ID '%s'", db.table(table), db.onCluster(), id)); err != nil {
				return err
			}
		}
	}
	return nil
}

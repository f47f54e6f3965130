package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const (
	keptCheckpoints = 3
	chunkBytes      = 4 << 20
	maxCheckpoint   = 4 << 30 // bytes; larger ones are not read back
)

// Save keeps a checkpoint in chunks with a checksum and removes all but the newest three of its name, as Batch orders them. A worker's own, without
// a name, then also removes what of the log has outlived its retention and the oldest checkpoint kept; no other does. Save may run beside
// Append, and beside another process that saves under the same name. Before its last chunk is on the disk a checkpoint does not count, and those
// before it stay.
func (db *DB) Save(ctx context.Context, c incident.Checkpoint) error {
	start := time.Now()
	err := db.saveChunks(ctx, c)
	db.metrics.checkpointed(ctx, len(c.Data), time.Since(start), err)
	if err != nil {
		return err
	}
	if err := db.retry(ctx, "remove old checkpoints", func() error { return db.dropCheckpoints(ctx, c.Name) }); err != nil {
		return err
	}
	if c.Name != "" {
		return nil
	}
	return db.retry(ctx, "remove the log's old end", func() error { return db.prune(ctx, db.now()) })
}

func (db *DB) saveChunks(ctx context.Context, c incident.Checkpoint) error {
	what := fmt.Sprintf("save the checkpoint %safter batch %d/%d", called(c.Name), c.Batch.Epoch, c.Batch.Number)
	sum := sha256.Sum256(c.Data)
	chunks := max(1, (len(c.Data)+chunkBytes-1)/chunkBytes)
	written := db.now()
	for i := range chunks {
		b := checkpointBlock(c, i, chunks, sum, written)
		if err := db.insertFirm(ctx, what, b, tokenOf(c.Batch, checkpointToken(c.Name, sum), i)); err != nil {
			return err
		}
	}
	return nil
}

// called is a name for messages.
func called(name string) string {
	if name == "" {
		return ""
	}
	return name + " "
}

// checkpointToken tells checkpoints of different names and contents apart where they are sent again.
func checkpointToken(name string, sum [32]byte) string {
	return "checkpoint-" + hex.EncodeToString([]byte(name)) + "-" + hex.EncodeToString(sum[:8])
}

func checkpointBlock(c incident.Checkpoint, i, chunks int, sum [32]byte, written time.Time) *block {
	b := &block{table: "checkpoints"}
	add(b, "name", &text{}).add(c.Name)
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
	sum     string
	chunks  uint32
	length  uint64
	written time.Time
}

// saved lists the checkpoints of a name that are complete, newest first. Those that lack chunks were cut off by a crash. Two processes that saved
// after the same batch have one each.
func (db *DB) saved(ctx context.Context, name string) (whole []savedCheckpoint, cut []event.BatchID, err error) {
	rows, err := db.rows(ctx, "SELECT epoch, number, sha256, any(chunks), any(length), max(written) AS at, uniqExact(chunk) FROM "+db.table("checkpoints")+
		" WHERE name = {name:String} GROUP BY epoch, number, sha256 ORDER BY epoch DESC, number DESC, at DESC", named{"name", name})
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c savedCheckpoint
		var have uint64
		if err := rows.Scan(&c.batch.Epoch, &c.batch.Number, &c.sum, &c.chunks, &c.length, &c.written, &have); err != nil {
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

// Latest is the newest of the worker's own checkpoints that is whole; a damaged one is reported in the log and the one before it is taken. One
// after a batch that is not part of the log is not taken either. Where none is left a Checkpoint without data is returned, and it is reported if
// there was one.
func (db *DB) Latest(ctx context.Context) (incident.Checkpoint, error) { return db.latestOf(ctx, "") }

// Named are the checkpoints of a store by name, for the roles: a hits partition moves between members, so whoever saved one, the next owner finds it.
type Named struct{ db *DB }

// Named gives access to checkpoints by name.
func (db *DB) Named() Named { return Named{db} }

// Save is DB.Save.
func (n Named) Save(ctx context.Context, c incident.Checkpoint) error { return n.db.Save(ctx, c) }

// Latest is the newest checkpoint of a name that is whole, as DB.Latest is of the worker's.
func (n Named) Latest(ctx context.Context, name string) (incident.Checkpoint, error) {
	return n.db.latestOf(ctx, name)
}

// Written says of each name when its newest chunk was written, by the clock of who did. The worker's own checkpoints have the name "".
func (n Named) Written(ctx context.Context) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := n.db.retry(ctx, "list the checkpoints", func() error {
		clear(out)
		rows, err := n.db.rows(ctx, "SELECT name, max(written) FROM "+n.db.table("checkpoints")+" GROUP BY name")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var at time.Time
			if err := rows.Scan(&name, &at); err != nil {
				return err
			}
			out[name] = at
		}
		return rows.Err()
	})
	return out, err
}

func (db *DB) latestOf(ctx context.Context, name string) (c incident.Checkpoint, err error) {
	err = db.retry(ctx, "read the latest checkpoint", func() error {
		c, err = db.latest(ctx, name)
		return err
	})
	return c, err
}

func (db *DB) latest(ctx context.Context, name string) (incident.Checkpoint, error) {
	none := incident.Checkpoint{Name: name}
	whole, _, err := db.saved(ctx, name)
	if err != nil {
		return none, err
	}
	list, err := db.voids(ctx)
	if err != nil {
		return none, err
	}
	for _, s := range whole {
		data, err := db.loadCheckpoint(ctx, name, s)
		if err == nil && name == "" {
			err = db.inLog(ctx, s.batch, list)
		}
		switch {
		case err == nil:
			return incident.Checkpoint{Name: name, Batch: s.batch, Data: data}, nil
		case !errors.Is(err, errCorrupt):
			return none, err
		}
		db.log.WarnContext(ctx, "checkpoint refused", "name", name, "epoch", s.batch.Epoch, "number", s.batch.Number, "err", err)
	}
	if len(whole) > 0 {
		db.log.ErrorContext(ctx, "no checkpoint is whole, the log is folded from its beginning", "name", name, "refused", len(whole))
	}
	return none, nil
}

func (db *DB) inLog(ctx context.Context, id event.BatchID, list []void) error {
	found, err := db.markers(ctx, "WHERE epoch = {e:UInt64} AND number = {n:UInt64} AND "+valid(list), named{"e", id.Epoch}, named{"n", id.Number})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w: the log has no such batch", errCorrupt)
	}
	return err
}

func (db *DB) loadCheckpoint(ctx context.Context, name string, s savedCheckpoint) ([]byte, error) {
	if s.length > maxCheckpoint {
		return nil, fmt.Errorf("%w: it claims %d bytes", errCorrupt, s.length)
	}
	rows, err := db.rows(ctx, "SELECT chunk, data FROM "+db.table("checkpoints")+
		" WHERE name = {name:String} AND epoch = {e:UInt64} AND number = {n:UInt64} AND sha256 = toFixedString(unhex({sum:String}), 32) ORDER BY chunk LIMIT 1 BY chunk",
		named{"name", name}, named{"e", s.batch.Epoch}, named{"n", s.batch.Number}, named{"sum", hex.EncodeToString([]byte(s.sum))})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	data := make([]byte, 0, s.length)
	for n := uint32(0); rows.Next(); n++ {
		var chunk uint32
		var part string
		if err := rows.Scan(&chunk, &part); err != nil {
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
	if got := sha256.Sum256(data); uint64(len(data)) != s.length || string(got[:]) != s.sum {
		return nil, fmt.Errorf("%w: %d bytes with another checksum than written, %d are due", errCorrupt, len(data), s.length)
	}
	return data, nil
}

// dropCheckpoints removes all of a name but those after its newest three batches, and cut-off ones that are older than the newest.
func (db *DB) dropCheckpoints(ctx context.Context, name string) error {
	whole, cut, err := db.saved(ctx, name)
	if err != nil || len(whole) == 0 {
		return err
	}
	var batches []event.BatchID
	for _, c := range whole {
		batches = append(batches, c.batch)
	}
	batches = slices.Compact(batches)
	kept := batches[:min(keptCheckpoints, len(batches))]
	old := batches[len(kept):]
	for _, id := range cut {
		if id.Less(kept[0]) && !slices.Contains(kept, id) && !slices.Contains(old, id) {
			old = append(old, id)
		}
	}
	for _, id := range old {
		partition := fmt.Sprintf("(%s, %d, %d)", quoted(name), id.Epoch, id.Number)
		if err := db.conn.Exec(ctx, "ALTER TABLE "+db.table("checkpoints")+db.onCluster()+" DROP PARTITION "+partition); err != nil {
			return err
		}
	}
	return nil
}

// quoted is a name as a literal, for the one statement that takes no parameters.
func quoted(s string) string { return "unhex('" + hex.EncodeToString([]byte(s)) + "')" }

// prune drops the partitions of the log that are older than its retention and hold nothing newer than the oldest of three
// checkpoints. With fewer than three nothing is dropped.
func (db *DB) prune(ctx context.Context, now time.Time) error {
	whole, _, err := db.saved(ctx, "")
	whole = slices.CompactFunc(whole, func(a, b savedCheckpoint) bool { return a.batch == b.batch })
	if err != nil || len(whole) < keptCheckpoints {
		return err
	}
	oldest := whole[keptCheckpoints-1]
	before := now.Add(-db.cfg.Retention.Log)
	if t := oldest.written.Add(-day); t.Before(before) {
		before = t
	}
	for _, table := range []string{"hit_blocks", "hits", "notes", "actions", "batches"} {
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

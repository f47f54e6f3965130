package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// ErrFenced means that another process has begun a newer epoch: this one must stop writing and end.
var ErrFenced = errors.New("another process has taken over the log")

// ErrRoles means that incidents in this database come from the roles of a scaled-out installation. Whoever reads changes in their order has passed
// them, and would never see those of a process that does everything, which come before.
var ErrRoles = errors.New("this database has incidents of the roles correlate and triage: one process cannot go on with them; start the roles, or name another clickhouse.database")

// Append writes one batch: its event rows, hits, notes, rejects and actions, and its marker, once settled has returned nil. When it returns nil all of
// it is on the disk and the batch exists; before the marker is acknowledged nothing of it does. A small batch is one insert, and what follows from
// it, for which Append waits then, is part of that: recorded says so. Otherwise it is for the caller to Record. Small batches are in the table accrued until
// they are moved; whoever reads through this DB does not see the difference. Transient errors are retried until ctx ends; any
// error ends the right to write, and recovery is a new process. The entry is not changed and may be reused after the return; incidents of changes
// are held for a while, and must not be changed.
//
// The first batch of an epoch claims the epoch, if Claim has not.
func (db *DB) Append(ctx context.Context, e *incident.Entry, settled func() error, follows func() incident.Outcome) (recorded bool, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	start := db.now()
	id := e.Batch.ID
	if id.Epoch == 0 || id.Number == 0 || id.Epoch >= RoleEpoch {
		return false, fmt.Errorf("append batch %d/%d: epochs and numbers begin at 1, and epochs from %d on are the roles'", id.Epoch, id.Number, uint64(RoleEpoch))
	}
	if db.epoch != id.Epoch {
		if err := db.takeEpoch(ctx, id.Epoch); err != nil {
			return false, fmt.Errorf("begin epoch %d of the log: %w", id.Epoch, err)
		}
	}
	what := fmt.Sprintf("append batch %d/%d", id.Epoch, id.Number)
	written := uint32(start.Unix())
	var x draft
	small := db.drafts(e)
	if small {
		x, err = db.appendDraft(ctx, what, e, written, settled, follows)
	} else {
		err = db.appendLarge(ctx, what, e, written, settled)
	}
	if err != nil {
		return false, err
	}
	db.tail, db.read = id, true
	db.metrics.append.Record(ctx, db.now().Sub(start).Seconds())
	if small {
		err = db.keep(ctx, x)
	}
	return small, err
}

// tokenOf names a block of a batch, so that it can be sent again.
func tokenOf(id event.BatchID, table string, part int) string {
	return fmt.Sprintf("%d-%d-%s-%d", id.Epoch, id.Number, table, part)
}

// insertFirm inserts until it works.
func (db *DB) insertFirm(ctx context.Context, what string, b *block, token string) error {
	if err := db.retry(ctx, what, func() error { return db.insert(ctx, b, token) }); err != nil {
		return err
	}
	if b.rows() > 0 {
		db.trusted.Store(true)
	}
	return nil
}

// appendLarge writes a batch to its tables, and what follows from it not. Drafts of the batches before come first.
func (db *DB) appendLarge(ctx context.Context, what string, e *incident.Entry, written uint32, settled func() error) error {
	if err := db.appendTables(ctx, what, e, written); err != nil {
		return err
	}
	if err := settled(); err != nil {
		return err
	}
	if err := db.delta.caughtUp(ctx, nil); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	db.enc.marker.encode(e, written)
	return db.begin(ctx, what, &db.enc.marker.block, tokenOf(e.Batch.ID, "marker", 0))
}

// appendTables writes everything but the marker, tables side by side.
func (db *DB) appendTables(ctx context.Context, what string, e *incident.Entry, written uint32) error {
	id, enc := e.Batch.ID, db.enc
	if err := enc.actions.encode(e.Actions, id, written); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return db.appendEvents(ctx, what, e.Batch, written) })
	g.Go(func() error { return db.appendRejects(ctx, what, e.Batch, written) })
	enc.hits.encode(e.Hits, id, written)
	enc.notes.encode(e.Notes, id, written)
	for _, b := range []*block{&enc.hits.block, &enc.notes.block, &enc.actions.block} {
		g.Go(func() error { return db.insertFirm(ctx, what, b, tokenOf(id, b.table, 0)) })
	}
	return g.Wait()
}

func (db *DB) appendEvents(ctx context.Context, what string, b *event.Batch, written uint32) error {
	enc := db.enc.events
	for part, rest := 0, enc.order.of(b.Events); len(rest) > 0; part++ {
		enc.block.reset()
		enc.index.reset()
		rest = rest[enc.encode(b.Events, rest, b.ID, written):]
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return db.insertFirm(ctx, what, &enc.block, tokenOf(b.ID, "events", part)) })
		g.Go(func() error { return db.insertFirm(ctx, what, &enc.index, tokenOf(b.ID, "index", part)) })
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) appendRejects(ctx context.Context, what string, b *event.Batch, written uint32) error {
	enc := db.enc.rejects
	for part, rest := 0, b.Rejects; len(rest) > 0; part++ {
		rest = rest[enc.encode(rest, b.ID, written):]
		if err := db.insertFirm(ctx, what, &enc.block, tokenOf(b.ID, "rejects", part)); err != nil {
			return err
		}
	}
	return nil
}

// begin makes a batch exist by the block that has its marker, and looks meanwhile whether it may: a marker that comes after the claim of a newer epoch is void, so
// it does no harm, and one that came before is part of the log, from which the newer process has gone on. Either way this one must end without
// telling anybody of it.
func (db *DB) begin(ctx context.Context, what string, b *block, token string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return db.insertFirm(ctx, what, b, token) })
	g.Go(func() error { return db.checkFence(ctx, what) })
	return g.Wait()
}

// checkFence refuses once a newer epoch has begun. A process that passes and is overtaken before its marker is written does no harm: the
// claim of the newer epoch has made that batch void.
func (db *DB) checkFence(ctx context.Context, what string) error {
	newest, err := db.maxClaim(ctx, what)
	if err != nil {
		return err
	}
	if newest > db.epoch {
		return fmt.Errorf("%s: %w: epoch %d has begun", what, ErrFenced, newest)
	}
	return nil
}

func (db *DB) maxClaim(ctx context.Context, what string) (newest uint64, err error) {
	err = db.retry(ctx, what, func() error {
		return db.row(ctx, "SELECT max(epoch) FROM "+db.table("epochs")).Scan(&newest)
	})
	return newest, err
}

// MaxEpoch is the newest epoch that any process has begun, 0 while there is none. A process that is going to write takes the next one.
func (db *DB) MaxEpoch(ctx context.Context) (newest uint64, err error) {
	err = db.retry(ctx, "read the newest epoch", func() error {
		newest, err = db.newestEpoch(ctx)
		return err
	})
	return newest, err
}

func (db *DB) newestEpoch(ctx context.Context) (newest uint64, err error) {
	err = db.row(ctx, "SELECT greatest((SELECT max(epoch) FROM "+db.table("epochs")+"), (SELECT max(epoch) FROM "+db.table("batches")+"))").Scan(&newest)
	return newest, err
}

// Claim makes an epoch this process' own, after Tail: batches of older epochs behind what Tail has read are void, and what their processes left in
// the table accrued is in the other tables when it returns. The first Append does it otherwise. ErrFenced and ErrRoles say why it cannot.
func (db *DB) Claim(ctx context.Context, epoch uint64) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.epoch == epoch {
		return nil
	}
	if err := db.takeEpoch(ctx, epoch); err != nil {
		return fmt.Errorf("begin epoch %d of the log: %w", epoch, err)
	}
	return nil
}

// takeEpoch claims an epoch, or fails with ErrFenced where another process has it or a newer one. Two that claim the same at once may
// both fail, never both succeed: each reads the claims after its own is written.
func (db *DB) takeEpoch(ctx context.Context, epoch uint64) error {
	if !db.read {
		if _, err := db.readTail(ctx); err != nil {
			return err
		}
	}
	newest, err := db.MaxEpoch(ctx)
	if err != nil {
		return err
	}
	if newest >= epoch {
		return fmt.Errorf("%w: epoch %d has begun", ErrFenced, newest)
	}
	if roles, err := db.roleRecorded(ctx); err != nil || roles {
		return cmp.Or(err, ErrRoles)
	}
	token := rand.Text()
	b := block{table: "epochs"}
	add(&b, "epoch", newFixed("UInt64", 8)).add64(epoch)
	add(&b, "token", &text{}).add(token)
	add(&b, "started", newFixed(timeType, 8)).add64(uint64(db.now().UnixMicro()))
	add(&b, "after_epoch", newFixed("UInt64", 8)).add64(db.tail.Epoch)
	add(&b, "after_number", newFixed("UInt64", 8)).add64(db.tail.Number)
	if err := db.insertFirm(ctx, "claim the log", &b, token); err != nil {
		return err
	}
	var rivals uint64
	err = db.retry(ctx, "read the claims", func() error {
		return db.row(ctx, "SELECT countIf(token != {token:String}) FROM "+db.table("epochs")+" WHERE epoch >= {epoch:UInt64}",
			named{"token", token}, named{"epoch", epoch}).Scan(&rivals)
	})
	if err != nil {
		return err
	}
	if rivals > 0 {
		return fmt.Errorf("%w: two processes began epoch %d at once", ErrFenced, epoch)
	}
	if err := db.adoptClaimed(ctx, epoch); err != nil {
		return err
	}
	if err := db.removeVoid(ctx, epoch); err != nil {
		return err
	}
	var last ChangeCursor
	err = db.retry(ctx, "read the last change", func() error {
		last, err = db.LastChange(ctx)
		return err
	})
	db.newest.begin(last)
	db.epoch = epoch
	return err
}

// removeVoid removes the rows that a dead process left behind its last marker. Replay would not see them anyway; searches would.
func (db *DB) removeVoid(ctx context.Context, epoch uint64) error {
	void := "epoch < {epoch:UInt64} AND (epoch > {e:UInt64} OR (epoch = {e:UInt64} AND number > {n:UInt64}))"
	args := []named{{"epoch", epoch}, {"e", db.tail.Epoch}, {"n", db.tail.Number}}
	for _, table := range []string{"events", "hit_blocks", "hits", "notes", "actions", "rejects", "batches"} {
		err := db.retry(ctx, "remove rows of unfinished batches from "+table, func() error {
			var n uint64
			if err := db.row(ctx, "SELECT count() FROM "+db.table(table)+" WHERE "+void, args...).Scan(&n); err != nil || n == 0 {
				return err
			}
			db.log.InfoContext(ctx, "removing rows of unfinished batches", "table", table, "rows", n)
			return db.conn.Exec(ctx, "DELETE FROM "+db.table(db.stored(table))+db.onCluster()+" WHERE "+void, bind(args)...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// rowsIn counts rows by a connection of its own, for which nothing is moved.
func rowsIn(t *testing.T, cfg store.Config, table string) (n uint64) {
	t.Helper()
	must(t, admin(t, cfg).QueryRow(t.Context(), "SELECT count() FROM "+cfg.Database+"."+table).Scan(&n))
	return n
}

func TestWhoHasAppendedABatchFindsItsRowsAtOnce(t *testing.T) {
	for _, protocol := range []string{"http", "native"} {
		t.Run(protocol, func(t *testing.T) {
			cfg := freshConfig(t)
			db := open(t, cfg)
			if protocol == "native" {
				db.SendRowByRow()
			}
			var want []*incident.Entry
			for i := range 4 {
				e := entry(1, uint64(i+1), 20*i, 20)
				must(t, appendTo(t.Context(), db, e))
				want = append(want, forReplay(e))
			}
			if diff := cmp.Diff(want, replay(t, db, event.BatchID{}), zones); diff != "" {
				t.Errorf("replay (-want +got):\n%s", diff)
			}
			if got := len(collect(t, db.Events(t.Context(), store.EventFilter{}))); got != 80 {
				t.Errorf("%d events are found, want 80", got)
			}
			if got := len(collect(t, db.Rejects(t.Context(), store.RejectFilter{}))); got != 4 {
				t.Errorf("%d rejects are found, want 4", got)
			}
			for table, want := range map[string]uint64{"accrued": 0, "events": 80, "hit_blocks": 4, "notes": 4, "actions": 4, "rejects": 4} {
				if got := rowsIn(t, cfg, table); got != want {
					t.Errorf("%d rows in %s once they were asked for, want %d", got, table, want)
				}
			}
		})
	}
}

func TestRowsOfSmallBatchesReachTheirTablesWithoutBeingAskedFor(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 20)))
	must(t, appendTo(t.Context(), db, entry(1, 2, 20, 20)))
	for rowsIn(t, cfg, "accrued") > 0 {
		time.Sleep(50 * time.Millisecond)
	}
	if got := rowsIn(t, cfg, "events"); got != 40 {
		t.Errorf("%d events, want 40", got)
	}
}

func TestAStopLeavesNoDrafts(t *testing.T) {
	cfg := freshConfig(t)
	db, err := store.Open(t.Context(), cfg, store.Settings{})
	must(t, err)
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 20)))
	must(t, db.Close())
	if got := rowsIn(t, cfg, "accrued"); got != 0 {
		t.Errorf("%d drafts after the stop, want none", got)
	}
	if got := rowsIn(t, cfg, "events"); got != 20 {
		t.Errorf("%d events after the stop, want 20", got)
	}
}

func TestTheNextProcessReplaysAndMovesWhatADeadOneLeft(t *testing.T) {
	cfg := freshConfig(t)
	dead := open(t, cfg)
	must(t, appendTo(t.Context(), dead, entry(1, 1, 0, 20)))
	collect(t, dead.Events(t.Context(), store.EventFilter{})) // The first is in its tables.
	dead.Die()
	for i := 1; i < 4; i++ {
		if err := appendTo(t.Context(), dead, entry(1, uint64(i+1), 20*i, 20)); err == nil {
			t.Fatal("a process whose rows are not moved any more goes on appending")
		}
	}
	if rowsIn(t, cfg, "accrued") == 0 {
		t.Fatal("the test is void: the dead process left nothing")
	}
	var want []*incident.Entry
	for i := range 4 {
		want = append(want, forReplay(entry(1, uint64(i+1), 20*i, 20)))
	}

	db := open(t, cfg)
	if diff := cmp.Diff(want, replay(t, db, event.BatchID{}), zones); diff != "" {
		t.Errorf("replay before the first batch (-want +got):\n%s", diff)
	}
	tail, err := db.Tail(t.Context())
	must(t, err)
	if last := (event.BatchID{Epoch: 1, Number: 4}); tail.Batch != last {
		t.Errorf("the log ends at %v, want %v", tail.Batch, last)
	}
	alone, err := store.Open(t.Context(), cfg, store.Settings{Alone: true})
	must(t, err)
	moved, err := alone.Tail(t.Context())
	must(t, errors.Join(err, alone.Close()))
	if diff := cmp.Diff(moved, tail, zones); diff != "" {
		t.Errorf("the end of the log while markers are drafts (-in their table +drafts):\n%s", diff)
	}
	next := entry(2, 1, 80, 20)
	must(t, appendTo(t.Context(), db, next))
	if diff := cmp.Diff(append(want, forReplay(next)), replay(t, db, event.BatchID{}), zones); diff != "" {
		t.Errorf("replay after the first batch (-want +got):\n%s", diff)
	}
	for table, want := range map[string]uint64{"accrued": 0, "events": 100, "hit_blocks": 5, "notes": 5, "actions": 5, "rejects": 5} {
		if got := rowsIn(t, cfg, table); got != want {
			t.Errorf("%d rows in %s, want %d", got, table, want)
		}
	}
}

func TestWhoOpensBesideTheProcessThatWritesFindsWhatItHasAppended(t *testing.T) {
	cfg := freshConfig(t)
	writer := open(t, cfg)
	must(t, appendTo(t.Context(), writer, entry(1, 1, 0, 20)))
	beside := open(t, cfg)
	if got := len(collect(t, beside.Events(t.Context(), store.EventFilter{}))); got != 20 {
		t.Errorf("%d events, want 20", got)
	}
}

// Drafts that are moved late, as by a service on a slow machine, are waited for while others come: its process is not dead.
func TestWhoOpensBesideWaitsForDraftsAsLongAsOthersCome(t *testing.T) {
	cfg := freshConfig(t)
	writer := open(t, cfg)
	writer.Die() // It moves nothing: we do as if it did.
	if err := appendTo(t.Context(), writer, entry(1, 1, 0, 20)); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	conn := admin(t, cfg)
	opened := make(chan error, 1)
	go func() {
		db, err := store.Open(t.Context(), cfg, store.Settings{})
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	for end := time.Now().Add(store.AwaitMost + 2*time.Second); time.Now().Before(end); {
		must(t, conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO %s.accrued (epoch, number, seq, written, into, rows, data) SELECT 9, max(number) + 1, 0, now(), '', 0, '' FROM %[1]s.accrued", cfg.Database)))
		select {
		case err := <-opened:
			t.Fatalf("it did not wait for drafts that are still to be moved: %v", err)
		case <-time.After(time.Second):
		}
	}
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+cfg.Database+".accrued DROP PARTITION (1, 1)"))
	must(t, <-opened)
}

func TestWhoIsAloneMovesWhatADeadProcessLeftWhenItOpens(t *testing.T) {
	cfg := freshConfig(t)
	dead := open(t, cfg)
	dead.Die()
	if err := appendTo(t.Context(), dead, entry(1, 1, 0, 20)); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	unrecorded := func() error { return errors.New("not recorded") }
	if _, err := dead.Append(t.Context(), entry(1, 2, 20, 20), unrecorded, nothing); err == nil {
		t.Fatal("a batch was appended whose predecessor is not recorded")
	}
	must(t, dead.AppendDelta(t.Context(), entry(1, 2, 20, 20))) // As older programs did: the marker came by itself.
	db, err := store.Open(t.Context(), cfg, store.Settings{Alone: true})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	for table, want := range map[string]uint64{"events": 20, "hit_blocks": 1, "notes": 1, "actions": 1, "rejects": 1} {
		if got := rowsIn(t, cfg, table); got != want {
			t.Errorf("%d rows in %s, want %d: those of the batch that exists", got, table, want)
		}
	}
	if rowsIn(t, cfg, "accrued") == 0 {
		t.Error("drafts of a batch without a marker were dropped before an epoch was claimed")
	}
	must(t, appendTo(t.Context(), db, entry(2, 1, 20, 20)))
	if got := len(collect(t, db.Events(t.Context(), store.EventFilter{}))); got != 40 {
		t.Errorf("%d events, want 40", got)
	}
	if got := rowsIn(t, cfg, "accrued"); got != 0 {
		t.Errorf("%d drafts, want none", got)
	}
}

func TestAProcessThatDiesBetweenTwoTablesHasNoRowMovedTwice(t *testing.T) {
	for _, table := range store.DraftTables {
		t.Run("before "+table, func(t *testing.T) {
			cfg := freshConfig(t)
			// What a process leaves that dies before it has moved this table: the others are moved, and the batch is in accrued still.
			dead := open(t, cfg)
			dead.Die()
			found, changes := following(1)
			follows := func() incident.Outcome { return incident.Outcome{Findings: found, Changes: changes} }
			if _, err := dead.Append(t.Context(), entry(1, 1, 0, 20), settled, follows); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			conn := admin(t, cfg)
			must(t, conn.Exec(t.Context(), "CREATE TABLE "+cfg.Database+".kept AS "+cfg.Database+".accrued"))
			must(t, conn.Exec(t.Context(), "INSERT INTO "+cfg.Database+".kept SELECT * FROM "+cfg.Database+".accrued"))
			if rowsIn(t, cfg, "kept") == 0 {
				t.Fatal("the test is void: the dead process left nothing")
			}
			moved, err := store.Open(t.Context(), cfg, store.Settings{Alone: true})
			must(t, err)
			must(t, moved.Close())
			indexed := rowsIn(t, cfg, "entity_index")
			must(t, conn.Exec(t.Context(), "INSERT INTO "+cfg.Database+".accrued SELECT * FROM "+cfg.Database+".kept"))
			from := slices.Index(store.DraftTables, table)
			for _, later := range store.DraftTables[from:] {
				must(t, conn.Exec(t.Context(), "TRUNCATE TABLE "+cfg.Database+"."+later))
			}

			again := open(t, cfg)
			must(t, appendTo(t.Context(), again, entry(2, 1, 20, 20)))
			if got := len(collect(t, again.Events(t.Context(), store.EventFilter{}))); got != 40 {
				t.Errorf("%d events, want 40", got)
			}
			if n, m := len(collect(t, again.Findings(t.Context(), store.FindingFilter{}))), len(collect(t, again.Changes(t.Context(), store.ChangeCursor{}, 0))); n != 1 || m != 1 {
				t.Errorf("%d findings and %d changes, want one each", n, m)
			}
			for table, want := range map[string]uint64{"accrued": 0, "events": 40, "hit_blocks": 2, "notes": 2, "actions": 2, "rejects": 2, "batches": 2} {
				if got := rowsIn(t, cfg, table); got != want {
					t.Errorf("%d rows in %s, want %d", got, table, want)
				}
			}
			if got := rowsIn(t, cfg, "entity_index"); got < 2*indexed {
				t.Errorf("%d rows in the index for two batches, %d for one of them", got, indexed)
			}
		})
	}
}

// At twice what is moved at once, whoever appends waits for the tables: memory does not grow while the server is slow.
func TestAppendingWaitsWhenDraftsAreNotMoved(t *testing.T) {
	r := newRestartable(t)
	g := newGate(t, func() string { return r.process.Load().Addr() })
	cfg := config(r.process.Load(), "tocsin")
	cfg.Addr = []string{g.listener.Addr().String()}
	db := open(t, cfg)
	held, release := make(chan struct{}), make(chan struct{})
	g.strike = func() {
		close(held)
		<-release
	}
	g.armed.Store(new("INTO+tocsin.entity_index"))

	const size = store.DeltaBatch - 2 // One of the records is a reject.
	var appended atomic.Int64
	// What was taken first is under way: at most what is moved at once and a batch. Behind it twice as much may wait, and a batch.
	const most = 3*store.DeltaRows/size + 2
	const batches = most + 2
	done := make(chan error, 1)
	go func() {
		for i := range batches {
			if err := appendTo(t.Context(), db, entry(1, uint64(i+1), size*i, size)); err != nil {
				done <- fmt.Errorf("batch %d: %w", i+1, err)
				return
			}
			appended.Add(1)
		}
		done <- nil
	}()
	<-held
	still := time.NewTimer(3 * time.Second)
	for last := int64(-1); ; {
		select {
		case err := <-done:
			t.Fatalf("all %d batches were appended though nothing was moved: %v", batches, err)
		case <-still.C:
			if n := appended.Load(); n != last {
				last = n
				still.Reset(3 * time.Second)
				continue
			}
		}
		break
	}
	if n := appended.Load(); n > most {
		t.Errorf("%d batches were appended while nothing was moved, want at most %d", n, most)
	}
	close(release)
	must(t, <-done)
	if tail, err := db.Tail(t.Context()); err != nil || tail.Batch.Number != batches {
		t.Errorf("the log ends at %v (%v), want number %d", tail.Batch, err, batches)
	}
}

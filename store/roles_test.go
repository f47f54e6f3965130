package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// count is what a SELECT count() of one table says after its merges.
func count(t *testing.T, db *store.DB, table string) uint64 {
	t.Helper()
	for row, err := range mustQuery(t, db, "SELECT count() FROM "+table) {
		must(t, err)
		return row[0].(uint64)
	}
	return 0
}

func TestRowsOfMembersAreThereOnceHoweverOftenTheyCome(t *testing.T) {
	db := open(t, freshConfig(t))
	e := entry(store.RoleEpoch+77, 1, 0, 20)
	must(t, db.AppendRows(t.Context(), e.Batch))
	again := *e.Batch
	again.ID = event.BatchID{Epoch: store.RoleEpoch + 9, Number: 5} // Delivered again, to another member.
	must(t, db.AppendRows(t.Context(), &again))
	if n := len(collect(t, db.Events(t.Context(), store.EventFilter{}))); n != 20 {
		t.Errorf("%d events are found, want 20", n)
	}
	if n := len(collect(t, db.Events(t.Context(), store.EventFilter{Entity: e.Batch.Events[1].PrimaryEntity(event.EntityRobot, event.RoleNone)}))); n != 3 {
		t.Errorf("%d events of the robot are found, want 3", n)
	}
	if events, rejects := count(t, db, "events"), count(t, db, "rejects"); events != 20 || rejects != 1 {
		t.Errorf("%d events and %d rejects are counted, want 20 and 1", events, rejects)
	}
	got, found, err := db.Event(t.Context(), e.Batch.Events[4].Envelope.ID)
	must(t, err)
	if !found || !bytes.Equal(got.Envelope.Raw, e.Batch.Events[4].Envelope.Raw) {
		t.Errorf("event 4 is found: %v, with other bytes than it came with", found)
	}
}

func TestSeveralMembersWriteAtOnce(t *testing.T) {
	cfg := freshConfig(t)
	var members sync.WaitGroup
	errs := make([]error, 4)
	for m := range errs {
		db := open(t, cfg)
		members.Go(func() {
			for n := range 5 {
				e := entry(store.RoleEpoch+uint64(m), uint64(n+1), m*1000+n*20, 20)
				errs[m] = errors.Join(errs[m], db.AppendRows(t.Context(), e.Batch))
			}
		})
	}
	members.Wait()
	must(t, errors.Join(errs...))
	db := open(t, cfg)
	if n := count(t, db, "events"); n != 400 {
		t.Errorf("%d events, want 400", n)
	}
	if n := count(t, db, "batches") + count(t, db, "hit_blocks") + count(t, db, "epochs"); n != 0 {
		t.Errorf("members left %d rows in the log", n)
	}
}

func TestRowsAreRetriedUntilTheContextEnds(t *testing.T) {
	p := startEngine(t, t.TempDir())
	cfg := config(p, "tocsin")
	db := open(t, cfg)
	must(t, p.Close())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := db.AppendRows(ctx, entry(store.RoleEpoch, 1, 0, 5).Batch)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without an engine: %v, want the end of the context", err)
	}
}

func TestEpochsAreOfOneKind(t *testing.T) {
	db := open(t, freshConfig(t))
	if err := db.AppendRows(t.Context(), entry(7, 1, 0, 5).Batch); err == nil {
		t.Error("a member's rows are taken under an epoch of the log")
	}
	if err := appendTo(t.Context(), db, entry(store.RoleEpoch, 1, 0, 5)); err == nil {
		t.Error("a batch is taken under an epoch of the roles")
	}
	if n := count(t, db, "events"); n != 0 {
		t.Errorf("%d events were written", n)
	}
}

// roleChange is a change that triage made of a record of the topic of findings.
func roleChange(name string, revision int32, offset uint64) incident.Change {
	return change(name, revision, event.BatchID{Epoch: store.RoleEpoch, Number: offset + 1}, 0, incident.ChangeOpened)
}

// Members and the process that does everything use the same tables and do not see each other's batches.
func TestTheLogAndTheRolesDoNotConfuseEachOther(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	mine := record(t, db) // Two batches of epoch 1.
	member := open(t, cfg)
	e := entry(store.RoleEpoch+3, 1, 100, 10)
	must(t, member.AppendRows(t.Context(), e.Batch))
	before, err := open(t, cfg).Tail(t.Context())
	must(t, err)

	theirs := []incident.Change{roleChange("x", 1, 4), roleChange("y", 1, 9)}
	for range 2 { // Once more after a crash.
		for i := range theirs {
			must(t, member.Record(t.Context(), theirs[i].Batch, []incident.Finding{finding("x", int32(i+1))}, theirs[i:i+1]))
		}
	}
	next := open(t, cfg)
	tail, err := next.Tail(t.Context())
	must(t, err)
	if diff := cmp.Diff(before, tail, zones); diff != "" {
		t.Errorf("what roles recorded changes the tail of the log (-before +after):\n%s", diff)
	}
	if want := (event.BatchID{Epoch: 1, Number: 1}); tail.Recorded != want || tail.Epoch != 1 {
		t.Errorf("the log is recorded up to %v in epoch %d, want %v in epoch 1", tail.Recorded, tail.Epoch, want)
	}
	if got := replay(t, next, event.BatchID{}); len(got) != 2 {
		t.Errorf("%d batches are replayed, want 2", len(got))
	}
	want := append(append([]incident.Change(nil), mine...), theirs...)
	if diff := cmp.Diff(want, collect(t, next.Changes(t.Context(), store.ChangeCursor{}, 0))); diff != "" {
		t.Errorf("changes are not those of the log and then those of the roles, each once (-want +got):\n%s", diff)
	}
	last := mine[len(mine)-1]
	if diff := cmp.Diff(theirs, collect(t, next.Changes(t.Context(), store.ChangeCursor{Batch: last.Batch, Index: last.Index}, 0))); diff != "" {
		t.Errorf("changes behind the log's last (-want +got):\n%s", diff)
	}

	// A process that does everything goes on where the log was; what members wrote is not an unfinished batch of a dead process.
	clean := open(t, cfg)
	must(t, admin(t, cfg).Exec(t.Context(), "TRUNCATE TABLE "+cfg.Database+".changes"))
	_, err = clean.Tail(t.Context())
	must(t, err)
	must(t, appendTo(t.Context(), clean, entry(2, 1, 200, 5)))
	for row, err := range mustQuery(t, clean, fmt.Sprintf("SELECT count() FROM events WHERE epoch >= %d", uint64(store.RoleEpoch))) {
		must(t, err)
		if row[0].(uint64) != 10 {
			t.Errorf("%v events of members are left, want 10", row[0])
		}
	}
}

// Whoever reads changes in order has passed those of the roles, so a single process would write where nobody looks any more.
func TestOneProcessDoesNotGoOnWithTheIncidentsOfRoles(t *testing.T) {
	db := open(t, freshConfig(t))
	c := roleChange("x", 1, 0)
	must(t, db.Record(t.Context(), c.Batch, nil, []incident.Change{c}))
	if err := appendTo(t.Context(), db, entry(1, 1, 0, 5)); !errors.Is(err, store.ErrRoles) {
		t.Errorf("a batch beside incidents of roles: %v, want ErrRoles", err)
	}
}

func TestACheckpointIsFoundByItsNameWhereverItWasSaved(t *testing.T) {
	cfg := freshConfig(t)
	a, b := open(t, cfg), open(t, cfg)
	save := func(db *store.DB, name string, epoch, number uint64, data string) {
		t.Helper()
		must(t, db.Save(t.Context(), incident.Checkpoint{Name: name, Batch: event.BatchID{Epoch: epoch, Number: number}, Data: []byte(data)}))
	}
	latest := func(db *store.DB, name, want string) {
		t.Helper()
		c, err := db.Named().Latest(t.Context(), name)
		must(t, err)
		if string(c.Data) != want || c.Name != name {
			t.Errorf("the latest of %q is %q of %q, want %q", name, c.Data, c.Name, want)
		}
	}
	latest(a, "hits/3", "")
	// The name may hold anything.
	odd := "it's (hits)/'4"
	save(a, odd, 1, 1, "odd")
	for n := range uint64(5) {
		save(a, "hits/3", 1, 10+n, fmt.Sprint("three at ", 10+n))
	}
	save(a, "hits/30", 9, 99, "thirty")
	latest(b, "hits/3", "three at 14")
	save(b, "hits/3", 2, 12, "three, moved") // Of a newer generation of the group, and further back.
	latest(a, "hits/3", "three, moved")
	save(a, "hits/3", 1, 15, "three, of the member that has lost it")
	latest(b, "hits/3", "three, moved")
	latest(b, odd, "odd")
	latest(b, "", "")
	for row, err := range mustQuery(t, b, "SELECT name, uniqExact(epoch, number) FROM checkpoints WHERE name != 'hits/30' GROUP BY name ORDER BY name") {
		must(t, err)
		if want := map[string]uint64{"hits/3": 3, odd: 1}[row[0].(string)]; row[1].(uint64) != want {
			t.Errorf("%v checkpoints of %v are kept, want %d", row[1], row[0], want)
		}
	}
	// Two that saved after the same record do not spoil each other's.
	save(a, "findings", 1, 1, "by a")
	save(b, "findings", 1, 1, "by b, longer")
	latest(a, "findings", "by b, longer")

	conn := admin(t, cfg)
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+cfg.Database+".checkpoints UPDATE data = 'x' WHERE name = 'hits/3' AND epoch = 2 SETTINGS mutations_sync = 2"))
	var log bytes.Buffer
	noisy, err := store.Open(t.Context(), cfg, store.Settings{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	defer noisy.Close()
	latest(noisy, "hits/3", "three, of the member that has lost it")
	if !bytes.Contains(log.Bytes(), []byte("checkpoint refused")) {
		t.Errorf("the damaged checkpoint is not reported: %s", &log)
	}
}

// Only the worker's own checkpoints say how much of the log may go.
func TestOtherCheckpointsDoNotShortenTheLog(t *testing.T) {
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), freshConfig(t), store.Settings{Now: func() time.Time { return now }})
	must(t, err)
	defer db.Close()
	must(t, db.Save(t.Context(), incident.Checkpoint{Name: "findings", Batch: event.BatchID{Epoch: 1, Number: 1}, Data: []byte("x")}))
	for n := range uint64(3) {
		must(t, appendTo(t.Context(), db, entry(1, n+1, int(n)*5, 5)))
	}
	now = now.Add(400 * 24 * time.Hour)
	must(t, appendTo(t.Context(), db, entry(1, 4, 20, 5)))
	for n := range uint64(4) {
		must(t, db.Save(t.Context(), incident.Checkpoint{Name: "hits/0", Batch: event.BatchID{Epoch: 9, Number: 100 + n}, Data: []byte("x")}))
	}
	if got := replay(t, db, event.BatchID{}); len(got) != 4 {
		t.Errorf("%d batches are left, want 4", len(got))
	}
	// Nor do they keep it, and nor does the age of what roles need.
	must(t, appendTo(t.Context(), db, entry(1, 5, 30, 5)))
	must(t, appendTo(t.Context(), db, entry(1, 6, 40, 5)))
	for _, n := range []uint64{4, 5, 6} {
		must(t, db.Save(t.Context(), incident.Checkpoint{Batch: event.BatchID{Epoch: 1, Number: n}, Data: []byte("x")}))
	}
	now = now.Add(2 * 24 * time.Hour)
	must(t, db.Save(t.Context(), incident.Checkpoint{Batch: event.BatchID{Epoch: 1, Number: 6}, Data: []byte("x")}))
	if got := replay(t, db, event.BatchID{}); len(got) != 3 {
		t.Errorf("%d batches are left once three checkpoints are behind the old ones, want 3", len(got))
	}
	if c, err := db.Named().Latest(t.Context(), "findings"); err != nil || string(c.Data) != "x" {
		t.Errorf("the checkpoint of findings is %q, %v after 400 days, want it kept", c.Data, err)
	}
}

func TestAcceptedTopicsAreCounted(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	if list, err := db.Incarnations(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("at first: %v, %v", list, err)
	}
	for want, source := range map[int]string{1: "robot's"} {
		n, err := db.Accept(t.Context(), source, "ana", "the cluster was set up anew")
		must(t, err)
		if n != want {
			t.Errorf("incarnation %d, want %d", n, want)
		}
	}
	_, err := open(t, cfg).Accept(t.Context(), "robot's", "ben", "")
	must(t, err)
	_, err = db.Accept(t.Context(), "idp", "ana", "")
	must(t, err)
	list, err := open(t, cfg).Incarnations(t.Context())
	must(t, err)
	if diff := cmp.Diff(map[string]int{"robot's": 2, "idp": 1}, list); diff != "" {
		t.Errorf("incarnations (-want +got):\n%s", diff)
	}
	if _, err := db.Accept(t.Context(), "", "ana", ""); err == nil {
		t.Error("a source without a name is accepted")
	}
}

package store_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// withFinding appends a small batch from which a finding and a change follow.
func withFinding(t *testing.T, db *store.DB, number uint64) {
	t.Helper()
	found, changes := following(number)
	follows := func() incident.Outcome { return incident.Outcome{Findings: found, Changes: changes} }
	recorded, err := db.Append(t.Context(), entry(1, number, int(number)*20, 20), settled, follows)
	must(t, err)
	if !recorded {
		t.Fatal("what follows from a small batch is left to the caller")
	}
}

// parts is in how many pieces the engine keeps what was inserted into the table accrued.
func parts(t *testing.T, cfg store.Config) (n uint64) {
	t.Helper()
	must(t, admin(t, cfg).QueryRow(t.Context(), "SELECT count() FROM system.parts WHERE active AND database = '"+cfg.Database+"' AND table = 'accrued'").Scan(&n))
	return n
}

func TestTheLargestSmallBatchIsOnePart(t *testing.T) {
	for _, protocol := range []string{"http", "native"} {
		t.Run(protocol, func(t *testing.T) {
			cfg := freshConfig(t)
			db := open(t, cfg)
			if protocol == "native" {
				db.SendRowByRow()
			}
			e := entry(1, 1, 0, store.DeltaBatch-2) // One of the records is a reject.
			for i := range e.Batch.Events {
				e.Batch.Events[i].Envelope.Raw = bytes.Repeat([]byte{byte(i), byte(i >> 8), 'x'}, 500)
			}
			must(t, appendTo(t.Context(), db, e))
			if n := parts(t, cfg); n != 1 {
				t.Errorf("the batch is in %d parts, want one", n)
			}
		})
	}
}

// A batch that a moment's delay has made larger does not wait for the drafts of those before it; one so large that it is worth it does.
func TestALargerBatchIsADraftWhileDraftsWait(t *testing.T) {
	for _, protocol := range []string{"http", "native"} {
		t.Run(protocol, func(t *testing.T) {
			cfg := freshConfig(t)
			db := open(t, cfg)
			if protocol == "native" {
				db.SendRowByRow()
			}
			small := func(number uint64) {
				must(t, appendTo(t.Context(), db, entry(1, number, int(number)*store.DeltaBehind, 10)))
				db.StopClock()
			}
			small(1)
			must(t, appendTo(t.Context(), db, entry(1, 2, 2*store.DeltaBehind, store.DeltaBehind-2))) // One of the records is a reject.
			if n := parts(t, cfg); n != 2 {
				t.Errorf("%d parts of drafts behind a small and a larger batch, want one of each", n)
			}
			must(t, appendTo(t.Context(), db, entry(1, 3, 3*store.DeltaBehind, store.DeltaBehind-1)))
			if n := rowsIn(t, cfg, "accrued"); n != 0 {
				t.Errorf("%d rows of drafts behind a large batch, want none", n)
			}
			must(t, appendTo(t.Context(), db, entry(1, 4, 4*store.DeltaBehind, store.DeltaBatch-1)))
			if n := rowsIn(t, cfg, "accrued"); n != 0 {
				t.Errorf("%d rows of drafts behind a larger batch while none waited, want none", n)
			}
			if n := rowsIn(t, cfg, "batches"); n != 4 {
				t.Errorf("%d batches, want 4", n)
			}
		})
	}
}

func TestASmallBatchIsOneInsertWithWhatFollowsFromIt(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	withFinding(t, db, 1)
	for _, table := range store.DraftTables {
		if n := rowsIn(t, cfg, table); n != 0 {
			t.Errorf("%d rows in %s after the append, want all of the batch in accrued", n, table)
		}
	}
	if n := parts(t, cfg); n != 1 {
		t.Errorf("the batch is in %d parts, want one, which is there as a whole or not at all", n)
	}
	if n := len(collect(t, db.Findings(t.Context(), store.FindingFilter{}))); n != 1 {
		t.Errorf("%d findings are found at once, want 1", n)
	}
	for _, table := range store.DraftTables {
		if rowsIn(t, cfg, table) == 0 && table != "hits" {
			t.Errorf("no rows in %s once the findings were asked for", table)
		}
	}
}

// Who follows the log is answered without a statement: a place behind the newest change is one from which all are held.
func TestWhoFollowsTheLogNeedsNoStatement(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	withFinding(t, db, 1)
	withFinding(t, db, 2)
	after := store.ChangeCursor{}
	for want := uint64(1); want <= 2; want++ {
		page := collect(t, db.Changes(t.Context(), after, 1))
		if len(page) != 1 || page[0].Batch.Number != want {
			t.Fatalf("behind %v are %v, want the change of batch %d", after, page, want)
		}
		after = store.ChangeCursor{Batch: page[0].Batch, Index: page[0].Index}
	}
	if n := rowsIn(t, cfg, "changes"); n != 0 {
		t.Errorf("drafts were moved for one who follows the log: %d rows in changes", n)
	}
	beside := open(t, cfg)
	if got, want := collect(t, beside.Changes(t.Context(), store.ChangeCursor{}, 0)), collect(t, db.Changes(t.Context(), store.ChangeCursor{}, 0)); !cmp.Equal(got, want) {
		t.Errorf("changes by the table (-) and as they are held (+):\n%s", cmp.Diff(got, want))
	}
}

func TestTheTablesHoldABeginningOfTheLog(t *testing.T) {
	t.Run("when a large batch is appended", func(t *testing.T) {
		cfg := freshConfig(t)
		db := open(t, cfg)
		must(t, appendTo(t.Context(), db, entry(1, 1, 0, 20)))
		db.AppendDirectly()
		must(t, appendTo(t.Context(), db, entry(1, 2, 20, 20)))
		if n := rowsIn(t, cfg, "batches"); n != 2 {
			t.Errorf("%d markers, want that of the small batch before that of the large one", n)
		}
	})
	t.Run("when changes are recorded by themselves", func(t *testing.T) {
		cfg := freshConfig(t)
		db := open(t, cfg)
		withFinding(t, db, 1)
		found, changes := following(2)
		must(t, db.Record(t.Context(), event.BatchID{Epoch: 1, Number: 2}, found, changes))
		if n := rowsIn(t, cfg, "changes"); n != 2 {
			t.Errorf("%d changes, want that of the small batch before the other", n)
		}
	})
}

// A process that has been overtaken may still insert. What it inserts is of no batch of the log, wherever it lies.
func TestADraftOfAnOvertakenProcessIsNeverMoved(t *testing.T) {
	cfg := freshConfig(t)
	old := open(t, cfg)
	must(t, appendTo(t.Context(), old, entry(1, 1, 0, 20)))
	collect(t, old.Events(t.Context(), store.EventFilter{}))
	must(t, appendTo(t.Context(), open(t, cfg), entry(2, 1, 20, 20)))
	if err := appendTo(t.Context(), old, entry(1, 2, 40, 20)); !errors.Is(err, store.ErrFenced) {
		t.Fatalf("an overtaken process appends with %v, want %v", err, store.ErrFenced)
	}
	if rowsIn(t, cfg, "accrued") == 0 {
		t.Fatal("the test is void: nothing was inserted")
	}
	next, err := store.Open(t.Context(), cfg, store.Settings{Alone: true})
	must(t, err)
	defer func() { must(t, next.Close()) }()
	if tail, err := next.Tail(t.Context()); err != nil || tail.Batch != (event.BatchID{Epoch: 2, Number: 1}) {
		t.Errorf("the log ends at %v (%v), want the batch of the newer process", tail.Batch, err)
	}
	must(t, appendTo(t.Context(), next, entry(3, 1, 60, 20)))
	if got := len(collect(t, next.Events(t.Context(), store.EventFilter{}))); got != 60 {
		t.Errorf("%d events, want 60: none of the void batch", got)
	}
	if n := rowsIn(t, cfg, "accrued"); n != 0 {
		t.Errorf("%d rows in accrued, want those of the void batch dropped", n)
	}
}

func TestDraftsAreMovedWhenAProcessBesideAsks(t *testing.T) {
	cfg := freshConfig(t)
	asked := make(chan struct{}, 1)
	writer, err := store.Open(t.Context(), cfg, store.Settings{Asked: asked})
	must(t, err)
	defer func() { must(t, writer.Close()) }()
	must(t, appendTo(t.Context(), writer, entry(1, 1, 0, 20)))
	writer.StopClock() // They would be moved a little later without being asked for.
	ask := func(context.Context) error {
		asked <- struct{}{}
		return nil
	}
	beside, err := store.Open(t.Context(), cfg, store.Settings{Ask: ask})
	must(t, err)
	defer func() { must(t, beside.Close()) }()
	if got := len(collect(t, beside.Events(t.Context(), store.EventFilter{}))); got != 20 {
		t.Errorf("%d events, want 20", got)
	}
}

func TestThePrintedSchemaCanBeAppliedByHandBeforeTheFirstStart(t *testing.T) {
	cfg := freshConfig(t)
	text, err := store.SchemaText(cfg)
	must(t, err)
	conn := admin(t, cfg)
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) != "" {
			must(t, conn.Exec(t.Context(), statement))
		}
	}
	must(t, appendTo(t.Context(), open(t, cfg), entry(1, 1, 0, 20)))
}

// What an older program left in the table delta is not forgotten.
func TestDraftsOfAnEarlierVersionAreTakenOver(t *testing.T) {
	cfg := freshConfig(t)
	dead := open(t, cfg)
	dead.Die()
	if err := appendTo(t.Context(), dead, entry(1, 1, 0, 20)); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	conn := admin(t, cfg)
	for _, s := range []string{
		"INSERT INTO db.delta SELECT * FROM db.accrued",
		"TRUNCATE TABLE db.accrued",
		"ALTER TABLE db.schema_migrations DELETE WHERE number >= 10 SETTINGS mutations_sync = 2",
	} {
		must(t, conn.Exec(t.Context(), strings.ReplaceAll(s, "db.", cfg.Database+".")))
	}
	db, err := store.Open(t.Context(), cfg, store.Settings{Alone: true})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	if got := len(collect(t, db.Events(t.Context(), store.EventFilter{}))); got != 20 {
		t.Errorf("%d events, want 20", got)
	}
}

// A process that goes on where another died finds the incidents of its last seconds before it reads them, and no change comes behind one that it has
// recorded.
func TestWhatADeadProcessLeftIsInTheTablesOnceTheEpochIsClaimed(t *testing.T) {
	cfg := freshConfig(t)
	dead := open(t, cfg)
	dead.StopMoving()
	defer dead.GiveUp()
	for n := range uint64(3) {
		withFinding(t, dead, n+1)
	}
	next := open(t, cfg)
	tail, err := next.Tail(t.Context())
	must(t, err)
	must(t, next.Claim(t.Context(), tail.Epoch+1))
	found, changes := following(3)
	must(t, next.Record(t.Context(), tail.Batch, found, changes)) // As recovery does with the last batch.
	var numbers []uint64
	for _, c := range collect(t, next.Changes(t.Context(), store.ChangeCursor{}, 0)) {
		numbers = append(numbers, c.Batch.Number)
	}
	if diff := cmp.Diff([]uint64{1, 2, 3}, numbers); diff != "" {
		t.Errorf("batches of the changes (-want +got):\n%s", diff)
	}
	if n := len(collect(t, next.Incidents(t.Context(), store.IncidentFilter{}))); n != 3 {
		t.Errorf("%d incidents, want 3", n)
	}
}

func TestAMarkerThatIsThereTwiceHidesNoBatch(t *testing.T) {
	cfg := freshConfig(t)
	open(t, cfg)
	conn := admin(t, cfg)
	for _, s := range []string{
		"SYSTEM STOP MERGES db.batches",
		"INSERT INTO db.batches (epoch, number) SELECT 1, number + 1 FROM numbers(1200)",
		"INSERT INTO db.batches (epoch, number) SELECT 1, 5",
	} {
		must(t, conn.Exec(t.Context(), strings.ReplaceAll(s, "db.", cfg.Database+".")))
	}
	dead := open(t, cfg)
	dead.StopMoving()
	defer dead.GiveUp()
	must(t, appendTo(t.Context(), dead, entry(2, 1, 0, 20)))
	if n := len(replay(t, open(t, cfg), event.BatchID{})); n != 1201 {
		t.Errorf("%d batches are replayed, want 1201", n)
	}
}

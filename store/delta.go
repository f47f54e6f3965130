package store

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Small batches are dear: an insert costs the server about the same, be it of one row or of two thousand, and each makes a part that has to be merged.
// So all there is of a small batch, its rows, what follows from them and its marker, goes into the table accrued in one insert, which is there as a
// whole or not at all, and a while later into the tables together with other batches. That is the writeable store in front of a read-optimised one of
// C-Store (Stonebraker et al., VLDB 2005, sections 3 and 4). A batch exists once its marker is in either place.
//
// The other tables always hold a beginning of the log: drafts are moved in their order, and what goes to the tables directly waits for them.
const (
	// deltaBatch is the number of records from which on a batch goes to its tables itself, and deltaBehind that from which on it does so while drafts
	// wait. It has to wait for these, which takes seconds: where a moment's delay has made one batch larger, that would make the next larger still.
	// Under a lasting backlog batches have no fewer records than either (ingest.Config).
	deltaBatch  = 10_000
	deltaBehind = 25_000
	// deltaRows, deltaBytes and deltaAge say when drafts are moved: at so many records, at so many compressed bytes, and so long after the first.
	deltaRows  = 80_000
	deltaBytes = 32 << 20
	deltaAge   = 5 * time.Second
	// closeWait is how long Close waits for drafts to be moved. What is left then, the next process moves.
	closeWait = 15 * time.Second
)

// draftTables are the tables whose rows may be drafts, in the order in which they are moved: an event whose row is there is in the index, an incident
// before the change that tells of it, and all that a marker stands for before the marker. Drafts for hits
// are those of an earlier program.
var draftTables = []string{"entity_index", "events", "hit_blocks", "hits", "notes", "actions", "rejects", "findings", "incidents", "changes", "batches"}

// draft is a batch whose rows are in the table accrued.
type draft struct {
	id      event.BatchID
	written uint32 // Seconds since 1970.
	records int
	bytes   int
	pieces  []piece

	changes []incident.Change // That follow from the batch,
	lengths []int             // with the lengths of their incidents' documents.
}

// piece is a block of rows on its way to its table.
type piece struct {
	table string
	into  string // The table and its columns, as an INSERT names them.
	rows  int
	data  []byte // Native, compressed with S2.
}

// delta are the drafts that this process has made and not moved yet. One goroutine moves them, from the first on until Close.
type delta struct {
	working context.Context // What moving goes on under.
	end     context.CancelFunc
	over    sync.WaitGroup
	wake    chan struct{} // Capacity 1: due may have become true.

	mu      sync.Mutex
	open    []draft           // guarded by mu: not taken up yet
	records int               // guarded by mu: of open
	bytes   int               // guarded by mu: of open
	due     bool              // guarded by mu: open is to be moved now
	clock   *time.Timer       // guarded by mu: makes it due; nil before the first draft
	added   uint64            // guarded by mu: drafts so far
	moved   uint64            // guarded by mu: of these, those whose rows are in their tables
	last    map[string]uint64 // guarded by mu: by table, the number of the newest draft that has rows for it
	news    chan struct{}     // guarded by mu: closed when open has room again, and when moved or err changes
	err     error             // guarded by mu: why nothing is moved any more
}

func newDelta() *delta {
	d := &delta{wake: make(chan struct{}, 1), news: make(chan struct{}), last: map[string]uint64{}}
	d.working, d.end = context.WithCancel(context.Background())
	return d
}

// drafts reports whether the rows of an entry are to be drafts. In a cluster they are not: dropping partitions there is a statement for all of it.
func (db *DB) drafts(e *incident.Entry) bool {
	if db.cfg.Cluster != "" || len(db.local) > 0 || db.direct {
		return false
	}
	n := len(e.Batch.Events) + len(e.Batch.Rejects)
	return n < deltaBatch || n < deltaBehind && db.delta.waiting()
}

// waiting reports whether there are drafts whose rows are not in their tables yet.
func (d *delta) waiting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.moved < d.added
}

// keep takes a draft whose batch exists now, and then tells of its changes: who asks for their incidents waits for it. While twice as much is waiting
// as is moved at once, so does the caller.
func (db *DB) keep(ctx context.Context, x draft) error {
	db.hold(x)
	db.told(x.changes, x.lengths)
	return db.delta.room(ctx)
}

func (db *DB) hold(x draft) {
	d := db.delta
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.clock == nil:
		d.clock = time.AfterFunc(deltaAge, d.hurry)
		d.over.Go(func() { db.moveDrafts(d.working) })
	case len(d.open) == 0:
		d.clock.Reset(deltaAge)
	}
	d.open = append(d.open, x)
	d.added++
	for i := range x.pieces {
		d.last[x.pieces[i].table] = d.added
	}
	d.records += x.records
	d.bytes += x.bytes
	if d.full(1) {
		d.makeDue()
	}
}

// room waits while twice as much is waiting as is moved at once.
func (d *delta) room(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.full(2) && d.err == nil {
		if err := d.wait(ctx); err != nil {
			return err
		}
	}
	return d.err
}

func (d *delta) full(times int) bool {
	return d.records >= times*deltaRows || d.bytes >= times*deltaBytes
}

func (d *delta) hurry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.makeDue()
}

// makeDue expects mu to be held.
func (d *delta) makeDue() {
	d.due = true
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// wait waits for news. It expects mu to be held, and lets go of it meanwhile.
func (d *delta) wait(ctx context.Context) error {
	news := d.news
	d.mu.Unlock()
	defer d.mu.Lock()
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell wakes everybody who waits. It expects mu to be held.
func (d *delta) tell() {
	close(d.news)
	d.news = make(chan struct{})
}

// take gives what is to be moved now.
func (d *delta) take() []draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.due {
		return nil
	}
	taken := d.open
	d.open, d.records, d.bytes, d.due = nil, 0, 0, false
	d.clock.Stop()
	d.tell() // There is room again.
	return taken
}

// done says what became of drafts that were taken.
func (d *delta) done(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.moved += uint64(n)
	}
	d.err = err
	d.tell()
}

// caughtUp returns when the rows of everything that this process has appended for some tables (nil: for any) are there: who has been told of a
// batch finds it.
func (d *delta) caughtUp(ctx context.Context, tables []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	want := d.added
	if tables != nil {
		want = 0
		for _, t := range tables {
			want = max(want, d.last[t])
		}
	}
	for d.moved < want && d.err == nil {
		if len(d.open) > 0 {
			d.makeDue()
		}
		if err := d.wait(ctx); err != nil {
			return err
		}
	}
	if d.moved < want {
		return d.err
	}
	return nil
}

// moveBefore lets a statement wait until drafts are moved that have rows for a table which it names.
func (db *DB) moveBefore(ctx context.Context, statement string) error {
	named := make([]string, 0, len(draftTables))
	for _, t := range draftTables {
		if strings.Contains(statement, db.table(t)) {
			named = append(named, t)
		}
	}
	return db.delta.caughtUp(ctx, named)
}

// failedRow is the answer to a statement that was not asked.
type failedRow struct{ err error }

func (r failedRow) Err() error           { return r.err }
func (r failedRow) Scan(...any) error    { return r.err }
func (r failedRow) ScanStruct(any) error { return r.err }

// closeDelta moves what is left, unless the server is known to be in trouble, and ends the goroutine.
func (db *DB) closeDelta() {
	if db.Health() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		defer cancel()
		if err := db.delta.caughtUp(ctx, nil); err != nil {
			db.log.Warn("rows of the last batches are in the table accrued still; the next start moves them", "err", err)
		}
	}
	db.delta.end()
	db.delta.over.Wait()
}

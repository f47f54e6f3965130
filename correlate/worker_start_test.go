package correlate_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// flow hands batches to a worker as a pipeline does: where the worker lets it, by chance, the next one is started before the one before is written.
type flow struct {
	w       *correlate.Worker
	r       *rand.Rand
	durable func() error // Of the batch under way; nil: there is none.
	next    bool
}

// hand starts a batch. written is called once it is durable, which may be by the call after this one.
func (f *flow) hand(b *event.Batch, written func()) error {
	before := f.durable
	if before != nil && (!f.next || f.r.IntN(2) == 0) {
		if err := f.end(); err != nil {
			return err
		}
		before = nil
	}
	durable, next, err := f.w.Start(context.Background(), b)
	if err == nil && before != nil {
		err = before()
	}
	f.durable, f.next = nil, next
	if err != nil {
		return err
	}
	f.durable = func() error {
		err := durable()
		if err == nil {
			written()
		}
		return err
	}
	return nil
}

// end waits for the batch under way.
func (f *flow) end() error {
	durable := f.durable
	f.durable = nil
	if durable == nil {
		return nil
	}
	return durable()
}

// gated is a disk whose appends wait to be let go.
type gated struct {
	*disk
	let chan error // nil: it may be written.
}

func (g *gated) Append(ctx context.Context, e *incident.Entry, settled func() error, follows func() incident.Outcome) (bool, error) {
	if err := <-g.let; err != nil {
		return false, err
	}
	return g.disk.Append(ctx, e, settled, follows)
}

// gatedWorker is a worker on a gated disk. matches tells when it begins to match a batch.
func gatedWorker(t *testing.T, g *gated, every int64, force func() *rules.Set) (w *correlate.Worker, matches *atomic.Int64) {
	t.Helper()
	matches = &atomic.Int64{}
	engine := correlate.New(force(), correlate.Settings{Stopwatch: func() int64 { return matches.Add(1) }})
	w = correlate.NewWorker(correlate.WorkerSettings{
		Engine: engine, Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: g, Records: g, Checkpoints: g, Rules: force,
		Tables: func() string { return "" }, Every: every, Slog: slog.New(slog.DiscardHandler),
	})
	if _, err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, matches
}

func starts(t *testing.T, w *correlate.Worker, b *event.Batch) (durable func() error, next bool) {
	t.Helper()
	durable, next, err := w.Start(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return durable, next
}

func TestABatchIsMatchedWhileTheOneBeforeIsWritten(t *testing.T) {
	for _, fault := range []error{nil, errFault} {
		g := &gated{newDisk(), make(chan error, 2)}
		set := &rules.Set{}
		w, matches := gatedWorker(t, g, 1<<40, func() *rules.Set { return set })
		first, next := starts(t, w, batchAt(0))
		if !next {
			t.Fatal("no batch may be started behind the first")
		}
		before := matches.Load()
		second := make(chan error, 1)
		go func() {
			durable, _, err := w.Start(t.Context(), batchAt(1))
			if err == nil {
				err = durable()
			}
			second <- err
		}()
		for deadline := time.Now().Add(time.Minute); matches.Load() == before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the second batch is not matched before the first is written")
			}
		}
		g.let <- fault
		g.let <- nil
		if err := first(); !errors.Is(err, fault) {
			t.Errorf("the first batch: %v, want %v", err, fault)
		}
		if err := <-second; !errors.Is(err, fault) {
			t.Errorf("the second batch: %v, want %v", err, fault)
		}
		w.Stop(t.Context())
		entries, saved := 2, 1
		if fault != nil { // What the second batch taught must not be in a checkpoint of the log before it.
			entries, saved = 0, 0
		}
		if len(g.entries) != entries || len(g.checkpoint) != saved {
			t.Errorf("%d entries and %d checkpoints after %v, want %d and %d", len(g.entries), len(g.checkpoint), fault, entries, saved)
		}
	}
}

func TestABatchIsMatchedWhileTheStateBeforeItIsSavedButNotBeforeOtherRulesAreInForce(t *testing.T) {
	g := &gated{newDisk(), make(chan error, 3)}
	force := &rules.Set{Hash: "old"}
	w, _ := gatedWorker(t, g, 100, func() *rules.Set { return force })
	for range cap(g.let) {
		g.let <- nil
	}
	started := func(offset, received int64) bool {
		b := batchAt(offset)
		b.Received = received
		durable, next := starts(t, w, b)
		if err := durable(); err != nil {
			t.Fatal(err)
		}
		return next
	}
	if !started(0, 1000) {
		t.Error("nothing may be started behind a batch after which nothing is due")
	}
	if !started(1, 1100) {
		t.Error("nothing may be started while the state is saved, which was taken")
	}
	w.Stop(t.Context()) // Waits for the checkpoint.
	if len(g.checkpoint) == 0 || g.checkpoint[0].Batch.Number != 2 {
		t.Errorf("checkpoints %+v, want one of the second batch first", g.checkpoint)
	}
	g.let <- nil
	b := batchAt(2)
	b.Received = 1101
	durable, _ := starts(t, w, b)
	force = &rules.Set{Hash: "new"}
	if err := durable(); err != nil {
		t.Fatal(err)
	}
	g.let <- nil
	b = batchAt(3)
	b.Received = 1102
	if durable, _ = starts(t, w, b); durable() != nil || g.entries[3].Rules != "new" {
		t.Errorf("the batch after the change was matched by rules %q", g.entries[3].Rules)
	}
}

// The rules change between a batch that could not be written and one that is started behind it all the same.
func TestNoChangeOfRulesSavesABatchThatCouldNotBeWritten(t *testing.T) {
	g := &gated{newDisk(), make(chan error, 1)}
	force := &rules.Set{Hash: "old"}
	w, _ := gatedWorker(t, g, 1<<40, func() *rules.Set { return force })
	g.let <- errFault
	if durable, _ := starts(t, w, batchAt(0)); !errors.Is(durable(), errFault) {
		t.Fatal("the batch was written")
	}
	force = &rules.Set{Hash: "new"}
	if _, _, err := w.Start(t.Context(), batchAt(1)); !errors.Is(err, errFault) {
		t.Errorf("the batch behind it: %v, want %v", err, errFault)
	}
	w.Stop(t.Context())
	if len(g.checkpoint) > 0 {
		t.Errorf("a checkpoint of batch %v, which the log does not have", g.checkpoint[0].Batch)
	}
}

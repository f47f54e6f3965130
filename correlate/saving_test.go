package correlate_test

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// slow is a disk that keeps a checkpoint when it is told to, or fails to.
type slow struct {
	*disk
	begun  chan incident.Checkpoint // Those that are under way, as they came.
	answer chan error               // nil: it is kept.
}

func newSlow() *slow {
	return &slow{newDisk(), make(chan incident.Checkpoint, 16), make(chan error)}
}

func (s *slow) Save(ctx context.Context, c incident.Checkpoint) error {
	s.begun <- incident.Checkpoint{Batch: c.Batch, Data: bytes.Clone(c.Data)}
	select {
	case err := <-s.answer:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.disk.Save(ctx, c)
}

// slowWorker is a worker that makes a checkpoint every 16 microseconds of the batches' clock, with ten batches to give it.
func slowWorker(t *testing.T, s *slow, seed uint64) (*correlate.Worker, *rules.Set, [][]event.Event) {
	t.Helper()
	set := &rules.Set{Rules: lawfulSet(t)}
	w := correlate.NewWorker(correlate.WorkerSettings{
		Engine: correlate.New(set, correlate.Settings{}), Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: s, Records: s, Checkpoints: s,
		Tables: func() string { return "" }, Every: 16, Slog: slog.New(slog.DiscardHandler),
	})
	if _, err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := randomEvents(rand.New(rand.NewPCG(seed, 51)), 200)
	slices.SortFunc(events, func(a, b event.Event) int { return int(a.Time - b.Time) })
	return w, set, slices.Collect(slices.Chunk(events, 20))
}

func handle(t *testing.T, ctx context.Context, w *correlate.Worker, events []event.Event, received int64) {
	t.Helper()
	b := &event.Batch{Events: slices.Clone(events), Received: received, Marks: []event.Mark{{Source: "s", Newest: events[len(events)-1].Time}}}
	if err := w.Handle(ctx, b); err != nil {
		t.Fatal(err)
	}
}

func TestBatchesGoOnWhileACheckpointIsUnderWayAndItIsOfItsOwnBatch(t *testing.T) {
	seed := seedOf()
	s := newSlow()
	w, set, batches := slowWorker(t, s, seed)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	handle(t, ctx, w, batches[0], 100)
	for i, events := range batches[1:8] {
		handle(t, ctx, w, events, 200+100*int64(i)) // Comes back although nobody keeps the checkpoint, which is due each time.
	}
	first := <-s.begun
	s.answer <- nil
	w.Saved()
	if n := len(s.begun); n != 0 {
		t.Fatalf("seed %d: %d more checkpoints were begun while one was under way", seed, n)
	}
	if kept := s.checkpoint; len(kept) != 1 || kept[0].Batch.Number != 2 || !bytes.Equal(kept[0].Data, first.Data) {
		t.Fatalf("seed %d: %d checkpoints are kept, the first of %v; want that of batch 2 with the bytes it had", seed, len(kept), first.Batch)
	}
	handle(t, ctx, w, batches[8], 2000)
	if second := <-s.begun; second.Batch.Number != 9 {
		t.Errorf("seed %d: the next checkpoint is of batch %d, want 9", seed, second.Batch.Number)
	}
	cancel() // A stop: what is under way is given up,
	w.Saved()
	go func() { s.answer <- errFault }() // and the last one fails.
	w.Stop(t.Context())
	if n := len(s.checkpoint); n != 1 {
		t.Fatalf("seed %d: %d checkpoints are kept, want the first alone", seed, n)
	}
	if !bytes.Equal(replayed(t, set, s.disk, false), replayed(t, set, s.disk, true)) {
		t.Errorf("seed %d: the log behind the checkpoint gives another state than the whole log", seed)
	}
}

// replayed is the state of a worker that recovers from a disk, with its checkpoint or without.
func replayed(t *testing.T, set *rules.Set, d *disk, checkpoint bool) []byte {
	t.Helper()
	c := newDisk()
	c.entries, c.recorded = d.entries, d.recorded
	if checkpoint {
		c.checkpoint = d.checkpoint
	}
	e := correlate.New(set, correlate.Settings{})
	w := correlate.NewWorker(correlate.WorkerSettings{
		Engine: e, Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: c, Records: c, Checkpoints: c,
		Tables: func() string { return "" }, Every: 1 << 40, Slog: slog.New(slog.DiscardHandler),
	})
	if _, err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e.Snapshot(nil)
}

func TestACheckpointThatFailedIsTriedAgainSooner(t *testing.T) {
	s := newSlow()
	w, _, batches := slowWorker(t, s, 5)
	handle(t, t.Context(), w, batches[0], 1000)
	handle(t, t.Context(), w, batches[1], 1016)
	s.answer <- errFault
	w.Saved()
	for i, c := range []struct {
		received int64
		begun    int
	}{{1017, 1}, {1018, 1}, {1019, 2}} { // An eighth of the time after the failure was seen.
		handle(t, t.Context(), w, batches[2+i], c.received)
		if c.begun == 2 {
			s.answer <- nil
			w.Saved()
		}
		if n := len(s.begun); n != c.begun {
			t.Errorf("at %d µs %d checkpoints were begun, want %d", c.received, n, c.begun)
		}
	}
	go func() { s.answer <- nil }()
	w.Stop(t.Context())
	if n := len(s.checkpoint); n != 2 {
		t.Errorf("%d checkpoints are kept, want the second and that of the stop", n)
	}
}

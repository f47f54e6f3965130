package correlate_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// staged runs random batches through a worker that takes its checkpoints in stages, and gives the disk it leaves and the state after each batch.
func staged(t *testing.T, set *rules.Set, r *rand.Rand, settings correlate.Settings, bytes int64) (*disk, map[event.BatchID][]byte) {
	t.Helper()
	d, states := newDisk(), map[event.BatchID][]byte{}
	e := correlate.New(set, settings)
	w := correlate.NewWorker(correlate.WorkerSettings{
		Engine: e, Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: d, Records: d, Checkpoints: d,
		Tables: func() string { return "" }, Every: 1, Slog: slog.New(slog.DiscardHandler),
	})
	w.StageBytes(bytes)
	if _, err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	batches := arrivalIn(r, randomEvents(r, 100+r.IntN(200)), 180_000_000, 30)
	marks := marksAfter(batches)
	for i, events := range batches {
		if err := w.Handle(t.Context(), &event.Batch{Events: events, Received: int64(i + 1), Marks: marks[i]}); err != nil {
			t.Fatal(err)
		}
		w.Saved()
		states[d.entries[i].Batch.ID] = e.Snapshot(nil)
	}
	return d, states
}

// announced is what an engine, whose memory is not bounded, announces of the batches of a log after one, and at the end of all input.
func announced(t *testing.T, e *correlate.Engine, d *disk, after event.BatchID) (out []incident.Finding) {
	t.Helper()
	for entry, err := range d.Replay(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		e.Learn(entry.Notes)
		out = append(out, e.Fold(entry.Hits, entry.Batch.Marks)...)
	}
	return append(out, e.Drain()...)
}

func TestACheckpointThatWasTakenInStagesIsTheStateAfterItsBatch(t *testing.T) {
	law := &rules.Set{Rules: lawfulSet(t)}
	both := &rules.Set{Rules: slices.Concat(law.Rules, setOf(t, chained).Rules)}
	several, taken, listening := 0, 0, 0
	for round := 0; more(round, 10, several > 0 && taken > 0 && listening > 0); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 77))
		set := law
		if r.IntN(3) == 0 {
			set = both
		}
		settings := correlate.Settings{MaxBytes: []int64{0, 20_000, 60_000, 150_000}[r.IntN(4)]}
		d, states := staged(t, set, r, settings, []int64{1, 3000, 20_000}[r.IntN(3)])
		if len(d.checkpoint) == 0 {
			t.Fatalf("seed %d: there is no checkpoint", seed)
		}
		for _, i := range r.Perm(len(d.checkpoint))[:min(3, len(d.checkpoint))] {
			c := d.checkpoint[i]
			stages, again := correlate.StagesOf(c.Data)
			several += min(stages, 1)
			taken += again
			if set == both {
				listening += stages
			}
			e := correlate.New(set, correlate.Settings{})
			if err := e.Resume(t.Context(), c, d.Replay); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			straight := correlate.New(set, correlate.Settings{})
			if err := straight.Restore(states[c.Batch]); err != nil {
				t.Fatal(err)
			}
			want := announced(t, straight, d, c.Batch)
			if diff := cmp.Diff(want, announced(t, e, d, c.Batch)); diff != "" {
				t.Fatalf("seed %d: after the checkpoint of batch %v with %d stages before the last one, other things are announced (-straight +resumed):\n%s", seed, c.Batch, stages, diff)
			}
		}
	}
}

func TestACheckpointWhoseStagesDoNotFitTheLogIsRefusedAndAFailingLogIsNotItsFault(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	d, _ := staged(t, set, rand.New(rand.NewPCG(3, 3)), correlate.Settings{}, 3000)
	c := d.checkpoint[len(d.checkpoint)-1]
	if stages, _ := correlate.StagesOf(c.Data); stages < 2 {
		t.Fatalf("there are %d stages before the last one: the test shows nothing", stages)
	}
	lacking := func(drop func(event.BatchID) bool) correlate.Replay {
		return func(ctx context.Context, after event.BatchID) iter.Seq2[*incident.Entry, error] {
			return func(yield func(*incident.Entry, error) bool) {
				for e, err := range d.Replay(ctx, after) {
					if !drop(e.Batch.ID) && !yield(e, err) {
						return
					}
				}
			}
		}
	}
	failing := errors.New("the log cannot be read")
	for name, x := range map[string]struct {
		replay correlate.Replay
		want   error
	}{
		"an empty log":        {lacking(func(event.BatchID) bool { return true }), correlate.ErrSnapshot},
		"no batch of its own": {lacking(func(id event.BatchID) bool { return id == c.Batch }), correlate.ErrSnapshot},
		"a log that fails": {func(context.Context, event.BatchID) iter.Seq2[*incident.Entry, error] {
			return func(yield func(*incident.Entry, error) bool) { yield(nil, failing) }
		}, failing},
	} {
		e := correlate.New(set, correlate.Settings{})
		err := e.Resume(t.Context(), c, x.replay)
		if !errors.Is(err, x.want) || errors.Is(err, failing) && errors.Is(err, correlate.ErrSnapshot) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
		if !bytes.Equal(e.Snapshot(nil), correlate.New(set, correlate.Settings{}).Snapshot(nil)) {
			t.Errorf("%s: the engine has state", name)
		}
	}
}

func TestACheckpointWhoseBatchesAreFarBetweenIsTakenInOneStage(t *testing.T) {
	for _, c := range []struct {
		between int64 // Microseconds.
		several bool
	}{{1, true}, {601_000_000, false}} {
		set, d := &rules.Set{Rules: lawfulSet(t)}, newDisk()
		w := correlate.NewWorker(correlate.WorkerSettings{
			Engine: correlate.New(set, correlate.Settings{}), Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: d, Records: d, Checkpoints: d,
			Tables: func() string { return "" }, Every: 1, Slog: slog.New(slog.DiscardHandler),
		})
		w.StageBytes(1)
		if _, err := w.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(5, 5))
		batches := arrivalIn(r, randomEvents(r, 100), 180_000_000, 30)
		marks := marksAfter(batches)
		for i, events := range batches {
			if err := w.Handle(t.Context(), &event.Batch{Events: events, Received: 1 + int64(i)*c.between, Marks: marks[i]}); err != nil {
				t.Fatal(err)
			}
			w.Saved()
		}
		if len(d.checkpoint) == 0 {
			t.Fatal("there is no checkpoint")
		}
		for _, saved := range d.checkpoint {
			if stages, _ := correlate.StagesOf(saved.Data); stages > 0 != c.several {
				t.Errorf("batches are %d µs apart, and there are %d stages before the last one", c.between, stages)
			}
		}
	}
}

func TestANextVersionOfARuleThatWasTakenInAnEarlyStageAnnouncesNothingThatWasFinal(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	next := nextVersion(set)
	r := rand.New(rand.NewPCG(4, 77))
	d, _ := staged(t, set, r, correlate.Settings{}, 1)
	early := 0
	for _, c := range d.checkpoint {
		stages, _ := correlate.StagesOf(c.Data)
		early += stages
		former, told := correlate.New(set, correlate.Settings{}), map[string]bool{}
		var events []event.Event
		var marks []event.Mark
		for _, e := range d.entries {
			if c.Batch.Less(e.Batch.ID) {
				break
			}
			for _, f := range former.Fold(e.Hits, e.Batch.Marks) {
				told[completed(&f)] = f.State == incident.Final
			}
			events, marks = append(events, e.Batch.Events...), e.Batch.Marks
		}
		e := correlate.New(next, correlate.Settings{})
		if err := e.Resume(t.Context(), c, d.Replay); err != nil {
			t.Fatal(err)
		}
		b := event.Batch{Events: events}
		b.Sort()
		e.Warm(correlate.New(next, correlate.Settings{}).Hits(&b), marks)
		for _, f := range correlate.Finals(e.Drain()) {
			if told[completed(&f)] {
				t.Fatalf("after the checkpoint of batch %v with %d stages before the last one, %s was final by the former version, and is announced by the next", c.Batch, stages, completed(&f))
			}
		}
	}
	if early == 0 {
		t.Error("all was taken in one stage: the test shows nothing")
	}
}

package correlate_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// faulty is a disk that can refuse to append or to record, and goes on living.
type faulty struct {
	*disk
	append, record bool
}

var errFault = errors.New("not now")

func (f *faulty) Append(ctx context.Context, e *incident.Entry, settled func() error, follows func() incident.Outcome) (bool, error) {
	if f.append {
		return false, errFault
	}
	return f.disk.Append(ctx, e, settled, follows)
}

func (f *faulty) Record(ctx context.Context, id event.BatchID, findings []incident.Finding, changes []incident.Change) error {
	if f.record {
		return errFault
	}
	return f.disk.Record(ctx, id, findings, changes)
}

func workerOn(t *testing.T, f *faulty) *correlate.Worker {
	t.Helper()
	set := &rules.Set{}
	w := correlate.NewWorker(correlate.WorkerSettings{
		Engine: correlate.New(set, correlate.Settings{}), Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: f, Records: f, Checkpoints: f,
		Tables: func() string { return "" }, Every: 1 << 40, Slog: slog.New(slog.DiscardHandler),
	})
	if _, err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func batchAt(offsets ...int64) *event.Batch {
	b := &event.Batch{}
	for _, o := range offsets {
		e := event.Event{Time: 1 + o}
		e.Envelope.Position = event.Position{Source: "s", Offset: o}
		e.Envelope.ID = event.PositionID(e.Envelope.Position, 0)
		b.Events = append(b.Events, e)
		b.Ends = []event.End{{Source: "s", Offset: o + 1}}
	}
	return b
}

// The state has folded a batch that the log does not have, or whose consequences are not recorded: a checkpoint of it would make them so for ever.
func TestAStopAfterABatchThatCouldNotBeWrittenSavesNoCheckpoint(t *testing.T) {
	for _, f := range []*faulty{{disk: newDisk(), append: true}, {disk: newDisk(), record: true}} {
		refuses := *f
		f.append, f.record, f.small = false, false, 0
		w := workerOn(t, f)
		if err := errors.Join(w.Handle(t.Context(), batchAt(0)), w.Settled()); err != nil {
			t.Fatal(err)
		}
		f.append, f.record = refuses.append, refuses.record
		err := w.Handle(t.Context(), batchAt(1))
		if refuses.record { // Recording goes on beside the next batch, which does not get its marker.
			if err != nil {
				t.Fatal(err)
			}
			err = w.Handle(t.Context(), batchAt(2))
		}
		if !errors.Is(err, errFault) {
			t.Fatalf("the batch was handled with %v, want the fault", err)
		}
		w.Stop(t.Context())
		if n := len(f.checkpoint); n != 0 {
			t.Errorf("%d checkpoints were saved, want none (append fails: %v, record fails: %v)", n, refuses.append, refuses.record)
		}
		f.append, f.record = false, false
		w = workerOn(t, f)
		if err := w.Handle(t.Context(), batchAt(1, 2)); err != nil {
			t.Fatal(err)
		}
		w.Stop(t.Context())
		if n := len(f.checkpoint); n != 1 {
			t.Errorf("%d checkpoints after a clean stop, want 1", n)
		}
	}
}

// A message of several records stands at its first record, which the log's ends have passed while it waited for the rest.
func TestAMessageThatWaitedForItsRestIsNoRedelivery(t *testing.T) {
	f := &faulty{disk: newDisk()}
	inLog := func() (offsets []int64) {
		for _, e := range f.entries {
			for i := range e.Batch.Events {
				offsets = append(offsets, e.Batch.Events[i].Envelope.Position.Offset)
			}
		}
		return offsets
	}
	w := workerOn(t, f)
	waiting := event.Record{Position: event.Position{Source: "s", Offset: 1}}
	b := batchAt(0, 2)
	b.Ends, b.Carry = []event.End{{Source: "s", Offset: 3}}, []event.Record{waiting}
	for _, b := range []*event.Batch{b, batchAt(1, 3), batchAt(1, 2)} { // The last one really is one.
		if err := w.Handle(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if got := inLog(); len(got) != 4 {
		t.Errorf("the log has the offsets %v, want 0 to 3 once each", got)
	}
}

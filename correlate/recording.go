package correlate

import (
	"context"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// recording is what follows from a batch on its way to the disk. It goes on beside the rows of the next batch, and that one's marker waits for it:
// so a batch exists only once what follows from its predecessor is recorded, and after a crash at most one batch has to be recorded again.
type recording struct {
	do   func(context.Context) error // It may be done again.
	done chan struct{}
	err  error // Once done is closed.
}

// recordBeside begins to record what follows from a batch and answers the analysts' requests in it. The recording before is over.
func (w *Worker) recordBeside(ctx context.Context, id event.BatchID, findings []incident.Finding, changes []incident.Change, requests []*request) {
	findings = slices.Clone(findings) // The engine's own until the next fold.
	r := &recording{done: make(chan struct{}), do: func(ctx context.Context) error { return w.record(ctx, id, findings, changes) }}
	w.recording = r
	go func() {
		defer close(r.done)
		r.err = r.do(ctx)
		w.answer(requests, r.err)
	}()
}

// finish is Settled for a stop: what failed, which may be because the work's context has ended, is tried once more within ctx.
func (w *Worker) finish(ctx context.Context) error {
	err := w.Settled()
	if err != nil {
		err = w.recording.do(ctx)
		w.recording.err = err
	}
	return err
}

// Settled waits until what follows from the last batch is recorded, and says why it is not.
func (w *Worker) Settled() error {
	if w.recording == nil {
		return nil
	}
	<-w.recording.done
	return w.recording.err
}

func (w *Worker) record(ctx context.Context, id event.BatchID, findings []incident.Finding, changes []incident.Change) error {
	if err := w.set.Records.Record(ctx, id, findings, changes); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if w.set.Published != nil && len(changes) > 0 {
		w.set.Published(changes)
	}
	return nil
}

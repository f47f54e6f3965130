package correlate

import (
	"context"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// appending is an entry on its way into the log, beside the fold that says what follows from it.
type appending struct {
	follows  chan incident.Outcome // Capacity 1: the log may not ask for it.
	done     chan struct{}
	recorded bool  // Once done is closed: what follows is in the log, too.
	err      error // Likewise.
}

func (w *Worker) appendBeside(ctx context.Context, e *incident.Entry) *appending {
	a := &appending{follows: make(chan incident.Outcome, 1), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.recorded, a.err = w.set.Log.Append(ctx, e, w.Settled, func() incident.Outcome { return <-a.follows })
	}()
	return a
}

// recording is what follows from a batch on its way to the disk, if it is not there yet, and to those who are told of it. It goes on beside the rows
// of the next batch, and that one's marker waits for it: so a batch exists only once what follows from its predecessor is recorded, and after a crash
// at most one batch has to be recorded again.
type recording struct {
	do   func(context.Context) error // It may be done again.
	done chan struct{}
	err  error // Once done is closed.
}

// recordBeside begins to record what follows from a batch and answers the analysts' requests in it. The recording before is over.
func (w *Worker) recordBeside(ctx context.Context, id event.BatchID, out incident.Outcome, recorded bool, requests []*request) {
	out.Findings = slices.Clone(out.Findings) // The engine's own until the next fold.
	r := &recording{done: make(chan struct{})}
	r.do = func(ctx context.Context) error {
		if recorded {
			w.publish(out)
			return nil
		}
		return w.record(ctx, id, out)
	}
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

func (w *Worker) record(ctx context.Context, id event.BatchID, out incident.Outcome) error {
	if err := w.set.Records.Record(ctx, id, out.Findings, out.Changes); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	w.publish(out)
	return nil
}

func (w *Worker) publish(out incident.Outcome) {
	if w.set.Published != nil && len(out.Changes) > 0 {
		w.set.Published(out.Changes)
	}
}

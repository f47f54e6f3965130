package correlate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// appending is an entry on its way into the log, beside the fold that says what follows from it, and the matching of the next batch.
type appending struct {
	follows chan incident.Outcome // Capacity 1.
	done    chan struct{}
	err     error // Once done is closed,
	record  *recording
}

// appendBeside lets an entry be written, and then begins to record what follows from it. Requests are the analysts' in it; they are answered.
func (w *Worker) appendBeside(ctx context.Context, e *incident.Entry, requests []*request) *appending {
	a := &appending{follows: make(chan incident.Outcome, 1), done: make(chan struct{})}
	follows := sync.OnceValue(func() incident.Outcome { return <-a.follows })
	go func() {
		defer close(a.done)
		recorded, err := w.set.Log.Append(ctx, e, w.Settled, follows)
		out := follows() // The log may not have asked for it.
		if err != nil {
			a.err = fmt.Errorf("append batch: %w", err)
			w.answer(requests, err)
			return
		}
		w.ahead.Add(-1)
		w.recordBeside(ctx, e.Batch.ID, out, recorded, requests)
		a.record = w.recording
	}()
	return a
}

// wait waits until the entry is written, and says why it is not.
func (a *appending) wait() error {
	if a == nil {
		return nil
	}
	<-a.done
	return a.err
}

// settled waits until what follows from the entry is recorded as well, and reports whether it is.
func (a *appending) settled() bool {
	if a.wait() != nil {
		return false
	}
	<-a.record.done
	return a.record.err == nil
}

// over reports whether there is nothing to wait for.
func (a *appending) over() bool {
	if a == nil {
		return true
	}
	select {
	case <-a.done:
		return true
	default:
		return false
	}
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
		before := w.recording // Whoever waits for this one has its error.
		w.recording = &recording{do: before.do, done: before.done, err: before.do(ctx)}
		err = w.recording.err
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

package correlate

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// sooner is how many times sooner than usual a checkpoint follows one that failed.
const sooner = 8

// mostSpan is how long a checkpoint may take from its first stage to its last one, by our clock in microseconds.
const mostSpan = 10 * 60_000_000

// saving is the checkpoint that is under way, at most one. What it says was taken and has nothing in common with the state any more; it is put together
// and sent beside the next batches.
type saving struct {
	sync.WaitGroup
	busy, failed atomic.Bool
}

// due decides whether a checkpoint is to be begun after b: every few minutes, unless the one before is still under way.
func (w *Worker) due(b *event.Batch) bool {
	if w.saved == 0 {
		w.saved = b.Received
	}
	if w.saving.busy.Load() {
		return false
	}
	if w.saving.failed.Swap(false) {
		w.saved = b.Received - w.set.Every + w.set.Every/sooner
	}
	if b.Received-w.saved < w.set.Every {
		return false
	}
	w.saved = b.Received
	return true
}

// stage takes a stage of a checkpoint after b, which was folded and is being written, if one is under way or due. What was taken is saved once all that
// follows from b is recorded.
func (w *Worker) stage(ctx context.Context, b *event.Batch) {
	if w.stages == nil {
		if !w.due(b) {
			return
		}
		w.stages = w.set.Engine.newStages(w.atATime, b.Received)
	}
	if b.Received-w.stages.began > mostSpan { // In one stage, then: the log between the stages must still be there when it is needed.
		w.stages = w.set.Engine.newStages(math.MaxInt64, b.Received)
	}
	last := w.stages.take(w.set.Engine, b.ID)
	if last == nil {
		return
	}
	state, err := w.moment(last)
	if len(w.stages.steps) > 0 {
		state.stages = w.stages
	}
	w.stages = nil
	if err != nil {
		w.failed(err)
		return
	}
	w.saveBeside(ctx, b.ID, state, w.log.settled)
}

// save saves the state as it is, in one stage.
func (w *Worker) save(ctx context.Context, id event.BatchID) {
	w.stages = nil
	w.saving.Wait() // Before the state is taken: there is memory for one checkpoint, not for two.
	if w.ahead.Load() != 0 || w.Settled() != nil {
		return // The state is ahead of the log, or what follows from the last batch is not on the disk, and nobody would record it again from here.
	}
	state, err := w.moment(w.set.Engine.Pack())
	if err != nil {
		w.failed(err)
		return
	}
	w.saveBeside(ctx, id, state, func() bool { return true })
}

// saveBeside saves what was taken once it is settled.
func (w *Worker) saveBeside(ctx context.Context, id event.BatchID, state moment, settled func() bool) {
	w.saving.busy.Store(true)
	w.saving.Go(func() {
		defer w.saving.busy.Store(false)
		if !settled() {
			return
		}
		data := state.checkpoint(w.set.RulesText)
		state = moment{} // There are its bytes now.
		if err := w.set.Checkpoints.Save(ctx, incident.Checkpoint{Batch: id, Data: data}); err != nil && ctx.Err() == nil {
			w.failed(err)
		}
	})
}

// failed says that there is no new checkpoint; the one before it stays good.
func (w *Worker) failed(err error) {
	w.saving.failed.Store(true)
	w.set.Slog.Error("checkpoint failed", "err", err)
}

// Stop waits for what is being recorded and saves a last checkpoint, so that the next start is quick. One that is under way is waited for; where its
// context ended with that of Handle it is given up. No Handle may run. After a batch that could not be written there is none to save: the state has
// what the log has not.
func (w *Worker) Stop(ctx context.Context) {
	if w.finish(ctx) == nil && w.id.Number > 0 && w.ahead.Load() == 0 { // Else the next start records it.
		w.save(ctx, w.id)
	}
	w.saving.Wait()
}

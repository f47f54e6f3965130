package correlate

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Replay gives what the log has after a batch, in order.
type Replay func(ctx context.Context, after event.BatchID) iter.Seq2[*incident.Entry, error]

// errReplay is wrapped by errors of the log, which say nothing of the checkpoint.
var errReplay = errors.New("read the log")

// resuming brings an engine to a checkpoint that was taken in stages (stages.go): rules are there from their own stage on, and fold the batches between
// that and the last stage once more. What followed from these batches was announced then, and is not again. A rule that was taken again is then as it was
// taken last.
type resuming struct {
	engine *Engine
	rules  []*ruleState // All of them,
	byID   map[string]*ruleState
	met    *restoring // and those that are there.
	steps  []saved    // Still to come.
}

// saved is a stage before the last one.
type saved struct {
	batch event.BatchID
	state []byte
}

// Resume restores the state of a checkpoint, which is that after its batch; one without bytes empties the state. An error that wraps ErrSnapshot says why
// it cannot be used: folding the whole log is always right. After an error the engine is without state.
func (e *Engine) Resume(ctx context.Context, c incident.Checkpoint, replay Replay) error {
	parts, err := splitCheckpoint(c.Data)
	if err != nil {
		e.reset()
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return e.resume(ctx, &parts, c.Batch, replay)
}

func (e *Engine) resume(ctx context.Context, parts *checkpointParts, last event.BatchID, replay Replay) error {
	if len(parts.stages) == 0 {
		return e.Restore(parts.engine)
	}
	e.reset()
	x := &resuming{engine: e, rules: e.fold.rules, byID: e.fold.byID, met: newRestoring()}
	err := x.read(parts.stages, last)
	if err == nil {
		err = x.catchUp(ctx, last, replay)
	}
	if err == nil {
		err = x.whole(parts.engine)
	}
	if err != nil {
		e.reset()
	}
	return err
}

// read takes the steps apart.
func (x *resuming) read(b []byte, last event.BatchID) error {
	r := &reader{b: b}
	for range r.count(2 + 8) {
		batch := event.BatchID{Epoch: r.uint(), Number: r.uint()}
		state, rest, err := cutSection(r.b)
		if n := len(x.steps); err != nil || !batch.Less(last) || n > 0 && !x.steps[n-1].batch.Less(batch) {
			r.fail()
			break
		}
		x.steps, r.b = append(x.steps, saved{batch, state}), rest
	}
	if r.err != nil || len(r.b) > 0 || len(x.steps) == 0 {
		return fmt.Errorf("%w: its stages: %w", ErrSnapshot, errDamaged)
	}
	return nil
}

// catchUp comes from the first stage to the batch of the last one.
func (x *resuming) catchUp(ctx context.Context, last event.BatchID, replay Replay) error {
	at := x.steps[0].batch
	if err := x.stage(); err != nil {
		return err
	}
	for e, err := range replay(ctx, at) {
		if err != nil {
			return fmt.Errorf("%w: %w", errReplay, err)
		}
		if last.Less(e.Batch.ID) {
			break
		}
		at = e.Batch.ID
		if err := x.fold(e); err != nil {
			return err
		}
	}
	if at != last || len(x.steps) > 0 {
		return fmt.Errorf("%w: the log lacks batches between its stages", ErrSnapshot)
	}
	return nil
}

// fold folds a batch, and takes in the stage that was taken after it, if one was.
func (x *resuming) fold(e *incident.Entry) error {
	x.engine.again(e.Hits, e.Batch.Marks)
	if len(x.steps) == 0 || e.Batch.ID.Less(x.steps[0].batch) {
		return nil
	}
	if e.Batch.ID != x.steps[0].batch {
		return fmt.Errorf("%w: the log has no batch %v", ErrSnapshot, x.steps[0].batch)
	}
	return x.stage()
}

// stage reads the stage that comes next.
func (x *resuming) stage() error {
	f := x.engine.fold
	f.rules, f.byID = x.rules, x.byID
	if err := x.engine.readSnapshot(x.steps[0].state, x.met); err != nil {
		return err
	}
	x.steps = x.steps[1:]
	clear(x.met.heirs) // Their former versions went on up to the last stage.
	f.rules, f.byID = nil, map[string]*ruleState{}
	for _, r := range x.rules {
		if x.met.known[r] {
			f.rules = append(f.rules, r)
			f.byID[r.rule.ID] = r
		}
	}
	return nil
}

// whole reads the last stage.
func (x *resuming) whole(state []byte) error {
	f := x.engine.fold
	f.rules, f.byID, f.fresh = x.rules, x.byID, true
	if err := x.engine.readSnapshot(state, x.met); err != nil {
		return err
	}
	x.met.begin(f)
	return nil
}

// again folds a batch that was folded before, for the rules that are there.
func (e *Engine) again(hits []event.Hit, marks []event.Mark) {
	f := e.fold
	f.replayed = true
	e.Fold(hits, marks)
	f.replayed, f.out = false, f.out[:0]
}

package correlate

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
)

// strangers are the rules that the restored state does not know.
func (w *Worker) strangers() []string {
	var ids []string
	for _, r := range w.set.Engine.fold.rules {
		if r.waiting() {
			ids = append(ids, r.rule.ID)
		}
	}
	return ids
}

// acquaint fills rules that the restored state did not know with the past, up to the end of the log. Where batches were folded since the state
// was saved, which is after a crash with a checkpoint whose rules cannot be read any more, what other versions of these rules found in them is not
// known, so that they begin at the log's end.
func (w *Worker) acquaint(ctx context.Context, strange []string, folded int) error {
	if len(strange) == 0 {
		return nil
	}
	if folded > 0 {
		w.set.Engine.Renew(strange)
	}
	if w.set.Warm == nil {
		return nil
	}
	if err := w.set.Warm(ctx); err != nil {
		return fmt.Errorf("recover: warm new rules: %w", err)
	}
	return nil
}

// follow takes over the rules in force: between two batches, warmed with the past that is in the log. A checkpoint is made at once, so that a crash
// does not go back to the rules before. Warming that fails for another reason than a stop leaves rules without their past, and they say so.
func (w *Worker) follow(ctx context.Context) error {
	if !w.overruled() {
		return nil
	}
	next := w.set.Rules()
	w.ahead.Add(1) // Until the state is whole again.
	w.stages = nil // These are of other rules.
	report := w.set.Engine.Swap(next)
	w.rules = next
	if len(report.Warming) > 0 && w.set.Warm != nil {
		if err := w.set.Warm(ctx); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("warm new rules: %w", err)
			}
			w.set.Slog.Error("new rules begin without their past", "rules", len(report.Warming), "err", err)
		}
	}
	w.ahead.Add(-1)
	if last := w.last(); last != (event.BatchID{}) {
		w.save(ctx, last)
		w.saving.Wait() // The log after a checkpoint is folded by the rules of the checkpoint.
	}
	if w.set.Swapped != nil {
		w.set.Swapped(report)
	}
	return nil
}

// overruled reports whether other rules are in force than those that the worker has.
func (w *Worker) overruled() bool { return w.set.Rules != nil && w.set.Rules() != w.rules }

// begin makes the first checkpoint, without which nobody would know by which rules the log was made if they are others after a crash.
func (w *Worker) begin(ctx context.Context) {
	last := w.last()
	if !w.begins() || last == (event.BatchID{}) {
		return
	}
	w.whole = true
	w.save(ctx, last)
	w.saving.Wait()
}

// begins reports whether that checkpoint is still to be made.
func (w *Worker) begins() bool { return !w.whole && w.set.RulesText != nil }

// overtake goes on by the rules in force where the log does, which is where the checkpoint after a swap could not be written. It gives the rules
// that begin there.
func (w *Worker) overtake(hash string) []string {
	if w.rules == w.force || hash != w.force.Hash {
		return nil
	}
	w.rules = w.force
	return w.set.Engine.Swap(w.force).Warming
}

// last is the batch that the state ends with.
func (w *Worker) last() event.BatchID {
	if w.id.Number > 0 {
		return w.id
	}
	return w.tail.Batch
}

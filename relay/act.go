package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Act puts an analyst's action into tocsin.findings and returns once this member has folded it; any member may be asked, leader or not. The
// error wraps one of incident's if the action was refused. If ctx ends before, the action may or may not have been carried out. An action
// that was folded before is answered as it was then.
func (t *Triage) Act(ctx context.Context, a incident.Action) ([]incident.Change, error) {
	parts, err := (&Announcement{Partition: ActionPartition, Received: a.At, Action: &a}).Encode()
	if err != nil {
		if errors.Is(err, ErrTooLong) {
			err = fmt.Errorf("%w: %w", incident.ErrRefused, err)
		}
		return nil, err
	}
	answer, known := t.await(a.ID)
	if known != nil {
		return known.Changes, known.Err
	}
	defer t.leave(a.ID, answer)
	if err := t.set.Producer.Produce(ctx, FindingsTopic, []Message{{Value: parts[0]}}); err != nil {
		return nil, fmt.Errorf("the action may be on its way; look at the incident again: %w", err)
	}
	select {
	case o := <-answer:
		return o.Changes, o.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("the action is on its way; look at the incident again: %w", ctx.Err())
	}
}

// await gives a channel for the outcome of an action, or the outcome if there is one.
func (t *Triage) await(id event.ID) (chan Outcome, *Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o, done := t.view.Outcome(id); done {
		return nil, &o
	}
	answer := make(chan Outcome, 1)
	t.waiting[id] = append(t.waiting[id], answer)
	return answer, nil
}

func (t *Triage) leave(id event.ID, answer chan Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := slices.DeleteFunc(t.waiting[id], func(c chan Outcome) bool { return c == answer })
	if len(left) == 0 {
		delete(t.waiting, id)
		return
	}
	t.waiting[id] = left
}

// answer tells those who wait for actions that were folded just now.
func (r *round) answer(actions []event.ID) {
	if len(actions) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range actions {
		o, done := r.fold.Outcome(id)
		if !done {
			continue
		}
		for _, c := range r.waiting[id] {
			select {
			case c <- o:
			default: // It has been told.
			}
		}
	}
}

package triage

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const (
	maxPending = 1000 // deliveries looked at per endpoint at once
	abreast    = 4    // attempts to one endpoint at the same time, for different incidents
	refusals   = 3    // attempts for a delivery that is refused
	idlePolls  = 15   // where nothing is due, the outbox is looked at so many times less often
)

// endpoint works off what one webhook is owed. Its fields but health are touched only by run's goroutine, which waits for the attempts it
// starts.
type endpoint struct {
	desk   *Desk
	hook   *webhook
	wake   chan struct{}
	health health

	look      time.Time                      // when something is due next
	revived   int64                          // our clock, microseconds: waits set before do not count, since the endpoint came back
	waits     map[event.ID]int64             // by delivery: when its wait was set, our clock
	hold      map[event.ID]int64             // by incident: a newer revision inherits the wait of the one it replaces
	coalesced map[event.ID]int               // by incident: revisions replaced since the last delivery
	unsettled map[event.ID]incident.Delivery // ended, but the outbox could not be told yet
}

func newEndpoint(d *Desk, w *webhook) *endpoint {
	return &endpoint{
		desk: d, hook: w, wake: make(chan struct{}, 1), waits: map[event.ID]int64{}, hold: map[event.ID]int64{}, coalesced: map[event.ID]int{},
		unsettled: map[event.ID]incident.Delivery{},
	}
}

func (e *endpoint) log() *slog.Logger {
	return e.desk.s.Log.With("component", "triage", "endpoint", e.hook.Name)
}

func (e *endpoint) run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil && !e.health.isDisabled() {
		busy, err := e.round(ctx)
		if err != nil && ctx.Err() == nil {
			if !failing {
				e.log().Error("the outbox cannot be used; deliveries wait", "err", err)
			}
			failing = true
		}
		if err == nil && failing {
			e.log().Info("the outbox can be used again")
			failing = false
		}
		switch {
		case err != nil:
			e.sleep(ctx, e.desk.cfg.Poll)
		case !busy:
			e.sleep(ctx, e.look.Sub(e.desk.s.Now()))
		}
	}
}

// sleep waits for news, or for so long, within what is sensible: a look is a question to the store.
func (e *endpoint) sleep(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(min(max(wait, e.desk.cfg.Poll), idlePolls*e.desk.cfg.Poll))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-e.wake:
	case <-timer.C:
	}
}

// round looks at what is owed and makes the attempts that are due. busy means that there may be more to do at once.
func (e *endpoint) round(ctx context.Context) (busy bool, err error) {
	for _, d := range e.unsettled {
		if err := e.settle(ctx, d); err != nil {
			return false, err
		}
	}
	now := e.desk.s.Now()
	owed, err := e.desk.outbox.Pending(ctx, e.hook.route(now.Add(-e.desk.patience()-24*time.Hour).UnixMicro()), maxPending)
	if err != nil {
		return false, err
	}
	e.report(owed, now)
	heads, err := e.lanes(ctx, owed, now)
	if err != nil {
		return false, err
	}
	if open, probe := e.health.open(); open {
		return e.tryAgain(ctx, heads, probe)
	}
	due := e.due(heads, now)
	return len(due) > 0, e.attempts(ctx, due)
}

func (e *endpoint) report(owed []incident.Delivery, now time.Time) {
	e.health.owed(len(owed))
	oldest := 0.0
	if len(owed) > 0 {
		oldest = float64(now.UnixMicro()-owed[0].Change.Incident.Updated) / 1e6
	}
	e.desk.s.Metrics.owed(e.hook.Name, len(owed), oldest)
}

// always reports whether a change is sent even if a newer one waits: who follows an incident must hear of its beginning and its end.
func always(k incident.ChangeKind) bool {
	return k == incident.ChangeOpened || k == incident.ChangeMerged || k == incident.ChangeClosed
}

// lanes gives the delivery at the head of each incident's lane. Snapshots that a newer change replaces are settled as coalesced; what is
// too old is settled as dead.
func (e *endpoint) lanes(ctx context.Context, owed []incident.Delivery, now time.Time) ([]incident.Delivery, error) {
	newest := map[event.ID]int{}
	for i, d := range owed {
		newest[d.Change.Incident.ID] = i
	}
	var heads []incident.Delivery
	headed := map[event.ID]bool{}
	for i, d := range owed {
		id := d.Change.Incident.ID
		switch {
		case !always(d.Change.Kind) && newest[id] != i:
			e.hold[id] = max(e.hold[id], e.wait(d))
			e.coalesced[id]++
			if err := e.end(ctx, d, incident.DeliveryCoalesced, ""); err != nil {
				return nil, err
			}
		case now.UnixMicro()-d.Change.Incident.Updated > e.desk.patience().Microseconds():
			if err := e.end(ctx, d, incident.DeliveryDead, "too old: "+d.Error); err != nil {
				return nil, err
			}
		case !headed[id]:
			headed[id] = true
			heads = append(heads, d)
		}
	}
	return heads, nil
}

// wait is until when a delivery must not be tried; 0 if it may.
func (e *endpoint) wait(d incident.Delivery) int64 {
	if e.revived != 0 && e.waits[d.ID] < e.revived {
		return 0
	}
	return d.Next
}

// due lists what may be tried now, and notes when the first of the others may.
func (e *endpoint) due(heads []incident.Delivery, now time.Time) []incident.Delivery {
	var due []incident.Delivery
	e.look = now.Add(time.Hour)
	for _, d := range heads {
		at := max(e.wait(d), e.hold[d.Change.Incident.ID])
		if at <= now.UnixMicro() {
			due = append(due, d)
			continue
		}
		if t := time.UnixMicro(at); t.Before(e.look) {
			e.look = t
		}
	}
	return due
}

// tryAgain tries an open breaker with the oldest delivery, once a minute. That try costs the delivery none of its attempts: the endpoint is
// in question, not the delivery.
func (e *endpoint) tryAgain(ctx context.Context, heads []incident.Delivery, probe time.Time) (busy bool, err error) {
	e.look = probe
	if len(heads) == 0 || e.desk.s.Now().Before(probe) {
		return false, nil
	}
	d := heads[0]
	a := e.send(ctx, d)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if a.verdict == again {
		e.desk.s.Metrics.delivered(e.hook.Name, "retry")
		e.health.fail(a.err, e.desk.s.Now())
		_, e.look = e.health.open()
		return false, nil
	}
	return true, e.conclude(ctx, d, a)
}

// attempts makes one attempt for each of due, a few at a time, and draws the conclusions in order.
func (e *endpoint) attempts(ctx context.Context, due []incident.Delivery) error {
	for len(due) > 0 {
		if open, _ := e.health.open(); open || e.health.isDisabled() {
			return nil
		}
		part := due[:min(abreast, len(due))]
		due = due[len(part):]
		answers := make([]answer, len(part))
		var all sync.WaitGroup
		for i := range part {
			all.Go(func() { answers[i] = e.send(ctx, part[i]) })
		}
		all.Wait()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var failed error // every answer is concluded, lest one that got through is sent again
		for i, d := range part {
			if err := e.conclude(ctx, d, answers[i]); err != nil {
				failed = err
			}
		}
		if failed != nil {
			return failed
		}
	}
	return nil
}

// send makes one attempt. It only reads the endpoint's fields, so several may run at once.
func (e *endpoint) send(ctx context.Context, d incident.Delivery) answer {
	var raw []bodyRaw
	if e.hook.IncludeRaw {
		raw = e.raw(ctx, d.Change.Incident)
	}
	b := body(&d.Change, d.ID, e.desk.s.Source, e.desk.cfg.ConsoleURL, e.coalesced[d.Change.Incident.ID], raw)
	return e.hook.send(ctx, event.FormatID(event.DeliveryPrefix, d.ID), b, e.desk.s.Now())
}

// raw is original log text of the first events of each finding, a few and short.
func (e *endpoint) raw(ctx context.Context, in *incident.Incident) []bodyRaw {
	var ids []event.ID
	for _, f := range in.Findings {
		for _, ev := range f.Evidence[:min(2, len(f.Evidence))] {
			if len(ids) < 8 {
				ids = append(ids, ev.Event.Event)
			}
		}
	}
	texts, err := e.desk.s.Raw.Raw(ctx, ids)
	if err != nil {
		return nil // the delivery is worth more than its ornament
	}
	var out []bodyRaw
	for _, id := range ids {
		if s := texts[id]; s != "" {
			out = append(out, bodyRaw{Event: id.String(), Text: cut(s, 1000)})
		}
	}
	return out
}

// conclude records what an attempt came to.
func (e *endpoint) conclude(ctx context.Context, d incident.Delivery, a answer) error {
	now := e.desk.s.Now()
	d.Attempts++
	d.Error = a.err
	if a.verdict != again {
		if failing, open := e.health.alive(); failing {
			e.log().Info("the endpoint answers again")
			if open {
				e.revived = now.UnixMicro()
				clear(e.hold)
			}
		}
	}
	switch a.verdict {
	case delivered:
		e.health.accept()
		return e.end(ctx, d, incident.DeliveryDone, "")
	case gone:
		e.health.disable(a.err)
		e.log().Error("the endpoint says it is gone; it is told nothing until a restart", "err", a.err)
		return e.end(ctx, d, incident.DeliveryDead, a.err)
	case refused:
		e.health.refuse(a.err)
		if d.Attempts >= refusals {
			e.log().Error("the endpoint refuses a delivery; check its configuration", "incident", event.FormatID(event.IncidentPrefix, d.Change.Incident.ID), "err", a.err)
			return e.end(ctx, d, incident.DeliveryDead, a.err)
		}
	case again:
		first, opened := e.health.fail(a.err, now)
		if first || opened {
			e.log().Warn("the endpoint fails", "err", a.err, "held_back", opened)
		}
	}
	return e.later(ctx, d, a.wait, now)
}

// later puts a delivery off, or gives it up after its last attempt.
func (e *endpoint) later(ctx context.Context, d incident.Delivery, asked time.Duration, now time.Time) error {
	wait, ok := e.desk.backoff(d.Attempts)
	if !ok {
		return e.end(ctx, d, incident.DeliveryDead, d.Error)
	}
	e.desk.s.Metrics.delivered(e.hook.Name, "retry")
	d.State, d.Next = incident.DeliveryPending, now.Add(max(wait, asked)).UnixMicro()
	e.waits[d.ID] = now.UnixMicro()
	e.hold[d.Change.Incident.ID] = d.Next
	return e.desk.outbox.Attempt(ctx, d)
}

// end settles a delivery.
func (e *endpoint) end(ctx context.Context, d incident.Delivery, state incident.DeliveryState, err string) error {
	d.State, d.Error, d.Next = state, err, 0
	e.desk.s.Metrics.delivered(e.hook.Name, string(state))
	delete(e.waits, d.ID)
	if state != incident.DeliveryCoalesced {
		delete(e.hold, d.Change.Incident.ID)
		delete(e.coalesced, d.Change.Incident.ID)
	}
	return e.settle(ctx, d)
}

// settle tells the outbox; if it cannot be told now, that is kept and done first next time, and nothing is sent before.
func (e *endpoint) settle(ctx context.Context, d incident.Delivery) error {
	e.unsettled[d.ID] = d
	if err := e.desk.outbox.Settle(ctx, d); err != nil {
		return err
	}
	delete(e.unsettled, d.ID)
	return nil
}

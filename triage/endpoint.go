package triage

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

const (
	maxPending = 1000 // deliveries looked at per endpoint at once
	abreast    = 4    // attempts to one endpoint at the same time, for different incidents
	refusals   = 3    // attempts for a delivery that is refused
	idlePolls  = 15   // where nothing is due, the outbox is looked at so many times less often

	maxUnsettled = 64                     // deliveries settled at once; a crash before repeats those that arrived
	settleWithin = 200 * time.Millisecond // how long the first of them waits for others
	lastSettle   = 2 * time.Second        // for those of a desk that is stopped
)

// endpoint works off what one receiver is owed. Its fields but health are touched only by run's goroutine, which waits for the attempts it
// starts.
type endpoint struct {
	desk   *Desk
	to     *courier
	wake   chan struct{}
	health health

	look      time.Time           // when something is due next
	revived   int64               // our clock, microseconds: waits set before do not count, since the endpoint came back
	waits     map[event.ID]int64  // by delivery: when its wait was set, our clock
	hold      map[event.ID]int64  // by incident: a newer revision inherits the wait of the one it replaces
	coalesced map[event.ID]int    // by incident: revisions replaced since the last delivery
	unsettled []incident.Delivery // concluded, but the outbox was not told yet; all different, as nothing is looked at before they are settled
	settleBy  time.Time           // when it must be told
	storm     storm
	bucket    bucket
}

func newEndpoint(d *Desk, to *courier) *endpoint {
	return &endpoint{
		desk: d, to: to, wake: make(chan struct{}, 1), waits: map[event.ID]int64{}, hold: map[event.ID]int64{}, coalesced: map[event.ID]int{},
	}
}

func (e *endpoint) log() *slog.Logger {
	return e.desk.s.Log.With("component", "triage", "endpoint", e.to.Name)
}

func (e *endpoint) run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		if e.health.isDisabled() {
			e.rest(ctx)
			continue
		}
		busy, err := e.round(ctx)
		if err != nil && ctx.Err() == nil {
			if !failing {
				e.log().Warn("the outbox cannot be used; deliveries wait", "err", err)
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
	e.settleLast(ctx)
}

// rest waits until somebody calls: an endpoint that is gone is told nothing until a test finds it back.
func (e *endpoint) rest(ctx context.Context) {
	if err := e.settle(ctx); err != nil {
		e.sleep(ctx, e.desk.cfg.Poll)
		return
	}
	select {
	case <-ctx.Done():
	case <-e.wake:
	}
}

// settleLast settles what was delivered before the stop, lest it is sent again after the next start.
func (e *endpoint) settleLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSettle)
	defer cancel()
	if err := e.settle(ctx); err != nil {
		e.log().Warn("deliveries are not settled and will be made again", "deliveries", len(e.unsettled), "err", err)
	}
}

// nudge ends a sleep. It never blocks.
func (e *endpoint) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
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
	if err := e.settle(ctx); err != nil {
		return false, err
	}
	now := e.desk.s.Now()
	e.to.keys.load(ctx, e.desk.s.Vault, now)
	owed, err := e.desk.outbox.Pending(ctx, e.to.route(now.Add(-e.desk.patience()-24*time.Hour).UnixMicro(), e.desk.router.takes(e.to.Name)), maxPending)
	if err != nil {
		return false, err
	}
	e.report(owed, now)
	heads, err := e.lanes(ctx, owed, now)
	if err != nil {
		return false, err
	}
	if open, probe := e.health.open(); open {
		busy, err = e.tryAgain(ctx, heads, probe)
	} else {
		due, digest := e.calm(e.due(heads, now), now)
		due = e.pace(due, now)
		busy = len(due)+len(digest) > 0
		if err = e.attempts(ctx, due); err == nil {
			err = e.tellDigest(ctx, digest)
		}
	}
	if err != nil {
		return false, err
	}
	return busy, e.settle(ctx)
}

func (e *endpoint) report(owed []incident.Delivery, now time.Time) {
	e.health.owed(len(owed))
	oldest := 0.0
	if len(owed) > 0 {
		oldest = float64(now.UnixMicro()-owed[0].Change.Incident.Updated) / 1e6
	}
	e.desk.s.Metrics.owed(e.to.Name, len(owed), oldest)
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
		if d.Alert() == nil {
			newest[d.Change.Incident.ID] = i
		}
	}
	var heads []incident.Delivery
	headed := map[event.ID]bool{}
	for i, d := range owed {
		id := d.Change.Incident.ID
		switch {
		case d.Alert() == nil && !always(d.Change.Kind) && newest[id] != i:
			e.hold[id] = max(e.hold[id], e.wait(d))
			e.coalesced[id]++
			e.end(d, incident.DeliveryCoalesced, "")
		case now.UnixMicro()-max(d.Change.Incident.Updated, d.Replayed) > e.desk.patience().Microseconds():
			e.end(d, incident.DeliveryDead, "too old: "+d.Error)
		case !headed[id]:
			headed[id] = true
			heads = append(heads, d)
		}
		if err := e.settleFull(ctx); err != nil {
			return nil, err
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
		e.desk.s.Metrics.delivered(e.to.Name, "retry")
		e.health.fail(a.err, e.desk.s.Now())
		_, e.look = e.health.open()
		return false, nil
	}
	e.conclude(d, a)
	return true, nil
}

// attempts makes one attempt for each of due, a few at a time, and draws the conclusions in order. Every answer is concluded, lest one that
// got through is sent again.
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
		failed := e.settleMeanwhile(ctx, &all)
		for i, d := range part {
			if ctx.Err() == nil || answers[i].verdict != again { // what a stop cut off was no attempt
				e.conclude(d, answers[i])
			}
		}
		if ctx.Err() != nil || failed != nil {
			return cmp.Or(ctx.Err(), failed)
		}
		if err := e.settleFull(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settleMeanwhile waits for attempts, and settles what was concluded before them when its time has come: an endpoint may be slow to answer.
func (e *endpoint) settleMeanwhile(ctx context.Context, attempts *sync.WaitGroup) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		attempts.Wait()
	}()
	if len(e.unsettled) > 0 {
		timer := time.NewTimer(e.settleBy.Sub(e.desk.s.Now()))
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			err = e.settle(ctx)
		}
	}
	<-done
	return err
}

// send makes one attempt. It only reads the endpoint's fields, so several may run at once.
func (e *endpoint) send(ctx context.Context, d incident.Delivery) answer {
	if f := d.Alert(); f != nil {
		return e.to.send(ctx, e.desk.alertLetter(&d, f), e.desk.s.Now())
	}
	var raw []adapter.Raw
	if e.to.IncludeRaw {
		raw = e.raw(ctx, d.Change.Incident)
	}
	l := letterOf(&d.Change, d.ID, e.desk.s.Source, e.desk.cfg.ConsoleURL, e.coalesced[d.Change.Incident.ID], raw)
	if e.to.ModelSummary {
		inModelsWords(&l.Envelope, d.Change.Incident)
	}
	e.desk.router.mark(l.Data.Incident, &d.Change)
	return e.to.send(ctx, l, e.desk.s.Now())
}

// raw is original log text of the first events of each finding, a few and short.
func (e *endpoint) raw(ctx context.Context, in *incident.Incident) []adapter.Raw {
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
	var out []adapter.Raw
	for _, id := range ids {
		if s := texts[id]; s != "" {
			out = append(out, adapter.Raw{Event: id.String(), Text: cut(s, 1000)})
		}
	}
	return out
}

// conclude notes what an attempt came to.
func (e *endpoint) conclude(d incident.Delivery, a answer) {
	now := e.desk.s.Now()
	d.Attempts++
	d.Error, d.Reply = a.err, incident.Reply{Status: a.status, Answer: strings.ToValidUTF8(a.text, "\uFFFD"), Took: a.took.Microseconds()}
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
		e.end(d, incident.DeliveryDone, "")
		return
	case gone:
		e.health.disable(a.err, now)
		e.log().Error("the endpoint says it is gone; it is told nothing until a test finds it back", "err", a.err)
		e.end(d, incident.DeliveryDead, a.err)
		return
	case refused:
		e.health.refuse(a.err)
		if d.Attempts-d.Spent >= refusals {
			e.log().Error("the endpoint refuses a delivery; check its configuration", "incident", event.FormatID(event.IncidentPrefix, d.Change.Incident.ID), "err", a.err)
			e.end(d, incident.DeliveryDead, a.err)
			return
		}
	case again:
		first, opened := e.health.fail(a.err, now)
		if first || opened {
			e.warnFailing(a.err, opened)
		}
	}
	e.later(d, a.wait, now)
}

func (e *endpoint) warnFailing(err string, heldBack bool) {
	e.log().Warn("the endpoint fails; what it is owed waits and is sent again: check that it runs and its url, then tocsin deliveries test", "err", err, "held_back", heldBack)
}

// later puts a delivery off, or gives it up after its last attempt.
func (e *endpoint) later(d incident.Delivery, asked time.Duration, now time.Time) {
	wait, ok := e.desk.backoff(d.Attempts - d.Spent)
	if !ok {
		e.end(d, incident.DeliveryDead, d.Error)
		return
	}
	e.desk.s.Metrics.delivered(e.to.Name, "retry")
	d.State, d.Next = incident.DeliveryPending, now.Add(max(wait, asked)).UnixMicro()
	e.waits[d.ID] = now.UnixMicro()
	e.hold[d.Change.Incident.ID] = d.Next
	e.unsettle(d)
}

// end concludes a delivery for good.
func (e *endpoint) end(d incident.Delivery, state incident.DeliveryState, err string) {
	d.State, d.Error, d.Next = state, err, 0
	e.desk.s.Metrics.delivered(e.to.Name, string(state))
	delete(e.waits, d.ID)
	if state != incident.DeliveryCoalesced {
		delete(e.hold, d.Change.Incident.ID)
		if d.Alert() == nil {
			delete(e.coalesced, d.Change.Incident.ID)
		}
	}
	e.unsettle(d)
}

// unsettle keeps a delivery until the outbox is told how it stands.
func (e *endpoint) unsettle(d incident.Delivery) {
	if len(e.unsettled) == 0 {
		e.settleBy = e.desk.s.Now().Add(settleWithin)
	}
	e.unsettled = append(e.unsettled, d)
}

// settleFull settles once there is enough to settle at once, or something has waited long enough.
func (e *endpoint) settleFull(ctx context.Context) error {
	full := len(e.unsettled) > maxUnsettled-abreast // the next attempts would not fit
	if full || len(e.unsettled) > 0 && !e.desk.s.Now().Before(e.settleBy) {
		return e.settle(ctx)
	}
	return nil
}

// settle tells the outbox; if it cannot be told now, that is kept and done first next time, and nothing is sent before.
func (e *endpoint) settle(ctx context.Context) error {
	if len(e.unsettled) == 0 {
		return nil
	}
	if err := e.desk.outbox.Settle(ctx, e.unsettled); err != nil {
		return err
	}
	clear(e.unsettled)
	e.unsettled = e.unsettled[:0]
	return nil
}

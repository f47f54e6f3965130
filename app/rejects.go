package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/store"
)

// RejectReplay says which stored rejects are decoded again.
type RejectReplay struct {
	Filter  store.RejectFilter
	DryRun  bool // Only say what would become of them.
	Offline bool // Write the log of a ClickHouse server from here if no service answers.
}

// RejectOutcome is what became of one reject that was decoded again.
type RejectOutcome struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Events int    `json:"events"` // How many events it gives; 0: it is a reject still.
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// RejectSummary counts outcomes.
type RejectSummary struct {
	Replayed int `json:"replayed"` // Rejects that gave events.
	Events   int `json:"events"`
	Failed   int `json:"failed"` // Rejects still.
}

func (s *RejectSummary) add(o RejectOutcome) {
	if o.Events == 0 {
		s.Failed++
		return
	}
	s.Replayed++
	s.Events += o.Events
}

// rejectPage is some rejects that were decoded again, on their way into the log.
type rejectPage struct {
	events  []event.Event
	rejects []store.Reject // With what became of them.
	done    chan error     // Told once: nil when the events are in the log.
}

// rejectReplayer is the internal source of records that were rejects: it decodes them again and puts what they give now into the next batch. It stands
// in the pipeline's place of enricher and handler, around those it was given, because such records have been passed long ago: they move no frontier
// and no end, and are not delivered again after a crash. Their events have the ids, the positions and the receive times that they would have had at
// first, so that a repeat changes nothing. Enrich and Start are called by one goroutine, replay by any.
type rejectReplayer struct {
	db      *store.DB
	decode  *rejectDecoder
	enrich  ingest.Enricher
	handler ingest.Handler
	now     func() int64 // Microseconds.
	log     *slog.Logger
	// feed puts a page into a batch and returns once that batch is durable, or with why it is not.
	feed func(ctx context.Context, p *rejectPage) error

	busy    sync.Mutex // Held while rejects are replayed: one after the other.
	mu      sync.Mutex
	waiting *rejectPage // guarded by mu
	taken   *rejectPage // In the batch that is being delivered.
}

var errBusy = errors.New("rejects are being replayed already: wait for that to end")

// replay decodes the rejects of a filter again, the first received first, and tells show what became of each once it is durable.
func (x *rejectReplayer) replay(ctx context.Context, set RejectReplay, show func(RejectOutcome) error) (sum RejectSummary, err error) {
	if !x.busy.TryLock() {
		return sum, errBusy
	}
	defer x.busy.Unlock()
	set.Filter.Forward = true
	p := &rejectPage{}
	size := 0
	for r, err := range x.db.Rejected(ctx, set.Filter) {
		if err != nil {
			return sum, err
		}
		if err := p.add(ctx, x.decode, r, x.now()); err != nil {
			return sum, err
		}
		if size += len(r.Raw); len(p.rejects) < rejectsBatch && size < rejectsBatchBytes {
			continue
		}
		if err := x.settle(ctx, p, set.DryRun, &sum, show); err != nil {
			return sum, err
		}
		p, size = &rejectPage{}, 0
	}
	err = x.settle(ctx, p, set.DryRun, &sum, show)
	if !set.DryRun && sum != (RejectSummary{}) {
		x.log.Info("rejects decoded again", "replayed", sum.Replayed, "events", sum.Events, "failed", sum.Failed)
	}
	return sum, err
}

// Bounds of what one batch takes.
const (
	rejectsBatch      = 2000
	rejectsBatchBytes = 16 << 20
)

// settle makes a page durable and then records and tells what became of its rejects. The order is what makes it safe: a crash between the two
// leaves rejects that are decoded once more, to the same events.
func (x *rejectReplayer) settle(ctx context.Context, p *rejectPage, dry bool, sum *RejectSummary, show func(RejectOutcome) error) error {
	if len(p.rejects) == 0 {
		return nil
	}
	if !dry {
		if len(p.events) > 0 {
			if err := x.feed(ctx, p); err != nil {
				return err
			}
		}
		if err := x.db.Retried(ctx, p.rejects); err != nil {
			return err
		}
	}
	for i := range p.rejects {
		r := &p.rejects[i]
		o := RejectOutcome{ID: event.FormatID(store.RejectPrefix, r.ID), Source: r.Position.Source, Events: r.Events}
		if r.Events == 0 {
			o.Code, o.Reason = r.Code, r.Reason
		}
		sum.add(o)
		if err := show(o); err != nil {
			return err
		}
	}
	return nil
}

// add decodes a reject into the page.
func (p *rejectPage) add(ctx context.Context, d *rejectDecoder, r store.Reject, now int64) error {
	r.Tried, r.Events = now, 0
	events, failed, err := d.decode(ctx, &r)
	if err != nil {
		return err
	}
	if failed != nil {
		r.Code, r.Reason, r.Format = failed.Code, failed.Reason, failed.Format
	}
	for i := range events {
		e := &events[i]
		if e.Time > e.Envelope.Received+aheadOfClock {
			e.Envelope.Quality |= event.Future
		}
		r.Format = e.Envelope.Format
	}
	r.Events = len(events)
	p.events = append(p.events, events...)
	p.rejects = append(p.rejects, r)
	return nil
}

// aheadOfClock is how far an event may be stamped ahead of its receive time before it is flagged future (docs/rules.md, N1), in microseconds.
const aheadOfClock = 5 * 60 * 1_000_000

// wait is feed inside a running pipeline: the next batch takes the page along, and wake asks for one.
func (x *rejectReplayer) wait(wake func()) func(context.Context, *rejectPage) error {
	return func(ctx context.Context, p *rejectPage) error {
		p.done = make(chan error, 1)
		x.mu.Lock()
		x.waiting = p
		x.mu.Unlock()
		wake()
		select {
		case err := <-p.done:
			return err
		case <-ctx.Done():
			x.mu.Lock()
			if x.waiting == p {
				x.waiting = nil
			}
			x.mu.Unlock()
			return fmt.Errorf("replay rejects: %w", ctx.Err())
		}
	}
}

// Enrich implements ingest.Enricher: what waits joins the batch.
func (x *rejectReplayer) Enrich(b *event.Batch) {
	x.mu.Lock()
	x.taken, x.waiting = x.waiting, nil
	x.mu.Unlock()
	if x.taken != nil {
		b.Events = append(b.Events, x.taken.events...)
		b.Again = make(map[event.Position]bool, len(x.taken.rejects))
		for i := range x.taken.rejects {
			b.Again[x.taken.rejects[i].Position] = true
		}
		b.Sort()
	}
	x.enrich.Enrich(b)
}

// Handle implements ingest.Handler.
func (x *rejectReplayer) Handle(ctx context.Context, b *event.Batch) error {
	return ingest.Whole(x.Start(ctx, b))
}

// Start implements ingest.Ahead: whoever waits for a page is told that it is durable.
func (x *rejectReplayer) Start(ctx context.Context, b *event.Batch) (durable func() error, next bool, err error) {
	p := x.taken
	x.taken = nil
	wait, next, err := ingest.Start(ctx, x.handler, b)
	if p == nil {
		return wait, next, err
	}
	if err != nil {
		p.done <- err
		return nil, false, err
	}
	return func() error {
		err := wait()
		p.done <- errors.Join(err, p.missing(b))
		return err
	}, next, nil
}

// missing is an error if the handler took events out of the batch as delivered before: they would be lost, since nobody has them.
func (p *rejectPage) missing(b *event.Batch) error {
	there := make(map[event.ID]bool, len(b.Events))
	for i := range b.Events {
		there[b.Events[i].Envelope.ID] = true
	}
	for i := range p.events {
		if v := &p.events[i].Envelope; !there[v.ID] {
			return fmt.Errorf("the record at %s/%d/%d was dropped as delivered before", v.Position.Source, v.Position.Partition, v.Position.Offset)
		}
	}
	return nil
}

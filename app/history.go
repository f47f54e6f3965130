package app

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// PastSettings says where events of the past come from.
type PastSettings struct {
	Inputs   []ReplayInput // Files, read as a replay reads them; empty: the configured store.
	Received int64         // Receive time of records that state no time and follow none, microseconds.
	Store    *Database     // The configured store where it is open already; nil: it is opened for this.
	Progress func(engine.Progress)
	Rejected func(event.Reject) // Told of the records of files that became no events, once each however often the files are read. nil: nobody.
	Far      func(done, of int) // Told of events read, and of how many there are; of is 0 while that is not known. nil: nobody.
}

// past is what happened, batch by batch as it came. It may be read several times.
type past struct {
	cfg Config
	set PastSettings
	db  *Database // nil with files
	own bool      // It was opened for this.

	core *Core // Whose enrichment is used for files; nil: a new one each time.
	told bool  // Files have been read once, and their rejects told.
}

// openPast opens the store unless files are read.
func openPast(ctx context.Context, cfg Config, set PastSettings) (*past, error) {
	p := &past{cfg: cfg, set: set}
	if len(set.Inputs) > 0 {
		return p, nil
	}
	if set.Store != nil {
		p.db = set.Store
		return p, nil
	}
	p.own = true
	db, err := openKept(ctx, cfg, set.Progress)
	p.db = db
	return p, err
}

// Close closes the store.
func (p *past) Close() error {
	if p.db == nil || !p.own {
		return nil
	}
	return p.db.Close()
}

// stretch is a part of the past: event time in microseconds, from inclusive, to exclusive, 0 for no bound. Files are read whole.
type stretch struct {
	from, to int64
	classes  []string // Others may be left out; empty: all.
	only     bool     // Of the batches that reach beyond it only what is within.
}

// each hands over batches with their marks, in the order in which they once came. From a store without a log of its own, that of roles, they come in
// order of event time, in which nothing is late.
func (p *past) each(ctx context.Context, s stretch, handle func(*event.Batch) error) error {
	if p.db == nil {
		return p.files(ctx, handle)
	}
	span, err := p.db.Span(ctx, s.from, s.to)
	if err != nil {
		return err
	}
	if span.Batches == 0 {
		return p.scattered(ctx, s, handle)
	}
	if s.only {
		span.From, span.To = s.from, s.to
	}
	done := 0
	for b, err := range p.db.Batches(ctx, span, s.classes) {
		if err != nil {
			return err
		}
		if err := handle(b); err != nil {
			return err
		}
		if done++; p.set.Far != nil {
			p.set.Far(min(done, span.Batches), span.Batches)
		}
	}
	return nil
}

// handler is a function as an ingest.Handler.
type handler func(*event.Batch) error

// Handle implements ingest.Handler.
func (h handler) Handle(_ context.Context, b *event.Batch) error { return h(b) }

func (p *past) files(ctx context.Context, handle func(*event.Batch) error) error {
	core := p.core
	if core == nil {
		var err error
		if core, err = NewCore(p.cfg); err != nil { // Enrichment learns: each reading begins anew.
			return err
		}
	}
	now := p.set.Received
	clock := func() int64 { return now }
	var inputs []ingest.Input
	for _, in := range p.set.Inputs {
		source, err := in.Open(clock)
		if err != nil {
			return err
		}
		inputs = append(inputs, ingest.Input{Name: in.Name, Format: in.Format, Site: in.Site, Location: in.Location, Source: source, IsFile: true})
	}
	var far func(int)
	if p.set.Far != nil {
		far = func(records int) { p.set.Far(records, 0) }
	}
	pipeline, err := ingest.New(ingest.Settings{
		Config: ingest.DefaultConfig(), Inputs: inputs, Enricher: core.Enricher, Clock: clock, Received: p.set.Received, Progress: far,
		Handler: handler(func(b *event.Batch) error {
			for _, m := range b.Marks {
				now = max(now, m.Newest)
			}
			p.tell(b.Rejects)
			return handle(b)
		}),
	})
	if err != nil {
		return err
	}
	err = pipeline.Replay(ctx)
	p.told = true
	return err
}

// tell tells of rejects while files are read for the first time.
func (p *past) tell(rejects []event.Reject) {
	if p.told || p.set.Rejected == nil {
		return
	}
	for _, r := range rejects {
		p.set.Rejected(r)
	}
}

// scattered reads events in order of time, some at once.
func (p *past) scattered(ctx context.Context, s stretch, handle func(*event.Batch) error) error {
	b := &event.Batch{}
	done := 0
	flush := func() error {
		if len(b.Events) == 0 {
			return nil
		}
		last := b.Events[len(b.Events)-1].Time
		b.Marks = []event.Mark{{Source: "log", Newest: last - 1}} // More of the same instant may follow.
		done += len(b.Events)
		if p.set.Far != nil {
			p.set.Far(done, 0)
		}
		err := handle(b)
		b = &event.Batch{}
		return err
	}
	for e, err := range p.db.Events(ctx, store.EventFilter{From: s.from, To: s.to, Classes: s.classes, Forward: true, NoRaw: true}) {
		if err != nil {
			return err
		}
		b.Events, b.Sorted = append(b.Events, *e), append(b.Sorted, int32(len(b.Events)))
		if len(b.Events) == warmBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// event finds one event by its id.
func (p *past) event(ctx context.Context, id event.ID) (*event.Event, error) {
	if p.db != nil {
		e, found, err := p.db.Event(ctx, id)
		if err == nil && !found {
			err = fmt.Errorf("the store has no event %s; it may be past its retention", id)
		}
		return e, err
	}
	var out *event.Event
	err := p.files(ctx, func(b *event.Batch) error {
		for i := range b.Events {
			if b.Events[i].Envelope.ID == id {
				out = b.Events[i].Clone()
			}
		}
		return nil
	})
	if err == nil && out == nil {
		err = fmt.Errorf("no record of the input becomes event %s", id)
	}
	return out, err
}

// newest is the time of the newest event, microseconds; 0 if there is none.
func (p *past) newest(ctx context.Context) (t int64, err error) {
	if p.db != nil {
		for e, err := range p.db.Events(ctx, store.EventFilter{Limit: 1, NoRaw: true}) {
			if err != nil {
				return 0, err
			}
			t = e.Time
		}
		return t, nil
	}
	err = p.files(ctx, func(b *event.Batch) error {
		for i := range b.Events {
			if e := &b.Events[i]; e.Envelope.Quality&event.Future == 0 {
				t = max(t, e.Time)
			}
		}
		return nil
	})
	return t, err
}

// classesOf are the classes a rule's steps, guards and untils listen to, and those of the rules it listens to.
func classesOf(r *rules.Rule) []event.ClassRef {
	var out []event.ClassRef
	for _, up := range r.Upstream {
		out = append(out, classesOf(up)...)
	}
	for _, b := range r.Plan.Branches {
		for _, s := range b.Steps {
			out = append(out, s.Classes...)
		}
		for _, g := range append(b.Guards[:len(b.Guards):len(b.Guards)], b.Until...) {
			out = append(out, g.Step.Classes...)
		}
	}
	return out
}

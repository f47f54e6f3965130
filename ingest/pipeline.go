package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// Config bounds the batches.
type Config struct {
	Batch  int           // Most records of a batch; batches grow with the backlog up to half of it and what one fetch adds.
	Bytes  int           // Most bytes of a batch's records, and what one fetch adds.
	Linger time.Duration // How long a batch waits for more records once it has some.
	Idle   time.Duration // Silence after which a source that has been read to its end stops holding event time back.
}

// full is about as many records as a full batch has: it is full from the half of Batch on, and what came last is the portion of one source.
func (c Config) full() int { return c.Batch/2 + c.portion() }

// portion is how many records a source hands over at once: while the handler is busy each source waits with as many, and all of that is memory beside
// the batches.
func (c Config) portion() int { return max(1, c.Batch/8) }

// DefaultConfig suits a small machine: under a backlog, the three batches in flight and their rows are most of what the program takes.
func DefaultConfig() Config {
	return Config{Batch: 50_000, Bytes: 32 << 20, Linger: 120 * time.Millisecond, Idle: 30 * time.Second}
}

// Settings is what the program gives a pipeline.
type Settings struct {
	Config   Config
	Inputs   []Input
	Enricher Enricher // nil: none
	Handler  Handler
	Clock    func() int64 // microseconds
	Log      *slog.Logger
	Metrics  *Metrics
	Carry    []event.Record    // Segments that were waiting when the last run stopped.
	Marks    []event.Mark      // Frontiers of the last run.
	Received int64             // Replay: time of records that state none and follow none; 0: they are rejected.
	Progress func(records int) // Called after each batch with the records so far; nil: not.
	Wake     <-chan struct{}   // Asks for a batch now, even an empty one; nil: never.
}

// Pipeline reads inputs and hands batches to the handler, one after the other. The next batch is decoded while the handler has the one before, and
// may be enriched and matched while an Ahead writes it.
type Pipeline struct {
	set     Settings
	inputs  []*input
	decoder *decoder
	dock    *dock
	records int
}

// input is an Input at work.
type input struct {
	Input
	join        *joiner // nil where the format never splits messages
	frontiers   frontiers
	partitioned bool
	ends        []event.End
	lastTime    int64               // event time of the last event, for records without one in replay
	atEnd       bool                // the last fetch found nothing
	spare       chan []event.Record // Room of a chunk that has been decoded, for the next fetch.
	done        bool                // the source ended for good
}

// New checks the settings and makes a pipeline. It starts nothing.
func New(set Settings) (*Pipeline, error) {
	decoder := newDecoder(set.Config.full())
	p := &Pipeline{set: set, decoder: decoder, dock: newDock(decoder)}
	for _, in := range set.Inputs {
		f, ok := format.ByName(in.Format)
		if !ok {
			return nil, fmt.Errorf("source %s: there is no format %q; see tocsin formats list", in.Name, in.Format)
		}
		x := &input{Input: in, spare: make(chan []event.Record, 1)}
		if _, x.partitioned = in.Source.(Partitioned); x.partitioned {
			x.ends = in.Source.Ends()
			x.frontiers.follow(&x.Input, x.ends, set.Marks, set.Clock())
		} else {
			x.frontiers.follow(&x.Input, []event.End{{Source: in.Name}}, set.Marks, set.Clock())
			x.lastTime = x.frontiers.newest()
		}
		x.frontiers.changed = false
		if f.Join != nil {
			x.join = &joiner{segment: f.Join}
			for _, r := range set.Carry {
				if x.gave(r.Position) {
					x.join.join([]event.Record{r}, 0)
				}
			}
		}
		p.inputs = append(p.inputs, x)
	}
	slices.SortFunc(p.inputs, func(a, b *input) int { return cmp.Compare(a.Name, b.Name) })
	return p, nil
}

// gave reports whether a position is one of the input's. A source with partitions may read several topics: it puts their names behind its own.
func (in *input) gave(p event.Position) bool {
	rest, ok := strings.CutPrefix(p.Source, in.Name)
	return ok && (rest == "" || in.partitioned && (rest[0] == '/' || rest[0] == '#'))
}

// chunk is what one fetch of one input gave.
type chunk struct {
	in      *input
	records []event.Record
	ends    []event.End
	err     error
}

// Run reads all inputs until ctx ends (nil), every input has ended (nil), or the handler or a source fails.
func (p *Pipeline) Run(ctx context.Context) error {
	fetchCtx, cancel := context.WithCancel(ctx)
	chunks := make(chan chunk)
	var wg sync.WaitGroup
	for _, in := range p.inputs {
		wg.Go(func() { p.feed(fetchCtx, in, chunks) })
	}
	err := p.consume(ctx, chunks)
	cancel()
	wg.Wait()
	for _, in := range p.inputs {
		err = errors.Join(err, in.Source.Close())
	}
	return err
}

// feed fetches from one input until it ends. It hands over a chunk at a time, so a busy handler holds it back.
func (p *Pipeline) feed(ctx context.Context, in *input, chunks chan<- chunk) {
	for {
		records, err := in.Source.Fetch(ctx, in.room(), p.set.Config.portion(), time.Second)
		if ctx.Err() != nil {
			return
		}
		select {
		case chunks <- chunk{in, records, in.Source.Ends(), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// room is an empty list of records for a fetch.
func (in *input) room() []event.Record {
	select {
	case records := <-in.spare:
		return records
	default:
		return nil
	}
}

// reuse takes back the list of a chunk that has been decoded: events and rejects hold the bytes of its records, not the records. Where messages are
// joined, some may be kept.
func (in *input) reuse(records []event.Record) {
	if in.join != nil || cap(records) == 0 {
		return
	}
	clear(records)
	select {
	case in.spare <- records[:0]:
	default:
	}
}

// Attend hands over an empty batch whenever Wake asks for one, until ctx ends (nil) or the handler fails: for a program that goes on after its
// inputs have ended.
func (p *Pipeline) Attend(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.set.Wake:
			if err := p.handle(ctx, nil, true); err != nil {
				return stopped(ctx, err)
			}
		}
	}
}

// stopped makes the end of the context the quiet end of a run.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (p *Pipeline) open() bool {
	return slices.ContainsFunc(p.inputs, func(in *input) bool { return !in.done })
}

// handle makes one batch of the chunks, which may be none, hands it over and commits it. A batch that says nothing new is not handed over,
// unless always is set.
func (p *Pipeline) handle(ctx context.Context, parts []chunk, always bool) error {
	f := p.fresh()
	f.always = always
	for _, c := range parts {
		p.add(&f, c)
	}
	if !p.settle(&f) {
		p.dock.leave(f.berth)
		return nil
	}
	return p.deliver(ctx, &f)
}

// take decodes the records of a chunk into the batch.
func (p *Pipeline) take(b *event.Batch, c chunk, now int64) {
	in := c.in
	in.ends, in.atEnd = c.ends, len(c.records) == 0
	if in.partitioned {
		in.frontiers.follow(&in.Input, c.ends, p.set.Marks, now)
	}
	if errors.Is(c.err, io.EOF) {
		in.done, in.atEnd = true, true
	}
	if len(c.records) > 0 {
		p.heard(in, c.records, now)
		p.records += len(c.records)
	}
	records := c.records
	if in.join != nil {
		records = in.join.join(records, 0)
		records = in.join.expire(records, now, in.done)
	}
	start, rejected := len(b.Events), len(b.Rejects)
	p.decoder.decode(b, records, in.Transcoder)
	p.time(b, in, start)
	p.set.Metrics.records(in, len(c.records), len(b.Events)-start, len(b.Rejects)-rejected)
}

// heard notes when the partitions of records were last heard of.
func (p *Pipeline) heard(in *input, records []event.Record, now int64) {
	if !in.partitioned {
		in.frontiers.owned[0].mark.Received = now
		return
	}
	for i := range records {
		p.frontier(in, records[i].Position).mark.Received = now
	}
}

// frontier is the one that a position of the input belongs to.
func (p *Pipeline) frontier(in *input, at event.Position) *frontier {
	if !in.partitioned {
		return in.frontiers.owned[0]
	}
	return in.frontiers.get(&in.Input, partition{at.Source, at.Partition}, p.set.Marks, p.set.Clock())
}

// time gives events without a time one, and moves the frontiers of the input.
func (p *Pipeline) time(b *event.Batch, in *input, start int) {
	kept := start
	for i := start; i < len(b.Events); i++ {
		e := &b.Events[i]
		if e.Time == 0 && !p.stamp(e, in) {
			b.Rejects = append(b.Rejects, event.Reject{
				Position: e.Envelope.Position, Format: e.Envelope.Format, Received: e.Envelope.Received, Code: "no_time", Raw: e.Envelope.Raw,
				Reason: "the record states no time, follows none in its source, and no receive time was given (--received)",
			})
			continue
		}
		p.frontier(in, e.Envelope.Position).observe(e)
		in.lastTime = e.Time
		if kept != i {
			b.Events[kept] = *e
		}
		kept++
	}
	b.Events = b.Events[:kept]
}

// stamp gives an event without a time its receive time, or in a file that of the event before.
func (p *Pipeline) stamp(e *event.Event, in *input) bool {
	e.Envelope.TimeSource = event.TimeReceived
	switch {
	case !in.IsFile:
		e.Time = e.Envelope.Received
	case in.lastTime != 0:
		e.Time = in.lastTime
	default:
		e.Time = p.set.Received
	}
	return e.Time != 0
}

// settle writes marks, ends and waiting segments into the batch, and reports whether the batch says anything new: a partition that has become
// idle or stopped being so is news, too, and so is one that has come or gone.
func (p *Pipeline) settle(f *filled) bool {
	b, now := f.batch, p.set.Clock()
	b.Received = now
	news := f.always || f.records > 0 || len(b.Events) > 0 || len(b.Rejects) > 0
	for _, in := range p.inputs {
		news = p.still(in, now) || news
		for _, e := range in.ends {
			if e.Partition != Unpositioned && e.Offset >= 0 {
				b.Ends = append(b.Ends, e)
			}
		}
		if in.join != nil {
			b.Carry = in.join.carry(b.Carry)
		}
	}
	b.Marks = marks(p.inputs)
	f.total = p.records
	return news
}

// still says which partitions of an input are idle at now, and reports whether that, or which it has, changed.
func (p *Pipeline) still(in *input, now int64) (changed bool) {
	changed, in.frontiers.changed = in.frontiers.changed, false
	for _, f := range in.frontiers.owned {
		idle := in.done || (f.drained || in.atEnd && !in.partitioned) && now-f.mark.Received >= in.Idle.Microseconds()
		changed = changed || idle != f.mark.Idle
		f.mark.Idle = idle
	}
	return changed
}

// settled are the ends of a chunk, held back where segments still wait for the rest of their message: whoever reads a partition next, be it another
// process that does not have our log, must see them again.
func (in *input) settled(ends []event.End, carry []event.Record) []event.End {
	if !in.partitioned || in.join == nil || len(carry) == 0 {
		return ends
	}
	out := slices.Clone(ends)
	for i := range out {
		for j := range carry {
			if at := carry[j].Position; at.Source == out[i].Source && at.Partition == out[i].Partition {
				out[i].Offset = min(out[i].Offset, at.Offset)
			}
		}
	}
	return out
}

// deliver makes a settled batch durable and then tells its sources.
func (p *Pipeline) deliver(ctx context.Context, f *filled) error {
	durable, _, err := p.start(ctx, f)
	if err != nil {
		return err
	}
	return p.finish(ctx, f, durable)
}

// start enriches a settled batch and hands it over.
func (p *Pipeline) start(ctx context.Context, f *filled) (durable func() error, next bool, err error) {
	f.batch.Sort()
	if p.set.Enricher != nil {
		p.set.Enricher.Enrich(f.batch)
	}
	return Start(ctx, p.set.Handler, f.batch)
}

// finish waits until a batch is durable and tells its sources. Its berth is free then.
func (p *Pipeline) finish(ctx context.Context, f *filled, durable func() error) error {
	if err := durable(); err != nil {
		return err
	}
	b := f.batch
	p.set.Metrics.frontiers(b.Marks, b.Received)
	if p.set.Progress != nil {
		p.set.Progress(f.total)
	}
	for _, c := range f.parts {
		if err := c.in.Source.Commit(ctx, c.in.settled(c.ends, b.Carry)); err != nil {
			return fmt.Errorf("source %s: commit: %w", c.in.Name, err)
		}
	}
	p.dock.leave(f.berth)
	return nil
}

package ingest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// filled is a batch that is being put together, or waits for its turn, with the places to commit once it is durable.
type filled struct {
	batch   *event.Batch
	berth   int // Of the batch.
	parts   []place
	records int  // In the batch.
	bytes   int  // Of these records.
	total   int  // Records of all batches up to this one.
	always  bool // Somebody asked for a batch, be it empty.
}

// place is where a source stood after a chunk.
type place struct {
	in   *input
	ends []event.End
}

// fresh begins a batch.
func (p *Pipeline) fresh() filled {
	berth, b := p.dock.enter()
	return filled{batch: b, berth: berth}
}

// consume gathers chunks into batches and hands these over, ahead of the handler: while it has one, the next is gathered and decoded, and where it
// is an Ahead, under a backlog and where writing takes long, one is enriched and matched while the one before is written. All that depends on order
// (enrichment, matching, the log) happens to one batch after the other.
func (p *Pipeline) consume(ctx context.Context, chunks <-chan chunk) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	l, work, result := newLane(), make(chan filled, 1), make(chan error, 1)
	go func() {
		defer cancel()
		result <- p.handOver(ctx, l, work, cancel)
	}()
	err := p.gather(inner, chunks, l, work)
	close(work)
	return stopped(ctx, errors.Join(err, <-result))
}

// handOver starts batch after batch and finishes them beside that, in the same order, until work ends or one fails. fail is called as soon as one did.
func (p *Pipeline) handOver(ctx context.Context, l *lane, work <-chan filled, fail func()) error {
	type started struct {
		filled
		durable func() error
	}
	writing, result := make(chan started, 1), make(chan error, 1)
	go func() {
		var failed error
		for s := range writing { // All that were started are waited for, but behind one that failed nothing is committed.
			if failed != nil {
				_ = s.durable()
			} else if failed = p.finish(ctx, &s.filled, s.durable); failed != nil {
				fail()
			}
			l.finished()
		}
		result <- failed
	}()
	var failed error
	for f := range work {
		durable, next, err := p.start(ctx, &f)
		if err != nil {
			failed = err
			break
		}
		l.started(next)
		writing <- started{f, durable}
	}
	close(writing)
	return cmp.Or(<-result, failed) // The first one's failure is why the one behind it failed.
}

// gather fills batch after batch until the inputs or ctx end.
func (p *Pipeline) gather(ctx context.Context, chunks <-chan chunk, l *lane, work chan<- filled) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	f := p.fresh()
	for ctx.Err() == nil {
		open, err := p.fill(ctx, &f, chunks, tick.C, l)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if p.settle(&f) {
			l.goes()
			work <- f
			f = p.fresh()
		} else {
			f.batch.Ends, f.batch.Carry = f.batch.Ends[:0], f.batch.Carry[:0]
		}
		if !open {
			return nil
		}
	}
	return nil
}

// fill adds chunks to f until it may go and the lane lets it: so batches grow with the backlog, up to what the configuration allows. A batch may go
// when it is full, when it has lingered, when the inputs have ended, when somebody asks for it, and once a second
// to see whether sources fell silent. It reports whether inputs are still open.
func (p *Pipeline) fill(ctx context.Context, f *filled, chunks <-chan chunk, tick <-chan time.Time, l *lane) (open bool, err error) {
	var linger <-chan time.Time
	due := false
	for {
		in := chunks
		full := f.records >= p.set.Config.Batch/2 || f.bytes >= p.set.Config.Bytes
		if full {
			in = nil
		}
		way, news := l.way(full)
		if open = p.open(); way && (full || due || !open) {
			return open, nil
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-tick:
			due = true
		case <-linger:
			due = true
		case <-p.set.Wake:
			due, f.always = true, true
		case c := <-in:
			if c.err != nil && !errors.Is(c.err, io.EOF) {
				return false, c.err
			}
			if f.records == 0 {
				linger = time.After(p.set.Config.Linger)
			}
			due = due || c.err != nil
			p.add(f, c)
		case <-news:
		}
	}
}

// add decodes a chunk into f.
func (p *Pipeline) add(f *filled, c chunk) {
	for i := range c.records {
		f.bytes += len(c.records[i].Value)
	}
	f.records += len(c.records)
	p.take(f.batch, c, p.set.Clock())
	f.parts = append(f.parts, place{c.in, c.ends})
	c.in.reuse(c.records)
}

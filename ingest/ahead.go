package ingest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// filled is a batch that is being put together, or waits for its turn, with the places to commit once it is durable.
type filled struct {
	batch   *event.Batch
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

// consume gathers chunks into batches and hands these over, one batch ahead: while the handler has one, the next is gathered and decoded. All
// that depends on order (enrichment, matching, the log) happens in delivery, one batch after the other.
func (p *Pipeline) consume(ctx context.Context, chunks <-chan chunk) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	free, work, result := make(chan struct{}, 1), make(chan filled, 1), make(chan error, 1)
	free <- struct{}{}
	go func() {
		defer cancel()
		for f := range work {
			if err := p.deliver(ctx, &f); err != nil {
				result <- err
				return
			}
			free <- struct{}{}
		}
		result <- nil
	}()
	err := p.gather(inner, chunks, free, work)
	close(work)
	return stopped(ctx, errors.Join(err, <-result))
}

// gather fills batch after batch until the inputs or ctx end. A value of free is the right to put one batch into work.
func (p *Pipeline) gather(ctx context.Context, chunks <-chan chunk, free chan struct{}, work chan<- filled) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	f := p.fresh()
	for ctx.Err() == nil {
		open, err := p.fill(ctx, &f, chunks, tick.C, free)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if p.settle(&f) {
			work <- f
			f = p.fresh()
		} else {
			f.batch.Ends, f.batch.Carry = f.batch.Ends[:0], f.batch.Carry[:0]
			free <- struct{}{}
		}
		if !open {
			return nil
		}
	}
	return nil
}

// fill adds chunks to f until it may go and the batch before has been delivered: so batches grow with the backlog, up to what the configuration
// allows. A batch may go when it is full, when it has lingered, when the inputs have ended, when somebody asks for it, and once a second
// to see whether sources fell silent. It reports whether inputs are still open.
func (p *Pipeline) fill(ctx context.Context, f *filled, chunks <-chan chunk, tick <-chan time.Time, free <-chan struct{}) (open bool, err error) {
	var linger <-chan time.Time
	due := false
	for {
		in, turn := chunks, (<-chan struct{})(nil)
		full := f.records >= p.set.Config.Batch/2 || f.bytes >= p.set.Config.Bytes
		if full {
			in = nil
		}
		if open = p.open(); full || due || !open {
			turn = free
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
		case <-turn:
			return open, nil
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

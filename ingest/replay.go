package ingest

import (
	"context"
	"errors"
	"io"
	"time"
)

// Replay reads all inputs to their end, always from the one that is furthest behind in event time, so the same inputs give the same
// batches. It keeps no clock: receive times are the inputs' own.
func (p *Pipeline) Replay(ctx context.Context) error {
	defer func() {
		for _, in := range p.inputs {
			_ = in.Source.Close()
		}
	}()
	for p.open() {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := p.behind()
		records, err := in.Source.Fetch(ctx, nil, p.set.Config.Batch, time.Second)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		c := chunk{in, records, in.Source.Ends(), err}
		if err := p.handle(ctx, []chunk{c}, false); err != nil {
			return err
		}
	}
	return nil
}

// behind is the open input with the least event time; by name among equals.
func (p *Pipeline) behind() *input {
	var least *input
	for _, in := range p.inputs {
		if in.done {
			continue
		}
		if least == nil || in.frontiers.newest() < least.frontiers.newest() {
			least = in
		}
	}
	return least
}

package app

import (
	"context"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// EventsOf are the events of inputs, enriched, by id.
func (c *Core) EventsOf(ctx context.Context, cfg Config, inputs []ReplayInput) (map[event.ID]*event.Event, error) {
	out := map[event.ID]*event.Event{}
	p := &past{cfg: cfg, core: c, set: PastSettings{Inputs: inputs}}
	err := p.files(ctx, func(b *event.Batch) error {
		for i := range b.Events {
			e := b.Events[i].Clone()
			out[e.Envelope.ID] = e
		}
		return nil
	})
	return out, err
}

// CopiedTest is a finding as a test of its rule, and why that does not reproduce it; "" if it does.
func (c *Core) CopiedTest(f *incident.Finding, evidence []*event.Event) (text, why string) {
	r := c.Rules.Rule(f.Rule.ID)
	t := newTaken(lookups{c.Live.Tables})
	q := correlate.Question{Finding: f.ID, Lookups: t}
	events := make([]event.Event, len(evidence))
	for i, e := range evidence {
		events[i] = *e
		q.Events = append(q.Events, e.Envelope.ID)
	}
	correlate.Explain(r, events, q)
	text = console.FindingAsTest(f, evidence, t.given(r, f))
	return text, reproduces(r, text)
}

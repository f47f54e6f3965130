package app

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/relay"
)

// Metrics counts what the core does, once a batch: the core itself measures nothing.
type Metrics struct {
	hits, findings, incidents metric.Int64Counter
	lookups                   metric.Int64Counter
	enriched                  metric.Float64Histogram
	frames, frameBytes        metric.Int64Counter
	oversized                 metric.Int64Counter
	ruleSets                  metric.Int64Counter
	rules                     *ruleMetrics
	soc                       *socMetrics
	events                    metric.Int64Counter
	matched, folded, filled   metric.Float64Histogram
	was                       struct{ matching, folding time.Duration } // Of all batches so far.
}

// NewMetrics registers the instruments.
func NewMetrics(m metric.Meter) (*Metrics, error) {
	x := &Metrics{}
	var err error
	counter := func(to *metric.Int64Counter, name, unit, doc string) {
		if err == nil {
			*to, err = m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(doc))
		}
	}
	counter(&x.hits, "tocsin.correlate.hits", "{hit}", "Events that satisfied a step of a rule.")
	counter(&x.findings, "tocsin.correlate.findings", "{finding}", "Announcements of findings, revisions included.")
	counter(&x.incidents, "tocsin.correlate.incidents", "{change}", "Changes of incidents.")
	counter(&x.lookups, "tocsin.enrich.lookups", "{lookup}", "Enrichment by table and outcome.")
	counter(&x.frames, "tocsin.relay.messages", "{message}", "Messages sent to the topic of hits by an ingest member.")
	counter(&x.frameBytes, "tocsin.relay.bytes", "By", "Bytes of these messages.")
	counter(&x.oversized, "tocsin.relay.oversized", "{hit}", "Hits too large to be sent.")
	counter(&x.ruleSets, "tocsin.rules.loads", "{set}", "Changed rule files that were read, by outcome: taken or refused.")
	counter(&x.events, "tocsin.correlate.events", "{event}", "Events that were matched against the rules.")
	histogram := func(to *metric.Float64Histogram, name, unit, doc string) {
		if err == nil {
			*to, err = m.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(doc))
		}
	}
	histogram(&x.enriched, "tocsin.enrich.duration", "s", "Time to enrich one batch.")
	histogram(&x.filled, "tocsin.rules.fill.duration", "s", "How long events waited while new rules were filled with the past.")
	histogram(&x.matched, "tocsin.correlate.match.duration", "s", "Time to match one batch against all rules.")
	histogram(&x.folded, "tocsin.correlate.fold.duration", "s", "Time to fold the hits of one batch, in a process that does everything.")
	if err == nil {
		x.rules, err = newRuleMetrics(m)
	}
	if err == nil {
		x.soc, err = newSOCMetrics(m)
	}
	return x, err
}

// ruleSet counts a changed set of rules.
func (x *Metrics) ruleSet(taken bool) {
	outcome := "refused"
	if taken {
		outcome = "taken"
	}
	x.ruleSets.Add(context.Background(), 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}

// batch adds up one batch.
func (x *Metrics) batch(core *Core, b *event.Batch, hits, findings, changes int) {
	ctx := context.Background()
	x.hits.Add(ctx, int64(hits))
	x.findings.Add(ctx, int64(findings))
	x.incidents.Add(ctx, int64(changes))
	if len(b.Events) == 0 {
		return
	}
	x.enriched.Record(ctx, core.Enricher.took.Seconds())
	x.tables(ctx, core)
	x.folded.Record(ctx, x.spent(ctx, core, len(b.Events)).Seconds())
}

// spent records how long matching the last batch took, and gives how long folding it did.
func (x *Metrics) spent(ctx context.Context, core *Core, events int) (folding time.Duration) {
	x.events.Add(ctx, int64(events))
	was := x.was
	x.was.matching, x.was.folding = core.Engine.Spent()
	x.matched.Record(ctx, (x.was.matching - was.matching).Seconds())
	return x.was.folding - was.folding
}

// sent adds up one batch of an ingest member.
func (x *Metrics) sent(core *Core, b relay.Sending) {
	ctx := context.Background()
	x.hits.Add(ctx, int64(b.Hits))
	x.frames.Add(ctx, int64(b.Messages))
	x.frameBytes.Add(ctx, int64(b.Bytes))
	if b.Oversized > 0 {
		x.oversized.Add(ctx, int64(b.Oversized))
	}
	if b.Events > 0 {
		x.enriched.Record(ctx, core.Enricher.took.Seconds())
		x.tables(ctx, core)
		x.spent(ctx, core, b.Events)
	}
}

// tables adds up what enrichment looked up in the last batch.
func (x *Metrics) tables(ctx context.Context, core *Core) {
	core.Enricher.stats.Each(func(table, outcome string, n int) {
		if n > 0 {
			x.lookups.Add(ctx, int64(n), metric.WithAttributes(attribute.String("table", table), attribute.String("outcome", outcome)))
		}
	})
}

// spanned puts a span around each batch, and tells the health page of those at work and those that are durable.
type spanned struct {
	next   ingest.Handler
	tracer trace.Tracer
	board  *healthBoard
}

// Handle implements ingest.Handler.
func (h *spanned) Handle(ctx context.Context, b *event.Batch) error {
	return ingest.Whole(h.Start(ctx, b))
}

// Start implements ingest.Ahead.
func (h *spanned) Start(ctx context.Context, b *event.Batch) (durable func() error, next bool, err error) {
	ctx, span := h.tracer.Start(ctx, "batch", trace.WithAttributes(attribute.Int("events", len(b.Events)), attribute.Int("rejects", len(b.Rejects))))
	began := time.Now().UnixNano()
	h.board.began.Store(began)
	end := func(err error) error {
		if err != nil {
			span.RecordError(err)
		}
		span.End()
		h.board.began.CompareAndSwap(began, 0) // Else another one is at work.
		return err
	}
	wait, next, err := ingest.Start(ctx, h.next, b)
	if err != nil {
		return nil, false, end(err)
	}
	return func() error {
		err := end(wait())
		if err == nil {
			h.board.batch(b)
		}
		return err
	}, next, nil
}

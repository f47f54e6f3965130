package ingest

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tocsin-siem/tocsin/event"
)

// Metrics counts per batch, never per record. A nil *Metrics counts nothing.
type Metrics struct {
	count metric.Int64Counter
	delay metric.Float64Gauge
	lag   metric.Int64Gauge
}

// NewMetrics registers the instruments.
func NewMetrics(m metric.Meter) (*Metrics, error) {
	count, err := m.Int64Counter("tocsin.ingest.records", metric.WithUnit("{record}"), metric.WithDescription("Records by source, format and what became of them: record, event or reject."))
	if err != nil {
		return nil, err
	}
	delay, err := m.Float64Gauge("tocsin.ingest.watermark.delay", metric.WithUnit("s"), metric.WithDescription("How far a source's newest event time is behind our clock; of its partitions, the one furthest behind."))
	if err != nil {
		return nil, err
	}
	lag, err := m.Int64Gauge("tocsin.ingest.lag", metric.WithUnit("By"), metric.WithDescription("What a file source has not fetched yet."))
	return &Metrics{count: count, delay: delay, lag: lag}, err
}

func (m *Metrics) records(in *input, records, events, rejects int) {
	if m == nil || records == 0 {
		return
	}
	add := func(n int, outcome string) {
		if n > 0 {
			m.count.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String("source", in.Name), attribute.String("format", in.Format), attribute.String("outcome", outcome)))
		}
	}
	if f, ok := in.Source.(*File); ok {
		m.lag.Record(context.Background(), f.Lag(), metric.WithAttributes(attribute.String("source", in.Name)))
	}
	add(records, "record")
	add(events, "event")
	add(rejects, "reject")
}

func (m *Metrics) frontiers(marks []event.Mark, now int64) {
	if m == nil {
		return
	}
	least := map[string]int64{} // The partition that is furthest behind speaks for its source.
	for _, x := range marks {
		if at, ok := least[x.Source]; x.Newest != 0 && (!ok || x.Newest < at) {
			least[x.Source] = x.Newest
		}
	}
	for source, newest := range least {
		m.delay.Record(context.Background(), float64(now-newest)/1e6, metric.WithAttributes(attribute.String("source", source)))
	}
}

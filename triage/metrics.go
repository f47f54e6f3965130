package triage

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Metrics counts attempts to deliver and shows what is owed. A nil *Metrics counts nothing.
type Metrics struct {
	deliveries metric.Int64Counter
	depth      metric.Int64Gauge
	oldest     metric.Float64Gauge
}

// NewMetrics registers the instruments.
func NewMetrics(m metric.Meter) (*Metrics, error) {
	deliveries, err := m.Int64Counter("tocsin.triage.deliveries", metric.WithUnit("{delivery}"), metric.WithDescription("Attempts to deliver by endpoint and outcome: delivered, retry, dead or coalesced."))
	if err != nil {
		return nil, err
	}
	depth, err := m.Int64Gauge("tocsin.triage.outbox.depth", metric.WithUnit("{delivery}"), metric.WithDescription("Deliveries owed to an endpoint, as far as they are loaded: at most 1,000."))
	if err != nil {
		return nil, err
	}
	oldest, err := m.Float64Gauge("tocsin.triage.outbox.oldest", metric.WithUnit("s"), metric.WithDescription("Age of the oldest delivery owed to an endpoint."))
	if err != nil {
		return nil, err
	}
	return &Metrics{deliveries: deliveries, depth: depth, oldest: oldest}, nil
}

func (m *Metrics) delivered(sink, outcome string) {
	if m != nil {
		m.deliveries.Add(context.Background(), 1, metric.WithAttributes(attribute.String("sink", sink), attribute.String("outcome", outcome)))
	}
}

func (m *Metrics) owed(sink string, depth int, oldestSeconds float64) {
	if m != nil {
		at := metric.WithAttributes(attribute.String("sink", sink))
		m.depth.Record(context.Background(), int64(depth), at)
		m.oldest.Record(context.Background(), oldestSeconds, at)
	}
}

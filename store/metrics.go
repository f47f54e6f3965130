package store

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// metrics are counted per insert, never per row.
type metrics struct {
	rows       metric.Int64Counter
	insert     metric.Float64Histogram
	append     metric.Float64Histogram
	checkpoint metric.Float64Histogram
	bytes      metric.Int64Counter
	retries    metric.Int64Counter
}

func newMetrics(m metric.Meter) (metrics, error) {
	if m == nil {
		m = noop.Meter{}
	}
	var s metrics
	var err error
	if s.rows, err = m.Int64Counter("tocsin.store.rows", metric.WithUnit("{row}"), metric.WithDescription("Rows sent to ClickHouse.")); err != nil {
		return s, err
	}
	if s.insert, err = m.Float64Histogram("tocsin.store.insert.duration", metric.WithUnit("s"), metric.WithDescription("Time of one insert, without retries.")); err != nil {
		return s, err
	}
	if s.append, err = m.Float64Histogram("tocsin.store.append.duration", metric.WithUnit("s"), metric.WithDescription("Time from handing a batch to the log to its marker's acknowledgement, retries included.")); err != nil {
		return s, err
	}
	if s.checkpoint, err = m.Float64Histogram("tocsin.store.checkpoint.duration", metric.WithUnit("s"), metric.WithDescription("Time to send a checkpoint until it counts, retries included, by outcome: ok or error. Batches go on meanwhile.")); err != nil {
		return s, err
	}
	if s.bytes, err = m.Int64Counter("tocsin.store.checkpoint.bytes", metric.WithUnit("By"), metric.WithDescription("Bytes of checkpoints, as they are sent.")); err != nil {
		return s, err
	}
	s.retries, err = m.Int64Counter("tocsin.store.retries", metric.WithUnit("{attempt}"), metric.WithDescription("Statements tried again after a transient error."))
	return s, err
}

func outcomeOf(err error) attribute.KeyValue {
	if err != nil {
		return attribute.String("outcome", "error")
	}
	return attribute.String("outcome", "ok")
}

func (m *metrics) checkpointed(ctx context.Context, bytes int, took time.Duration, err error) {
	m.checkpoint.Record(ctx, took.Seconds(), metric.WithAttributes(outcomeOf(err)))
	m.bytes.Add(ctx, int64(bytes))
}

func (m *metrics) inserted(ctx context.Context, table string, rows int, took time.Duration, err error) {
	set := metric.WithAttributeSet(attribute.NewSet(attribute.String("table", table), outcomeOf(err)))
	m.rows.Add(ctx, int64(rows), set)
	m.insert.Record(ctx, took.Seconds(), set)
}

package app

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// observeRelay reports how reading between the roles goes whenever metrics are asked for.
func (s *Service) observeRelay() error {
	lag, err := s.tel.Meter.Int64ObservableGauge("tocsin.relay.lag", metric.WithUnit("{record}"), metric.WithDescription("Records of hits or of findings that are there and not folded by this member yet, by topic."))
	if err != nil {
		return err
	}
	lost, err := s.tel.Meter.Int64ObservableCounter("tocsin.relay.lost", metric.WithUnit("{record}"), metric.WithDescription("Records of hits or of findings that were gone or damaged before they were folded, by topic."))
	if err != nil {
		return err
	}
	_, err = s.tel.Meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if s.correlator != nil {
			hits := metric.WithAttributes(attribute.String("topic", "hits"))
			late, gone := int64(0), int64(0)
			for _, p := range s.correlator.Status() {
				late += max(p.End-p.Next, 0)
				gone += p.Lost + p.Damaged
			}
			o.ObserveInt64(lag, late, hits)
			o.ObserveInt64(lost, gone, hits)
		}
		if s.triage != nil {
			findings := metric.WithAttributes(attribute.String("topic", "findings"))
			t := s.triage.Status()
			o.ObserveInt64(lag, max(t.End-t.Next, 0), findings)
			o.ObserveInt64(lost, t.Lost+t.Counts.Damaged, findings)
		}
		return nil
	}, lag, lost)
	return err
}

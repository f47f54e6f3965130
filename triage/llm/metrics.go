package llm

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Metrics counts questions, tokens and claims. A nil *Metrics counts nothing.
type Metrics struct {
	questions, tokens, claims metric.Int64Counter
	left                      metric.Int64Gauge
}

// NewMetrics registers the instruments.
func NewMetrics(m metric.Meter) (*Metrics, error) {
	questions, err := m.Int64Counter("tocsin.llm.questions", metric.WithUnit("{question}"), metric.WithDescription("Questions to the model by outcome: shown, cached, or why the deterministic text stands alone."))
	if err != nil {
		return nil, err
	}
	tokens, err := m.Int64Counter("tocsin.llm.tokens", metric.WithUnit("{token}"), metric.WithDescription("Tokens by direction: input or output."))
	if err != nil {
		return nil, err
	}
	claims, err := m.Int64Counter("tocsin.llm.claims", metric.WithUnit("{claim}"), metric.WithDescription("Claims of the model by what the verifier did: shown, or the reason to drop."))
	if err != nil {
		return nil, err
	}
	left, err := m.Int64Gauge("tocsin.llm.budget", metric.WithUnit("{token}"), metric.WithDescription("Tokens that are left of the day's budget."))
	if err != nil {
		return nil, err
	}
	return &Metrics{questions: questions, tokens: tokens, claims: claims, left: left}, nil
}

func (m *Metrics) answered(outcome string, o Outcome) {
	if m == nil {
		return
	}
	ctx := context.Background()
	add := func(c metric.Int64Counter, n int, key, value string) {
		if n > 0 {
			c.Add(ctx, int64(n), metric.WithAttributes(attribute.String(key, value)))
		}
	}
	add(m.questions, 1, "outcome", outcome)
	add(m.tokens, o.Usage.Input, "direction", "input")
	add(m.tokens, o.Usage.Output, "direction", "output")
	if outcome == "cached" {
		return
	}
	if o.Overlay != nil {
		add(m.claims, o.Report.Claims-len(o.Report.Drops), "outcome", "shown")
	}
	for _, d := range o.Report.Drops {
		add(m.claims, 1, "outcome", string(d.Reason))
	}
}

func (m *Metrics) budget(left int) {
	if m != nil {
		m.left.Record(context.Background(), int64(left))
	}
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// Telemetry is the program's own voice: log, metrics and traces.
type Telemetry struct {
	Log     *slog.Logger
	Meter   metric.Meter
	Tracer  trace.Tracer
	Metrics http.Handler // Prometheus exposition; nil if switched off.
	close   []func(context.Context) error
}

// NewTelemetry sets up what the configuration asks for; the log goes to w. Exporters that cannot reach their receiver retry on their own
// and never hold the pipeline up.
func NewTelemetry(ctx context.Context, c TelemetryConfig, w io.Writer) (*Telemetry, error) {
	t := &Telemetry{Log: newLog(c.Log, w), Tracer: nooptrace.NewTracerProvider().Tracer("tocsin")}
	res := resource.NewSchemaless(attribute.String("service.name", "tocsin"))
	options := []sdkmetric.Option{sdkmetric.WithResource(res)}
	if c.Metrics.Prometheus {
		registry := prometheus.NewRegistry()
		exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
		if err != nil {
			return nil, fmt.Errorf("telemetry.metrics.prometheus: %w", err)
		}
		options = append(options, sdkmetric.WithReader(exporter))
		t.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	}
	if c.Metrics.OTLP != "" {
		exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(c.Metrics.OTLP))
		if err != nil {
			return nil, fmt.Errorf("telemetry.metrics.otlp: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t.Meter = provider.Meter("tocsin")
	t.close = append(t.close, provider.Shutdown)
	if c.Traces.OTLP != "" {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Traces.OTLP))
		if err != nil {
			return nil, fmt.Errorf("telemetry.traces.otlp: %w", err)
		}
		traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
		t.Tracer = traces.Tracer("tocsin")
		t.close = append(t.close, traces.Shutdown)
	}
	return t, nil
}

// Close flushes what has not been exported yet.
func (t *Telemetry) Close(ctx context.Context) error {
	var errs []error
	for _, c := range t.close {
		errs = append(errs, c(ctx))
	}
	return errors.Join(errs...)
}

func newLog(c LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked by Validate
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

package app

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// socMetrics are the measures of the SOC as instruments: durations as they end, and once a minute, by one goroutine, how things stand.
type socMetrics struct {
	took                 metric.Float64Histogram
	duration             metric.Float64Gauge
	counted, open        metric.Int64Gauge
	noise                metric.Float64Gauge
	each, pace           metric.Float64Gauge
	hours                metric.Int64Gauge
	precision            metric.Float64Gauge
	suppressed, suppress metric.Int64Gauge
	told                 map[openKey]bool // What has a number of open incidents: it is told zero, too.
}

type openKey struct{ team, severity string }

// stageBounds are the bounds of the histogram, in seconds: a second to a month.
var stageBounds = []float64{0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 8 * 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400}

func newSOCMetrics(m metric.Meter) (*socMetrics, error) {
	x := &socMetrics{told: map[openKey]bool{}}
	var err error
	ints := func(to *metric.Int64Gauge, name, unit, doc string) {
		if err == nil {
			*to, err = m.Int64Gauge(name, metric.WithUnit(unit), metric.WithDescription(doc))
		}
	}
	floats := func(to *metric.Float64Gauge, name, unit, doc string) {
		if err == nil {
			*to, err = m.Float64Gauge(name, metric.WithUnit(unit), metric.WithDescription(doc))
		}
	}
	floats(&x.duration, "tocsin.soc.duration", "s", "Quantiles of how long incidents of the last 30 days took, those that are not there yet counted as still running, by duration and quantile.")
	ints(&x.counted, "tocsin.soc.incidents", "{incident}", "Incidents of the last 30 days behind a duration, by duration and whether they came to it: done or waiting.")
	ints(&x.open, "tocsin.soc.open", "{incident}", "Open and acknowledged incidents by team and severity.")
	floats(&x.noise, "tocsin.soc.noise", "1", "Shares of the incidents of the last 30 days, by what: closed_unviewed, withdrawn, detached, merged, reopened, revised.")
	floats(&x.each, "tocsin.soc.findings", "{finding}", "Findings per incident of the last 30 days.")
	ints(&x.hours, "tocsin.soc.analyst_hours", "{hour}", "Hours of the last 30 days in which somebody acted on an incident, each person's counted.")
	floats(&x.pace, "tocsin.soc.incidents_per_hour", "{incident}", "Incidents of the last 30 days that people acted on, per hour in which somebody did.")
	floats(&x.precision, "tocsin.rule.precision", "1", "Share of the verdicts of the last 30 days by which the rule was right to report.")
	ints(&x.suppress, "tocsin.suppressions.active", "{suppression}", "Suppressions and maintenance windows that hold, by kind.")
	ints(&x.suppressed, "tocsin.suppressions.findings", "{finding}", "Findings that the suppressions known at the moment keep out of incidents, by kind.")
	if err == nil {
		x.took, err = m.Float64Histogram("tocsin.incident.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(stageBounds...),
			metric.WithDescription("How long incidents took to be detected, opened, told, acknowledged, understood, contained and resolved, as they came to it, by duration."))
	}
	return x, err
}

// changed records the durations that changes end.
func (x *socMetrics) changed(changes []incident.Change) {
	for i := range changes {
		for _, stage := range triage.Stages(&changes[i]) {
			x.came(stage)
		}
	}
}

// came records a duration that has ended.
func (x *socMetrics) came(stage triage.Stage) {
	x.took.Record(context.Background(), stage.Seconds, metric.WithAttributes(attribute.String("duration", stage.Name)))
}

// stands records how things stand. recent are the incidents of the last 30 days, open all that are open.
func (x *socMetrics) stands(recent, open []triage.Measured, held []incident.Suppression, now int64) {
	x.durations(triage.Spreads(recent, now))
	n := triage.NoiseOf(recent)
	for _, r := range []struct {
		what string
		a, b int
	}{
		{"closed_unviewed", n.ClosedUnviewed, n.Closed},
		{"withdrawn", n.Withdrawn, n.Incidents},
		{"detached", n.Detached, n.Incidents},
		{"merged", n.Merged, n.Incidents + n.Merged},
		{"reopened", n.Reopened, n.Incidents},
		{"revised", n.Revised, n.Understood},
	} {
		if share := triage.Share(r.a, r.b); share >= 0 {
			x.noise.Record(context.Background(), share, metric.WithAttributes(attribute.String("what", r.what)))
		}
	}
	if each := n.FindingsEach(); each >= 0 {
		x.each.Record(context.Background(), each)
	}
	x.hours.Record(context.Background(), int64(n.AnalystHours))
	if pace := n.PerHour(); pace >= 0 {
		x.pace.Record(context.Background(), pace)
	}
	for _, p := range triage.Precisions(recent) {
		if share := p.Share(); share >= 0 {
			x.precision.Record(context.Background(), share, metric.WithAttributes(attribute.String("rule", p.Rule)))
		}
	}
	x.openBy(open)
	x.held(held, now)
}

func (x *socMetrics) durations(spreads []triage.Spread) {
	ctx := context.Background()
	for _, s := range spreads {
		name := attribute.String("duration", s.Name)
		x.counted.Record(ctx, int64(s.N), metric.WithAttributes(name, attribute.String("state", "done")))
		x.counted.Record(ctx, int64(s.Censored), metric.WithAttributes(name, attribute.String("state", "waiting")))
		for _, q := range []struct {
			name  string
			value triage.Seconds
		}{{"0.5", s.Median}, {"0.75", s.P75}, {"0.9", s.P90}} {
			if q.value.Known() {
				x.duration.Record(ctx, float64(q.value), metric.WithAttributes(name, attribute.String("quantile", q.name)))
			}
		}
	}
}

// openBy tells how many incidents are open, and that none are where there were some.
func (x *socMetrics) openBy(open []triage.Measured) {
	n := map[openKey]int64{}
	for i := range open {
		k := openKey{open[i].Team, open[i].Severity.String()}
		n[k]++
		x.told[k] = true
	}
	for k := range x.told {
		x.open.Record(context.Background(), n[k], metric.WithAttributes(attribute.String("team", k.team), attribute.String("severity", k.severity)))
	}
}

func (x *socMetrics) held(list []incident.Suppression, now int64) {
	for _, maintenance := range []bool{false, true} {
		var active, hits int64
		for i := range list {
			s := &list[i]
			if s.Maintenance != maintenance {
				continue
			}
			hits += s.Hits
			if s.Revoked == 0 && s.From <= now && now < s.Until {
				active++
			}
		}
		kind := "suppression"
		if maintenance {
			kind = "maintenance"
		}
		at := metric.WithAttributes(attribute.String("kind", kind))
		x.suppress.Record(context.Background(), active, at)
		x.suppressed.Record(context.Background(), hits, at)
	}
}

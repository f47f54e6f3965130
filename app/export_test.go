package app

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"go.opentelemetry.io/otel/metric"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// ScenarioInputs are the sources of a scenario, its logs written into dir.
func ScenarioInputs(sc scenarios.Scenario, dir string) ([]ReplayInput, error) {
	return scenarioInputs(sc, "", dir)
}

// BindingState is what enrichment has learned, as bytes.
func (c *Core) BindingState() []byte { return c.Enricher.enricher.Bindings().AppendState(nil) }

// Relearn is what recovery does with what a batch taught.
func (c *Core) Relearn(b *event.Batch) error {
	return c.Enricher.enricher.Bindings().Relearn(b.Learned)
}

// Beside is beside.
var Beside = beside

// Acceptable is what accepting a topic made anew would accept.
var Acceptable = acceptable

// Differs is what applying would do to a topic.
func Differs(want, is kafka.Topic) (did string, settings map[string]string) {
	did, _ = differs(&want, is)
	return did, want.Settings
}

// Exec runs a statement in the embedded engine.
func (d *Database) Exec(ctx context.Context, statement string) error {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{d.process.Addr()}, Auth: clickhouse.Auth{Username: engine.User, Password: d.process.Token(), Database: d.DB.Database()}, ReadTimeout: time.Hour,
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Exec(ctx, statement)
}

// RuleMetrics are the metrics of rules alone.
type RuleMetrics struct{ of *ruleMetrics }

// NewRuleMetrics registers them.
func NewRuleMetrics(m metric.Meter) (RuleMetrics, error) {
	x, err := newRuleMetrics(m)
	return RuleMetrics{x}, err
}

// Tell is tell.
func (x RuleMetrics) Tell(now time.Time, events int, budget float64, stats []correlate.RuleStats) bool {
	return x.of.tell(now, events, budget, func() []correlate.RuleStats { return stats })
}

// Flood is flood.
func (x RuleMetrics) Flood(list []incident.Flooded) { x.of.flood(list) }

// Check is check.
func (x RuleMetrics) Check(budget float64) []console.Check { return x.of.check(budget) }

// SumStats is sumStats.
func SumStats(parts []correlate.Stats) []correlate.RuleStats { return sumStats(parts) }

// TextOf is a rule's document as the console shows it.
var TextOf = textOf

// OwnerOf is ownerOf.
var OwnerOf = ownerOf

// CompareShown is compareShown.
var CompareShown = compareShown

package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
)

// ruleEvery is how often the counters of rules are told: there may be thousands of them.
const ruleEvery = 5 * time.Second

// ruleMetrics tells what each rule costs and does.
type ruleMetrics struct {
	gauges []ruleGauge
	except metric.Int64Gauge
	last   time.Time
	events int64 // Matched since the start.

	mu     sync.Mutex // guards what follows
	costly []string   // Rules that are tried more often per event than the budget allows.
	counts []correlate.RuleStats
}

type ruleGauge struct {
	metric.Int64Gauge
	of func(*correlate.RuleStats) int64
}

// newRuleMetrics registers the instruments.
func newRuleMetrics(m metric.Meter) (*ruleMetrics, error) {
	x := &ruleMetrics{}
	var err error
	gauge := func(name, unit, doc string, of func(*correlate.RuleStats) int64) {
		g, failed := m.Int64Gauge(name, metric.WithUnit(unit), metric.WithDescription(doc))
		if failed != nil {
			err = failed
		}
		x.gauges = append(x.gauges, ruleGauge{g, of})
	}
	gauge("tocsin.rule.tries", "{try}", "How often events were tried at a step of the rule since the start: what matching it costs.", func(r *correlate.RuleStats) int64 { return r.Tried })
	gauge("tocsin.rule.hits", "{hit}", "Hits of the rule folded since the start.", func(r *correlate.RuleStats) int64 { return r.Hits })
	gauge("tocsin.rule.findings", "{finding}", "Findings of the rule since the start, shadow included.", func(r *correlate.RuleStats) int64 { return r.Findings })
	gauge("tocsin.rule.withdrawn", "{finding}", "Findings of the rule that were withdrawn.", func(r *correlate.RuleStats) int64 { return r.Withdrawn })
	gauge("tocsin.rule.errors", "{error}", "Expressions of the rule without a result.", func(r *correlate.RuleStats) int64 { return r.Errors })
	gauge("tocsin.rule.memory", "By", "Estimated memory of the rule's state.", func(r *correlate.RuleStats) int64 { return r.Bytes })
	gauge("tocsin.rule.degraded", "1", "1 if the rule gave up state because its memory was full.", func(r *correlate.RuleStats) int64 {
		if r.Degraded {
			return 1
		}
		return 0
	})
	if err == nil {
		x.except, err = m.Int64Gauge("tocsin.rule.excepted", metric.WithUnit("{event}"), metric.WithDescription("Events and matches that an exception of the rule kept away since the start, by exception."))
	}
	return x, err
}

// tell records the counters if it is time. The statistics are asked for only then.
func (x *ruleMetrics) tell(now time.Time, events int, budget float64, stats func() []correlate.RuleStats) {
	x.events += int64(events)
	if now.Sub(x.last) < ruleEvery {
		return
	}
	x.last = now
	ctx := context.Background()
	var costly []string
	list := stats()
	x.mu.Lock()
	x.counts = list
	x.mu.Unlock()
	for i := range list {
		r := &list[i]
		if r.Tried+r.Hits == 0 {
			continue
		}
		rule := metric.WithAttributes(attribute.String("rule", r.Rule))
		for _, g := range x.gauges {
			g.Record(ctx, g.of(r), rule)
		}
		for _, e := range r.Excepted {
			if e.Count > 0 {
				x.except.Record(ctx, e.Count, metric.WithAttributes(attribute.String("rule", r.Rule), attribute.String("exception", e.ID)))
			}
		}
		if per := float64(r.Tried) / float64(max(x.events, 1)); budget > 0 && per > budget && x.events > 1000 {
			costly = append(costly, fmt.Sprintf("%s (%.1f)", r.Rule, per))
		}
	}
	x.mu.Lock()
	x.costly = costly
	x.mu.Unlock()
}

// check names rules above the budget; they slow everything down, and break nothing.
func (x *ruleMetrics) check(budget float64) []console.Check {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.costly) == 0 {
		return nil
	}
	detail := fmt.Sprintf("tried more than %g times an event (correlate.tries): %s; give their where an equality that few events satisfy", budget, strings.Join(x.costly[:min(5, len(x.costly))], ", "))
	if n := len(x.costly) - 5; n > 0 {
		detail += fmt.Sprintf(" and %d more", n)
	}
	return []console.Check{{Name: "rule cost", Good: true, Detail: detail}}
}

// counted are the counters as they were last told, by rule id.
func (x *ruleMetrics) counted() map[string]correlate.RuleStats {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make(map[string]correlate.RuleStats, len(x.counts))
	for _, r := range x.counts {
		out[r.Rule] = r
	}
	return out
}

// sumStats adds up the counters of partitions, by rule.
func sumStats(parts []correlate.Stats) []correlate.RuleStats {
	byRule := map[string]*correlate.RuleStats{}
	for i := range parts {
		for j := range parts[i].Rules {
			r := &parts[i].Rules[j]
			sum := byRule[r.Rule]
			if sum == nil {
				c := *r
				c.Excepted = slices.Clone(c.Excepted)
				byRule[r.Rule] = &c
				continue
			}
			sum.Tried, sum.Hits, sum.Findings, sum.Withdrawn = sum.Tried+r.Tried, sum.Hits+r.Hits, sum.Findings+r.Findings, sum.Withdrawn+r.Withdrawn
			sum.Errors, sum.Bytes, sum.Degraded = sum.Errors+r.Errors, sum.Bytes+r.Bytes, sum.Degraded || r.Degraded
			for k := range min(len(sum.Excepted), len(r.Excepted)) {
				sum.Excepted[k].Count += r.Excepted[k].Count
			}
		}
	}
	out := make([]correlate.RuleStats, 0, len(byRule))
	for _, r := range byRule {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b correlate.RuleStats) int { return strings.Compare(a.Rule, b.Rule) })
	return out
}

// tellRules tells what rules cost a correlate member, until ctx ends.
func (s *Service) tellRules(ctx context.Context) {
	tick := time.NewTicker(ruleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var parts []correlate.Stats
		for _, p := range s.correlator.Status() {
			parts = append(parts, p.Engine)
		}
		s.metrics.rules.tell(time.Now(), 0, 0, func() []correlate.RuleStats { return sumStats(parts) })
	}
}

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
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
)

// ruleEvery is how often the counters of rules are told: there may be thousands of them.
const ruleEvery = 5 * time.Second

// ruleMetrics tells what each rule costs and does.
type ruleMetrics struct {
	gauges []ruleGauge
	times  []ruleTime
	except metric.Int64Gauge
	floods metric.Int64Gauge
	last   time.Time
	events int64 // Matched since the start.

	mu      sync.Mutex // guards what follows
	costly  []string   // Rules that are tried more often per event than the budget allows.
	counts  []correlate.RuleStats
	flooded []incident.Flooded
}

type ruleGauge struct {
	metric.Int64Gauge
	of func(*correlate.RuleStats) int64
}

type ruleTime struct {
	metric.Float64Gauge
	of func(*correlate.RuleStats) int64 // Nanoseconds.
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
	seconds := func(name, unit, doc string, of func(*correlate.RuleStats) int64) {
		g, failed := m.Float64Gauge(name, metric.WithUnit(unit), metric.WithDescription(doc))
		if failed != nil {
			err = failed
		}
		x.times = append(x.times, ruleTime{g, of})
	}
	gauge("tocsin.rule.tries", "{try}", "How often events were tried at a step of the rule since the start: what matching it costs.", func(r *correlate.RuleStats) int64 { return r.Tried })
	gauge("tocsin.rule.hits", "{hit}", "Hits of the rule folded since the start.", func(r *correlate.RuleStats) int64 { return r.Hits })
	gauge("tocsin.rule.findings", "{finding}", "Findings of the rule since the start, shadow included.", func(r *correlate.RuleStats) int64 { return r.Findings })
	gauge("tocsin.rule.withdrawn", "{finding}", "Findings of the rule that were withdrawn.", func(r *correlate.RuleStats) int64 { return r.Withdrawn })
	gauge("tocsin.rule.errors", "{error}", "Expressions of the rule without a result.", func(r *correlate.RuleStats) int64 { return r.Errors })
	gauge("tocsin.rule.memory", "By", "Estimated memory of the rule's state.", func(r *correlate.RuleStats) int64 { return r.Bytes })
	gauge("tocsin.rule.degraded", "1", "1 if the rule gave up state because its memory was full.", func(r *correlate.RuleStats) int64 { return oneIf(r.Degraded) })
	gauge("tocsin.correlate.late", "{hit}", "Hits that came later than their rule's lateness since the start, by rule.", func(r *correlate.RuleStats) int64 { return r.Late })
	gauge("tocsin.correlate.evictions", "{hit}", "Hits for which there was no room since the start, by rule.", func(r *correlate.RuleStats) int64 { return r.Evicted })
	gauge("tocsin.correlate.keys", "{key}", "Keys with state, by rule.", func(r *correlate.RuleStats) int64 { return int64(r.Keys) })
	seconds("tocsin.rule.match.time", "s", "About how long matching events against the rule took since the start, from one event in 64.", func(r *correlate.RuleStats) int64 { return r.MatchTime })
	seconds("tocsin.rule.fold.time", "s", "About how long folding the hits of the rule took since the start; of large batches, from one in 16.", func(r *correlate.RuleStats) int64 { return r.FoldTime })
	if err == nil {
		x.except, err = m.Int64Gauge("tocsin.rule.excepted", metric.WithUnit("{event}"), metric.WithDescription("Events and matches that an exception of the rule kept away since the start, by exception."))
	}
	if err == nil {
		x.floods, err = m.Int64Gauge("tocsin.rule.flooded", metric.WithUnit("1"), metric.WithDescription("1 while the flood breaker of the rule is open: its further findings stand together in a digest."))
	}
	return x, err
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// tell records the counters if it is time, and says whether it was. The statistics are asked for only then.
func (x *ruleMetrics) tell(now time.Time, events int, budget float64, stats func() []correlate.RuleStats) bool {
	x.events += int64(events)
	if now.Sub(x.last) < ruleEvery {
		return false
	}
	x.last = now
	ctx := context.Background()
	var costly []string
	list := stats()
	for i := range list {
		r := &list[i]
		if r.Tried+r.Hits == 0 {
			continue
		}
		rule := metric.WithAttributes(attribute.String("rule", r.Rule))
		for _, g := range x.gauges {
			g.Record(ctx, g.of(r), rule)
		}
		for _, t := range x.times {
			t.Record(ctx, time.Duration(t.of(r)).Seconds(), rule)
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
	defer x.mu.Unlock()
	x.counts, x.costly = list, costly
	return true
}

// flood records which rules are in digest mode now.
func (x *ruleMetrics) flood(list []incident.Flooded) {
	x.mu.Lock()
	before := x.flooded
	x.flooded = list
	x.mu.Unlock()
	is := func(list []incident.Flooded, rule string) bool {
		return slices.ContainsFunc(list, func(f incident.Flooded) bool { return f.Rule == rule })
	}
	record := func(rule string, open bool) {
		x.floods.Record(context.Background(), oneIf(open), metric.WithAttributes(attribute.String("rule", rule)))
	}
	for _, f := range list {
		record(f.Rule, true)
	}
	for _, f := range before {
		if !is(list, f.Rule) {
			record(f.Rule, false)
		}
	}
}

// floodOf is the flood of a rule as it was last told; Folded is 0 if it is in none.
func (x *ruleMetrics) floodOf(rule string) incident.Flooded {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.flooded {
		if f.Rule == rule {
			return f
		}
	}
	return incident.Flooded{}
}

// check names rules above the budget, which slow everything down and break nothing, and those in digest mode.
func (x *ruleMetrics) check(budget float64) []console.Check {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []console.Check
	if len(x.costly) > 0 {
		detail := fmt.Sprintf("tried more than %g times an event (correlate.tries): %s; give their where an equality that few events satisfy", budget, few(x.costly))
		out = append(out, console.Check{Name: "rule cost", Good: true, Detail: detail})
	}
	if len(x.flooded) > 0 {
		var names []string
		for _, f := range x.flooded {
			names = append(names, fmt.Sprintf("%s (%s since %s UTC)", f.Rule, Count(f.Folded, "finding"), stamp(f.From)))
		}
		detail := "in digest mode: " + few(names) + "; findings are kept and counted, and make no incident each"
		out = append(out, console.Check{Name: "rule floods", Good: true, Detail: detail})
	}
	return out
}

// few names the first of many.
func few(names []string) string {
	const most = 5
	text := strings.Join(names[:min(most, len(names))], ", ")
	if n := len(names) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
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
			sum.MatchTime, sum.FoldTime = sum.MatchTime+r.MatchTime, sum.FoldTime+r.FoldTime
			sum.Late, sum.Evicted, sum.Keys = sum.Late+r.Late, sum.Evicted+r.Evicted, sum.Keys+r.Keys
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

// everyRuleTime calls tell from time to time, until ctx ends.
func everyRuleTime(ctx context.Context, tell func()) {
	tick := time.NewTicker(ruleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			tell()
		}
	}
}

// tellRules tells what rules cost a correlate member, until ctx ends.
func (s *Service) tellRules(ctx context.Context) {
	everyRuleTime(ctx, func() {
		var parts []correlate.Stats
		for _, p := range s.correlator.Status() {
			parts = append(parts, p.Engine)
		}
		s.metrics.rules.tell(time.Now(), 0, 0, func() []correlate.RuleStats { return sumStats(parts) })
	})
}

// tellFloods tells which rules are in digest mode in a triage member, until ctx ends.
func (s *Service) tellFloods(ctx context.Context) {
	everyRuleTime(ctx, func() {
		var list []incident.Flooded
		s.triage.View(func(x *relay.Stitching) { list = x.Stitcher().Flooded(0) })
		s.metrics.rules.flood(list)
	})
}

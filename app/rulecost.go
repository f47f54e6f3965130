package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/tocsin-siem/tocsin/rules"
)

// mostMetrics bounds an answer with metrics: thousands of rules have a few hundred bytes for each of some dozen numbers.
const mostMetrics = 256 << 20

// RuleCost is what one rule did and took, in one process or in several, since they started.
type RuleCost struct {
	Rule      string  `json:"rule"`
	Version   int32   `json:"version"` // 0: not among the rules of the configuration.
	Title     string  `json:"title"`
	Status    string  `json:"status"`
	Hits      int64   `json:"hits"`
	Findings  int64   `json:"findings"`
	Withdrawn int64   `json:"withdrawn"`
	Errors    int64   `json:"errors"`
	Tries     int64   `json:"tries"`         // How often an event was tried at one of its steps.
	Match     float64 `json:"match_seconds"` // About what that took,
	Fold      float64 `json:"fold_seconds"`  // and about what its hits took.
	PerEvent  float64 `json:"ns_per_event"`  // Both, by all events that were matched; 0 if none were where it was asked.
	Memory    int64   `json:"memory_bytes"`
	Flooded   bool    `json:"flooded"`  // In digest mode now.
	Degraded  bool    `json:"degraded"` // Has given up state, because its memory was full.
}

// RuleCosts are the costs of rules as metrics tell them.
type RuleCosts struct {
	Events int64 // That were matched.
	rules  map[string]*RuleCost
}

// costOf says which metric is which number of a rule.
var costOf = map[string]func(*RuleCost, float64){
	"tocsin_rule_hits":               func(c *RuleCost, v float64) { c.Hits += int64(v) },
	"tocsin_rule_findings":           func(c *RuleCost, v float64) { c.Findings += int64(v) },
	"tocsin_rule_withdrawn":          func(c *RuleCost, v float64) { c.Withdrawn += int64(v) },
	"tocsin_rule_errors":             func(c *RuleCost, v float64) { c.Errors += int64(v) },
	"tocsin_rule_tries":              func(c *RuleCost, v float64) { c.Tries += int64(v) },
	"tocsin_rule_match_time_seconds": func(c *RuleCost, v float64) { c.Match += v },
	"tocsin_rule_fold_time_seconds":  func(c *RuleCost, v float64) { c.Fold += v },
	"tocsin_rule_memory_bytes":       func(c *RuleCost, v float64) { c.Memory += int64(v) },
	"tocsin_rule_flooded_ratio":      func(c *RuleCost, v float64) { c.Flooded = c.Flooded || v > 0 },
	"tocsin_rule_degraded_ratio":     func(c *RuleCost, v float64) { c.Degraded = c.Degraded || v > 0 },
}

// Ask adds what the service at an address (of its /metrics) tells.
func (x *RuleCosts) Ask(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is the service running with this configuration? What rules cost in the past tells tocsin rules backtest", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: is it the address of a service whose telemetry.metrics.prometheus is on?", address, answer.Status)
	}
	return x.Read(io.LimitReader(answer.Body, mostMetrics))
}

// Read adds what metrics in Prometheus' text format tell of rules.
func (x *RuleCosts) Read(r io.Reader) error {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return fmt.Errorf("the metrics cannot be read: %w", err)
	}
	if info := families["target_info"].GetMetric(); len(info) == 0 || labelOf(info[0], "service_name") != "tocsin" {
		return errors.New("what answers is no Tocsin: target_info does not say so")
	}
	for _, m := range families["tocsin_correlate_events_total"].GetMetric() {
		x.Events += int64(m.GetCounter().GetValue())
	}
	for name, add := range costOf {
		for _, m := range families[name].GetMetric() {
			if id := labelOf(m, "rule"); id != "" {
				add(x.rule(id), m.GetGauge().GetValue())
			}
		}
	}
	return nil
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func (x *RuleCosts) rule(id string) *RuleCost {
	if x.rules == nil {
		x.rules = map[string]*RuleCost{}
	}
	c := x.rules[id]
	if c == nil {
		c = &RuleCost{Rule: id}
		x.rules[id] = c
	}
	return c
}

// List gives the cost of each rule of a set, and of those that the service has beside them, the costliest first.
func (x *RuleCosts) List(set *rules.Set) []RuleCost {
	for _, r := range set.Rules {
		c := x.rule(r.ID)
		c.Version, c.Title, c.Status = r.Version, r.Title, r.Status.String()
	}
	out := make([]RuleCost, 0, len(x.rules))
	for _, c := range x.rules {
		if x.Events > 0 {
			c.PerEvent = 1e9 * (c.Match + c.Fold) / float64(x.Events)
		}
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b RuleCost) int {
		return cmp.Or(cmp.Compare(b.Match+b.Fold, a.Match+a.Fold), cmp.Compare(b.Tries, a.Tries), strings.Compare(a.Rule, b.Rule))
	})
	return out
}

// WriteRuleCosts writes costs for people.
func WriteRuleCosts(w io.Writer, list []RuleCost) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tHITS\tFINDINGS\tTRIES\tMATCH\tFOLD\tNS/EVENT\tMEMORY\tNOTE")
	for i := range list {
		c := &list[i]
		per := "-"
		if c.PerEvent > 0 {
			per = strconv.FormatFloat(c.PerEvent, 'f', 1, 64)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", plain(c.Rule), c.Hits, c.Findings, c.Tries, shortTime(c.Match), shortTime(c.Fold), per, shortBytes(c.Memory), c.note())
	}
	return t.Flush()
}

func (c *RuleCost) note() string {
	var notes []string
	if c.Flooded {
		notes = append(notes, "flooded")
	}
	if c.Degraded {
		notes = append(notes, "degraded")
	}
	if c.Errors > 0 {
		notes = append(notes, Count(int(c.Errors), "error"))
	}
	if c.Version == 0 {
		notes = append(notes, "not in these files")
	}
	return strings.Join(notes, ", ")
}

func shortTime(seconds float64) string {
	d := time.Duration(seconds * 1e9)
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

func shortBytes(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// WriteRuleCostsJSON writes costs, one a line.
func WriteRuleCostsJSON(w io.Writer, list []RuleCost) error {
	enc := json.NewEncoder(w)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

package correlate_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/rules"
)

// boundBytes is the bound on memory of the benchmark below.
const boundBytes = 128 << 20

const gatedOpen = `match:
  event: {id: a, class: api_activity, bind: {robot: robot}, drop: {per: [robot], for: 1h, at_least: 3, over: 4h}}
lateness: 1m
`

// BenchmarkAtTheBoundOfMemory opens keys for as long as it runs, past the bound on memory, and measures the processor time of each fold of 2,000 hits:
// what counts is the longest, since all batches wait for it.
func BenchmarkAtTheBoundOfMemory(b *testing.B) {
	for name, rule := range map[string]string{"keys": openSequence, "gates": gatedOpen} {
		b.Run(name, func(b *testing.B) {
			set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, rule)}}
			e := correlate.New(set, correlate.Settings{MaxKeys: 100 * openKeys, MaxBytes: boundBytes})
			s := newSource(set, openKeys)
			s.r = rand.New(rand.NewPCG(1, 1))
			opened := 0
			var spent timings
			for b.Loop() {
				hits, marks := s.next(timedBatch, func(int) int { opened++; return opened }, constant)
				began := processorTime()
				e.Fold(hits, marks)
				spent = append(spent, float64((processorTime()-began).Microseconds())/1000)
			}
			stats := e.Stats().Rules[0]
			if stats.Shed == 0 {
				b.Skip("the bound was not reached: more rounds")
			}
			slices.Sort(spent)
			b.ReportMetric(spent[len(spent)/2], "median-ms")
			b.ReportMetric(spent[len(spent)-1], "longest-ms")
			b.ReportMetric(float64(stats.Shed), "given-up")
			b.ReportMetric(0, "ns/op")
		})
	}
}

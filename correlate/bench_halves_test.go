package correlate_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// BenchmarkHalvesOfOpenKeys says what a second core could save at most: two engines with half of the keys each fold the hits of a round, which
// were split before, one after the other and beside each other. Waking the other core is part of it.
func BenchmarkHalvesOfOpenKeys(b *testing.B) {
	for _, round := range []int{500, 2_000, 10_000} {
		b.Run(fmt.Sprint(round), func(b *testing.B) {
			set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, openSequence)}}
			s := newSource(set, openKeys)
			half := [2]*correlate.Engine{correlate.New(set, roomy()), correlate.New(set, roomy())}
			next := func(n int, pick func(int) int) (hits [2][]event.Hit, marks []event.Mark) {
				all, marks := s.next(n, pick, constant)
				for _, h := range all {
					i := h.Key[len(h.Key)-1] & 1
					hits[i] = append(hits[i], h)
				}
				return hits, marks
			}
			for at := 0; at < s.keys; at += stateBatch {
				hits, marks := next(min(stateBatch, s.keys-at), func(i int) int { return at + i })
				half[0].Fold(hits[0], marks)
				half[1].Fold(hits[1], marks)
			}
			var spent [2]timings
			for b.Loop() {
				for beside := range spent {
					hits, marks := next(round, func(int) int { return s.r.IntN(openKeys) })
					t := time.Now()
					var other sync.WaitGroup
					if beside == 1 {
						other.Go(func() { half[1].Fold(hits[1], marks) })
					}
					half[0].Fold(hits[0], marks)
					if beside == 0 {
						half[1].Fold(hits[1], marks)
					}
					other.Wait()
					spent[beside].add(t, round)
				}
			}
			b.ReportMetric(spent[0].quartile(), "in-turn-ns/update")
			b.ReportMetric(spent[1].quartile(), "beside-ns/update")
			b.ReportMetric(0, "ns/op")
		})
	}
}

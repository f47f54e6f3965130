package correlate_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// BenchmarkFloorOfOpenKeys says what of an update of BenchmarkOpenKeys is memory, and what is writing. Of rounds of 500 hits that were just made
// one only has its places read (hashing the keys and sorting included), one is only written as bytes, and one is folded. The ratios of these can
// be compared between machines.
func BenchmarkFloorOfOpenKeys(b *testing.B) {
	for _, c := range []struct {
		name, rule string
		each       int
	}{{"sequence", openSequence, 1}, {"count3", openCount, 3}} {
		for _, zipf := range []bool{false, true} {
			name := c.name + "/uniform"
			if zipf {
				name = c.name + "/zipf"
			}
			b.Run(name, func(b *testing.B) { floorBench(b, c.rule, c.each, zipf) })
		}
	}
}

func floorBench(b *testing.B, rule string, each int, zipf bool) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, rule)}}
	s := newSource(set, openKeys)
	e := correlate.New(set, roomy())
	fill(b, e, s, each)
	s.engine = e
	pick := func(int) int { return s.r.IntN(openKeys) }
	if zipf {
		z := rand.NewZipf(s.r, 1.2, 1, uint64(openKeys-1))
		pick = func(int) int { return int(z.Uint64()) }
	}
	stages := []func([]event.Hit, []event.Mark){
		func(hits []event.Hit, _ []event.Mark) { e.ReadPlaces(hits) },
		func(hits []event.Hit, _ []event.Mark) { e.WriteHits(hits) },
		func(hits []event.Hit, marks []event.Mark) { e.Fold(hits, marks) },
	}
	var spent [3]timings
	for b.Loop() {
		for i, stage := range stages {
			hits, marks := s.next(timedBatch/4, pick, constant)
			t := time.Now()
			stage(hits, marks)
			spent[i].add(t, len(hits))
		}
	}
	read, written, whole := spent[0].quartile(), spent[1].quartile(), spent[2].quartile()
	b.ReportMetric(read, "read-ns/update")
	b.ReportMetric(written, "write-ns/update")
	b.ReportMetric(whole, "fold-ns/update")
	b.ReportMetric(whole/read, "fold/read")
	b.ReportMetric(0, "ns/op")
}

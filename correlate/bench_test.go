package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// manyRules are n rules of which a share listens to what the traffic really has; the others name operations nobody calls.
func manyRules(t testing.TB, n int) *rules.Set {
	var b strings.Builder
	for i := range n {
		op := fmt.Sprint("op", i)
		if i%20 == 0 {
			op = fmt.Sprint("busy", i%100)
		}
		where := fmt.Sprintf(`api.operation == %q and count > 2`, op)
		if i%10 == 3 {
			where = fmt.Sprintf(`api.service.name contains %q and src_endpoint.port in [22, %d]`, op, 1000+i)
		}
		fmt.Fprintf(&b, `---
id: bench-%04d
version: 1
title: Bench
status: shadow
match:
  sequence:
    - {id: a, class: api_activity, where: '%s', bind: {robot: robot}}
    - {id: b, class: robot_state.mode_change, where: 'robot.operating_mode_id == 3', bind: {robot: robot}}
  within: 10m
`, i, where)
	}
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(b.String())}}, "r.yaml")
	if set == nil {
		t.Fatal(problems)
	}
	return set
}

func traffic(n int) *event.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	b := &event.Batch{Events: make([]event.Event, n)}
	for i := range b.Events {
		e := &b.Events[i]
		e.ClassUID, e.ActivityID, e.Time, e.Count = event.ClassAPI, 1, start+int64(i)*1000, int32(r.IntN(5))
		e.API = &event.API{Operation: fmt.Sprint("call", r.IntN(500)), Service: fmt.Sprint("service", r.IntN(50))}
		if r.IntN(50) == 0 {
			e.API.Operation = fmt.Sprint("busy", 20*r.IntN(5))
		}
		e.SrcEndpoint.Port = uint16(r.IntN(1 << 16))
		e.Robot = &event.Robot{UID: fmt.Sprint("r", r.IntN(1000))}
		e.Envelope.ID = event.NewID(fmt.Sprint(i))
		e.FindEntities()
	}
	b.Sort()
	return b
}

func BenchmarkMatch(b *testing.B) {
	batch := traffic(4096)
	for _, n := range []int{20, 200, 1000} {
		b.Run(fmt.Sprintf("%drules", n), func(b *testing.B) {
			m := correlate.NewMatcher(manyRules(b, n))
			s := m.NewScratch(nil)
			var hits []event.Hit
			b.ReportAllocs()
			before := processorTime()
			for b.Loop() {
				hits = m.Match(s, batch, 0, len(batch.Sorted), hits[:0])
			}
			report(b, len(batch.Events))
			processor(b, before, len(batch.Events))
			b.ReportMetric(float64(len(hits))/float64(len(batch.Events)), "hits/event")
		})
	}
}

// report gives events per second and nanoseconds per event.
func report(b *testing.B, n int) {
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
}

const benchRule = `match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 10m
throttle: {per: [robot], for: 1h}
lateness: 1m
`

const benchCount = `match:
  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 50, within: 10m, distinct: api.service.name}
throttle: {per: [robot], for: 1h}
lateness: 1m
`

// foldInput are hits of one rule in batches, a share of them out of order by up to half the lateness.
func foldInput(b *testing.B, rule string, keys int, disorder float64) (*rules.Set, [][]event.Hit, [][]event.Mark) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, rule)}}
	m := correlate.NewMatcher(set)
	s := m.NewScratch(nil)
	r := rand.New(rand.NewPCG(3, 4))
	var hits [][]event.Hit
	var marks [][]event.Mark
	for i := range 64 {
		batch := &event.Batch{Events: make([]event.Event, 2000)}
		newest := int64(0)
		for j := range batch.Events {
			e := &batch.Events[j]
			e.ClassUID, e.ActivityID, e.Time = event.ClassAPI, 1, start+int64(i*2000+j)*10_000
			newest = e.Time
			if r.Float64() < disorder {
				e.Time -= r.Int64N(30_000_000)
			}
			e.API = &event.API{Operation: []string{"A", "A", "A", "B", "C"}[r.IntN(5)], Service: fmt.Sprint(r.IntN(40))}
			e.Robot = &event.Robot{UID: fmt.Sprint("r", r.IntN(keys))}
			e.Envelope.ID = event.NewID(fmt.Sprint(i, j))
			e.FindEntities()
		}
		batch.Sort()
		hits = append(hits, m.Match(s, batch, 0, len(batch.Sorted), nil))
		marks = append(marks, []event.Mark{{Source: "s", Newest: newest}})
	}
	return set, hits, marks
}

func BenchmarkFold(b *testing.B) {
	for _, c := range []struct {
		name     string
		rule     string
		keys     int
		disorder float64
	}{
		{"sequence/10000keys/ordered", benchRule, 10000, 0},
		{"sequence/10000keys/5%disorder", benchRule, 10000, 0.05},
		{"sequence/hotkey/ordered", benchRule, 1, 0},
		{"sequence/hotkey/5%disorder", benchRule, 1, 0.05},
		{"distinct/10000keys/ordered", benchCount, 10000, 0},
		{"distinct/hotkey/ordered", benchCount, 1, 0},
		{"distinct/hotkey/5%disorder", benchCount, 1, 0.05},
	} {
		b.Run(c.name, func(b *testing.B) {
			set, hits, marks := foldInput(b, c.rule, c.keys, c.disorder)
			n := 0
			for i := range hits {
				n += len(hits[i])
			}
			b.ReportAllocs()
			for b.Loop() {
				e := correlate.New(set, correlate.Settings{})
				for i := range hits {
					e.Fold(hits[i], marks[i])
				}
			}
			report(b, n)
		})
	}
}

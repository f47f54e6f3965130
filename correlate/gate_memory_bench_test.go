package correlate_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// remembering are rules with one modifier with memory each, over the same traffic.
var remembering = []struct{ name, text string }{
	{"new", `match:
  event: {id: a, class: network_activity, bind: {device: src_endpoint.ip}, new: {value: dst_endpoint.ip, per: [device], history: 30d}}
lateness: 1m
`},
	{"spike", `match:
  event: {id: a, class: network_activity, bind: {device: src_endpoint.ip}, spike: {value: traffic.bytes_out, per: [device], bucket: 1m, over: 10m, baseline: 14d, ratio: 4, floor: 50000000}}
lateness: 1m
`},
	{"beacon", `match:
  event: {id: a, class: network_activity, bind: {device: src_endpoint.ip}, beacon: {per: [device], at_least: 8, over: 1h, jitter_max: 0.1}}
lateness: 1m
`},
	{"drop", `match:
  event: {id: a, class: network_activity, bind: {device: src_endpoint.ip}, drop: {per: [device], for: 10m, at_least: 3, over: 1h}}
lateness: 1m
`},
	{"drop-of-an-amount", `match:
  event: {id: a, class: network_activity, bind: {device: src_endpoint.ip}, drop: {value: traffic.bytes_out, per: [device], bucket: 1m, over: 10m, baseline: 14d, ratio: 4}}
lateness: 1m
`},
}

// transfers are connections of devices, each about as often as the others and to a few places, forty a second in all.
func transfers(devices, n, from int) *event.Batch {
	b := &event.Batch{Events: make([]event.Event, n)}
	for i := range b.Events {
		at := from + i
		e := &b.Events[i]
		d := (at*7919 + at/devices) % devices
		e.ClassUID, e.ActivityID, e.Time = event.ClassNetwork, 6, start+int64(at)*25_000
		e.SrcEndpoint.IP, e.DstEndpoint.IP = fmt.Sprintf("10.1.%d.%d", d>>8, d&255), fmt.Sprintf("10.9.0.%d", at%5)
		e.Traffic = &event.Traffic{BytesOut: event.IntOf(int64(1000 + at%977))}
		e.Envelope.Position = event.Position{Source: "zeek", Partition: int32(at % 12), Offset: int64(at)}
		e.Envelope.ID = event.NewID(fmt.Sprint("transfer", at))
		e.FindEntities()
	}
	b.Sort()
	return b
}

// BenchmarkMemory measures what folding costs steps with memory, per hit, and what they hold per entity: a thousand devices over an hour and a half of
// event time, in order.
func BenchmarkMemory(b *testing.B) {
	const devices, batches, size = 1000, 50, 4000
	for _, x := range remembering {
		b.Run(x.name, func(b *testing.B) {
			set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, x.text)}}
			matcher := correlate.New(set, correlate.Settings{})
			var hits [][]event.Hit
			var marks [][]event.Mark
			n := 0
			for i := range batches {
				batch := transfers(devices, size, i*size)
				list := append([]event.Hit(nil), matcher.Hits(batch)...)
				n += len(list)
				hits, marks = append(hits, list), append(marks, []event.Mark{{Source: "zeek", Newest: batch.Events[size-1].Time}})
			}
			if n == 0 {
				b.Fatal("no event is a hit")
			}
			var e *correlate.Engine
			before := heap()
			b.ReportAllocs()
			worked := processorTime()
			for b.Loop() {
				e = correlate.New(set, correlate.Settings{})
				for i := range hits {
					e.Fold(hits[i], marks[i])
				}
			}
			b.ReportMetric(float64((processorTime()-worked).Nanoseconds())/(float64(b.N)*float64(n)), "cpu-ns/hit")
			held := float64(heap()) - float64(before)
			stats := e.Stats().Rules[0]
			b.ReportMetric(held/float64(max(1, stats.Registers)), "B/entity")
			b.ReportMetric(float64(stats.Registers), "entities")
			b.ReportMetric(float64(n)/(batches*size), "hits/event")
			runtime.KeepAlive(e)
			runtime.KeepAlive(hits)
			runtime.KeepAlive(matcher)
		})
	}
}

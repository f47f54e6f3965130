package correlate_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

const benchChanged = `match:
  event: {id: a, class: robot_state, bind: {robot: robot}, changed: {value: robot.operating_mode, per: [robot]}}
lateness: 10m
`

// reports are states that robots report again and again: nothing in them is new but their times, positions and ids.
func reports(robots, n, from int) *event.Batch {
	b := &event.Batch{Events: make([]event.Event, n)}
	for i := range b.Events {
		at := from + i
		e := &b.Events[i]
		e.ClassUID, e.ActivityID, e.Time = event.ClassRobotState, 1, start+int64(at)*1000
		e.Robot = &event.Robot{UID: fmt.Sprint("acme/A1200-", at%robots), Name: fmt.Sprint("amr-", at%robots), ModeID: 1}
		e.Device.UID, e.Device.Hostname = fmt.Sprint("amr-", at%robots), fmt.Sprint("amr-", at%robots)
		e.Envelope.Position = event.Position{Source: "vda5050", Partition: int32(at % 12), Offset: int64(at)}
		e.Envelope.Received, e.Envelope.Format = e.Time+40_000, "vda5050"
		e.Envelope.ID = event.NewID(fmt.Sprint(at))
		e.FindEntities()
	}
	b.Sort()
	return b
}

// BenchmarkHeldRepeats measures what a gate holds of hits that do not pass: an hour's worth of lateness of reports that say nothing new.
func BenchmarkHeldRepeats(b *testing.B) {
	const robots, batches, size = 500, 50, 4000
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, benchChanged)}}
	b.ReportAllocs()
	var e *correlate.Engine
	var held uint64
	for b.Loop() {
		before := heap()
		e = correlate.New(set, correlate.Settings{})
		for i := range batches {
			batch := reports(robots, size, i*size)
			hits, _ := e.Match(batch)
			e.Fold(hits, []event.Mark{{Source: "s", Newest: batch.Events[size-1].Time}})
		}
		held = heap() - before
	}
	runtime.KeepAlive(e)
	b.ReportMetric(float64(held)/(batches*size), "B/held")
	b.ReportMetric(float64(e.Stats().Rules[0].Bytes)/(batches*size), "B/counted")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

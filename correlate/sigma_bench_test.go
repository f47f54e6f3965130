package correlate_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// BenchmarkLanes decodes the records of every lane and finds their entities: what BenchmarkSigma does before it matches.
func BenchmarkLanes(b *testing.B) {
	for _, l := range lanes {
		b.Run(l.name, func(b *testing.B) {
			records := l.recordsOf(1000)
			f, _ := format.ByName(l.format)
			fields := &format.FieldMemory{} // As batches in the pipeline have it.
			fs := format.Scratch{Fields: fields}
			var events []event.Event
			b.ReportAllocs()
			round := func() {
				fields.Reset()
				clear(events)
				events = events[:0]
				for i := range records {
					events, _ = f.Append(&fs, events, &records[i])
				}
				for i := range events {
					events[i].FindEntities()
				}
			}
			round()
			runtime.GC()
			before := processorTime()
			for b.Loop() {
				round()
			}
			report(b, len(records))
			processor(b, before, len(records))
		})
	}
}

// BenchmarkSigma matches records of every lane against all public Sigma rules: decoding included, and matching alone, with the index and
// without it.
func BenchmarkSigma(b *testing.B) {
	set := publicSigma(b)
	m := correlate.NewMatcher(set)
	for _, l := range lanes {
		records := l.recordsOf(1000)
		batch := l.decoded(b, records)
		size := 0
		for i := range records {
			size += len(records[i].Value)
		}
		b.Run(l.name+"/whole", func(b *testing.B) {
			f, _ := format.ByName(l.format)
			fields := &format.FieldMemory{} // As batches in the pipeline have it.
			fs := format.Scratch{Fields: fields}
			s := m.NewScratch(nil)
			var hits []event.Hit
			work := &event.Batch{}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			round := func() {
				fields.Reset()
				clear(work.Events)
				work.Events, work.Sorted = work.Events[:0], work.Sorted[:0]
				for i := range records {
					work.Events, _ = f.Append(&fs, work.Events, &records[i])
					work.Sorted = append(work.Sorted, int32(i))
				}
				for i := range work.Events {
					work.Events[i].FindEntities()
				}
				hits = m.Match(s, work, 0, len(work.Sorted), hits[:0])
			}
			round()
			runtime.GC()
			before := processorTime()
			for b.Loop() {
				round()
			}
			report(b, len(records))
			processor(b, before, len(records))
			b.ReportMetric(float64(len(hits))/float64(len(records)), "hits/event")
		})
		for _, way := range []struct {
			name   string
			m      *correlate.Matcher
			events int
		}{{"match", m, len(batch.Sorted)}, {"scan", m.Exhaustive(), 40}} {
			b.Run(l.name+"/"+way.name, func(b *testing.B) {
				s := way.m.NewScratch(nil)
				var hits []event.Hit
				b.ReportAllocs()
				runtime.GC()
				before := processorTime()
				for b.Loop() {
					hits = way.m.Match(s, batch, 0, way.events, hits[:0])
				}
				report(b, way.events)
				processor(b, before, way.events)
			})
		}
	}
}

// processor gives the processor time per event, collector included, which other programs on the machine disturb less than time by the clock.
func processor(b *testing.B, before time.Duration, n int) {
	b.ReportMetric(float64((processorTime()-before).Nanoseconds())/float64(b.N*n), "cpu-ns/event")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

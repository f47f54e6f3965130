package format_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// BenchmarkDecode decodes the samples of each format round and round, entities not included. The events/s are of one core.
func BenchmarkDecode(b *testing.B) {
	for _, f := range format.All() {
		b.Run(f.Name, func(b *testing.B) {
			var s format.Scratch
			var records []event.Record
			var dst []event.Event
			var bytes int64
			for _, file := range samples(b, &f) {
				all, err := readSample(&f, file)
				if err != nil {
					b.Fatal(err)
				}
				for i := range all {
					if _, err := f.Append(&s, nil, &all[i]); err == nil {
						records = append(records, all[i])
						bytes += int64(len(all[i].Value))
					}
				}
			}
			if len(records) == 0 {
				b.Skip("no samples")
			}
			b.ReportAllocs()
			b.SetBytes(bytes / int64(len(records)))
			events, next := 0, 0
			for b.Loop() {
				var err error
				if dst, err = f.Append(&s, dst[:0], &records[next]); err != nil {
					b.Fatal(err)
				}
				events += len(dst)
				if next++; next == len(records) {
					next = 0
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}

package app_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// matcher takes batches into an engine as the worker does, without a log.
type matcher struct{ core *app.Core }

// Handle implements ingest.Handler.
func (m matcher) Handle(_ context.Context, b *event.Batch) error {
	hits, _ := m.core.Engine.Match(b)
	m.core.Engine.Fold(hits, b.Marks)
	return nil
}

// BenchmarkCheckpoint makes the engine's part of a checkpoint, between two batches, of the state that the records of BenchmarkWholePath leave, and
// reads it once.
func BenchmarkCheckpoint(b *testing.B) {
	total := wholeRecords
	if n, err := strconv.Atoi(os.Getenv("TOCSIN_BENCH_RECORDS")); err == nil {
		total = n
	}
	cfg := app.DefaultConfig()
	plantAtWork(b, &cfg, tempDir(b), total)
	core, err := app.NewCore(cfg)
	must(b, err)
	set := ingest.Settings{Config: ingest.DefaultConfig(), Enricher: core.Enricher, Handler: matcher{core}, Clock: func() int64 { return time.Now().UnixMicro() }}
	for _, c := range cfg.Sources {
		f, _ := format.ByName(c.Format)
		source, err := ingest.OpenFile(ingest.FileConfig{Name: c.Name, Path: c.File, Format: f, Site: c.Site, Zone: time.UTC, Clock: set.Clock})
		must(b, err)
		set.Inputs = append(set.Inputs, ingest.Input{Name: c.Name, Format: c.Format, Site: c.Site, Location: time.UTC, Source: source, IsFile: true})
	}
	p, err := ingest.New(set)
	must(b, err)
	must(b, p.Replay(b.Context()))
	held := int64(0)
	for _, r := range core.Engine.Stats().Rules {
		held += r.Bytes
	}
	var packed *correlate.Packed
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		b.StartTimer()
		packed = core.Engine.Pack()
	}
	again, err := app.NewCore(cfg)
	must(b, err)
	data := packed.AppendTo(nil)
	b.ReportMetric(float64(len(data))/(1<<20), "packed-MiB")
	runtime.GC()
	from := time.Now()
	must(b, again.Engine.Restore(data))
	b.ReportMetric(float64(time.Since(from).Milliseconds()), "restore-ms")
	b.ReportMetric(float64(held)/(1<<20), "state-MiB")
}

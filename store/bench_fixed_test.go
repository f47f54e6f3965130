package store_test

import (
	"fmt"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// BenchmarkFixed is what the statements cost that every batch needs, however small it is.
func BenchmarkFixed(b *testing.B) {
	p := startEngine(b, b.TempDir())
	defer p.Close()
	db, err := store.Open(b.Context(), config(p, "bench"), store.Settings{})
	must(b, err)
	defer db.Close()
	number := uint64(0)
	tiny := mixed(0, 1)
	next := func(n int) *incident.Entry {
		number++
		return &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: number}, Events: tiny[:n]}}
	}
	for _, x := range []struct {
		name string
		do   func() error
	}{
		{"marker", func() error { return db.AppendMarker(b.Context(), next(0)) }},
		{"fence", func() error { return db.CheckFence(b.Context()) }},
		{"delta", func() error { return db.AppendDelta(b.Context(), next(1)) }},
		{"delta+drop", func() error {
			if err := db.AppendDelta(b.Context(), next(1)); err != nil {
				return err
			}
			if number%10 != 0 {
				return nil
			}
			var ids []event.BatchID
			for i := range 10 {
				ids = append(ids, event.BatchID{Epoch: 1, Number: number - uint64(i)})
			}
			return db.DropDrafts(b.Context(), ids)
		}},
		{"record", func() error {
			number++
			f, c := following(number)
			return db.Record(b.Context(), event.BatchID{Epoch: 1, Number: number}, f, c)
		}},
	} {
		b.Run(x.name, func(b *testing.B) {
			must(b, x.do())
			before := processorTime(b, p.PID())
			for b.Loop() {
				must(b, x.do())
			}
			b.ReportMetric(float64((processorTime(b, p.PID())-before).Microseconds())/1000/float64(b.N), "engine-ms/op")
		})
	}
}

// following is a finding and an incident that is told of.
func following(number uint64) ([]incident.Finding, []incident.Change) {
	name := fmt.Sprint(number)
	return []incident.Finding{finding(name, 1)}, []incident.Change{change(name, 1, event.BatchID{Epoch: 1, Number: number}, 0, incident.ChangeOpened)}
}

package store_test

import (
	"fmt"
	"testing"

	"github.com/tocsin-siem/tocsin/store"
)

// BenchmarkVoids asks which batches do not count, as every page of changes does, in a log of a million batches of the newest epoch and a few of others.
func BenchmarkVoids(b *testing.B) {
	p := startEngine(b, b.TempDir())
	defer p.Close()
	cfg := config(p, "bench")
	db, err := store.Open(b.Context(), cfg, store.Settings{})
	must(b, err)
	defer db.Close()
	must(b, db.Exec(b.Context(), "INSERT INTO bench.epochs (epoch, after_epoch, after_number) VALUES (1, 0, 0), (2, 1, 3)"))
	for epoch, n := range map[int]int{1: 4, 2: 1_000_000} {
		must(b, db.Exec(b.Context(), fmt.Sprintf("INSERT INTO bench.batches (epoch, number, written) SELECT %d, number + 1, now() FROM numbers(%d)", epoch, n)))
	}
	before := processorTime(b, p.PID())
	for b.Loop() {
		n, err := db.Voids(b.Context())
		must(b, err)
		if n != 1 {
			b.Fatalf("%d epochs have batches that do not count, want 1", n)
		}
	}
	b.ReportMetric(float64((processorTime(b, p.PID())-before).Microseconds())/1000/float64(b.N), "engine-ms/op")
}

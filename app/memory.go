package app

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The heap may grow by heapRoom bytes between two collections, but by no more than mostGrowth percent and no less than leastGrowth. Go's own rule, a
// percentage, is hard on a service with little to keep, which collects again and again, and sets hundreds of megabytes aside for one with much.
const (
	heapRoom    = 512 << 20
	leastGrowth = 50
	mostGrowth  = 200
)

// boundHeap sets the collector of the whole process until ctx ends. GOGC, where it is set, goes before; GOMEMLIMIT holds beside.
func boundHeap(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	set := growth(0)
	debug.SetGCPercent(set)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		}
		metrics.Read(live)
		// To set it stops everything for a moment: not for a trifle.
		if now := growth(live[0].Value.Uint64()); math.Abs(float64(now-set)) > float64(set)/8 {
			debug.SetGCPercent(now)
			set = now
		}
	}
}

// growth is the percentage that leaves the heap its room when that many bytes live.
func growth(live uint64) int {
	return int(min(max(heapRoom*100/max(live, 1), leastGrowth), mostGrowth))
}

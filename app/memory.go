package app

import (
	"os"
	"runtime/debug"
)

// heapGrowth is by how many percent the heap may grow between two collections, where GOGC does not say otherwise. Most of what lives is two batches
// of some ten thousand events: Go's own 100 would set as much memory aside for their remains, and half of it costs hardly any processor time.
const heapGrowth = 50

// boundHeap sets the collector of the whole process.
func boundHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

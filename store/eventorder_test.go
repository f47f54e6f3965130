package store_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
)

// The server sorts rows that do not come in the order of their table, and writes every column once more for it.
func TestTheServerNeedNotSortEvents(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	unsorted := func() (n int64) {
		must(t, admin(t, cfg).QueryRow(t.Context(), `SELECT sumIf(toInt64(value), event = 'MergeTreeDataWriterBlocks') - sumIf(toInt64(value), event = 'MergeTreeDataWriterBlocksAlreadySorted') FROM system.events`).Scan(&n))
		return n
	}
	e := entry(1, 1, 0, store.DeltaBatch)
	dice := rand.New(rand.NewPCG(1, 2))
	list := e.Batch.Events
	for i := range list {
		x := &list[i]
		x.ClassUID = []uint32{event.ClassRobotState, event.ClassAuthentication}[dice.IntN(2)]
		x.Time = start + int64(dice.IntN(50))*400_000_000 // In six hours, and many at the same time.
	}
	dice.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	before := unsorted()
	must(t, appendTo(t.Context(), db, e))
	if n := unsorted() - before; n != 1 {
		t.Errorf("the server has sorted %d blocks, want one: that of the entities", n)
	}
	if n := rowsIn(t, cfg, "events"); n != uint64(len(list)) {
		t.Errorf("%d events are there, want %d", n, len(list))
	}
}

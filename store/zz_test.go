package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

func TestZZ(t *testing.T) {
	p := startEngine(t, t.TempDir())
	defer p.Close()
	db, err := store.Open(t.Context(), config(p, "bench"), store.Settings{})
	must(t, err)
	const batches, size = 20, 50_000
	var id event.ID
	for n := range batches {
		events := mixed(n*size, size)
		for i := range events {
			events[i].Time = start + (events[i].Time-start)*864
		}
		id = events[500].Envelope.ID
		must(t, db.Append(t.Context(), &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: uint64(n + 1)}, Events: events}}))
	}
	run := func(s string) {
		t0 := time.Now()
		r, err := db.Query(t.Context(), s)
		must(t, err)
		n := 0
		for row, err := range r.Rows {
			must(t, err)
			n++
			if len(row) == 1 && n < 60 {
				fmt.Println(row...)
			}
		}
		fmt.Println(n, "rows", time.Since(t0), s[:min(len(s), 150)])
	}
	from, to := start+3*3_600_000_000, start+4*3_600_000_000
	inner := fmt.Sprintf("SELECT toUInt32(greatest(0, intDiv(toUnixTimestamp64Micro(time), 3600000000))), class_uid, time, id FROM bench.entity_index WHERE entity = xxHash64('robot:acme/0002') AND time >= fromUnixTimestamp64Micro(%d) AND time < fromUnixTimestamp64Micro(%d)", from, to)
	outer := fmt.Sprintf(" FROM bench.events WHERE time >= fromUnixTimestamp64Micro(%d) AND time < fromUnixTimestamp64Micro(%d) AND hour >= %d AND hour <= %d AND (hour, class_uid, time, id) IN (%s) AND has(entities, 'robot:acme/0002') ORDER BY hour DESC, time DESC, id DESC", from, to, from/3_600_000_000, to/3_600_000_000, inner)
	run("EXPLAIN indexes=1 SELECT raw, event" + outer)
	for range 3 {
		run("SELECT 1, 2")
		run(inner)
		run("SELECT id, time, class" + outer)
		run("SELECT id, raw, event" + outer)
	}
	run(fmt.Sprintf("SELECT id, raw FROM bench.events WHERE (hour, class_uid, time, id) IN (SELECT toUInt32(greatest(0, intDiv(toUnixTimestamp64Micro(time), 3600000000))), class_uid, time, id FROM bench.entity_index WHERE id = unhex('%x') AND entity = reinterpretAsUInt64(unhex('%x')))", id[:], id[:8]))
	run("SELECT table, count(), sum(rows) FROM system.parts WHERE active AND database='bench' GROUP BY table")
	run("EXPLAIN indexes=1 SELECT id, raw FROM bench.events ORDER BY hour DESC, time DESC, id DESC LIMIT 100")
	run("SELECT id, raw FROM bench.events ORDER BY hour DESC, time DESC, id DESC LIMIT 100")
	run("SELECT id, time FROM bench.events ORDER BY hour DESC, time DESC, id DESC LIMIT 100")
}

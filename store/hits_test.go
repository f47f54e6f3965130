package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

func TestALogThatAnEarlierProgramBeganIsRecovered(t *testing.T) {
	cfg := freshConfig(t)
	before := open(t, cfg)
	entries := []*incident.Entry{entry(1, 1, 0, 20), entry(1, 2, 20, 20), entry(1, 3, 40, 20)}
	must(t, appendTo(t.Context(), before, entries[0]))
	must(t, appendTo(t.Context(), before, entries[1]))
	collect(t, before.Events(t.Context(), store.EventFilter{})) // Both are in their tables.
	must(t, before.AsBefore(t.Context(), entries[0], false))
	before.Die()
	if err := appendTo(t.Context(), before, entries[2]); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, before.AsBefore(t.Context(), entries[2], true))
	check := func(when string, rows map[string]uint64, entries ...*incident.Entry) {
		t.Helper()
		for table, want := range rows {
			if got := rowsIn(t, cfg, table); got != want {
				t.Errorf("%s: %d rows in %s, want %d", when, got, table, want)
			}
		}
		var want []*incident.Entry
		for _, e := range entries {
			want = append(want, forReplay(e))
		}
		if diff := cmp.Diff(want, replay(t, open(t, cfg), event.BatchID{}), zones); diff != "" {
			t.Errorf("%s: replay (-want +got):\n%s", when, diff)
		}
	}
	check("before this program writes", map[string]uint64{"hits": 3, "hit_blocks": 1}, entries...)
	next := entry(2, 1, 60, 20)
	must(t, appendTo(t.Context(), open(t, cfg), next))
	check("once it has", map[string]uint64{"hits": 6, "hit_blocks": 1}, append(entries, next)...)
}

func TestMoreHitsThanARowHoldsAreSeveralRowsAndOneBatch(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	e := entry(1, 1, 0, 20)
	first := e.Hits[0]
	for i := range 2 * store.HitsOfRow {
		h := event.Hit{Rule: first.Rule, Version: first.Version, Key: fmt.Sprint("robot:", i), Ref: first.Ref}
		e.Hits = append(e.Hits, h)
	}
	must(t, appendTo(t.Context(), db, e))
	got := replay(t, db, event.BatchID{})
	if diff := cmp.Diff([]*incident.Entry{forReplay(e)}, got, zones); diff != "" {
		t.Fatalf("replay (-want +got):\n%.3000s", diff)
	}
	if last := len(e.Hits) - 1; got[0].Hits[0].Ref != got[0].Hits[last].Ref {
		t.Error("hits of one event in different rows do not share it")
	}
	for query, want := range map[string][]any{
		"SELECT count(), sum(hits) FROM hit_blocks": {uint64(3), uint64(len(e.Hits))},
		"SELECT hits FROM batches":                  {uint32(len(e.Hits))},
	} {
		for row, err := range mustQuery(t, db, query) {
			must(t, err)
			if diff := cmp.Diff(want, row); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
	}
}

func TestADamagedBlockOfHitsIsNotReplayedAndIsNamed(t *testing.T) {
	for change, want := range map[string]string{
		"data = concat(char(9), substring(data, 2))": "block 0 of the hits of batch 1/2, behind 0 of its 3: stored row is damaged",
		"hits = 4": "block 0 of the hits of batch 1/2, behind 3 of its 4: stored row is damaged",
	} {
		cfg := freshConfig(t)
		db := open(t, cfg)
		db.AppendDirectly()
		must(t, appendTo(t.Context(), db, entry(1, 1, 0, 20)))
		must(t, appendTo(t.Context(), db, entry(1, 2, 20, 20)))
		must(t, admin(t, cfg).Exec(t.Context(), "ALTER TABLE "+cfg.Database+".hit_blocks UPDATE "+change+" WHERE number = 2 SETTINGS mutations_sync = 2"))
		ctx, end := context.WithCancel(t.Context())
		replayed := make(chan int)
		go func() { // It is tried again until somebody ends it.
			n := 0
			for _, err := range db.Replay(ctx, event.BatchID{}) {
				if err == nil {
					n++
				}
			}
			replayed <- n
		}()
		for db.Health() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		if err := db.Health(); !strings.Contains(err.Error(), want) {
			t.Errorf("after %s: %v, want %q", change, err, want)
		}
		end()
		if n := <-replayed; n > 0 {
			t.Errorf("after %s: %d batches were replayed", change, n)
		}
	}
}

func TestHitsThatNoCheckpointNeedsAreRemovedOnceTheyAreOld(t *testing.T) {
	cfg := freshConfig(t)
	now := time.UnixMicro(start)
	db, err := store.Open(t.Context(), cfg, store.Settings{Now: func() time.Time { return now }})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	db.AppendDirectly()
	former := entry(1, 1, 0, 20)
	must(t, appendTo(t.Context(), db, former))
	must(t, db.AsBefore(t.Context(), former, false))
	must(t, appendTo(t.Context(), db, entry(1, 2, 20, 20)))
	now = now.Add(2 * 24 * time.Hour)
	for n := uint64(3); n < 6; n++ {
		if n == 5 {
			now = now.Add(cfg.Retention.Log)
		}
		must(t, appendTo(t.Context(), db, entry(1, n, int(n)*20, 20)))
		if got := rowsIn(t, cfg, "hits"); got != 3 {
			t.Errorf("%d rows of an earlier program with %d checkpoints, want 3", got, n-3)
		}
		must(t, db.Save(t.Context(), incident.Checkpoint{Batch: event.BatchID{Epoch: 1, Number: n}, Data: []byte{byte(n)}}))
	}
	for table, want := range map[string]uint64{"hits": 0, "hit_blocks": 3} {
		if got := rowsIn(t, cfg, table); got != want {
			t.Errorf("%d rows in %s, want %d", got, table, want)
		}
	}
}

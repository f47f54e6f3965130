package ingest

import (
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

func TestTheRoomOfABacklogIsGivenBackOnceBatchesStaySmall(t *testing.T) {
	calm := 0
	events := make([]event.Event, 40_000, 50_000)
	next := func(n int) {
		events = emptied(events, &calm)
		if len(events) != 0 {
			t.Fatalf("%d events in a room for the next ones", len(events))
		}
		events = events[:n]
	}
	for range calmBatches - 1 {
		next(3000)
	}
	next(20_000) // The backlog comes back.
	for range calmBatches {
		next(3000)
		if cap(events) != 50_000 {
			t.Fatal("room was given back though it had been needed just before")
		}
	}
	next(3000)
	if cap(events) != roomyBatch {
		t.Errorf("room for %d events after %d small batches, want %d", cap(events), calmBatches, roomyBatch)
	}
	for range 3 * calmBatches {
		next(10)
	}
	if cap(events) != roomyBatch {
		t.Errorf("room for %d events: what is small anyway is kept", cap(events))
	}
	events = append(events[:0], make([]event.Event, 5)...)
	events[4].Time = 1
	if events = emptied(events, &calm); events[:5][4].Time != 0 {
		t.Error("an event of the batch before is still there")
	}
}

func TestABatchThatOutgrowsASmallOneGetsTheRoomOfAFullOne(t *testing.T) {
	d := newDecoder(31_250)
	small := d.room(nil, 1000)
	if cap(small) < 1000 || cap(small) > roomyBatch {
		t.Errorf("room for %d events for a thousand", cap(small))
	}
	large := d.room(small[:1000], roomyBatch)
	if len(large) != 1000 || cap(large) < 31_250 {
		t.Errorf("room for %d events before a backlog", cap(large))
	}
	again := d.room(large[:31_000], 6250)
	if len(again) != 31_000 || cap(again) < 37_250 {
		t.Errorf("room for %d events, want 37250 or more", cap(again))
	}
}

func TestBatchesInTurnDoNotShareTheMemoryOfEntities(t *testing.T) {
	d := newDecoder(0)
	record := func(user string) event.Record {
		return event.Record{Format: "openssh", Value: []byte("Nov 20 09:00:00 cobot-01 sshd[4]: Accepted publickey for " + user + " from 10.20.31.44 port 50022 ssh2"), Received: 1_795_000_000_000_000}
	}
	var batches [3]event.Batch
	keys := func(i int) (out []string) {
		for _, x := range batches[i].Events[0].Entities {
			out = append(out, x.Key)
		}
		return out
	}
	for i, user := range []string{"ana", "ben", "eva"} {
		d.begin(i % 2)
		d.decode(&batches[i], []event.Record{record(user)}, nil)
		if len(batches[i].Events) != 1 || !slices.Contains(keys(i), user) {
			t.Fatalf("batch %d has %+v, %+v", i, batches[i].Events, batches[i].Rejects)
		}
	}
	if !slices.Contains(keys(1), "ben") {
		t.Errorf("the batch before names %q", keys(1))
	}
}

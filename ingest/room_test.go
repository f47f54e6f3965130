package ingest

import (
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

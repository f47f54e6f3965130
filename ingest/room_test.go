package ingest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

func TestTheRoomOfABacklogIsGivenBackOnceBatchesStaySmall(t *testing.T) {
	d := newDock(newDecoder(0))
	d.batches[0].Events = make([]event.Event, 0, 50_000)
	room := func() int { return cap(d.batches[0].Events) }
	next := func(n int) {
		berth, b := d.enter()
		if berth != 0 || len(b.Events) != 0 {
			t.Fatalf("%d events in berth %d for the next ones", len(b.Events), berth)
		}
		b.Events = b.Events[:n]
		d.leave(berth)
	}
	for range calmBatches - 1 {
		next(3000)
	}
	next(20_000) // The backlog comes back.
	for range calmBatches - 1 {
		next(3000)
	}
	if room() != 50_000 {
		t.Fatal("room was given back though it had been needed just before")
	}
	next(3000)
	if room() != roomyBatch {
		t.Errorf("room for %d events after %d small batches, want %d", room(), calmBatches, roomyBatch)
	}
	for range 3 * calmBatches {
		next(10)
	}
	if room() != roomyBatch {
		t.Errorf("room for %d events: what is small anyway is kept", room())
	}
}

func TestABerthThatOnlyABacklogNeedsGivesItsRoomBack(t *testing.T) {
	d := newDock(newDecoder(0))
	for range berths {
		berth, b := d.enter()
		b.Events = make([]event.Event, 50_000)
		defer func() {
			if n := cap(d.batches[berth].Events); n != roomyBatch {
				t.Errorf("berth %d has room for %d events at last, want %d", berth, n, roomyBatch)
			}
			if !reflect.ValueOf(d.decoder.workers[0].fields[berth]).IsZero() {
				t.Errorf("berth %d keeps the fields of a backlog", berth)
			}
		}()
		d.decoder.workers[0].fields[berth].Take(100)
	}
	for berth := range berths {
		d.leave(berth)
	}
	for range calmBatches {
		berth, b := d.enter()
		b.Events = b.Events[:10]
		d.leave(berth)
	}
}

func TestABatchLeavesNothingInItsBerth(t *testing.T) {
	d := newDock(newDecoder(0))
	berth, b := d.enter()
	b.Events, b.Rejects, b.Learned = append(b.Events, event.Event{Time: 1}), []event.Reject{{}}, []byte("x")
	fields := d.decoder.workers[0].fields[berth].Take(1)
	fields[0].Name = "x"
	d.leave(berth)
	if fields[0].Name != "" {
		t.Error("a field of the batch before is still there")
	}
	again, b := d.enter()
	if again != berth || len(b.Events)+len(b.Rejects)+len(b.Learned) != 0 || b.Events[:1][0].Time != 0 {
		t.Errorf("berth %d holds %+v of berth %d", again, b.Events[:1], berth)
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

func TestABatchThatBeginsWithABacklogTakesNoMoreRoomThanAFullOne(t *testing.T) {
	d := newDecoder(5000)
	if n := cap(d.room(nil, smallBatch)); n < 5000 || n > 6000 { // The allocator rounds up.
		t.Errorf("room for %d events, want about 5000", n)
	}
	if n := cap(d.room(nil, 7000)); n < 7000 || n >= roomyBatch {
		t.Errorf("room for %d events, want about 7000", n)
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
		d.end(i % 2)
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

func TestTheBatchAfterOneOfABacklogGetsTheRoomOfAFullOneAtOnce(t *testing.T) {
	d := newDock(newDecoder(31_250))
	room := func() int { return cap(d.decoder.room(nil, 1000)) }
	d.decoder.room(nil, roomyBatch+1)
	if n := room(); n < 31_250 {
		t.Errorf("room for %d events after a backlog", n)
	}
	berth, b := d.enter()
	b.Events = make([]event.Event, roomyBatch+1)
	d.leave(berth)
	if n := room(); n < 31_250 {
		t.Errorf("room for %d events while the backlog lasts", n)
	}
	berth, b = d.enter()
	b.Events = b.Events[:roomyBatch]
	d.leave(berth)
	if n := room(); n > 2*roomyBatch {
		t.Errorf("room for %d events once batches are small again", n)
	}
}

package relay_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/relay"
)

// heard is a partition without rules that is told frames one after the other.
type heard struct {
	*relay.Partition
	next int64
}

func listening(t *testing.T) *heard {
	return &heard{Partition: relay.NewPartition(0, ruleSet(t, "0s"), correlate.Settings{})}
}

func (h *heard) hear(received int64, roster []relay.Partitions, marks ...relay.SentMark) (int64, bool) {
	h.Take(&relay.Frame{Received: received, Roster: roster, Marks: marks}, h.next, 1)
	h.next++
	return h.Frontier()
}

func mark(source string, partition int32, newest int64, generation int32, idle bool) relay.SentMark {
	return relay.SentMark{Mark: event.Mark{Source: source, Partition: partition, Newest: newest, Idle: idle}, Generation: generation}
}

func expect(t *testing.T, what string, want, got int64, ok bool) {
	t.Helper()
	if !ok {
		got = -1
	}
	if got != want {
		t.Errorf("%s: event time is at %d, want %d (-1: not known)", what, got, want)
	}
}

func TestEventTimeWaitsForEveryPartitionOfTheRoster(t *testing.T) {
	h, roster := listening(t), []relay.Partitions{{Source: "a", Count: 2}, {Source: "b", Count: 1}}
	f, ok := h.hear(1, roster, mark("a", 0, 100, 1, false))
	expect(t, "two are missing", -1, f, ok)
	if diff := cmp.Diff([]event.Position{{Source: "a", Partition: 1}, {Source: "b"}}, h.Missing(8)); diff != "" {
		t.Error(diff)
	}
	h.hear(2, roster, mark("b", 0, 300, 1, false))
	f, ok = h.hear(3, roster, mark("a", 1, 0, 1, false))
	expect(t, "one has not shown an event", -1, f, ok)
	f, ok = h.hear(4, roster, mark("a", 1, 200, 1, false))
	expect(t, "all have spoken", 100, f, ok)
	f, ok = h.hear(5, roster, mark("a", 0, 100, 1, true))
	expect(t, "the furthest behind is idle", 200, f, ok)
	f, ok = h.hear(6, []relay.Partitions{{Source: "a", Count: 3}, {Source: "b", Count: 1}})
	expect(t, "the topic grew", -1, f, ok)
}

func TestOfTwoMarksTheGreatestTimeHoldsAndTheNewerGenerationSaysWhatIsIdle(t *testing.T) {
	roster := []relay.Partitions{{Source: "a", Count: 1}, {Source: "b", Count: 1}}
	h := listening(t)
	h.hear(1, roster, mark("a", 0, 100, 4, true), mark("b", 0, 500, 4, false))
	f, ok := h.hear(2, roster, mark("a", 0, 0, 5, false))
	expect(t, "the new owner has seen nothing yet", 100, f, ok)
	f, ok = h.hear(3, roster, mark("a", 0, 200, 4, true))
	expect(t, "the old owner had come further, and does not say any more what is idle", 200, f, ok)
	f, ok = h.hear(4, roster, mark("a", 0, 150, 5, true))
	expect(t, "the new owner finds nothing more", 500, f, ok)
	f, ok = h.hear(4, roster, mark("a", 0, 0, 5, false))
	expect(t, "a frame that comes again does not wake it", 500, f, ok)
	f, ok = h.hear(5+relay.Silence, roster, mark("a", 0, 0, 1, false))
	expect(t, "a group made anew counts its generations from the start", 200, f, ok)
}

func TestASourceThatNoFrameNamesAnyMoreDoesNotHoldEventTimeBack(t *testing.T) {
	h, both, one := listening(t), []relay.Partitions{{Source: "a", Count: 1}, {Source: "b", Count: 1}}, []relay.Partitions{{Source: "b", Count: 1}}
	h.hear(1, both, mark("a", 0, 100, 1, false), mark("b", 0, 500, 1, false))
	f, ok := h.hear(1+relay.Silence, one)
	expect(t, "a member with another configuration may be alone", 100, f, ok)
	f, ok = h.hear(2+relay.Silence, one)
	expect(t, "after a while nobody knows the source", 500, f, ok)
	f, ok = h.hear(3+relay.Silence, both)
	expect(t, "when it comes back it is waited for", -1, f, ok)
}

func TestAFrameIsFoldedOnce(t *testing.T) {
	set := ruleSet(t, "0s")
	p := relay.NewPartition(2, set, correlate.Settings{})
	e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start, API: &event.API{Operation: "A"}, Robot: &event.Robot{UID: "r1"}}
	e.FindEntities()
	b := &event.Batch{Events: []event.Event{e}}
	b.Sort()
	hits := slices.Clone(correlate.New(set, correlate.Settings{}).Hits(b))
	f := &relay.Frame{Received: 7, Hits: hits, Roster: []relay.Partitions{{Source: "a", Count: 1}}, Marks: []relay.SentMark{mark("a", 0, start+10*minute, 1, false)}}
	a, ok := p.Take(f, 40, 6)
	if !ok || a.Partition != 2 || a.Frame != 40 || a.Generation != 6 || a.Received != 7 || len(a.Findings) == 0 {
		t.Fatalf("the first time it gives %+v, %v", a, ok)
	}
	for _, offset := range []int64{40, 39, 41} { // The last is the same, sent again.
		if a, ok := p.Take(f, offset, 6); ok {
			t.Errorf("at offset %d it gives %d findings more", offset, len(a.Findings))
		}
	}
	if p.Next() != 42 {
		t.Errorf("the next offset is %d", p.Next())
	}
}

func TestARestoredPartitionGoesOnAsTheOneThatWasSaved(t *testing.T) {
	h, roster := listening(t), []relay.Partitions{{Source: "a", Count: 1}, {Source: "b", Count: 1}}
	h.hear(1, roster, mark("a", 0, 100, 4, true), mark("b", 0, 500, 4, false))
	saved, err := h.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	again := listening(t)
	if same, err := again.Restore(saved); err != nil || !same {
		t.Fatalf("%v, %v", same, err)
	}
	bytes, err := again.Snapshot(nil)
	if err != nil || !slices.Equal(saved, bytes) || again.Next() != h.Next() {
		t.Errorf("the state is not the same: %v", err)
	}
	f, ok := again.Frontier()
	expect(t, "restored", 500, f, ok)
	other := relay.NewPartition(0, ruleSet(t, "1s"), correlate.Settings{})
	if same, err := other.Restore(saved); err != nil || same {
		t.Errorf("with other rules: same %v, %v", same, err)
	}
	for i := range saved {
		damaged := slices.Clone(saved)
		damaged[i] ^= 4
		if _, err := again.Restore(damaged); !errors.Is(err, relay.ErrDamaged) || again.Next() != 0 {
			t.Fatalf("byte %d changed: %v, next %d", i, err, again.Next())
		}
	}
	if _, err := relay.NewPartition(1, ruleSet(t, "0s"), correlate.Settings{}).Restore(saved); !errors.Is(err, relay.ErrDamaged) {
		t.Errorf("the state of another partition: %v", err)
	}
}

func TestAfterFramesWereLostEveryRuleBeginsWithoutItsPast(t *testing.T) {
	h := listening(t)
	h.hear(1, []relay.Partitions{{Source: "a", Count: 1}}, mark("a", 0, start, 1, false))
	if report := h.Jump(100); len(report.Warming) != len(texts) || h.Next() != 100 {
		t.Errorf("%v, next %d", report, h.Next())
	}
	for _, s := range h.Stats().Rules {
		if !s.Waiting {
			t.Errorf("%s does not wait", s.Rule)
		}
	}
	h.next = 100
	f, ok := h.hear(2, []relay.Partitions{{Source: "a", Count: 1}}, mark("a", 0, start+second, 1, false))
	expect(t, "event time goes on", start+second, f, ok)
}

package relay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
)

// said is an announcement of one finding, named after its frame.
func said(partition int32, frame int64, part, generation int32) *relay.Announcement {
	name := strings.Join([]string{string('a' + partition), string('a' + rune(frame)), string('a' + part)}, "")
	return &relay.Announcement{Partition: partition, Frame: frame, Part: part, Generation: generation, Received: 50, Findings: []incident.Finding{findingOf(name, name, frame*minute, 1)}}
}

func TestAFrameIsStitchedOnceWhoeverAnnouncesIt(t *testing.T) {
	s := relay.NewStitching(stitching())
	offset := int64(-1)
	take := func(what string, want bool, a *relay.Announcement) {
		t.Helper()
		offset++
		out, ok := s.Take(a, offset)
		if ok != want {
			t.Errorf("%s: taken %v, want %v", what, ok, want)
		}
		if ok && (out.Batch != event.BatchID{Epoch: 1 << 32, Number: uint64(offset) + 1} || out.Changes[0].Incident.Updated != 50) {
			t.Errorf("%s: batch %v, at %d", what, out.Batch, out.Changes[0].Incident.Updated)
		}
	}
	take("the first", true, said(0, 5, 0, 1))
	take("its second part", true, said(0, 5, 1, 1))
	take("again", false, said(0, 5, 0, 1))
	take("an earlier frame of a new owner that began at a checkpoint", false, said(0, 4, 0, 2))
	take("the same frame of another partition", true, said(1, 5, 0, 1))
	take("the next frame of the new owner", true, said(0, 6, 0, 2))
	take("the same of the old one, which does not know yet", false, said(0, 6, 0, 1))
	if _, ok := s.Take(said(0, 9, 0, 2), 3); ok {
		t.Error("a record before the state's end was taken")
	}
	if c := s.Counts(); c.Taken != 4 || c.Repeated != 3 || c.Outdated != 1 {
		t.Errorf("%+v", c)
	}
}

// The old owner announces frame 7 while it no longer owns the partition, saves a checkpoint behind it, and is gone; the new owner dies before
// it comes to frame 7; the next one begins at the checkpoint. Nobody will ever announce frame 7 again.
func TestAFrameThatOnlyAFormerOwnerAnnouncedIsNotLost(t *testing.T) {
	s := relay.NewStitching(stitching())
	s.Take(said(0, 6, 0, 2), 0)
	if _, ok := s.Take(said(0, 7, 0, 1), 1); !ok {
		t.Error("frame 7 is lost")
	}
	s.Take(said(0, 8, 0, 3), 2)
	if n := len(s.Stitcher().Incidents()); n != 3 {
		t.Errorf("%d incidents, want 3", n)
	}
}

func TestAnActionIsCarriedOutOnceAndItsOutcomeKept(t *testing.T) {
	s := relay.NewStitching(stitching())
	act := func(offset int64, a incident.Action) relay.Stitched {
		out, _ := s.Take(&relay.Announcement{Partition: relay.ActionPartition, Action: &a}, offset)
		return out
	}
	out, _ := s.Take(said(0, 1, 0, 1), 0)
	in := out.Changes[0].Incident
	note := incident.Action{ID: event.NewID("a", "1"), Kind: incident.ActionNote, Incident: in.ID, Expected: in.Revision, By: "ana", Text: "seen"}
	if got := act(1, note); len(got.Changes) != 1 || got.Changes[0].Batch.Number != 2 {
		t.Fatalf("%+v", got)
	}
	if got := act(2, note); len(got.Changes) != 0 {
		t.Errorf("the second time it gives %d changes", len(got.Changes))
	}
	if o, ok := s.Outcome(note.ID); !ok || o.Err != nil || len(o.Changes) != 1 {
		t.Errorf("the outcome is %+v, %v", o, ok)
	}
	later := relay.NewStitching(stitching())
	early := incident.Action{ID: event.NewID("a", "2"), Kind: incident.ActionNote, Incident: in.ID, Expected: 1, By: "bob", Text: "too early"}
	for i, offset := range []int64{0, 2} { // It is refused before the incident is there, and stays refused when the record comes a second time.
		if got, _ := later.Take(&relay.Announcement{Partition: relay.ActionPartition, Action: &early}, offset); len(got.Changes) != 0 {
			t.Errorf("time %d: an action whose analyst was told no was carried out", i)
		}
		later.Take(said(0, 1, 0, 1), 1)
	}
}

func TestARestoredStitchingGoesOnAsTheOneThatWasSaved(t *testing.T) {
	s := relay.NewStitching(stitching())
	s.Take(said(0, 3, 0, 4), 0)
	stale := incident.Action{ID: event.NewID("a", "1"), Kind: incident.ActionNote, Incident: s.Stitcher().Incidents()[0].ID, Expected: 9, By: "ana", Text: "seen"}
	s.Take(&relay.Announcement{Partition: relay.ActionPartition, Action: &stale}, 1)
	saved, err := s.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	again := relay.NewStitching(stitching())
	if err := again.Restore(saved); err != nil {
		t.Fatal(err)
	}
	if bytes, err := again.Snapshot(nil); err != nil || !slices.Equal(saved, bytes) || again.Next() != 2 {
		t.Errorf("the state is not the same: next %d, %v", again.Next(), err)
	}
	if _, ok := again.Take(said(0, 3, 0, 5), 2); ok {
		t.Error("a frame from before the checkpoint was taken again")
	}
	before, _ := s.Outcome(stale.ID)
	after, ok := again.Outcome(stale.ID)
	if !ok || !errors.Is(after.Err, incident.ErrStale) || after.Err.Error() != before.Err.Error() {
		t.Errorf("the outcome was %v and is %v", before.Err, after.Err)
	}
	for i := range saved {
		damaged := slices.Clone(saved)
		damaged[i] ^= 4
		if err := relay.NewStitching(stitching()).Restore(damaged); !errors.Is(err, relay.ErrDamaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if diff := cmp.Diff(together(s.Stitcher()), together(again.Stitcher())); diff != "" {
		t.Error(diff)
	}
}

package relay_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
)

// refOf is an event as evidence, about a robot.
func refOf(name, robot string, at int64) *event.Ref {
	return &event.Ref{
		Event: event.NewID("event", name), Time: at, Received: at, Sequence: name, Domain: "robot", Source: "s", Summary: "something of " + name,
		Entities: []event.EntityRef{{Kind: event.EntityRobot, Role: event.RoleSubject, Key: robot, ID: "robot:" + robot, Strength: event.Strong}},
	}
}

// findingOf is a finding about a robot with so many events of evidence.
func findingOf(name, robot string, at int64, evidence int) incident.Finding {
	f := incident.Finding{
		ID: event.NewID("finding", name), Revision: 1, State: incident.Provisional, Rule: incident.RuleRef{ID: "r", Version: 1, Title: name}, Time: at, First: at,
		Score: 50, Severity: incident.Medium, Key: robot, Vars: []incident.Var{{Name: "robot", Value: "robot:" + robot}},
	}
	for i := range evidence {
		f.Evidence = append(f.Evidence, incident.Evidence{Step: "a", Event: refOf(fmt.Sprint(name, i), robot, at)})
	}
	return f
}

func decoded(t *testing.T, parts [][]byte) (out []*relay.Announcement) {
	t.Helper()
	for _, b := range parts {
		if len(b) > relay.MaxAnnouncement {
			t.Errorf("a part has %d bytes, the most is %d", len(b), relay.MaxAnnouncement)
		}
		a, err := relay.DecodeAnnouncement(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

func TestAnAnnouncementReadsBackAsItWasWritten(t *testing.T) {
	note := event.Note{Entity: "robot:r1", What: "firmware", Prev: "1", Value: "2", Ref: refOf("n", "r1", 5)}
	for _, want := range []relay.Announcement{
		{Partition: 3, Frame: 17, Generation: 9, Received: 5, Findings: []incident.Finding{findingOf("a", "r1", 5, 2)}, Notes: []event.Note{note}},
		{Partition: relay.ActionPartition, Received: 7, Action: &incident.Action{ID: event.NewID("a", "b"), Kind: incident.ActionNote, By: "ana", Text: "<b>\x00 ü"}},
	} {
		parts, err := want.Encode()
		if err != nil || len(parts) != 1 {
			t.Fatalf("%d parts, %v", len(parts), err)
		}
		if diff := cmp.Diff(&want, decoded(t, parts)[0]); diff != "" {
			t.Error(diff)
		}
	}
}

func TestALongAnnouncementIsCutInPartsWithNothingLost(t *testing.T) {
	want := relay.Announcement{Partition: 1, Frame: 4, Generation: 2, Received: 5}
	for i := range 120 {
		want.Findings = append(want.Findings, findingOf(fmt.Sprint("f", i), "r1", int64(i), 50))
	}
	for i := range 3000 {
		want.Notes = append(want.Notes, event.Note{Entity: "robot:r1", What: fmt.Sprint("n", i), Ref: refOf(fmt.Sprint(i), "r1", 5)})
	}
	parts, err := want.Encode()
	if err != nil || len(parts) < 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	var got relay.Announcement
	for i, a := range decoded(t, parts) {
		if a.Part != int32(i) || a.Frame != want.Frame || a.Generation != want.Generation || a.Received != want.Received {
			t.Errorf("part %d has the head %d %d %d %d", i, a.Part, a.Frame, a.Generation, a.Received)
		}
		got.Findings, got.Notes = append(got.Findings, a.Findings...), append(got.Notes, a.Notes...)
	}
	if diff := cmp.Diff(want.Findings, got.Findings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.Notes, got.Notes); diff != "" {
		t.Error(diff)
	}
}

func TestAFindingTooLongForARecordGivesUpEvidenceFromItsMiddleAndSaysSo(t *testing.T) {
	f := findingOf("f", "r1", 5, 64)
	for i := range f.Evidence {
		f.Evidence[i].Event.Summary = strings.Repeat("x", 60_000)
	}
	parts, err := (&relay.Announcement{Findings: []incident.Finding{f}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	got := decoded(t, parts)[0].Findings[0]
	kept := len(got.Evidence)
	if kept == 0 || int(got.Truncated)+kept != 64 {
		t.Fatalf("%d kept and %d said to be left out, of 64", kept, got.Truncated)
	}
	if got.Evidence[0].Event.Event != f.Evidence[0].Event.Event || got.Evidence[kept-1].Event.Event != f.Evidence[63].Event.Event {
		t.Error("the first or the last evidence is gone")
	}
	if len(f.Evidence) != 64 || f.Truncated != 0 {
		t.Error("the caller's finding was changed")
	}
}

func TestAnActionTooLongForARecordIsRefused(t *testing.T) {
	a := relay.Announcement{Partition: relay.ActionPartition, Action: &incident.Action{Text: strings.Repeat("x", relay.MaxAnnouncement)}}
	if _, err := a.Encode(); !errors.Is(err, relay.ErrTooLong) {
		t.Errorf("got %v", err)
	}
}

func TestAnnouncementsThatNoSenderWritesAreRefused(t *testing.T) {
	noEvent, noState := findingOf("f", "r1", 5, 1), findingOf("f", "r1", 5, 1)
	noEvent.Evidence[0].Event, noState.State = nil, 0
	for name, a := range map[string]relay.Announcement{
		"a finding with evidence without an event": {Findings: []incident.Finding{noEvent}},
		"a finding without a state":                {Findings: []incident.Finding{noState}},
		"a note without an event":                  {Notes: []event.Note{{Entity: "robot:r1"}}},
		"an action in a partition of hits":         {Partition: 1, Action: &incident.Action{}},
		"no action where one belongs":              {Partition: relay.ActionPartition},
		"a partition that cannot be":               {Partition: -2},
	} {
		parts, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := relay.DecodeAnnouncement(parts[0]); !errors.Is(err, relay.ErrDamaged) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestNothingBehindAGoodChecksumMakesTheFoldPanic changes what was written here and there, and folds what can still be read.
func TestNothingBehindAGoodChecksumMakesTheFoldPanic(t *testing.T) {
	a := relay.Announcement{Partition: 1, Frame: 2, Findings: []incident.Finding{findingOf("a", "r1", 5, 2), findingOf("b", "r1", 9, 1)}, Notes: []event.Note{{Entity: "robot:r1", What: "mode", Ref: refOf("n", "r1", 5)}}}
	parts, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	body := parts[0][relay.SealBytes:]
	const letters = "0123456789-\"{}[],:e"
	s, read := relay.NewStitching(stitching()), 0
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 3))
	for n := range 20_000 {
		b := slices.Clone(body)
		for range 1 + r.IntN(3) {
			switch i := r.IntN(len(b)); r.IntN(3) {
			case 0:
				b[i] = letters[r.IntN(len(letters))]
			case 1:
				b = slices.Insert(b, i, '0'+byte(r.IntN(10)))
			case 2:
				b = slices.Delete(b, i, min(len(b), i+r.IntN(4)))
			}
		}
		got, err := relay.DecodeAnnouncement(relay.SealAnnouncement(b))
		if err != nil {
			if !errors.Is(err, relay.ErrDamaged) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			continue
		}
		got.Frame = int64(n) + 1<<40
		if read++; read%50 == 0 {
			s = relay.NewStitching(stitching())
		}
		s.Take(got, int64(n))
	}
	if read < 100 {
		t.Errorf("only %d were read: the test shows little", read)
	}
}

func FuzzDecodeAnnouncement(f *testing.F) {
	parts, err := (&relay.Announcement{Partition: 1, Frame: 2, Findings: []incident.Finding{findingOf("a", "r1", 5, 2)}, Notes: []event.Note{{Entity: "robot:r1", Ref: refOf("n", "r1", 5)}}}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(parts[0], false)
	f.Add(parts[0][relay.SealBytes:], true)
	f.Add([]byte(`{"Partition":-1,"Action":{"Kind":"merge"}}`), true)
	f.Fuzz(func(t *testing.T, b []byte, resealed bool) {
		if resealed { // Behind a good checksum lies what somebody wrote on purpose.
			b = relay.SealAnnouncement(b)
		}
		a, err := relay.DecodeAnnouncement(b)
		if err != nil {
			if !errors.Is(err, relay.ErrDamaged) {
				t.Errorf("the error is of another kind: %v", err)
			}
			return
		}
		s := relay.NewStitching(stitching())
		s.Take(a, 0)
		again, err := a.Encode()
		if err != nil {
			return
		}
		for _, part := range again {
			if _, err := relay.DecodeAnnouncement(part); err != nil {
				t.Errorf("what was read is written as something unreadable: %v", err)
			}
		}
	})
}

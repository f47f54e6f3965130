package incident_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func TestEventsArePinnedInTheOrderOfTheirTimes(t *testing.T) {
	s, in := one(t)
	pin := func(kind incident.ActionKind, name string, at int64) error {
		_, err := try(s, incident.Action{Kind: kind, Incident: in.ID, At: 500, By: "ana", Pin: &incident.Pin{Event: event.NewID(name), Time: at, Text: name, By: "eve", At: 1}})
		return err
	}
	for name, at := range map[string]int64{"late": 30, "early": 10, "between": 20} {
		if err := pin(incident.ActionPin, name, at); err != nil {
			t.Fatal(err)
		}
	}
	want := []incident.Pin{
		{Event: event.NewID("early"), Time: 10, Text: "early", By: "ana", At: 500},
		{Event: event.NewID("between"), Time: 20, Text: "between", By: "ana", At: 500},
		{Event: event.NewID("late"), Time: 30, Text: "late", By: "ana", At: 500},
	}
	if diff := cmp.Diff(want, s.Get(in.ID).Pins); diff != "" {
		t.Error(diff)
	}
	if err := pin(incident.ActionPin, "early", 10); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("pinned twice: %v", err)
	}
	if err := pin(incident.ActionUnpin, "never", 0); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("taken out, though it was not pinned: %v", err)
	}
	if err := pin(incident.ActionUnpin, "between", 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]incident.Pin{want[0], want[2]}, s.Get(in.ID).Pins); diff != "" {
		t.Error(diff)
	}
	for i := range incident.MaxPins {
		if err := pin(incident.ActionPin, fmt.Sprint("more", i), 40); (err != nil) != (i >= incident.MaxPins-2) {
			t.Fatalf("pin %d: %v", i, err)
		}
	}
}

func TestAPinThatNamesNoEventIsRefused(t *testing.T) {
	s, in := one(t)
	for _, bad := range []*incident.Pin{nil, {}, {Event: event.NewID("e"), Text: strings.Repeat("x", incident.MaxPinText+1)}} {
		if _, err := try(s, incident.Action{Kind: incident.ActionPin, Incident: in.ID, Pin: bad}); !errors.Is(err, incident.ErrRefused) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionUnpin, Incident: in.ID}); !errors.Is(err, incident.ErrRefused) {
		t.Error(err)
	}
}

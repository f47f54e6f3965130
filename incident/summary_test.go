package incident_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func TestASummaryThatIsReadyMakesNobodysDecisionStaleAndKeepsUndo(t *testing.T) {
	s, in := one(t)
	do(t, s, incident.Action{Kind: incident.ActionNote, Incident: in.ID, Expected: in.Revision, At: 100, Text: "first"})
	seen := s.Get(in.ID)
	ready := incident.SummaryReady(in.ID, incident.ModelSummary{Of: seen.Revision, Model: "m", Text: "Somebody signed in.", Refs: []event.ID{event.NewID("x")}}, 200)
	changes, err := s.Act(ready, event.BatchID{Epoch: 1, Number: 9})
	if err != nil || len(changes) != 1 || changes[0].Kind != incident.ChangeSummaryReady || changes[0].Actor != "system" || changes[0].Incident.Summary.Text != "Somebody signed in." {
		t.Fatalf("%+v, %v", changes, err)
	}
	if again, err := s.Act(ready, event.BatchID{Epoch: 1, Number: 10}); err != nil || len(again) != 0 {
		t.Errorf("the same summary once more: %+v, %v", again, err)
	}
	second := incident.SummaryReady(in.ID, incident.ModelSummary{Of: seen.Revision + 1, Model: "m", Text: "Somebody signed in again."}, 300)
	if _, err := s.Act(second, event.BatchID{Epoch: 1, Number: 11}); err != nil {
		t.Fatal(err)
	}
	if s.Get(in.ID).Stale(seen.Revision, false) {
		t.Error("what somebody saw before the summaries is stale")
	}
	if _, kind, _, ok := s.Undoable(in.ID); !ok || kind != incident.ActionNote {
		t.Errorf("what can be undone is %s, %v", kind, ok)
	}
	if c := do(t, s, incident.Action{Kind: incident.ActionAcknowledge, Incident: in.ID, Expected: seen.Revision, At: 400}); c[0].Incident.Summary == nil {
		t.Error("the summary is gone")
	}
	if !s.Get(in.ID).Stale(seen.Revision, false) {
		t.Error("an acknowledgement makes nothing stale")
	}
}

func TestASummaryOfNoRevisionOrTooLongIsRefused(t *testing.T) {
	s, in := one(t)
	for _, m := range []incident.ModelSummary{{Of: 1}, {Of: in.Revision + 1, Text: "x"}, {Of: 0, Text: "x"}, {Of: 1, Text: strings.Repeat("x", incident.MaxSummaryText+1)}, {Of: 1, Text: "x", Refs: make([]event.ID, incident.MaxSummaryRefs+1)}} {
		if _, err := s.Act(incident.SummaryReady(in.ID, m, 100), event.BatchID{}); !errors.Is(err, incident.ErrRefused) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if untouched := s.Get(in.ID); untouched.Touched || untouched.Summary != nil {
		t.Errorf("%+v", untouched)
	}
}

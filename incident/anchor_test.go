package incident_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

type plants map[string]string

func (plants) OwnerTeam(string) string  { return "" }
func (plants) Criticality(string) uint8 { return 0 }
func (p plants) Site(id string) string  { return p[id] }

func TestAnIncidentKnowsItsPlantsAndTheMomentsDurationsAreMeasuredFrom(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), plants{"robot:r1": "north", "device:sensor": "attic", "user:ana": "south"})
	a := finding("a", 10, "robot:r1", "sensor device:sensor", "user:ana=context")
	a.Evidence[0].Event.Site, a.Evidence[0].Event.Received, a.Seen = "gate", 700, 710
	b := finding("b", 5, "robot:r1", "user:ana")
	b.Evidence[0].Event.Received, b.Seen = 600, 690
	s.Apply([]incident.Finding{a}, nil, event.BatchID{Epoch: 1}, 800)
	in := s.Incidents()[0]
	if diff := cmp.Diff([]string{"gate", "north"}, in.Sites); diff != "" {
		t.Error(diff)
	}
	if in.Ingested != 700 || in.Arrived != 710 || in.Alerted != 800 {
		t.Errorf("ingested %d, arrived %d, alerted %d", in.Ingested, in.Arrived, in.Alerted)
	}
	s.Apply([]incident.Finding{b}, nil, event.BatchID{Epoch: 1, Number: 1}, 900)
	in = s.Incidents()[0]
	if diff := cmp.Diff([]string{"gate", "north", "south"}, in.Sites); diff != "" {
		t.Error(diff)
	}
	if in.Ingested != 600 || in.Arrived != 690 || in.Alerted != 800 || in.Opened != 800 {
		t.Errorf("with earlier evidence: ingested %d, arrived %d, alerted %d, opened %d", in.Ingested, in.Arrived, in.Alerted, in.Opened)
	}
}

func TestFindingsThatGoToAnIncidentOfTheirOwnKeepWhenTheyWereAnnounced(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	s.Apply([]incident.Finding{finding("a", 0, "robot:r1")}, nil, event.BatchID{Epoch: 1}, 100)
	s.Apply([]incident.Finding{finding("b", 1, "robot:r1")}, nil, event.BatchID{Epoch: 1, Number: 1}, 200)
	in := s.Incidents()[0]
	s = restart(t, s)
	if _, err := s.Act(incident.Action{ID: event.NewID("x"), Kind: incident.ActionSplit, Incident: in.ID, Expected: in.Revision, By: "ana", At: 900, Findings: []event.ID{in.Findings[1].ID}}, event.BatchID{}); err != nil {
		t.Fatal(err)
	}
	for _, x := range s.Incidents() {
		if want := map[string]int64{"a": 100, "b": 200}[x.Findings[0].Rule.Title]; x.Alerted != want {
			t.Errorf("%s was announced at %d, want %d", x.Title, x.Alerted, want)
		}
	}
}

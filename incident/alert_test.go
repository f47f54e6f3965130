package incident_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func TestAFindingIsAnAlertOfTheChangeThatFirstHasItAndOfNoOther(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	first := finding("a", 10, "robot:h1")
	told := map[event.ID]int{}
	note := func(changes []incident.Change) {
		t.Helper()
		for i := range changes {
			for _, f := range changes[i].Alerts() {
				told[f.ID]++
			}
		}
	}
	note(s.Apply([]incident.Finding{first}, nil, event.BatchID{Epoch: 1, Number: 1}, 1000))
	final := first
	final.Revision, final.State, final.Score = 2, incident.Final, 60
	note(s.Apply([]incident.Finding{final}, nil, event.BatchID{Epoch: 1, Number: 2}, 2000))
	second := finding("b", 20, "robot:h1")
	changes := s.Apply([]incident.Finding{second}, nil, event.BatchID{Epoch: 1, Number: 3}, 3000)
	note(changes)
	in := changes[0].Incident
	note(do(t, s, incident.Action{Kind: incident.ActionNote, Incident: in.ID, Expected: in.Revision, At: 4000, Text: "hm"}))
	if len(told) != 2 || told[first.ID] != 1 || told[second.ID] != 1 {
		t.Errorf("alerts %v; want each of the two once", told)
	}
	d := incident.Delivery{Endpoint: "soc", ID: incident.AlertID(second.ID, "soc"), Change: changes[0]}
	if f := d.Alert(); f == nil || f.ID != second.ID {
		t.Errorf("the delivery of the alert tells of %v", f)
	}
	if d.ID = incident.DeliveryID(in.ID, in.Revision, "soc"); d.OfAlert() || d.Alert() != nil {
		t.Error("the delivery of the incident says that it tells of a finding")
	}
}

package triage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

func TestAChangeEndsTheDurationsItIsTheEndOf(t *testing.T) {
	in := &incident.Incident{
		Status: incident.Closed, Touched: true, First: sec, Arrived: 3 * sec, Alerted: 5 * sec, Opened: 6 * sec, Viewed: 10 * sec, Acked: 16 * sec, Understood: 30 * sec,
		Contained: 40 * sec, ClosedAt: 66 * sec,
	}
	withdrawn, ahead := *in, *in
	withdrawn.Touched = false
	ahead.First = 50 * sec
	for _, c := range []struct {
		change incident.Change
		want   []triage.Stage
	}{
		{incident.Change{Kind: incident.ChangeOpened, Incident: in}, []triage.Stage{{Name: "detect", Seconds: 4}, {Name: "pipeline", Seconds: 3}}},
		{incident.Change{Kind: incident.ChangeOpened, Incident: &ahead}, []triage.Stage{{Name: "pipeline", Seconds: 3}}},
		{incident.Change{Kind: incident.ChangeAcknowledged, Incident: in}, []triage.Stage{{Name: "acknowledge", Seconds: 10}}},
		{incident.Change{Kind: incident.ChangeUpdated, Fields: []string{"said", "understood"}, Incident: in}, []triage.Stage{{Name: "understand", Seconds: 20}, {Name: "understand_wall", Seconds: 24}}},
		{incident.Change{Kind: incident.ChangeClosed, Fields: []string{"contained", "status"}, Incident: in}, []triage.Stage{{Name: "contain", Seconds: 34}, {Name: "resolve", Seconds: 60}}},
		{incident.Change{Kind: incident.ChangeClosed, Incident: &withdrawn}, nil},
		{incident.Change{Kind: incident.ChangeUpdated, Fields: []string{"viewed"}, Incident: in}, nil},
	} {
		if diff := cmp.Diff(c.want, triage.Stages(&c.change)); diff != "" {
			t.Errorf("%s %v:\n%s", c.change.Kind, c.change.Fields, diff)
		}
	}
}

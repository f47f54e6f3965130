package store_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

func TestChangesAreTheSameWhetherTheyAreHeldOrReadFromTheirTable(t *testing.T) {
	cfg := freshConfig(t)
	held, cold := open(t, cfg), open(t, cfg)
	batch := event.BatchID{Epoch: 1, Number: 1}
	at := int64(1_800_000_000_000_000)
	var changes []incident.Change
	for i := range 3 {
		in := &incident.Incident{ID: event.NewID("recent", string(rune('a'+i))), Revision: 1, Status: incident.Open, Severity: incident.High, Title: "as recorded", First: at, Last: at, Opened: at, Updated: at, Findings: []incident.Finding{}}
		changes = append(changes, incident.Change{Batch: batch, Index: i, Kind: incident.ChangeOpened, Fields: []string{"status"}, Actor: "system", Incident: in})
	}
	if err := held.Record(t.Context(), batch, nil, changes); err != nil {
		t.Fatal(err)
	}
	for _, round := range []string{"first", "second"} {
		for what, db := range map[string]*store.DB{"the recorder": held, "another": cold} {
			n := 0
			for c, err := range db.Changes(t.Context(), store.ChangeCursor{}, 0) {
				if err != nil {
					t.Fatal(err)
				}
				if c.Incident == nil || c.Incident.ID != changes[n].Incident.ID || c.Incident.Title != "as recorded" || c.Index != n || c.Kind != incident.ChangeOpened {
					t.Errorf("%s, %s reading: change %d is %+v", what, round, n, c)
				}
				n++
			}
			if n != len(changes) {
				t.Errorf("%s, %s reading: %d changes, want %d", what, round, n, len(changes))
			}
		}
	}
	// What is recorded anew in the same place takes the place of what is held.
	next := *changes[1].Incident
	next.Title = "as recorded anew"
	changes[1].Incident = &next
	if err := held.Record(t.Context(), batch, nil, changes[1:2]); err != nil {
		t.Fatal(err)
	}
	for c, err := range held.Changes(t.Context(), store.ChangeCursor{Batch: batch, Index: 0}, 1) {
		if err != nil || c.Incident.Title != "as recorded anew" {
			t.Errorf("change 1 is %+v, %v", c.Incident, err)
		}
	}
}

package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

func TestARobotIsKnownByItsLatestEventsOfEachKind(t *testing.T) {
	db := open(t, freshConfig(t))
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 30)))
	fault := sample(31)
	fault.ActivityID = 2
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 2}, Events: []event.Event{fault}, Marks: []event.Mark{{Source: "fleet", Newest: fault.Time}}}}))
	if diff := cmp.Diff([]int64{23, 24, 25, 26, 27, 28, 29, 31}, offsets(collect(t, db.RobotEvents(t.Context(), 0, 0)))); diff != "" {
		t.Errorf("latest events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{28, 29, 31}, offsets(collect(t, db.RobotEvents(t.Context(), start, start+28e6)))); diff != "" {
		t.Errorf("latest events since a time (-want +got):\n%s", diff)
	}
	if newest, err := db.Newest(t.Context()); err != nil || newest != fault.Time {
		t.Errorf("the newest time is %d, want %d: %v", newest, fault.Time, err)
	}
}

func TestNotesAreFoundByWhatChangedAndByWhoChangedIt(t *testing.T) {
	db := open(t, freshConfig(t))
	events := samples(0, 6)
	var notes []event.Note
	for i := range events {
		n := event.Note{Entity: "robot:amr-01", What: "firmware", Value: "2", Ref: refOf(&events[i])}
		if i%2 == 1 {
			n = event.Note{Entity: "device:plc-1", What: "policy", Value: "x", Actor: "robot:amr-01", Ref: refOf(&events[i])}
		}
		notes = append(notes, n)
	}
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 1}, Events: events}, Notes: notes}))
	for name, c := range map[string]struct {
		f    store.NoteFilter
		want []int
	}{
		"all":         {store.NoteFilter{}, []int{5, 4, 3, 2, 1, 0}},
		"by or of":    {store.NoteFilter{Entities: []string{"robot:amr-01"}}, []int{5, 4, 3, 2, 1, 0}},
		"of":          {store.NoteFilter{Entities: []string{"device:plc-1"}}, []int{5, 3, 1}},
		"what":        {store.NoteFilter{What: "firmware", Limit: 2}, []int{4, 2}},
		"time":        {store.NoteFilter{From: events[2].Time, To: events[4].Time}, []int{3, 2}},
		"after":       {store.NoteFilter{After: store.EventCursor{Time: events[3].Time, ID: events[3].Envelope.ID}}, []int{2, 1, 0}},
		"nobody else": {store.NoteFilter{Entities: []string{"x') OR 1=1 --"}}, nil},
	} {
		var got []int
		for _, n := range collect(t, db.Notes(t.Context(), c.f)) {
			got = append(got, int((n.Ref.Time-start)/1e6))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

func TestEventsAroundAreThoseOfTheEntitiesInTheirTime(t *testing.T) {
	db := open(t, freshConfig(t))
	e := entry(1, 1, 0, 30)
	for i := range e.Batch.Events {
		if i%2 == 1 {
			e.Batch.Events[i].Envelope.Site = "plant-2"
		}
	}
	must(t, appendTo(t.Context(), db, e))
	must(t, appendTo(t.Context(), db, entry(1, 2, 40, 10)))
	one, two := sample(1), sample(2)
	first, second := one.PrimaryEntity(event.EntityRobot, event.RoleNone), two.PrimaryEntity(event.EntityRobot, event.RoleNone)
	at := func(n int64) int64 { return start + n*1e6 }
	for name, c := range map[string]struct {
		filter store.AroundFilter
		want   []int64
		more   bool
	}{
		"one robot":           {store.AroundFilter{Entities: []string{first}, From: at(0), To: at(30), Limit: 100}, []int64{1, 8, 15, 22, 29}, false},
		"two robots":          {store.AroundFilter{Entities: []string{first, second}, From: at(8), To: at(16), Limit: 100}, []int64{8, 9, 15}, false},
		"from is in, to not":  {store.AroundFilter{Entities: []string{first}, From: at(8), To: at(22), Limit: 100}, []int64{8, 15}, false},
		"twice named is once": {store.AroundFilter{Entities: []string{first, "user:ana.silva"}, From: at(3), To: at(6), Limit: 100}, []int64{3, 4, 5}, false},
		"no more than that":   {store.AroundFilter{Entities: []string{first}, From: at(0), To: at(60), Limit: 3}, []int64{1, 8, 15}, true},
		"just as many":        {store.AroundFilter{Entities: []string{first}, From: at(0), To: at(30), Limit: 5}, []int64{1, 8, 15, 22, 29}, false},
		"one site":            {store.AroundFilter{Entities: []string{first}, From: at(0), To: at(30), Limit: 100, Sites: []string{"plant-2"}}, []int64{1, 15, 29}, false},
		"a site of nobody":    {store.AroundFilter{Entities: []string{first}, From: at(0), To: at(30), Limit: 100, Sites: []string{}}, nil, false},
		"a later batch":       {store.AroundFilter{Entities: []string{first}, From: at(30), To: at(60), Limit: 100}, []int64{43}, false},
		"nobody":              {store.AroundFilter{Entities: []string{"user:nobody"}, From: at(0), To: at(60), Limit: 100}, nil, false},
	} {
		got, more, err := db.Around(t.Context(), c.filter)
		must(t, err)
		if diff := cmp.Diff(c.want, offsets(got)); diff != "" || more != c.more {
			t.Errorf("%s: more %v, offsets (-want +got):\n%s", name, more, diff)
		}
		if len(got) > 0 && (got[0].Envelope.Raw != nil || len(got[0].Entities) == 0) {
			t.Errorf("%s: raw text is read, or entities are not", name)
		}
	}
}

func TestEventsAroundAreBounded(t *testing.T) {
	db := open(t, freshConfig(t))
	good := store.AroundFilter{Entities: []string{"user:x"}, From: start, To: start + 1, Limit: 1}
	for text, edit := range map[string]func(*store.AroundFilter){
		"0 entities":  func(f *store.AroundFilter) { f.Entities = nil },
		"51 entities": func(f *store.AroundFilter) { f.Entities = slices.Repeat([]string{"user:x"}, 51) },
		"seven days":  func(f *store.AroundFilter) { f.To = f.From + store.MaxAroundSpan + 1 },
		"no stretch":  func(f *store.AroundFilter) { f.To = f.From },
		"limit 2001":  func(f *store.AroundFilter) { f.Limit = 2001 },
		"limit 0":     func(f *store.AroundFilter) { f.Limit = 0 },
	} {
		f := good
		edit(&f)
		if _, _, err := db.Around(t.Context(), f); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want an error with %q", err, text)
		}
	}
	if _, _, err := db.Around(t.Context(), good); err != nil {
		t.Error(err)
	}
}

func TestTheHistoryOfAnIncidentIsItsChangesBehindARevision(t *testing.T) {
	db := open(t, freshConfig(t))
	changes := record(t, db)
	b := changes[1].Incident.ID
	for after, want := range map[int32][]incident.Change{0: {changes[1], changes[2]}, 1: {changes[2]}, 2: nil} {
		got, err := db.History(t.Context(), b, after)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("behind revision %d (-want +got):\n%s", after, diff)
		}
	}
	if got, err := db.History(t.Context(), event.NewID("none"), 0); err != nil || got != nil {
		t.Errorf("an unknown incident gave %v, %v", got, err)
	}
}

func TestTheHolderOfAFindingIsTheIncidentThatHasItNow(t *testing.T) {
	db := open(t, freshConfig(t))
	changes := record(t, db)
	in, found, err := db.Holder(t.Context(), finding("b", 1).ID)
	must(t, err)
	if !found || in.ID != changes[2].Incident.ID || in.Revision != 2 {
		t.Errorf("found %v %+v", found, in)
	}
	moved := *changes[2].Incident
	moved.Revision, moved.Findings = 3, nil
	batch := event.BatchID{Epoch: 1, Number: 3}
	must(t, appendTo(t.Context(), db, entry(1, 3, 10, 5)))
	must(t, db.Record(t.Context(), batch, nil, []incident.Change{{Batch: batch, Kind: incident.ChangeUpdated, Incident: &moved}}))
	if _, found, err := db.Holder(t.Context(), finding("b", 1).ID); found || err != nil {
		t.Errorf("a finding that was moved away is held: %v, %v", found, err)
	}
}

func TestEventsArePickedByTheirIDs(t *testing.T) {
	db := open(t, freshConfig(t))
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 30)))
	got, err := db.Pick(t.Context(), []event.ID{sample(20).Envelope.ID, sample(3).Envelope.ID, event.NewID("none"), sample(3).Envelope.ID})
	must(t, err)
	if diff := cmp.Diff([]int64{3, 20}, offsets(got)); diff != "" || got[0].Envelope.Raw != nil {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	if got, err := db.Pick(t.Context(), nil); err != nil || got != nil {
		t.Errorf("no ids gave %v, %v", got, err)
	}
	if _, err := db.Pick(t.Context(), make([]event.ID, 2001)); err == nil {
		t.Error("2001 ids are read at once")
	}
}

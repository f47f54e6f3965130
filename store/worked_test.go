package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func TestAnIncidentIsToldOnceItsFirstDeliveryHasArrived(t *testing.T) {
	db := open(t, freshConfig(t))
	changes := record(t, db) // of a, b, b and c
	before := time.Now().UnixMicro()
	deliver := func(i int, endpoint string, attempts int, state incident.DeliveryState) {
		t.Helper()
		in := changes[i].Incident
		must(t, db.Settle(t.Context(), incident.Delivery{ID: incident.DeliveryID(in.ID, in.Revision, endpoint), Endpoint: endpoint, Change: changes[i], Attempts: attempts, State: state}))
	}
	deliver(0, "soc", 1, incident.DeliveryPending)
	deliver(1, "soc", 1, incident.DeliveryDead)
	deliver(0, "soc", 2, incident.DeliveryDone)
	between := time.Now().UnixMicro()
	deliver(0, "chat", 1, incident.DeliveryDone)
	deliver(3, "chat", 1, incident.DeliveryDigested)
	got := map[event.ID]int64{}
	list, err := db.Told(t.Context(), 0)
	must(t, err)
	for _, x := range list {
		got[x.Incident] = x.At
	}
	a, b, c := changes[0].Incident.ID, changes[1].Incident.ID, changes[3].Incident.ID
	if len(got) != 3 || got[a] < before || got[a] > between || got[b] != 0 || got[c] < between {
		t.Errorf("told: %v, with a between %d and %d, b never, c after that", got, before, between)
	}
	if later, err := db.Told(t.Context(), time.Now().Add(time.Hour).UnixMicro()); err != nil || len(later) != 0 {
		t.Errorf("in an hour: %v %v", later, err)
	}
}

func TestTheHoursOfPeopleAreTheirsAlone(t *testing.T) {
	db := open(t, freshConfig(t))
	batch := event.BatchID{Epoch: 1, Number: 1}
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 5)))
	var changes []incident.Change
	for i, x := range []struct{ name, actor, origin string }{{"a", "rule:r1", ""}, {"a", "user:ana", ""}, {"a", "user:ana", ""}, {"a", "user:ben", ""}, {"b", "user:soar", "soar"}, {"b", "system", ""}} {
		c := change(x.name, int32(i+1), batch, i, incident.ChangeUpdated)
		c.Actor, c.Origin = x.actor, x.origin
		changes = append(changes, c)
	}
	from := time.Now().Truncate(time.Hour).Unix()
	must(t, db.Record(t.Context(), batch, nil, changes))
	list, err := db.Worked(t.Context(), 0)
	must(t, err)
	type row struct {
		in    event.ID
		actor string
	}
	got := map[row]bool{}
	for _, x := range list {
		got[row{x.Incident, x.Actor}] = true
		if x.Hour%3600 != 0 || x.Hour < from || x.Hour > time.Now().Unix() {
			t.Errorf("no hour of this test: %+v", x)
		}
	}
	a := changes[0].Incident.ID
	if diff := cmp.Diff(map[row]bool{{a, "user:ana"}: true, {a, "user:ben"}: true}, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("hours (-want +got):\n%s", diff)
	}
	if later, err := db.Worked(t.Context(), time.Now().Add(time.Hour).UnixMicro()); err != nil || len(later) != 0 {
		t.Errorf("in an hour: %v %v", later, err)
	}
}

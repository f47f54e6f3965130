package incident_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const aDay = 24 * 60 * 60 * 1_000_000

// remark adds a note on a day under an id.
func remark(t *testing.T, s *incident.Stitcher, id string, day int64) int {
	t.Helper()
	in := s.Incidents()[0]
	changes, err := s.Act(incident.Action{ID: event.NewID(id), Kind: incident.ActionNote, Incident: in.ID, Expected: in.Revision, By: "ana", Text: "day " + fmt.Sprint(day), At: day * aDay}, event.BatchID{Epoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	return len(changes)
}

func snapshot(t *testing.T, s *incident.Stitcher) []byte {
	t.Helper()
	b, err := s.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnActionThatComesAgainWithinAMonthIsCarriedOutOnceAndThenItIsForgotten(t *testing.T) {
	s, _ := one(t)
	for day := range int64(100) {
		for i := range 3 {
			id := fmt.Sprintf("action %d %d", day, i)
			if n := remark(t, s, id, day); n != 1 {
				t.Fatalf("day %d: %d changes", day, n)
			}
			if n := remark(t, s, id, day); n != 0 {
				t.Fatalf("day %d: the same again gave %d changes", day, n)
			}
		}
	}
	if n := remark(t, s, "action 70 0", 99); n != 0 {
		t.Error("an action of a month ago was carried out twice")
	}
	if n := remark(t, s, "action 60 0", 99); n != 1 {
		t.Error("an action is remembered for longer than is said")
	}
	b := snapshot(t, s)
	var kept struct{ Acted []event.ID }
	if err := json.Unmarshal(b, &kept); err != nil || len(kept.Acted) != 3*31+1 {
		t.Errorf("the snapshot has %d ids, %v", len(kept.Acted), err)
	}
	again := incident.NewStitcher(incident.DefaultConfig(), nil)
	if err := again.Restore(b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(snapshot(t, again), b) {
		t.Error("what was restored is not what was saved")
	}
	if n := remark(t, again, "action 99 0", 100); n != 0 {
		t.Error("after a restore an action was carried out twice")
	}
}

func TestASnapshotWithoutTimesOfActionsIsTakenOver(t *testing.T) {
	s, _ := one(t)
	remark(t, s, "before", 50)
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(snapshot(t, s), &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, "ActedAt")
	old, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(old); err != nil {
		t.Fatal(err)
	}
	if n := remark(t, s, "before", 50); n != 0 {
		t.Error("an action from before was carried out again")
	}
	remark(t, s, "after", 51)
	if n := remark(t, s, "before", 51); n != 0 {
		t.Error("an action from before was forgotten within a month")
	}
}

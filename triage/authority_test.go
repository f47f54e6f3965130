package triage_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// offered finds an action by its id and authority.
func offered(list []triage.Action, id, authority string) *triage.Action {
	i := slices.IndexFunc(list, func(a triage.Action) bool { return a.ID == id && (authority == "" || a.Authority == authority) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

func names(list []triage.Action) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.Authority+"/"+a.ID)
	}
	return out
}

func TestEveryActionOfTheLibraryAsksAndNeverActs(t *testing.T) {
	teams := []string{triage.ByIT, triage.ByOT, triage.ByRobots, triage.ByFacilities, triage.BySafety}
	reference := regexp.MustCompile(`^(RA[1-6]\d{3}|D3-[A-Z]{2,6})$`)
	seen := map[string]bool{}
	for _, a := range triage.Library() {
		if seen[a.ID] || a.ID == "" {
			t.Errorf("the id %q is not its own", a.ID)
		}
		seen[a.ID] = true
		if a.Executes {
			t.Errorf("%s executes", a.ID)
		}
		if !slices.Contains(teams, a.Authority) || a.Title == "" || !strings.HasSuffix(a.Title, ".") {
			t.Errorf("%s: authority %q, title %q", a.ID, a.Authority, a.Title)
		}
		for _, r := range a.References {
			if !reference.MatchString(r) {
				t.Errorf("%s: %q is no id of RE&CT or D3FEND", a.ID, r)
			}
		}
		if a.Moves && (a.People != 2 || len(a.Prechecks) == 0) || !a.Moves && a.People != 1 {
			t.Errorf("%s: moves %v, people %d, prechecks %q", a.ID, a.Moves, a.People, a.Prechecks)
		}
		if a.Stage == triage.StageCheck && a.Moves || a.Stage != triage.StageCheck && (a.Effect == "" || len(a.Prechecks) == 0 || len(a.Tell) == 0) {
			t.Errorf("%s (%s) lacks effect, prechecks or who is told", a.ID, a.Stage)
		}
		if strings.Contains(a.ID, "safety-configuration") && a.Authority != triage.BySafety {
			t.Errorf("%s: safety functions are not %s's", a.ID, a.Authority)
		}
	}
}

func TestAnIntrusionAsksEachTeamForWhatIsIts(t *testing.T) {
	in := compromise(t)
	got := triage.Actions(in, triage.Answer(in).Assessment)
	for _, want := range []struct {
		id, authority string
		targets       []string
		people        int
	}{
		{"lock-account", triage.ByIT, []string{"user:ana"}, 1},
		{"end-sessions", triage.ByIT, []string{"user:ana"}, 1},
		{"block-outside-address", triage.ByIT, []string{"ip:203.0.113.9"}, 1},
		{"isolate-device", triage.ByIT, []string{"device:lt1"}, 1},
		{"stop-robot", triage.ByOT, []string{"robot:r1"}, 2},
		{"restore-robot", triage.ByRobots, []string{"robot:r1"}, 2},
	} {
		a := offered(got, want.id, want.authority)
		if a == nil {
			t.Errorf("%s by %s is missing: %v", want.id, want.authority, names(got))
			continue
		}
		if diff := cmp.Diff(want.targets, a.Targets); diff != "" || a.People != want.people {
			t.Errorf("%s: %d people, targets %s", want.id, a.People, diff)
		}
	}
	if a := offered(got, "take-out-of-service", ""); a != nil {
		t.Error("an intrusion is sent to repair")
	}
	if i := slices.IndexFunc(got, func(a triage.Action) bool { return a.Stage != triage.StageCheck }); i <= 0 || slices.ContainsFunc(got[i:], func(a triage.Action) bool { return a.Stage == triage.StageCheck }) {
		t.Errorf("looks do not come before decisions: %v", names(got))
	}
	if diff := cmp.Diff(got, triage.Actions(in, triage.Answer(in).Assessment)); diff != "" {
		t.Errorf("another time there are others: %s", diff)
	}
}

func TestWhatBelongsToACellIsNotITsToCut(t *testing.T) {
	posture := ref(event.ClassDeviceConfigChange, 1, "endpoint", 4, "device:hmi7", "device:lt1", "user:ana")
	work := ref(event.ClassOTCommand, 2, "ot", 6, "by user:ana", "device:hmi7")
	in := stitched(t, nil, found("posture", "Stale posture let in by exception", []string{"ics.t0864"}, posture, work))
	got := triage.Actions(in, triage.Intrusion)
	office, cell := offered(got, "isolate-device", triage.ByIT), offered(got, "isolate-device", triage.ByOT)
	if office == nil || cell == nil {
		t.Fatalf("got %v", names(got))
	}
	if !slices.Equal(office.Targets, []string{"device:lt1"}) || office.Moves {
		t.Errorf("IT is asked to isolate %v", office.Targets)
	}
	if !slices.Equal(cell.Targets, []string{"device:hmi7"}) || !cell.Moves || cell.People != 2 || len(cell.Prechecks) <= len(office.Prechecks) {
		t.Errorf("OT is asked to isolate %v with %d people after %q", cell.Targets, cell.People, cell.Prechecks)
	}
}

func TestAMalfunctionIsRepairedAndNobodyIsLockedOut(t *testing.T) {
	in := breakdown(t, "battery cell voltage low")
	got := triage.Actions(in, triage.Malfunction)
	if offered(got, "take-out-of-service", triage.ByRobots) == nil {
		t.Errorf("got %v", names(got))
	}
	for _, id := range []string{"lock-account", "stop-robot", "cut-cell-network", "block-outside-address"} {
		if offered(got, id, "") != nil {
			t.Errorf("%s is asked for", id)
		}
	}
}

func TestActionsAreBounded(t *testing.T) {
	in := *compromise(t)
	in.Changed = append(in.Changed, change(12, "robot:r1", "safety_checksum", "a", "b", ""), change(12, "device:lt1", "vlan", "a", "b", ""))
	for i := range 500 {
		in.Entities = append(in.Entities, incident.Member{ID: "user:u" + strings.Repeat("x", i), Kind: event.EntityUser, Strength: event.Strong, Roles: []event.Role{event.RoleActor}})
	}
	got := triage.Actions(&in, triage.Intrusion)
	if len(got) > 6+16 {
		t.Errorf("%d actions", len(got))
	}
	for _, a := range got {
		if len(a.Targets) > 10 {
			t.Errorf("%s has %d targets", a.ID, len(a.Targets))
		}
	}
}

package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// A finding about a robot, an hour after the one before.
func shadowFinding(n int, rule, robot string, shadow bool) incident.Finding {
	at := int64(1772330400000000) + int64(n)*3600e6
	ref := &event.Ref{
		Event: event.NewID(rule + robot + string(rune('a'+n))), Time: at, Received: at, ClassUID: event.ClassRobotState, Domain: event.DomainRobot, Summary: "x",
		Entities: []event.EntityRef{{Kind: event.EntityRobot, Key: robot, ID: "robot:" + robot, Role: event.RoleTarget, Strength: event.Strong}},
	}
	return incident.Finding{
		ID: ref.Event, Revision: 1, State: incident.Final, Rule: incident.RuleRef{ID: rule, Version: 2, Title: "T " + rule}, Shadow: shadow, Key: robot,
		Vars: []incident.Var{{Name: "machine", Value: "robot:" + robot}, {Name: "port", Value: "22"}},
		Time: at, First: at, Seen: at, Severity: incident.High, Score: 70, Evidence: []incident.Evidence{{Step: "a", Event: ref}},
	}
}

func TestTheReportOfShadowTellsWhatWouldHaveBeenOpenedAndWhatIsOpenAnyway(t *testing.T) {
	live := shadowFinding(0, "live-1", "r1", false)
	all := []incident.Finding{shadowFinding(3, "quiet-1", "r2", true), shadowFinding(1, "quiet-1", "r1", true), live, shadowFinding(4, "quiet-1", "r2", true), shadowFinding(2, "quiet-2", "r1", true)}
	core, err := NewCore(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	got := shadowed(core.Stitcher, all)
	day := "2026-03-01"
	want := []ShadowRule{
		{Rule: "quiet-1", Version: 2, Title: "T quiet-1", Findings: 3, Days: map[string]int{day: 3}, Top: []EntityCount{{"robot:r2", 2}, {"robot:r1", 1}}, Joined: 1, Opened: 1},
		{Rule: "quiet-2", Version: 2, Title: "T quiet-2", Findings: 1, Days: map[string]int{day: 1}, Top: []EntityCount{{"robot:r1", 1}}, Joined: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

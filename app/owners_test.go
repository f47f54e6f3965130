package app_test

import (
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

func TestTheOwnerIsTheTeamOfTheFirstRouteThatMatchesAndNamesOne(t *testing.T) {
	owner, err := app.OwnerOf([]triage.RouteConfig{
		{Name: "told", When: "severity >= high", Endpoints: []string{"pager"}, Continue: true},
		{Name: "opening", When: `change == "opened"`, OwnerTeam: "night"},
		{Name: "safe", When: `owner == "safety" and severity >= high`, OwnerTeam: "ot"},
		{Name: "it", When: ` `, OwnerTeam: "it"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		severity incident.Severity
		stitched string
		want     string
	}{{incident.High, "safety", "ot by safe"}, {incident.Low, "safety", "it by it"}, {incident.High, "robots", "it by it"}} {
		card := board.CardOf(&incident.Incident{ID: event.NewID("x"), Severity: x.severity, Owner: x.stitched}, nil)
		team, route := owner(card)
		if got := team + " by " + route; got != x.want {
			t.Errorf("%v of %s: %s, want %s", x.severity, x.stitched, got, x.want)
		}
	}
	if owner, err := app.OwnerOf(nil); owner != nil || err != nil {
		t.Error("without routes somebody decides")
	}
	if _, err := app.OwnerOf([]triage.RouteConfig{{Name: "bad", When: "severty > 1"}}); err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("a route with an unknown name: %v", err)
	}
}

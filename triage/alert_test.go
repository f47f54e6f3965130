package triage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// withFinding adds a finding to a change, announced with it.
func withFinding(c incident.Change, n int, severity incident.Severity) incident.Change {
	at := c.Incident.Updated
	c.Incident.Findings = append(c.Incident.Findings, incident.Finding{
		ID: event.NewID("finding", fmt.Sprint(n)), Revision: 1, State: incident.Provisional, Rule: incident.RuleRef{ID: "rb-0001", Version: 1, Title: "<b>Many\u202erefused", Tags: []string{"attack.t1110"}}, Severity: severity, Score: 40,
		Time: at, First: at, Seen: at, Announced: at, Evidence: []incident.Evidence{{Step: "s", Event: &event.Ref{
			Event: event.NewID("e", fmt.Sprint(n)), Time: at, Site: "plant-1", Entities: []event.EntityRef{{Kind: event.EntityUser, ID: "user:ann", Key: "ann", Strength: event.Strong}},
		}}},
	})
	return c
}

// later is the next revision of an incident, with what it had.
func later(c incident.Change, kind incident.ChangeKind) incident.Change {
	in := *c.Incident
	in.Revision++
	in.Updated++
	c.Incident, c.Kind = &in, kind
	return c
}

func TestWhoAsksForAlertsIsToldOfEachFindingOnceThroughFailuresAndARestart(t *testing.T) {
	fails := 0
	hook := newReceiver(t, func(g got) int {
		if g.kind == "alert.created" && fails < 2 {
			fails++
			return 503
		}
		return 200
	})
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Endpoints[0].Events = []string{"opened", "updated", "alert.created"}
		cfg.Endpoints[0].MinSeverity = "medium"
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		first := withFinding(withFinding(revision(1, 1, incident.ChangeOpened), 1, incident.High), 2, incident.Low)
		o.record(first)
		_, stop := desk(t, cfg, o)
		time.Sleep(time.Second)
		stop()
		second := withFinding(later(first, incident.ChangeUpdated), 3, incident.Medium)
		o.record(second, later(second, incident.ChangeUpdated))
		_, stop = desk(t, cfg, o)
		time.Sleep(time.Hour)
		stop()
		taken := map[string]int{}
		for _, g := range hook.all(t) {
			if g.code == 200 {
				taken[g.kind+" "+g.subject]++
			}
		}
		for n, want := range []int{0, 1, 0, 1} {
			if got := taken["alert.created "+event.FormatID(event.FindingPrefix, event.NewID("finding", fmt.Sprint(n)))]; got != want {
				t.Errorf("finding %d was told %d times, want %d", n, got, want)
			}
		}
		if o.states()[incident.DeliveryPending] != 0 || o.states()[incident.DeliveryDead] != 0 {
			t.Errorf("states %v", o.states())
		}
	})
}

func TestAnAlertSaysWhichFindingItIsAndWhereItWent(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 200 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Endpoints[0].Events = []string{"alert.created"}
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		o.record(withFinding(revision(1, 1, incident.ChangeOpened), 1, incident.High))
		_, stop := desk(t, cfg, o)
		time.Sleep(time.Minute)
		stop()
		all := hook.all(t)
		if len(all) != 1 || all[0].kind != "alert.created" {
			t.Fatalf("told %+v; want one alert and no change", all)
		}
		var body struct {
			Sequence string
			Data     struct {
				Incident any
				Alert    struct {
					ID, Title, URL, Severity string
					IncidentID               string `json:"incident_id"`
					Rule                     struct{ Attack []string }
					Entities                 []struct{ Type, ID string }
					EventIDs                 []string `json:"event_ids"`
				}
			}
		}
		if err := json.Unmarshal([]byte(all[0].body), &body); err != nil {
			t.Fatal(err)
		}
		a := body.Data.Alert
		if a.ID != event.FormatID(event.FindingPrefix, event.NewID("finding", "1")) || a.IncidentID != event.FormatID(event.IncidentPrefix, event.NewID("incident", "1")) ||
			a.URL != "https://console.example/findings/"+a.ID || a.Severity != "high" || len(a.Entities) != 1 || a.Entities[0].ID != "ann" || len(a.EventIDs) != 1 || len(a.Rule.Attack) != 1 || body.Data.Incident != nil || body.Sequence == "" {
			t.Errorf("the alert is %s", all[0].body)
		}
		if strings.ContainsAny(all[0].body, "<>\u202e") {
			t.Errorf("hostile text came through: %s", all[0].body)
		}
	})
}

func TestNobodyHearsOfAlertsWithoutAskingForThem(t *testing.T) {
	c := withFinding(revision(1, 1, incident.ChangeOpened), 1, incident.High)
	if (triage.Route{Endpoint: "soc"}).OwesAlert(&c, c.Alerts()[0]) {
		t.Error("an alert is owed to who did not ask for it")
	}
	r := triage.Route{Endpoint: "soc", Alerts: true, Takes: func(c *incident.Change) bool { return c.Kind == "alert.created" }}
	if !r.OwesAlert(&c, c.Alerts()[0]) {
		t.Error("a route that names alerts does not lead there")
	}
}

func TestFormsThatKeepObjectsRefuseAlerts(t *testing.T) {
	cfg := config(t, "http://127.0.0.1:9/")
	for name, fine := range map[string]bool{"native": true, "ocsf": true, "ocsf-detections": true, "slack": true, "alertmanager": false, "thehive": false} {
		e := cfg.Endpoints[0]
		e.Adapter, e.Events, e.Token = name, []string{"alert.created"}, e.Secret
		c := cfg
		c.Endpoints = []triage.EndpointConfig{e}
		if err := c.Validate(); (err == nil) != fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

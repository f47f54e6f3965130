package llm_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const minute = int64(60) * 1_000_000

// night is 2026-11-21T02:00:00Z.
const night = int64(1795226400) * 1_000_000

// plant makes the events of one night in a plant with the text behind whatever an outsider can write.
type plant struct {
	poison string
	number int
}

func (p *plant) event(class uint32, activity uint16, at int64, set func(*event.Event)) *event.Event {
	p.number++
	e := &event.Event{ClassUID: class, ActivityID: activity, Time: night + at*minute, SeverityID: 1, StatusID: 1}
	e.Envelope = event.Envelope{ID: event.NewID("plant", fmt.Sprint(p.number)), Position: event.Position{Source: "s", Offset: int64(p.number) * 100}, Format: "okta", Received: e.Time + 2_000_000}
	set(e)
	for _, f := range event.Fields() { // what is tainted and set carries the poison as well
		if f.Set == nil || f.Flags&event.Taint == 0 || !f.Known(e) {
			continue
		}
		if f.Kind == event.KindString {
			f.Set(e, event.Value{Str: f.Str(e) + p.poison})
		}
	}
	e.FindEntities()
	return e
}

// drench puts text into every tainted field that can stand in the event without a new section of it, and then some.
func (p *plant) drench(e *event.Event) {
	for _, f := range event.Fields() {
		if f.Set != nil && f.Flags&event.Taint != 0 && f.Kind == event.KindString && !f.Known(e) {
			f.Set(e, event.Value{Str: "w-" + f.Path})
		}
	}
}

func (p *plant) user(e *event.Event) { e.Actor.User.Name, e.Actor.User.UID = "ana", "00u1ana" }

func (p *plant) events() map[string]*event.Event {
	all := map[string]*event.Event{}
	for i := range int64(3) {
		all[fmt.Sprint("prompt", i)] = p.event(event.ClassAuthentication, event.ActivityOther, i, func(e *event.Event) {
			e.Activity, e.StatusID, e.StatusDetail = event.MFAChallenge, 2, "user rejected"
			p.user(e)
			e.SrcEndpoint.IP = "198.51.100.24"
		})
	}
	all["entry"] = p.event(event.ClassAuthentication, 1, 4, func(e *event.Event) {
		p.user(e)
		e.SrcEndpoint.IP, e.SrcEndpoint.Hostname = "198.51.100.24", "laptop"
		e.HTTPRequest = &event.HTTPRequest{UserAgent: "Mozilla", URL: "https://idp/login"}
	})
	all["admitted"] = p.event(event.ClassEntityManagement, 3, 6, func(e *event.Event) {
		p.user(e)
		e.Envelope.Format = "cisco_ise"
		e.Device.UID, e.Device.Name, e.Device.Hostname = "mdm-7", "lt", "lt.example"
		e.Entity = &event.Entity{Name: "exception", Type: "policy"}
	})
	all["loaded"] = p.event(event.ClassRobotControl, 4, 10, func(e *event.Event) {
		p.user(e)
		e.Robot = &event.Robot{UID: "acme/r1", Name: "r1", ProgramUID: "weld"}
		e.Command = &event.Command{Name: "loadProgram", Args: "x", ProgramUID: "svc", URL: "https://files/x"}
	})
	all["fault"] = p.event(event.ClassRobotState, 7, 12, func(e *event.Event) {
		e.Robot = &event.Robot{UID: "acme/r1", Name: "r1"}
		e.Fault = &event.Fault{Code: "E-17", Desc: "joint moved"}
	})
	all["out"] = p.event(event.ClassNetwork, 6, 20, func(e *event.Event) {
		e.Envelope.Format = "zeek"
		e.Robot = &event.Robot{UID: "acme/r1", Name: "r1"}
		e.DstEndpoint.IP = "203.0.113.9"
		e.TLS = &event.TLS{SNI: "updates.example", Subject: "CN=updates", Issuer: "CN=ca"}
	})
	all["everything"] = p.event(event.ClassHTTP, 1, 22, func(e *event.Event) {
		p.user(e)
		p.drench(e)
	})
	return all
}

func finding(rule, title string, tags []string, events ...*event.Event) incident.Finding {
	f := incident.Finding{
		ID: event.NewID("finding", rule), Revision: 1, State: incident.Final, First: events[0].Time, Time: events[len(events)-1].Time, Score: 70, Severity: incident.High,
		Rule: incident.RuleRef{ID: rule, Version: 1, Title: title, Tags: tags},
	}
	for i, e := range events {
		f.Evidence = append(f.Evidence, incident.Evidence{Step: fmt.Sprint("step", i), Event: event.RefOf(e)})
	}
	return f
}

// incident is the night as one incident, with the text in everything an outsider can write.
func (p *plant) incident(t testing.TB) *incident.Incident {
	t.Helper()
	all := p.events()
	notes := []event.Note{
		{Entity: "user:00u1ana", What: "role", Prev: "viewer" + p.poison, Value: "admin" + p.poison, Actor: "user:root9" + p.poison, Ref: event.RefOf(p.event(event.ClassUserAccess, 1, -30, p.user))},
		{Entity: "robot:acme/r1", What: "program", Prev: "weld" + p.poison, Value: "svc" + p.poison, Actor: "user:00u1ana", Ref: event.RefOf(all["loaded"])},
		{Entity: "robot:acme/r1", What: "firmware", Prev: "5.17.0", Value: "5.17.3", Ref: event.RefOf(all["fault"])},
		{Entity: "robot:acme/r1", What: "mode", Prev: "Automatic", Value: "Manual", Ref: event.RefOf(all["loaded"])},
	}
	findings := []incident.Finding{
		finding("rb-1", "Second-factor fatigue, then a sign-in from a new country", []string{"attack.t1621", "attack.t1078"}, all["prompt0"], all["prompt1"], all["prompt2"], all["entry"]),
		finding("rb-2", "Device let in by exception", []string{"ics.t0864"}, all["entry"], all["admitted"]),
		finding("rb-3", "Program changed on a robot", []string{"ics.t0843"}, all["entry"], all["loaded"], all["fault"]),
		finding("rb-4", "Outbound traffic of a robot to a new address", []string{"attack.t1041"}, all["loaded"], all["out"], all["everything"]),
	}
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	s.Apply(findings, notes, event.BatchID{Epoch: 1}, night+90*minute)
	list := s.Incidents()
	if len(list) != 1 {
		var titles []string
		for _, in := range list {
			titles = append(titles, in.Title)
		}
		slices.Sort(titles)
		t.Fatalf("the plant wants one incident, got %q", titles)
	}
	return list[0]
}

// pinned is the same with two events that people pinned.
func (p *plant) pinned(t testing.TB) *incident.Incident {
	t.Helper()
	in := *p.incident(t)
	all := (&plant{poison: p.poison}).events()
	in.Pins = []incident.Pin{ // One of the evidence, one beside it.
		{Event: all["fault"].Envelope.ID, Time: all["fault"].Time, Text: "joint moved" + p.poison, By: "ana"},
		{Event: event.NewID("plant", "beside"), Time: night + 15*minute, Text: "door held open" + p.poison, By: "ana"},
	}
	return &in
}

package triage

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// Bounds of what is told of one finding.
const (
	alertEntities = 60
	alertEvents   = 60
)

// alertLetter tells of a finding that a change brought. The same finding gives the same letter, whatever became of its incident meanwhile.
func (d *Desk) alertLetter(of *incident.Delivery, f *incident.Finding) *adapter.Letter {
	c := of.Change
	c.Kind = alertCreated
	routing := d.router.Of(&c)
	at := stamp(f.Announced)
	alone := &incident.Incident{Findings: []incident.Finding{*f}}
	a := &adapter.Alert{
		ID: event.FormatID(event.FindingPrefix, f.ID), Revision: f.Revision, Title: cut(plain(f.Rule.Title), 300), State: f.State.String(), Severity: f.Severity.String(), Priority: priority(f.Severity), Score: f.Score,
		Rule: rulesOf(alone)[0], FirstEvent: stamp(f.First), LastEvent: stamp(f.Time), Announced: at, Entities: []adapter.Entity{}, Events: []string{},
		Incident: event.FormatID(event.IncidentPrefix, c.Incident.ID), OwnerTeam: cut(plain(routing.Owner), 60), Route: cut(plain(routing.Route), 120),
	}
	truncated := map[string]int{}
	for _, ev := range f.Evidence {
		if ev.Event == nil {
			continue
		}
		if a.Events = append(a.Events, ev.Event.Event.String()); ev.Event.Site != "" && !slices.Contains(a.Sites, ev.Event.Site) {
			a.Sites = append(a.Sites, cut(plain(ev.Event.Site), 120))
		}
		for _, x := range ev.Event.Entities {
			told := adapter.Entity{Type: x.Kind.String(), ID: cut(name(x.ID), 200), Role: x.Role.String()}
			if x.Strength > event.Context && x.Role != event.RoleReporter && !slices.Contains(a.Entities, told) {
				a.Entities = append(a.Entities, told)
			}
		}
	}
	shorten(&a.Entities, alertEntities, "entities", truncated)
	shorten(&a.Events, alertEvents, "event_ids", truncated)
	shorten(&a.Sites, 20, "sites", truncated)
	if d.cfg.ConsoleURL != "" {
		a.URL = strings.TrimSuffix(d.cfg.ConsoleURL, "/") + "/findings/" + a.ID
	}
	finding := func() []byte { return incident.AppendFinding(nil, f) }
	return &adapter.Letter{
		Envelope: adapter.Envelope{
			SpecVersion: "1.0", ID: event.FormatID(event.DeliveryPrefix, of.ID), Source: d.s.Source, Type: adapter.TypeAlert, Subject: a.ID, Time: at, Timestamp: at, ContentType: "application/json",
			Schema: "urn:tocsin:schema:alert:1", Sequence: SequenceOf(&c).String(), Data: adapter.Data{Alert: a, Truncated: truncated},
		},
		OCSF: finding, Detections: func() [][]byte { return [][]byte{finding()} },
	}
}

// shorten cuts a list to n entries and counts what it left out.
func shorten[T any](list *[]T, n int, name string, truncated map[string]int) {
	if more := len(*list) - n; more > 0 {
		*list = (*list)[:n]
		truncated[name] = more
	}
}

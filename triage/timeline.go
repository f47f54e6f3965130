package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// laneOf gives the lane of a timeline by the domain of an event.
var laneOf = map[string]string{
	"identity": "identity", "network_access": "network_access", "endpoint": "endpoint", "device_management": "endpoint",
	"network": "ot_network", "ot": "ot_network", "robot": "robot", "change": "changes",
}

// Timeline lists what happened in an incident, by (At, Event): the evidence, what changed before and since, and what analysts did. At is
// event time and Seen our clock; for what analysts did both are our clock. A run of repeats is one row with a count, at the place of its first.
func Timeline(in *incident.Incident) []incident.Moment { return Around(in, nil) }

// Around is the timeline with further events in it, such as what else the same entities did at that time: they are of no finding. Events that
// are evidence or changes already stand once.
func Around(in *incident.Incident, events []*event.Event) []incident.Moment {
	var rows []row
	met := map[event.ID]bool{}
	for i := range in.Findings {
		f := &in.Findings[i]
		for _, ev := range f.Evidence {
			if ev.Event != nil && !met[ev.Event.Event] {
				met[ev.Event.Event] = true
				rows = append(rows, evidenceRow(f, ev))
			}
		}
	}
	for _, n := range in.Changed {
		met[n.Ref.Event] = true
		rows = append(rows, noteRow(n))
	}
	for _, e := range events {
		if !met[e.Envelope.ID] {
			met[e.Envelope.ID] = true
			rows = append(rows, evidenceRow(&incident.Finding{}, incident.Evidence{Event: event.RefOf(e)}))
		}
	}
	rows = append(rows, life(in)...)
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.At, b.At), a.Event.Compare(b.Event), cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Text, b.Text))
	})
	return repeats(rows)
}

// row is a moment with what makes two of them alike.
type row struct {
	incident.Moment
	key string // What repeats of it have in common beside their text; "" never repeats.
}

func evidenceRow(f *incident.Finding, ev incident.Evidence) row {
	r := ev.Event
	m := incident.Moment{At: r.Time, Seen: r.Received, Lane: laneOf[r.Domain], Text: plain(r.Summary), Finding: f.ID, Step: ev.Step, Event: r.Event, Class: keyOf(r), Entities: partsOf(r), Count: 1}
	if m.Lane == "" {
		m.Lane = "ot_network"
	}
	if m.Text == "" {
		m.Text = deed(m.Class)
	}
	return row{Moment: m, key: fmt.Sprintf("%x|%s|%s|%s|%d|%s", m.Finding[:], m.Step, m.Lane, m.Class, r.Status, strings.Join(m.Entities, "|"))}
}

// partsOf lists the entities that took part in an event, each once, in their order.
func partsOf(r *event.Ref) []string {
	var out []string
	for _, x := range r.Entities {
		if x.Role < event.RoleReporter && !slices.Contains(out, x.ID) {
			out = append(out, x.ID)
		}
	}
	return out
}

func noteRow(n event.Note) row {
	m := incident.Moment{At: n.Ref.Time, Seen: n.Ref.Received, Lane: "changes", Text: told(n), Event: n.Ref.Event, Class: keyOf(n.Ref), Entities: []string{n.Entity}, Count: 1}
	if n.Actor != "" && n.Actor != n.Entity {
		m.Entities = append(m.Entities, n.Actor)
	}
	return row{Moment: m}
}

// life is what people and the stitcher did with the incident.
func life(in *incident.Incident) []row {
	var out []row
	add := func(at int64, text string) {
		if at != 0 {
			out = append(out, row{Moment: incident.Moment{At: at, Seen: at, Lane: "analyst", Text: text, Count: 1}})
		}
	}
	add(in.Opened, "incident opened")
	acked := "acknowledged"
	if in.Assignee != "" {
		acked += ", assigned to " + plain(in.Assignee)
	}
	add(in.Acked, acked)
	for _, r := range in.Remarks {
		add(r.At, plain(r.By)+": "+plain(r.Text))
	}
	add(in.ClosedAt, "closed as "+string(in.Verdict))
	if in.Status == incident.Merged {
		add(in.Updated, "merged into "+event.FormatID(event.IncidentPrefix, in.MergedInto))
	}
	return out
}

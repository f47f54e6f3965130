// Package board holds the current incidents as light cards in memory, kept by the changes that are recorded, so that the queue, the API and the
// streams are answered without asking the store.
package board

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Card is what the board knows of an incident at one revision. It is immutable; its slices are shared with the incident and must not be changed.
type Card struct {
	ID         event.ID
	Revision   int32
	Status     incident.Status
	Verdict    incident.Verdict
	Severity   incident.Severity
	Score      int
	Title      string
	Owner      string // The team that answers for it.
	Stitched   string // The team that the rules named.
	Route      string // The route that named the owner; "" where the rules did.
	Assignee   string
	MergedInto event.ID

	Assessment string   // What the evidence says.
	For        []string // The weightiest reasons for it, at most two.
	Said       string   // What a person answered; "" not yet.

	Findings int
	Events   int      // Events of the evidence, each once.
	Robots   []string // Canonical ids.
	Domains  []string // In the order of the lanes.

	First, Last     int64 // Event time, microseconds.
	Opened, Updated int64 // Our clock, microseconds, as are the next ones.
	Acked, ClosedAt int64 // 0 before, as are the next three.
	Viewed          int64
	Understood      int64
	Contained       int64
	Snoozed         int64 // Until when; 0: not snoozed.

	Kind     incident.ChangeKind // Of the last change; "" where the board was loaded after it.
	Sequence triage.Sequence     // Of the last change; zero where the board was loaded after it.

	Measured triage.Measured

	subject expression.Subject // Age and Snoozed depend on the moment and are not set.
	facets  []uint32           // Numbers of the board's words.
}

// Entities are the canonical ids of the incident's entities. The slice is shared, as are the next ones: do not change it.
func (c *Card) Entities() []string { return c.subject.Entities }

// Rules are the ids of the rules behind its findings.
func (c *Card) Rules() []string { return c.subject.Rules }

// maxReasons bounds Card.For.
const maxReasons = 2

// Zones tells the zone of an entity (a canonical id); "" if it is not known. nil knows none.
type Zones func(entity string) string

// CardOf makes the card of an incident.
func CardOf(in *incident.Incident, zones Zones) *Card {
	answers := triage.Answer(in)
	c := &Card{
		ID: in.ID, Revision: in.Revision, Status: in.Status, Verdict: in.Verdict, Severity: in.Severity, Score: in.Score, Title: in.Title, Owner: in.Owner, Stitched: in.Owner,
		Assignee: in.Assignee, MergedInto: in.MergedInto, Assessment: answers.Assessment, Findings: len(in.Findings), Robots: in.Robots, Domains: in.Domains,
		First: in.First, Last: in.Last, Opened: in.Opened, Updated: in.Updated, Acked: in.Acked, ClosedAt: in.ClosedAt,
		Said: in.Said.Assessment, Viewed: in.Viewed, Understood: in.Understood, Contained: in.Contained, Snoozed: in.Snoozed,
	}
	for _, claim := range answers.For[:min(maxReasons, len(answers.For))] {
		c.For = append(c.For, claim.Text)
	}
	s := &c.subject
	*s = expression.Subject{
		ID: event.FormatID(event.IncidentPrefix, in.ID), Title: in.Title, Status: in.Status.String(), Verdict: string(in.Verdict), Assessment: cmp.Or(c.Said, c.Assessment),
		Owner: in.Owner, Assignee: in.Assignee, Severity: int64(in.Severity), Score: int64(in.Score), Findings: int64(len(in.Findings)),
		Opened: seconds(in.Opened), Updated: seconds(in.Updated), Open: in.Status == incident.Open || in.Status == incident.Acknowledged, Domains: in.Domains, Sites: in.Sites,
	}
	spanOf(s, in.First, in.Last)
	events := map[event.ID]bool{}
	for i := range in.Findings {
		f := &in.Findings[i]
		s.Rules, s.Tags = append(s.Rules, f.Rule.ID), append(s.Tags, f.Rule.Tags...)
		for _, ev := range f.Evidence {
			if ev.Event != nil {
				events[ev.Event.Event] = true
			}
		}
	}
	c.Events = len(events)
	s.Events = int64(c.Events)
	for _, m := range in.Entities {
		addEntity(s, m.Kind, m.ID, m.Strength != event.Context && slices.ContainsFunc(m.Roles, takesPart), zones)
	}
	s.Robots = nil
	for _, r := range in.Robots {
		s.Robots = append(s.Robots, bare(r))
	}
	tidy(s)
	c.Measured = triage.MeasuredOf(in, s.Rules, s.Zones)
	return c
}

// Sites are the plants it belongs to; see access.Person.Sees.
func (c *Card) Sites() []string { return c.subject.Sites }

// Shown is the assessment: what a person answered, else what the evidence says.
func (c *Card) Shown() string { return c.subject.Assessment }

// Asleep reports whether the incident is snoozed at a moment of our clock, in microseconds.
func (c *Card) Asleep(now int64) bool { return c.Snoozed > now }

// Subject is what filters see of the card at a moment of our clock, in microseconds.
func (c *Card) Subject(now int64) expression.Subject {
	s := c.subject
	s.Age, s.Snoozed = max(0, seconds(now)-s.Opened), c.Snoozed > now
	return s
}

// SubjectOf is what filters see of one finding, as suppressions ask it. What only incidents have stays empty.
func SubjectOf(f *incident.Finding, zones Zones) expression.Subject {
	s := expression.Subject{
		ID: event.FormatID(event.FindingPrefix, f.ID), Title: f.Rule.Title, Owner: f.Rule.Owner, Rule: f.Rule.ID, Rules: []string{f.Rule.ID}, Tags: slices.Clone(f.Rule.Tags),
		Severity: int64(f.Severity), Score: int64(f.Score), Findings: 1, Events: int64(len(f.Evidence)),
	}
	spanOf(&s, f.First, f.Time)
	for _, ev := range f.Evidence {
		if ev.Event == nil {
			continue
		}
		s.Domains = append(s.Domains, ev.Event.Domain)
		if ev.Event.Site != "" {
			s.Sites = append(s.Sites, ev.Event.Site)
		}
		for _, x := range ev.Event.Entities {
			addEntity(&s, x.Kind, x.ID, x.Strength != event.Context && takesPart(x.Role), zones)
		}
	}
	tidy(&s)
	return s
}

// spanOf sets what follows from the times of the evidence, in microseconds.
func spanOf(s *expression.Subject, first, last int64) {
	at := time.UnixMicro(first).UTC()
	s.First, s.Last, s.Hour, s.Weekday = seconds(first), seconds(last), int64(at.Hour()), int64(at.Weekday()+6)%7+1
}

func takesPart(r event.Role) bool { return r < event.RoleReporter }

// addEntity lays one entity out. One that only reports, or is mere context, is in Entities alone.
func addEntity(s *expression.Subject, kind event.EntityKind, id string, part bool, zones Zones) {
	if id == "" {
		return
	}
	s.Entities = append(s.Entities, id)
	if !part {
		return
	}
	switch kind {
	case event.EntityRobot:
		s.Robots = append(s.Robots, bare(id))
	case event.EntityUser:
		s.Users = append(s.Users, bare(id))
	case event.EntityDevice:
		s.Devices = append(s.Devices, bare(id))
	case event.EntityIP:
		s.Addresses = append(s.Addresses, bare(id))
	}
	if zones == nil {
		return
	}
	if zone := zones(id); zone != "" {
		s.Zones = append(s.Zones, zone)
	}
}

// tidy sorts the lists, each value once, and finds the techniques in the tags. Domains keep the order of the lanes.
func tidy(s *expression.Subject) {
	for _, tag := range s.Tags {
		if id := technique(tag); id != "" {
			s.Attack = append(s.Attack, id)
		}
	}
	for _, l := range []*[]string{&s.Rules, &s.Tags, &s.Attack, &s.Robots, &s.Users, &s.Devices, &s.Addresses, &s.Zones, &s.Entities} {
		slices.Sort(*l)
		*l = slices.Clip(slices.Compact(*l))
	}
	if s.Rule != "" { // a finding's: one per event of the evidence
		slices.Sort(s.Domains)
		slices.Sort(s.Sites)
		s.Domains, s.Sites = slices.Compact(s.Domains), slices.Compact(s.Sites)
	}
}

// technique is the id in a tag such as attack.t0859; "" if there is none.
func technique(tag string) string {
	matrix, id, _ := strings.Cut(strings.ToLower(tag), ".")
	if (matrix == "attack" || matrix == "ics") && len(id) > 1 && id[0] == 't' && id[1] >= '0' && id[1] <= '9' {
		return strings.ToUpper(id)
	}
	return ""
}

// bare is an entity id without its kind.
func bare(id string) string {
	_, name, ok := strings.Cut(id, ":")
	if !ok {
		return id
	}
	return name
}

func seconds(micros int64) int64 { return micros / 1e6 }

// byUpdate orders cards by when they were last updated, equal ones by id.
func byUpdate(a, b *Card) int {
	return cmp.Or(cmp.Compare(a.Updated, b.Updated), a.ID.Compare(b.ID))
}

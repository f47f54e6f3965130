package incident

import (
	"math"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
)

type incidentDoc struct {
	base
	VerdictID     int             `json:"verdict_id,omitempty"`
	Verdict       string          `json:"verdict,omitempty"`
	Desc          string          `json:"desc"`
	Assignee      *uidDoc         `json:"assignee,omitempty"`
	AssigneeGroup uidDoc          `json:"assignee_group"`
	Attacks       []attackDoc     `json:"attacks,omitempty"`
	Findings      []findingInfo   `json:"finding_info_list"`
	Observables   []observableDoc `json:"observables,omitempty"`
	Tickets       []ticketDoc     `json:"tickets,omitempty"`
	Unmapped      struct {
		Tocsin incidentExtra `json:"tocsin"`
	} `json:"unmapped"`
}

type ticketDoc struct {
	UID   string `json:"uid"`
	URL   string `json:"src_url,omitempty"`
	Title string `json:"title"` // The system.
}

// saidDoc is what people answered; times are milliseconds, as everywhere in OCSF.
type saidDoc struct {
	Assessment   string    `json:"assessment,omitempty"`
	Note         string    `json:"note,omitempty"`
	Robots       *[]string `json:"robots,omitempty"` // Confirmed.
	Trigger      string    `json:"trigger,omitempty"`
	TriggerEvent string    `json:"trigger_event,omitempty"`
	By           string    `json:"by"`
	At           int64     `json:"at"`
	Revisions    int32     `json:"revisions,omitempty"`
}

type incidentExtra struct {
	ID         string      `json:"id"`
	Revision   int32       `json:"revision"`
	Status     string      `json:"status"`
	Verdict    Verdict     `json:"verdict,omitempty"`
	Title      string      `json:"title"`
	Score      int         `json:"score"`
	OwnerWhy   string      `json:"owner_why,omitempty"`
	MergedInto string      `json:"merged_into,omitempty"`
	Opened     int64       `json:"opened,omitempty"`
	Updated    int64       `json:"updated,omitempty"`
	Domains    []string    `json:"domains"`
	Robots     []string    `json:"robots"`
	Answers    answersDoc  `json:"answers"`
	Timeline   []momentDoc `json:"timeline"`
	Links      []linkDoc   `json:"links"`
	Said       *saidDoc    `json:"said,omitempty"`
	Pins       []pinDoc    `json:"pinned,omitempty"`
	Understood int64       `json:"understood,omitempty"`
	Contained  int64       `json:"contained,omitempty"`
	Snoozed    int64       `json:"snoozed_until,omitempty"`
}

// pinDoc is an event that somebody pinned to the summary.
type pinDoc struct {
	Event string `json:"event"`
	Time  int64  `json:"time"`
	Text  string `json:"text"`
	By    string `json:"by"`
	At    int64  `json:"at"`
}

type answersDoc struct {
	Assessment    string     `json:"assessment"`
	For           []claimDoc `json:"for"`
	Against       []claimDoc `json:"against"`
	Affected      []claimDoc `json:"affected"`
	ChangedBefore []claimDoc `json:"changed_before"`
	Text          string     `json:"text,omitempty"`
}

type claimDoc struct {
	Text   string   `json:"text"`
	At     int64    `json:"at,omitempty"`
	Weight int      `json:"weight,omitempty"`
	Refs   []string `json:"refs"`
}

type momentDoc struct {
	At       int64    `json:"at"`
	Seen     int64    `json:"seen,omitempty"`
	Lane     string   `json:"lane"`
	Text     string   `json:"text"`
	Finding  string   `json:"finding,omitempty"`
	Step     string   `json:"step,omitempty"`
	Event    string   `json:"event,omitempty"`
	Entities []string `json:"entities,omitempty"`
	Count    int      `json:"count"`
	Until    int64    `json:"until,omitempty"`
}

type linkDoc struct {
	A      string      `json:"a"`
	B      string      `json:"b"`
	Weight float64     `json:"weight"`
	Shared []sharedDoc `json:"shared"`
	Manual string      `json:"manual,omitempty"`
}

type sharedDoc struct {
	ID     string  `json:"id"`
	Kind   string  `json:"kind"`
	Weight float64 `json:"weight"`
	Hub    bool    `json:"hub,omitempty"`
}

// verdictIDs is OCSF verdict_id by verdict. A malfunction and authorised work are benign to OCSF; the word itself is in unmapped.tocsin.
var verdictIDs = map[Verdict]int{
	Intrusion: 2, Misuse: 2, PolicyViolation: 8, AuthorisedActivity: 5, Malfunction: 5, RuleFalsePositive: 1, Duplicate: 10, TestActivity: 6, Undetermined: 7,
}

// statusIDs is OCSF status_id of an incident finding by status.
var statusIDs = [...]int{Open: 1, Acknowledged: 2, Closed: 5, Merged: 5}

// AppendIncident adds in to b as one OCSF 1.8.0 Incident Finding (class 2005) in JSON, without a line end. a and tl
// are its answers and timeline and stand under unmapped.tocsin with the links; time is the event time of the latest evidence. The same
// input gives the same bytes.
func AppendIncident(b []byte, in *Incident, a Answers, tl []Moment) []byte {
	activity := 2
	switch {
	case in.Status == Closed || in.Status == Merged:
		activity = 3
	case in.Revision <= 1:
		activity = 1
	}
	d := incidentDoc{base: newBase(event.ClassIncident, activity, statusIDs[in.Status], in.Severity)}
	d.Time, d.Start, d.End = in.Last/1000, in.First/1000, in.Last/1000
	d.Message = in.Title
	d.Metadata.UID = event.FormatID(event.IncidentPrefix, in.ID)
	d.AssigneeGroup.Name = in.Owner
	if in.Owner == "" {
		d.AssigneeGroup.Name = "unassigned"
	}
	if in.Assignee != "" {
		d.Assignee = &uidDoc{Name: in.Assignee}
	}
	if d.Desc = a.Text; d.Desc == "" {
		d.Desc = in.Title
	}
	if d.VerdictID = verdictIDs[in.Verdict]; d.VerdictID != 0 {
		c, _ := ocsf.ClassByUID(event.ClassIncident)
		d.Verdict = enumCaption(c, "verdict_id", d.VerdictID)
	}
	d.findings(in)
	for _, t := range in.Tickets {
		d.Tickets = append(d.Tickets, ticketDoc{t.ID, t.URL, t.System})
	}
	d.Unmapped.Tocsin = incidentExtraOf(in, a, tl)
	return appendJSON(b, &d)
}

// findings lists what the incident is made of. One that was merged away has none left, and names the incident it went into instead, since
// OCSF requires at least one.
func (d *incidentDoc) findings(in *Incident) {
	var tags []string
	for i := range in.Findings {
		f := &in.Findings[i]
		d.Findings = append(d.Findings, infoOf(f))
		for _, t := range f.Rule.Tags {
			if !slices.Contains(tags, t) {
				tags = append(tags, t)
			}
		}
	}
	slices.Sort(tags)
	d.Attacks = attacksOf(tags)
	if in.Status == Merged {
		d.StatusDetail = "merged into " + event.FormatID(event.IncidentPrefix, in.MergedInto)
	}
	if len(d.Findings) == 0 {
		d.Findings = []findingInfo{{UID: event.FormatID(event.IncidentPrefix, in.MergedInto), Title: in.Title}}
	}
	var entities []event.EntityRef
	for _, m := range in.Entities {
		if m.Strength != event.Context {
			entities = append(entities, event.EntityRef{Kind: m.Kind, ID: m.ID})
		}
	}
	d.Observables = observables(entities)
}

func incidentExtraOf(in *Incident, a Answers, tl []Moment) incidentExtra {
	x := incidentExtra{
		ID: event.FormatID(event.IncidentPrefix, in.ID), Revision: in.Revision, Status: in.Status.String(), Verdict: in.Verdict, Title: in.Title, Score: in.Score,
		OwnerWhy: in.OwnerWhy, Opened: in.Opened / 1000, Updated: in.Updated / 1000, Domains: listed(in.Domains), Robots: listed(in.Robots),
		Answers: answersDoc{
			Assessment: a.Assessment, For: claims(a.For), Against: claims(a.Against), Affected: claims(a.Affected),
			ChangedBefore: claims(a.ChangedBefore), Text: a.Text,
		},
		Timeline: make([]momentDoc, 0, len(tl)), Links: make([]linkDoc, 0, len(in.Links)),
	}
	x.Said, x.Understood, x.Contained, x.Snoozed = saidOf(&in.Said), in.Understood/1000, in.Contained/1000, in.Snoozed/1000
	for _, p := range in.Pins {
		x.Pins = append(x.Pins, pinDoc{p.Event.String(), p.Time / 1000, p.Text, p.By, p.At / 1000})
	}
	if !in.MergedInto.IsZero() {
		x.MergedInto = event.FormatID(event.IncidentPrefix, in.MergedInto)
	}
	for _, m := range tl {
		x.Timeline = append(x.Timeline, momentOf(m))
	}
	for _, l := range in.Links {
		x.Links = append(x.Links, linkDocOf(l))
	}
	return x
}

func saidOf(s *Said) *saidDoc {
	if s.At == 0 {
		return nil
	}
	d := &saidDoc{Assessment: s.Assessment, Note: s.AssessmentNote, Trigger: s.Trigger, By: s.By, At: s.At / 1000, Revisions: s.Revisions}
	if s.ScopeSet {
		d.Robots = new(listed(s.Scope))
	}
	if !s.TriggerEvent.IsZero() {
		d.TriggerEvent = s.TriggerEvent.String()
	}
	return d
}

// listed is list, never null in JSON.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func claims(list []Claim) []claimDoc {
	out := make([]claimDoc, 0, len(list))
	for _, c := range list {
		d := claimDoc{Text: c.Text, At: c.At / 1000, Weight: c.Weight, Refs: make([]string, 0, len(c.Refs))}
		for _, id := range c.Refs {
			d.Refs = append(d.Refs, id.String())
		}
		out = append(out, d)
	}
	return out
}

func momentOf(m Moment) momentDoc {
	d := momentDoc{At: m.At / 1000, Seen: m.Seen / 1000, Lane: m.Lane, Text: m.Text, Step: m.Step, Entities: m.Entities, Count: m.Count, Until: m.Until / 1000}
	if !m.Finding.IsZero() {
		d.Finding = event.FormatID(event.FindingPrefix, m.Finding)
	}
	if !m.Event.IsZero() {
		d.Event = m.Event.String()
	}
	return d
}

func linkDocOf(l Link) linkDoc {
	d := linkDoc{
		A: event.FormatID(event.FindingPrefix, l.A), B: event.FormatID(event.FindingPrefix, l.B),
		Weight: thousandths(l.Weight), Shared: make([]sharedDoc, 0, len(l.Shared)), Manual: l.Manual,
	}
	for _, s := range l.Shared {
		d.Shared = append(d.Shared, sharedDoc{ID: s.ID, Kind: s.Kind.String(), Weight: thousandths(s.Weight), Hub: s.Hub})
	}
	return d
}

// thousandths rounds a weight to what anyone reads.
func thousandths(w float64) float64 { return math.Round(w*1000) / 1000 }

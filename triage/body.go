package triage

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// maxBody bounds what is sent, in bytes; Standard Webhooks advises to stay below 20 kB.
const maxBody = 16 << 10

// Sequence is a change's place in the log. Later changes have greater sequences, also after a restart.
type Sequence struct {
	Batch event.BatchID
	Index int
}

// SequenceOf is the place of a change.
func SequenceOf(c *incident.Change) Sequence { return Sequence{Batch: c.Batch, Index: c.Index} }

// String is the sequence as feeds write it; as texts, sequences sort as they do as values.
func (s Sequence) String() string {
	return fmt.Sprintf("%010d-%016d-%06d", s.Batch.Epoch, s.Batch.Number, s.Index)
}

// Less reports whether s is before o.
func (s Sequence) Less(o Sequence) bool {
	if s.Batch != o.Batch {
		return s.Batch.Less(o.Batch)
	}
	return s.Index < o.Index
}

// ParseSequence reads what String wrote.
func ParseSequence(text string) (Sequence, error) {
	var s Sequence
	n, err := fmt.Sscanf(text, "%010d-%016d-%06d", &s.Batch.Epoch, &s.Batch.Number, &s.Index)
	if err != nil || n != 3 || s.String() != text {
		return Sequence{}, fmt.Errorf("%.60q is no sequence: take it from a change as it is", text)
	}
	return s, nil
}

// letterOf writes a change as it is told to an endpoint or a feed. It is bounded by maxBody: lists are cut, longest first, and what was cut is
// counted in truncated. id makes receivers idempotent; source and console come from the configuration.
func letterOf(c *incident.Change, id event.ID, source, console string, coalesced int, raw []adapter.Raw) *adapter.Letter {
	at := stamp(c.Incident.Updated)
	e := adapter.Envelope{
		SpecVersion: "1.0", ID: event.FormatID(event.DeliveryPrefix, id), Source: source, Type: "incident." + string(c.Kind),
		Subject: event.FormatID(event.IncidentPrefix, c.Incident.ID), Time: at, Timestamp: at, ContentType: "application/json",
		Schema: "urn:tocsin:schema:incident:1", Sequence: SequenceOf(c).String(),
		Data: adapter.Data{Incident: describe(c.Incident, console), Change: &adapter.Change{Fields: c.Fields, Actor: cut(plain(c.Actor), 120)}, Coalesced: coalesced, Truncated: map[string]int{}},
	}
	if c.Fields == nil {
		e.Data.Change.Fields = []string{}
	}
	if c.Origin != "" {
		e.Data.Change.Origin = new(cut(plain(c.Origin), 120))
	}
	e.Data.Incident.Raw = raw
	fit(&e)
	return &adapter.Letter{Envelope: e, OCSF: func() []byte { return ocsfOf(c.Incident) }, Detections: func() [][]byte { return detectionsOf(c.Incident) }}
}

// inModelsWords puts a model's summary, of which every claim was proven, in place of the deterministic one.
func inModelsWords(e *adapter.Envelope, in *incident.Incident) {
	m := in.Summary
	if m == nil {
		return
	}
	s := &e.Data.Incident.Summary
	s.Text, s.Source, s.Model, s.Proven, s.Refs = cut(plainText(m.Text), 1200), "llm", cut(plain(m.Model), 120), true, []string{}
	for _, id := range m.Refs {
		s.Refs = append(s.Refs, id.String())
	}
	fit(e)
}

// plainText is plain without its bound.
func plainText(s string) string {
	var b strings.Builder
	for _, word := range strings.SplitAfter(s, " ") {
		b.WriteString(plain(word))
	}
	return b.String()
}

func ocsfOf(in *incident.Incident) []byte {
	return incident.AppendIncident(nil, in, Answer(in), Timeline(in))
}

func detectionsOf(in *incident.Incident) [][]byte {
	var out [][]byte
	for i := range in.Findings[:min(len(in.Findings), adapter.MaxDetections)] {
		out = append(out, incident.AppendFinding(nil, &in.Findings[i]))
	}
	return out
}

func describe(in *incident.Incident, console string) *adapter.Incident {
	f := factsOf(in)
	a := f.answer()
	b := &adapter.Incident{
		ID: event.FormatID(event.IncidentPrefix, in.ID), Revision: in.Revision, Title: cut(plain(in.Title), 300), Status: in.Status.String(), Verdict: string(in.Verdict),
		Severity: in.Severity.String(), Priority: priority(in.Severity), Score: in.Score, OwnerTeam: cut(in.Owner, 60), Assignee: cut(in.Assignee, 120),
		OpenedAt: stamp(in.Opened), FirstEvent: stamp(in.First), LastEvent: stamp(in.Last), Domains: append([]string{}, in.Domains...),
		Assessment: adapter.Assessment{Kind: a.Assessment, Source: "rules", For: claimTexts(a.For), Against: claimTexts(a.Against)},
		Rules:      rulesOf(in), Entities: entitiesOf(in), Changes: []adapter.Note{}, Actions: []adapter.Action{},
		Summary: adapter.Summary{Text: cut(a.Text, 1200), Source: "deterministic", Refs: []string{}},
	}
	if console != "" {
		b.URL = strings.TrimSuffix(console, "/") + "/incidents/" + b.ID
	}
	if !in.MergedInto.IsZero() {
		b.MergedInto = event.FormatID(event.IncidentPrefix, in.MergedInto)
	}
	b.Counts = countsOf(in)
	for _, c := range a.ChangedBefore {
		b.Changes = append(b.Changes, adapter.Note{At: stamp(c.At), What: cut(c.Text, 400), Actor: actorOf(in.Changed, c.Refs[0]), Event: c.Refs[0].String()})
	}
	for _, c := range a.For {
		for _, id := range c.Refs[:min(3, len(c.Refs))] {
			b.Summary.Refs = append(b.Summary.Refs, id.String())
		}
	}
	for _, p := range in.Pins {
		b.Summary.Pinned = append(b.Summary.Pinned, adapter.Pinned{At: stamp(p.Time), Text: cut(plain(p.Text), 300), By: cut(plain(p.By), 120), Event: p.Event.String()})
	}
	for _, x := range Actions(in, readingBy(in, &a)) {
		b.Actions = append(b.Actions, askedOf(&x))
	}
	return b
}

func askedOf(a *Action) adapter.Action {
	b := adapter.Action{ID: a.ID, References: a.References, Stage: a.Stage, Text: a.Say(), Authority: a.Authority, People: a.People, Precheck: append([]string{}, a.Prechecks...)}
	for _, id := range a.Targets {
		b.Targets = append(b.Targets, name(id))
	}
	return b
}

func actorOf(notes []event.Note, id event.ID) string {
	for _, n := range notes {
		if n.Ref.Event == id && n.Actor != "" {
			return name(n.Actor)
		}
	}
	return ""
}

// priority is 1 for what must be looked at now to 4 for what can wait.
func priority(s incident.Severity) int {
	return max(1, min(4, int(incident.Fatal-s)))
}

func claimTexts(claims []incident.Claim) []string {
	out := make([]string, 0, len(claims))
	for _, c := range claims {
		out = append(out, cut(c.Text, 400))
	}
	return out
}

func rulesOf(in *incident.Incident) []adapter.Rule {
	out := []adapter.Rule{}
	seen := map[string]bool{}
	for _, f := range in.Findings {
		if seen[f.Rule.ID] {
			continue
		}
		seen[f.Rule.ID] = true
		r := adapter.Rule{ID: f.Rule.ID, Name: cut(f.Rule.Title, 200), Version: f.Rule.Version, Attack: []string{}}
		for _, t := range f.Rule.Tags {
			matrix, id, ok := strings.Cut(t, ".")
			if ok && (matrix == "attack" || matrix == "ics") && len(r.Attack) < 10 {
				r.Attack = append(r.Attack, cut(strings.ToUpper(id), 40))
			}
		}
		out = append(out, r)
	}
	return out
}

func entitiesOf(in *incident.Incident) []adapter.Entity {
	out := []adapter.Entity{}
	for _, m := range in.Entities {
		if !takesPart(m) {
			continue
		}
		x := adapter.Entity{Type: m.Kind.String(), ID: name(m.ID)}
		if len(m.Roles) > 0 {
			x.Role = m.Roles[0].String()
		}
		out = append(out, x)
	}
	return out
}

func countsOf(in *incident.Incident) adapter.Counts {
	c := adapter.Counts{Findings: len(in.Findings), Robots: len(in.Robots)}
	for _, f := range in.Findings {
		c.Events += len(f.Evidence) + int(f.Truncated)
	}
	for _, m := range in.Entities {
		if m.Kind == event.EntityUser && takesPart(m) {
			c.Users++
		}
	}
	return c
}

// fit halves the list that takes most room until the envelope is within maxBody.
func fit(e *adapter.Envelope) {
	in := e.Data.Incident
	lists := []struct {
		name string
		size func() int
		cut  func() int
	}{
		{"raw", func() int { return size(in.Raw) }, func() int { return halve(&in.Raw) }},
		{"entities", func() int { return size(in.Entities) }, func() int { return halve(&in.Entities) }},
		{"changes_before", func() int { return size(in.Changes) }, func() int { return halve(&in.Changes) }},
		{"rules", func() int { return size(in.Rules) }, func() int { return halve(&in.Rules) }},
		{"for", func() int { return size(in.Assessment.For) }, func() int { return halve(&in.Assessment.For) }},
		{"against", func() int { return size(in.Assessment.Against) }, func() int { return halve(&in.Assessment.Against) }},
		{"actions", func() int { return size(in.Actions) }, func() int { return halve(&in.Actions) }},
		{"pinned", func() int { return size(in.Summary.Pinned) }, func() int { return halve(&in.Summary.Pinned) }},
		{"refs", func() int { return size(in.Summary.Refs) }, func() int { return halve(&in.Summary.Refs) }},
	}
	for {
		if len(adapter.Encode(e)) <= maxBody {
			return
		}
		largest := 0
		for i := range lists {
			if lists[i].size() > lists[largest].size() {
				largest = i
			}
		}
		n := lists[largest].cut()
		if n == 0 {
			return // only what is bounded by itself is left
		}
		e.Data.Truncated[lists[largest].name] += n
	}
}

func size[T any](list []T) int {
	if len(list) == 0 {
		return 0
	}
	return len(adapter.Encode(list))
}

// halve drops the later half of a list and gives how many entries that were.
func halve[T any](list *[]T) int {
	n := (len(*list) + 1) / 2
	*list = (*list)[:len(*list)-n]
	return n
}

// cut bounds a text to n bytes, at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func stamp(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000Z")
}

package triage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
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

// envelope is at once a CloudEvents 1.0 event and a Standard Webhooks payload (type, timestamp, data).
type envelope struct {
	SpecVersion string   `json:"specversion"`
	ID          string   `json:"id"`
	Source      string   `json:"source"`
	Type        string   `json:"type"`
	Subject     string   `json:"subject,omitempty"`
	Time        string   `json:"time"`
	Timestamp   string   `json:"timestamp"`
	ContentType string   `json:"datacontenttype"`
	Schema      string   `json:"dataschema,omitempty"`
	Sequence    string   `json:"sequence,omitempty"`
	Data        bodyData `json:"data"`
}

type bodyData struct {
	Incident  *bodyIncident  `json:"incident,omitempty"`
	Change    *bodyChange    `json:"change,omitempty"`
	Coalesced int            `json:"coalesced,omitempty"` // Older revisions this one stands for.
	Truncated map[string]int `json:"truncated"`
}

type bodyChange struct {
	Fields []string `json:"fields"`
	Actor  string   `json:"actor,omitempty"`
	Origin *string  `json:"origin"`
}

type bodyIncident struct {
	ID         string         `json:"id"`
	Revision   int32          `json:"revision"`
	URL        string         `json:"url,omitempty"`
	Title      string         `json:"title"`
	Status     string         `json:"status"`
	Verdict    string         `json:"verdict,omitempty"`
	Severity   string         `json:"severity"`
	Priority   int            `json:"priority"`
	Score      int            `json:"score"`
	OwnerTeam  string         `json:"owner_team,omitempty"`
	Assignee   string         `json:"assignee,omitempty"`
	MergedInto string         `json:"merged_into,omitempty"`
	OpenedAt   string         `json:"opened_at"`
	FirstEvent string         `json:"first_event_at"`
	LastEvent  string         `json:"last_event_at"`
	Domains    []string       `json:"domains"`
	Assessment bodyAssessment `json:"assessment"`
	Rules      []bodyRule     `json:"rules"`
	Entities   []bodyEntity   `json:"entities"`
	Counts     bodyCounts     `json:"counts"`
	Changes    []bodyNote     `json:"changes_before"`
	Summary    bodySummary    `json:"summary"`
	Actions    []bodyAction   `json:"actions"`
	Raw        []bodyRaw      `json:"raw,omitempty"`
}

type bodyAssessment struct {
	Kind    string   `json:"kind"`
	Source  string   `json:"source"`
	For     []string `json:"for"`
	Against []string `json:"against"`
}

type bodyRule struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Version int32    `json:"version"`
	Attack  []string `json:"attack"`
}

type bodyEntity struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Role string `json:"role,omitempty"`
}

type bodyCounts struct {
	Findings int `json:"findings"`
	Events   int `json:"events"`
	Robots   int `json:"robots"`
	Users    int `json:"users"`
}

type bodyNote struct {
	At    string `json:"at"`
	What  string `json:"what"`
	Actor string `json:"actor,omitempty"`
	Event string `json:"event_id"`
}

type bodySummary struct {
	Text   string   `json:"text"`
	Source string   `json:"source"`
	Refs   []string `json:"refs"`
}

// bodyAction asks people to do something. Executes is always false: nothing of ours acts on the world.
type bodyAction struct {
	ID         string   `json:"id"`
	References []string `json:"references,omitempty"`
	Stage      string   `json:"stage"`
	Text       string   `json:"text"`
	Authority  string   `json:"authority"`
	People     int      `json:"people"`
	Precheck   []string `json:"precheck"`
	Targets    []string `json:"targets,omitempty"`
	Executes   bool     `json:"executes"`
}

type bodyRaw struct {
	Event string `json:"event_id"`
	Text  string `json:"text"`
}

// body writes a change as it is sent to an endpoint or a feed. It is bounded by maxBody: lists are cut, longest first, and what was cut is
// counted in truncated. id makes receivers idempotent; source and console come from the configuration.
func body(c *incident.Change, id event.ID, source, console string, coalesced int, raw []bodyRaw) []byte {
	at := stamp(c.Incident.Updated)
	e := envelope{
		SpecVersion: "1.0", ID: event.FormatID(event.DeliveryPrefix, id), Source: source, Type: "incident." + string(c.Kind),
		Subject: event.FormatID(event.IncidentPrefix, c.Incident.ID), Time: at, Timestamp: at, ContentType: "application/json",
		Schema: "urn:tocsin:schema:incident:1", Sequence: SequenceOf(c).String(),
		Data: bodyData{Incident: describe(c.Incident, console), Change: &bodyChange{Fields: c.Fields, Actor: cut(plain(c.Actor), 120)}, Coalesced: coalesced, Truncated: map[string]int{}},
	}
	if c.Fields == nil {
		e.Data.Change.Fields = []string{}
	}
	if c.Origin != "" {
		e.Data.Change.Origin = new(cut(plain(c.Origin), 120))
	}
	e.Data.Incident.Raw = raw
	return e.fit()
}

func describe(in *incident.Incident, console string) *bodyIncident {
	a := Answer(in)
	b := &bodyIncident{
		ID: event.FormatID(event.IncidentPrefix, in.ID), Revision: in.Revision, Title: cut(plain(in.Title), 300), Status: in.Status.String(), Verdict: string(in.Verdict),
		Severity: in.Severity.String(), Priority: priority(in.Severity), Score: in.Score, OwnerTeam: cut(in.Owner, 60), Assignee: cut(in.Assignee, 120),
		OpenedAt: stamp(in.Opened), FirstEvent: stamp(in.First), LastEvent: stamp(in.Last), Domains: append([]string{}, in.Domains...),
		Assessment: bodyAssessment{Kind: a.Assessment, Source: "rules", For: claimTexts(a.For), Against: claimTexts(a.Against)},
		Rules:      rulesOf(in), Entities: entitiesOf(in), Changes: []bodyNote{}, Actions: []bodyAction{},
		Summary: bodySummary{Text: cut(a.Text, 1200), Source: "deterministic", Refs: []string{}},
	}
	if console != "" {
		b.URL = strings.TrimSuffix(console, "/") + "/incidents/" + b.ID
	}
	if !in.MergedInto.IsZero() {
		b.MergedInto = event.FormatID(event.IncidentPrefix, in.MergedInto)
	}
	b.Counts = countsOf(in)
	before, during := factsOf(in).changes()
	for _, c := range append(before, during...) {
		b.Changes = append(b.Changes, bodyNote{At: stamp(c.At), What: cut(c.Text, 400), Actor: actorOf(in.Changed, c.Refs[0]), Event: c.Refs[0].String()})
	}
	for _, c := range a.For {
		for _, id := range c.Refs[:min(3, len(c.Refs))] {
			b.Summary.Refs = append(b.Summary.Refs, id.String())
		}
	}
	for _, x := range Actions(in, a.Assessment) {
		b.Actions = append(b.Actions, bodyActionOf(&x))
	}
	return b
}

func bodyActionOf(a *Action) bodyAction {
	b := bodyAction{ID: a.ID, References: a.References, Stage: a.Stage, Text: a.Say(), Authority: a.Authority, People: a.People, Precheck: append([]string{}, a.Prechecks...)}
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

func rulesOf(in *incident.Incident) []bodyRule {
	out := []bodyRule{}
	seen := map[string]bool{}
	for _, f := range in.Findings {
		if seen[f.Rule.ID] {
			continue
		}
		seen[f.Rule.ID] = true
		r := bodyRule{ID: f.Rule.ID, Name: cut(f.Rule.Title, 200), Version: f.Rule.Version, Attack: []string{}}
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

func entitiesOf(in *incident.Incident) []bodyEntity {
	out := []bodyEntity{}
	for _, m := range in.Entities {
		if !takesPart(m) {
			continue
		}
		x := bodyEntity{Type: m.Kind.String(), ID: name(m.ID)}
		if len(m.Roles) > 0 {
			x.Role = m.Roles[0].String()
		}
		out = append(out, x)
	}
	return out
}

func countsOf(in *incident.Incident) bodyCounts {
	c := bodyCounts{Findings: len(in.Findings), Robots: len(in.Robots)}
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

// fit writes the envelope, halving the list that takes most room until all is within maxBody.
func (e *envelope) fit() []byte {
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
		{"refs", func() int { return size(in.Summary.Refs) }, func() int { return halve(&in.Summary.Refs) }},
	}
	for {
		b := encode(e)
		if len(b) <= maxBody {
			return b
		}
		largest := 0
		for i := range lists {
			if lists[i].size() > lists[largest].size() {
				largest = i
			}
		}
		n := lists[largest].cut()
		if n == 0 {
			return b // only what is bounded by itself is left
		}
		e.Data.Truncated[lists[largest].name] += n
	}
}

func size[T any](list []T) int {
	if len(list) == 0 {
		return 0
	}
	return len(encode(list))
}

// halve drops the later half of a list and gives how many entries that were.
func halve[T any](list *[]T) int {
	n := (len(*list) + 1) / 2
	*list = (*list)[:len(*list)-n]
	return n
}

// encode is JSON with < and > escaped, so that a receiver that pastes it into a page does no harm.
func encode(v any) []byte {
	var w bytes.Buffer
	if err := json.NewEncoder(&w).Encode(v); err != nil {
		panic("triage: a body of strings and numbers has a JSON form: " + err.Error())
	}
	return bytes.TrimSuffix(w.Bytes(), []byte("\n"))
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

package adapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Types of letters that are about no change.
const (
	TypeTest   = "endpoint.test"
	TypeDigest = "incident.digest"

	TypeAlert = "alert.created" // A finding was announced. Only to those who ask for it.

	TypeFailing   = "endpoint.failing"   // Another endpoint has not been reached for long.
	TypeRecovered = "endpoint.recovered" // It is reached again.
)

// Letter is what an endpoint is told, once: the model that every adapter writes in its own form. Its texts may hold whatever an attacker
// wrote into a log.
type Letter struct {
	Envelope
	OCSF       func() []byte   // The incident as an OCSF Incident Finding.
	Detections func() [][]byte // Its findings as OCSF Detection Findings, at most MaxDetections.
}

// MaxDetections bounds the findings of one letter.
const MaxDetections = 100

// Envelope is at once a CloudEvents 1.0 event and a Standard Webhooks payload (type, timestamp, data).
type Envelope struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"` // The same for every attempt.
	Source      string `json:"source"`
	Type        string `json:"type"` // incident. and the kind of change, or one of the types above.
	Subject     string `json:"subject,omitempty"`
	Time        string `json:"time"`
	Timestamp   string `json:"timestamp"`
	ContentType string `json:"datacontenttype"`
	Schema      string `json:"dataschema,omitempty"`
	Sequence    string `json:"sequence,omitempty"`
	Data        Data   `json:"data"`
}

// Data is what is told. Incident is set but for a finding, a digest, a test, and news of another endpoint.
type Data struct {
	Incident  *Incident      `json:"incident,omitempty"`
	Change    *Change        `json:"change,omitempty"`
	Digest    *Digest        `json:"digest,omitempty"`
	Endpoint  *Endpoint      `json:"endpoint,omitempty"`
	Alert     *Alert         `json:"alert,omitempty"`
	Coalesced int            `json:"coalesced,omitempty"` // Older revisions this one stands for.
	Truncated map[string]int `json:"truncated"`
}

// Change is what happened to an incident.
type Change struct {
	Fields []string `json:"fields"`
	Actor  string   `json:"actor,omitempty"`
	Origin *string  `json:"origin"`
}

// Incident is an incident as it is told. Times are RFC 3339 in UTC.
type Incident struct {
	ID         string     `json:"id"`
	Revision   int32      `json:"revision"`
	URL        string     `json:"url,omitempty"`
	Title      string     `json:"title"`
	Status     string     `json:"status"`
	Verdict    string     `json:"verdict,omitempty"`
	Severity   string     `json:"severity"`
	Priority   int        `json:"priority"`
	Score      int        `json:"score"`
	OwnerTeam  string     `json:"owner_team,omitempty"`
	Route      string     `json:"route,omitempty"` // The route that named the team.
	Assignee   string     `json:"assignee,omitempty"`
	MergedInto string     `json:"merged_into,omitempty"`
	OpenedAt   string     `json:"opened_at"`
	FirstEvent string     `json:"first_event_at"`
	LastEvent  string     `json:"last_event_at"`
	Domains    []string   `json:"domains"`
	Assessment Assessment `json:"assessment"`
	Rules      []Rule     `json:"rules"`
	Entities   []Entity   `json:"entities"`
	Counts     Counts     `json:"counts"`
	Changes    []Note     `json:"changes_before"`
	Summary    Summary    `json:"summary"`
	Actions    []Action   `json:"actions"`
	Raw        []Raw      `json:"raw,omitempty"`
}

// Assessment is which reading the evidence supports, and with what.
type Assessment struct {
	Kind    string   `json:"kind"`
	Source  string   `json:"source"`
	For     []string `json:"for"`
	Against []string `json:"against"`
}

// Rule is a rule that matched.
type Rule struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Version int32    `json:"version"`
	Attack  []string `json:"attack"`
}

// Entity is somebody or something that takes part.
type Entity struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Role string `json:"role,omitempty"`
}

// Counts are how much there is.
type Counts struct {
	Findings int `json:"findings"`
	Events   int `json:"events"`
	Robots   int `json:"robots"`
	Users    int `json:"users"`
}

// Note is something that changed just before.
type Note struct {
	At    string `json:"at"`
	What  string `json:"what"`
	Actor string `json:"actor,omitempty"`
	Event string `json:"event_id"`
}

// Summary is the three answers in a few sentences.
type Summary struct {
	Text   string   `json:"text"`
	Source string   `json:"source"`             // deterministic, or llm: only where the endpoint asks for it, and then verified.
	Model  string   `json:"model,omitempty"`    // Which one.
	Proven bool     `json:"verified,omitempty"` // Every claim of the model's was proven.
	Refs   []string `json:"refs"`
	Pinned []Pinned `json:"pinned,omitempty"`
}

// Pinned is an event that somebody wants to be read with the summary.
type Pinned struct {
	At    string `json:"at"`
	Text  string `json:"text"`
	By    string `json:"by,omitempty"`
	Event string `json:"event_id"`
}

// Action asks people to do something. Executes is always false: nothing of ours acts on the world.
type Action struct {
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

// Raw is original log text.
type Raw struct {
	Event string `json:"event_id"`
	Text  string `json:"text"`
}

// Digest stands for incidents that were opened faster than the endpoint wants to hear of them one by one.
type Digest struct {
	Opened    int            `json:"opened"`
	Severity  string         `json:"severity"` // The greatest.
	Counts    map[string]int `json:"by_severity"`
	Incidents []DigestEntry  `json:"incidents"` // The most severe first; the others are counted only.
	URL       string         `json:"url,omitempty"`
}

// DigestEntry is one incident of a digest.
type DigestEntry struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Severity  string `json:"severity"`
	OwnerTeam string `json:"owner_team,omitempty"`
	OpenedAt  string `json:"opened_at"`
	URL       string `json:"url,omitempty"`
}

// Endpoint is another endpoint that has not been reached for long, or is reached again.
type Endpoint struct {
	Notice   string `json:"notice"` // The same for the beginning and the end.
	Name     string `json:"name"`
	Failing  bool   `json:"failing"`
	Since    string `json:"since"`
	Failures int    `json:"failures"`
	Pending  int    `json:"pending"` // What it is owed.
	Error    string `json:"error,omitempty"`
	URL      string `json:"url,omitempty"`
}

// Title is the news in a few words.
func (e *Endpoint) Title() string {
	if e.Failing {
		return "Endpoint " + e.Name + " has not been reached since " + e.Since
	}
	return "Endpoint " + e.Name + " is reached again"
}

// incident is the news as if it were an incident, for forms that know nothing else: closed when the endpoint is reached again.
func (e *Endpoint) incident(l *Letter) *Incident {
	in := &Incident{
		ID: e.Notice, Revision: 1, Title: e.Title(), URL: e.URL, Status: "open", Severity: "high", Priority: 2, OpenedAt: e.Since, FirstEvent: e.Since, LastEvent: l.Time,
		Summary: Summary{Text: "What is owed to it waits: " + number(e.Pending) + " deliveries. Last failure: " + e.Error, Source: "deterministic"},
	}
	if !e.Failing {
		in.Revision, in.Status, in.Verdict, in.Severity = 2, "closed", "malfunction", "informational"
		in.Summary.Text = "It had failed since " + e.Since + "."
	}
	return in
}

// Encode is v as JSON with < and > escaped, and what cannot be seen, so that a receiver that pastes it into a page or prints it on a terminal
// does no harm. v must have a JSON form.
func Encode(v any) []byte {
	var w bytes.Buffer
	if err := json.NewEncoder(&w).Encode(v); err != nil {
		panic("triage: a letter of strings and numbers has a JSON form: " + err.Error())
	}
	return escapeHidden(bytes.TrimSuffix(w.Bytes(), []byte("\n")))
}

// escapeHidden writes control and format characters of a JSON document as escapes; in JSON they can only be within texts.
func escapeHidden(doc []byte) []byte {
	if !bytes.ContainsFunc(doc, hidden) {
		return doc
	}
	out := make([]byte, 0, len(doc)+64)
	for _, r := range string(doc) {
		switch {
		case !hidden(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// kind is what happened: opened, closed, digest, test and so on.
func (l *Letter) kind() string {
	if l.Type == TypeTest {
		return "test"
	}
	return strings.TrimPrefix(l.Type, "incident.")
}

// test is the incident that a letter without one is taken to be about: closed at once, so that it leaves nothing open where it arrives.
func (l *Letter) test() *Incident {
	return &Incident{
		ID: l.ID, Title: "Test: Tocsin reaches this endpoint", Status: "closed", Verdict: "test", Severity: "informational", Priority: 4, OpenedAt: l.Time,
		FirstEvent: l.Time, LastEvent: l.Time, Summary: Summary{Text: "This is a test. There is nothing to do.", Source: "deterministic"},
	}
}

// about is the incident of a letter, or what stands in for it.
func (l *Letter) about() *Incident {
	switch {
	case l.Data.Incident != nil:
		return l.Data.Incident
	case l.Data.Alert != nil:
		return l.Data.Alert.incident()
	case l.Data.Endpoint != nil:
		return l.Data.Endpoint.incident(l)
	case l.Data.Digest != nil:
		return l.Data.Digest.incident(l)
	default:
		return l.test()
	}
}

// incident is a digest as if it were one incident, for forms that know nothing else.
func (d *Digest) incident(l *Letter) *Incident {
	var text strings.Builder
	for _, e := range d.Incidents {
		text.WriteString(e.Severity + ": " + e.Title + " (" + e.ID + ")\n")
	}
	if n := d.Opened - len(d.Incidents); n > 0 {
		text.WriteString("and " + number(n) + " more\n")
	}
	return &Incident{
		ID: l.ID, Title: number(d.Opened) + " incidents opened", URL: d.URL, Status: "open", Severity: d.Severity, Priority: 2, OpenedAt: l.Time, FirstEvent: l.Time, LastEvent: l.Time,
		Summary: Summary{Text: text.String(), Source: "deterministic"},
	}
}

// over reports whether nobody needs to act any more.
func (in *Incident) over() bool { return in.Status == "closed" || in.Status == "merged" }

// moment reads a time of a letter; the zero time if it is none.
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Package export writes an incident in the forms in which people take it elsewhere: STIX 2.1, CACAO 2.0, CSV and one JSON document. It reads
// nothing and decides nothing; the same incident gives the same bytes. Text from events stays text: JSON escapes <, > and &, and a cell of CSV
// that a spreadsheet would reckon with gets an apostrophe.
package export

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// namespace is the root of ids that are ours: UUIDv5 of the product's name in the DNS namespace of RFC 9562.
var namespace = uuid5([16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}, "tocsin-siem")

// uuid5 is RFC 9562's name-based id.
func uuid5(space [16]byte, name string) (id [16]byte) {
	h := sha1.New()
	h.Write(space[:])
	h.Write([]byte(name))
	copy(id[:], h.Sum(nil))
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id
}

// idOf is the id of a thing of a type: type--uuid. The same thing has the same id in every export, as its bits are those of a hash; it is written
// as a UUIDv4, which CACAO demands of steps (2.0, 10.10) and STIX wants of what is no observable (2.1, 2.9).
func idOf(kind string, parts ...string) string {
	name := kind
	for _, p := range parts {
		name += "\x00" + p
	}
	id := uuid5(namespace, name)
	id[6] = id[6]&0x0f | 0x40
	return kind + "--" + written(id)
}

func written(id [16]byte) string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// moment is a time as STIX and CACAO write it. What lies outside the years that they can write is put at their edge.
func moment(micros int64) string {
	const last = 253402300799999999 // 9999-12-31T23:59:59.999999Z
	return time.UnixMicro(min(max(micros, 0), last)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// document is everything that is known of an incident, as one JSON document.
type document struct {
	Incident json.RawMessage `json:"incident"` // OCSF Incident Finding.
	Said     *saidDoc        `json:"answers_by_people,omitempty"`
	Balance  []readingDoc    `json:"balance"`
	Actions  []actionDoc     `json:"actions"`
	Notes    []noteDoc       `json:"notes"`
	Tickets  []ticketDoc     `json:"tickets"`
	Sites    []string        `json:"sites"`
}

type saidDoc struct {
	Assessment string   `json:"assessment,omitempty"`
	Scope      []string `json:"robots"`
	ScopeSet   bool     `json:"robots_confirmed"`
	Trigger    string   `json:"trigger,omitempty"`
	Event      string   `json:"trigger_event,omitempty"`
	By         string   `json:"by,omitempty"`
	At         string   `json:"at,omitempty"`
}

type readingDoc struct {
	Reading string   `json:"reading"`
	Weight  int      `json:"weight"`
	Signs   []string `json:"signs"`
}

type actionDoc struct {
	ID         string   `json:"id"`
	References []string `json:"references,omitempty"`
	Stage      string   `json:"stage"`
	Text       string   `json:"text"`
	Effect     string   `json:"effect,omitempty"`
	Undo       string   `json:"undo,omitempty"`
	Authority  string   `json:"authority"`
	People     int      `json:"people"`
	Moves      bool     `json:"moves_machinery"`
	Prechecks  []string `json:"prechecks"`
	Evidence   []string `json:"keep"`
	Tell       []string `json:"tell"`
	Targets    []string `json:"targets"`
	Executes   bool     `json:"executes"`
}

type noteDoc struct {
	At   string `json:"at"`
	By   string `json:"by"`
	Text string `json:"text"`
}

type ticketDoc struct {
	System string `json:"system"`
	ID     string `json:"id"`
	URL    string `json:"url,omitempty"`
}

// JSON is an incident with everything that people said and may do, as one JSON document.
func JSON(in *incident.Incident) []byte {
	d := document{
		Incident: incident.AppendIncident(nil, in, triage.Answer(in), triage.Timeline(in)), Balance: []readingDoc{}, Actions: []actionDoc{}, Notes: []noteDoc{}, Tickets: []ticketDoc{},
		Sites: filled(in.Sites),
	}
	if s := &in.Said; s.At != 0 || s.Assessment != "" || s.ScopeSet || s.Trigger != "" {
		d.Said = &saidDoc{Assessment: s.Assessment, Scope: filled(s.Scope), ScopeSet: s.ScopeSet, Trigger: s.Trigger, By: s.By, At: moment(s.At)}
		if !s.TriggerEvent.IsZero() {
			d.Said.Event = s.TriggerEvent.String()
		}
	}
	for _, r := range triage.Balance(in) {
		x := readingDoc{Reading: r.Name, Weight: r.Weight, Signs: []string{}}
		for _, c := range r.Claims {
			x.Signs = append(x.Signs, c.Text)
		}
		d.Balance = append(d.Balance, x)
	}
	for _, a := range triage.Actions(in, triage.ReadingOf(in)) {
		d.Actions = append(d.Actions, actionDoc{
			ID: a.ID, References: a.References, Stage: a.Stage, Text: a.Say(), Effect: a.Effect, Undo: a.Undo, Authority: a.Authority, People: a.People, Moves: a.Moves,
			Prechecks: filled(a.Prechecks), Evidence: filled(a.Evidence), Tell: filled(a.Tell), Targets: filled(a.Targets), Executes: a.Executes,
		})
	}
	for _, r := range in.Remarks {
		d.Notes = append(d.Notes, noteDoc{moment(r.At), r.By, r.Text})
	}
	for _, t := range in.Tickets {
		d.Tickets = append(d.Tickets, ticketDoc{t.System, t.ID, t.URL})
	}
	return encode(&d)
}

// filled is list, never null in JSON.
func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// encode is v in JSON, indented for people, with a line end.
func encode(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("export: a document of strings and numbers has a JSON form: " + err.Error())
	}
	return append(b, '\n')
}

func nameOf(in *incident.Incident) string {
	if in.Title == "" {
		return event.FormatID(event.IncidentPrefix, in.ID)
	}
	return in.Title
}

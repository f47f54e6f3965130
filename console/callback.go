package console

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func (s *server) callbackRoutes() []route {
	if s.set.Analyst == nil || s.set.Replies == nil {
		return nil
	}
	return []route{
		{"POST /api/v1/incidents/{id}/disposition", access.Analyst, s.apiDispose},
		{"POST /api/v1/incidents/{id}/actions", access.Analyst, s.apiAct},
	}
}

// ticketDoc names a ticket.
type ticketDoc struct {
	System string `json:"system"`
	ID     string `json:"id"`
	URL    string `json:"url"`
}

func (t *ticketDoc) ticket() *incident.Ticket {
	if t == nil {
		return nil
	}
	return &incident.Ticket{System: t.System, ID: t.ID, URL: t.URL}
}

// dispositionDoc is what another system reports of an incident.
type dispositionDoc struct {
	Expected  int32      `json:"expected_version"`
	Status    string     `json:"status"`
	Verdict   string     `json:"verdict"`
	VerdictID *int       `json:"verdict_id"` // OCSF.
	Reason    string     `json:"reason"`
	Comment   string     `json:"comment"`
	Actor     string     `json:"actor"`
	Ticket    *ticketDoc `json:"ticket"`
	Contained bool       `json:"contained"`
	At        time.Time  `json:"at"`
}

// actedDoc answers an act with the incident as it is after it.
type actedDoc struct {
	Incident string           `json:"incident"`
	Version  int32            `json:"version"`
	Status   string           `json:"status"`
	Verdict  incident.Verdict `json:"verdict,omitempty"`
	Merged   string           `json:"merged_into,omitempty"`
	Split    []string         `json:"split_off,omitempty"`
}

// apiDispose takes over what a SOAR decided. The change carries the token's endpoint as its origin, so that it is not sent back there.
func (s *server) apiDispose(w http.ResponseWriter, r *http.Request) {
	s.apiAction(w, r, func(body []byte, a *incident.Action, who access.Person) error {
		var d dispositionDoc
		if err := strictly(body, &d); err != nil {
			return err
		}
		a.Kind, a.Expected, a.Ticket, a.Contained, a.When = incident.ActionDispose, d.Expected, d.Ticket.ticket(), d.Contained, micros(d.At)
		var err error
		if a.Verdict, err = d.verdict(); err != nil {
			return err
		}
		if d.Status != "" {
			if a.Status, err = incident.StatusOf(d.Status); err != nil {
				return err
			}
		}
		if a.Text = tidied(d.Reason); d.Comment != "" {
			a.Text = strings.TrimSpace(a.Text + "\n" + tidied(d.Comment))
		}
		if a.By, err = actorOf(d.Actor, who); err != nil {
			return err
		}
		return cmp.Or(expects(d.Expected), tooLong("reason and comment together", a.Text, maxNote))
	})
}

func (d *dispositionDoc) verdict() (incident.Verdict, error) {
	switch {
	case d.Verdict == "" && d.VerdictID == nil:
		return "", nil
	case d.VerdictID == nil:
		return incident.VerdictOf(d.Verdict)
	}
	by, err := incident.VerdictOfOCSF(*d.VerdictID)
	if err != nil || d.Verdict == "" {
		return by, err
	}
	v, err := incident.VerdictOf(d.Verdict)
	if err == nil && v.OCSF() != by.OCSF() {
		return "", fmt.Errorf("verdict %q and verdict_id %d say different things; send one of them", d.Verdict, *d.VerdictID)
	}
	return v, err
}

// actionDoc is any other action on an incident.
type actionDoc struct {
	Action   string     `json:"action"`
	Expected int32      `json:"expected_version"`
	Text     string     `json:"text"`
	Verdict  string     `json:"verdict"`
	Assignee string     `json:"assignee"`
	Into     string     `json:"into"`
	Findings []string   `json:"findings"`
	Until    time.Time  `json:"until"`
	At       time.Time  `json:"at"`
	Ticket   *ticketDoc `json:"ticket"`
	Answers  *saidDoc   `json:"answers"`
	Event    string     `json:"event"`
}

// saidDoc is one or more of the three answers.
type saidDoc struct {
	Assessment   string    `json:"assessment"`
	Note         string    `json:"note"`
	Robots       *[]string `json:"robots"` // Canonical ids; an empty list says that no robot is affected.
	Trigger      string    `json:"trigger"`
	TriggerEvent string    `json:"trigger_event"`
}

// apiActions are the actions that apiAct takes: all on one incident but the disposition, which has an address and a scope of its own.
var apiActions = []incident.ActionKind{
	incident.ActionAcknowledge, incident.ActionAssign, incident.ActionNote, incident.ActionMerge, incident.ActionSplit, incident.ActionDetach, incident.ActionClose, incident.ActionReopen,
	incident.ActionView, incident.ActionAnswer, incident.ActionSnooze, incident.ActionUnsnooze, incident.ActionContain, incident.ActionDecide, incident.ActionTicket, incident.ActionPin,
	incident.ActionUnpin, incident.ActionUndo,
}

func (s *server) apiAct(w http.ResponseWriter, r *http.Request) {
	s.apiAction(w, r, func(body []byte, a *incident.Action, who access.Person) error {
		var d actionDoc
		if err := strictly(body, &d); err != nil {
			return err
		}
		if err := d.read(a); err != nil {
			return err
		}
		a.By = who.Name
		return nil
	})
}

func (d *actionDoc) read(a *incident.Action) error {
	for _, kind := range apiActions {
		if string(kind) == d.Action {
			a.Kind = kind
		}
	}
	if a.Kind == "" {
		return fmt.Errorf("action is %q; use %s", clip(40, d.Action), choices(apiActions))
	}
	a.Expected, a.Text, a.Assignee, a.Until, a.When, a.Ticket = d.Expected, tidied(d.Text), tidied(d.Assignee), micros(d.Until), micros(d.At), d.Ticket.ticket()
	var err error
	if d.Verdict != "" {
		if a.Verdict, err = incident.VerdictOf(d.Verdict); err != nil {
			return err
		}
	}
	if d.Into != "" {
		if a.Into, err = event.ParseID(event.IncidentPrefix, d.Into); err != nil {
			return fmt.Errorf("into: %w", err)
		}
	}
	for _, text := range d.Findings {
		id, err := event.ParseID(event.FindingPrefix, text)
		if err != nil {
			return fmt.Errorf("findings: %w", err)
		}
		a.Findings = append(a.Findings, id)
	}
	if d.Event != "" {
		a.Pin = &incident.Pin{}
		if a.Pin.Event, err = event.ParseID(event.EventPrefix, d.Event); err != nil {
			return fmt.Errorf("event: %w", err)
		}
	}
	if a.Said, err = d.Answers.said(); err != nil {
		return err
	}
	if a.Kind != incident.ActionView {
		err = expects(d.Expected)
	}
	return cmp.Or(err, tooLong("text", a.Text, maxNote), tooLong("assignee", a.Assignee, maxName))
}

func (d *saidDoc) said() (*incident.Said, error) {
	if d == nil {
		return nil, nil
	}
	out := &incident.Said{Assessment: d.Assessment, AssessmentNote: tidied(d.Note), Trigger: tidied(d.Trigger)}
	if d.Robots != nil {
		out.ScopeSet, out.Scope = true, *d.Robots
	}
	if d.TriggerEvent != "" {
		id, err := event.ParseID(event.EventPrefix, d.TriggerEvent)
		if err != nil {
			return nil, fmt.Errorf("answers.trigger_event: %w", err)
		}
		out.TriggerEvent = id
	}
	return out, nil
}

// apiAction reads, checks and carries out an act that comes as JSON.
func (s *server) apiAction(w http.ResponseWriter, r *http.Request, read func([]byte, *incident.Action, access.Person) error) {
	who := access.From(r.Context())
	in, err := s.oneIncident(r)
	if err != nil {
		done(w, s.troubleOf(err, nil))
		return
	}
	body, err := jsonBody(w, r, maxForm)
	if err != nil {
		done(w, s.troubleOf(err, nil))
		return
	}
	a := incident.Action{Incident: in.ID, At: s.set.Now(), Origin: who.Origin}
	if err := read(body, &a, who); err != nil {
		done(w, s.troubleOf(fmt.Errorf("%w: %w", errBadRequest, err), nil))
		return
	}
	if err := s.toPin(r.Context(), &a, in); err != nil {
		done(w, s.troubleOf(err, nil))
		return
	}
	s.once(w, r, body, func(id event.ID) result {
		a.ID = id
		if a.Kind == incident.ActionView {
			a.ID = incident.View(a.Incident, a.By, a.At).ID
		}
		changes, err := s.set.Analyst.Act(r.Context(), a)
		return s.acted(r, a.Incident, changes, err)
	})
}

// acted is the answer to an act: the incident as it is now, or what went wrong.
func (s *server) acted(r *http.Request, id event.ID, changes []incident.Change, err error) result {
	var in *incident.Incident
	d := actedDoc{}
	for _, c := range changes {
		switch {
		case c.Incident.ID == id:
			in = c.Incident
		case c.Kind == incident.ChangeSplit:
			d.Split = append(d.Split, event.FormatID(event.IncidentPrefix, c.Incident.ID))
		}
	}
	if in == nil {
		var missing error
		if in, missing = s.set.Reader.Incident(r.Context(), id); missing != nil {
			return s.troubleOf(cmp.Or(err, missing), nil)
		}
	}
	if err != nil {
		return s.troubleOf(err, in)
	}
	d.Incident, d.Version, d.Status, d.Verdict = event.FormatID(event.IncidentPrefix, id), in.Revision, in.Status.String(), in.Verdict
	if !in.MergedInto.IsZero() {
		d.Merged = event.FormatID(event.IncidentPrefix, in.MergedInto)
	}
	return result{http.StatusOK, d}
}

func expects(revision int32) error {
	if revision <= 0 {
		return fmt.Errorf("expected_version is missing: the version of the incident that this was decided on, as its webhook or the API gave it")
	}
	return nil
}

func tooLong(what, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Errorf("%s has %d characters; at most %d fit", what, n, most)
	}
	return nil
}

// tidied is text without space around it and with plain line ends.
func tidied(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// micros is a moment in microseconds; 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// actorOf names who acts: whom the other system names, by way of the token that speaks for it.
func actorOf(actor string, who access.Person) (string, error) {
	actor = tidied(actor)
	if err := tooLong("actor", actor, maxName); err != nil {
		return "", err
	}
	if actor == "" || actor == who.Name {
		return who.Name, nil
	}
	return actor + behalf(who), nil
}

// behalf is what stands behind the name of somebody for whom another speaks.
func behalf(who access.Person) string { return " (" + who.Name + ")" }

package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// What a form may hold: bytes in all, characters of a name, characters of a note. The form's own limits say the same.
const (
	maxForm = 64 << 10
	maxName = 100
	maxNote = 4000
)

// choice is one action of the picker, and the statuses in which it makes sense.
type choice struct {
	Kind incident.ActionKind
	Text string
	in   []incident.Status // Empty: always.
	many bool              // Only with more than one finding.
}

var choices = []choice{
	{Kind: incident.ActionAcknowledge, Text: "acknowledge", in: []incident.Status{incident.Open}},
	{Kind: incident.ActionNote, Text: "add a note"},
	{Kind: incident.ActionAssign, Text: "assign"},
	{Kind: incident.ActionClose, Text: "close with a verdict", in: []incident.Status{incident.Open, incident.Acknowledged}},
	{Kind: incident.ActionReopen, Text: "reopen", in: []incident.Status{incident.Closed}},
	{Kind: incident.ActionMerge, Text: "merge into another incident"},
	{Kind: incident.ActionDetach, Text: "detach findings", many: true},
	{Kind: incident.ActionSplit, Text: "split findings off", many: true},
}

// choicesFor are the actions that make sense for an incident as it is.
func choicesFor(in *incident.Incident) []choice {
	var out []choice
	for _, c := range choices {
		fits := len(c.in) == 0
		for _, s := range c.in {
			fits = fits || s == in.Status
		}
		if fits && (!c.many || len(in.Findings) > 1) {
			out = append(out, c)
		}
	}
	return out
}

// act carries out an analyst's form and shows the incident again.
func (s *server) act(w http.ResponseWriter, r *http.Request) {
	id, err := idOf(r, event.IncidentPrefix)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := s.carryOut(r, id); err != nil {
		s.problem(w, r, err, incidentPath(id))
		return
	}
	http.Redirect(w, r, incidentPath(id), http.StatusSeeOther)
}

func (s *server) carryOut(r *http.Request, id event.ID) error {
	if s.set.Analyst == nil {
		return fmt.Errorf("%w: this console only reads", errBadRequest)
	}
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err)
	}
	a, err := actionOf(r.PostForm, id)
	if err != nil {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	a.At = s.set.Now()
	_, err = s.set.Analyst.Act(r.Context(), a)
	return err
}

// actionOf reads a form. The action's id is a hash of everything in it and of the revision it was made from, so a form sent twice is one act.
func actionOf(form url.Values, id event.ID) (incident.Action, error) {
	revision, err := strconv.ParseInt(form.Get("revision"), 10, 32)
	if err != nil {
		return incident.Action{}, fmt.Errorf("the form does not say which revision of the incident it is about: load the incident again")
	}
	a := incident.Action{Kind: incident.ActionKind(form.Get("action")), Incident: id, Expected: int32(revision), Verdict: incident.Verdict(form.Get("verdict"))}
	var errBy, errNote, errAssignee error
	a.By, errBy = text(form, "by", "your name", maxName)
	a.Text, errNote = text(form, "text", "the note", maxNote)
	a.Assignee, errAssignee = text(form, "assignee", "the assignee", maxName)
	if err := cmp.Or(errBy, errNote, errAssignee); err != nil {
		return a, err
	}
	if a.By == "" {
		return a, fmt.Errorf("say who you are: your name is empty")
	}
	if into := strings.TrimSpace(form.Get("into")); into != "" {
		if a.Into, err = event.ParseID(event.IncidentPrefix, into); err != nil {
			return a, fmt.Errorf("the incident to merge into: %w", err)
		}
	}
	for _, f := range form["finding"] {
		finding, err := event.ParseID(event.FindingPrefix, f)
		if err != nil {
			return a, fmt.Errorf("a finding: %w", err)
		}
		a.Findings = append(a.Findings, finding)
	}
	a.ID = actionID(a)
	return a, nil
}

func actionID(a incident.Action) event.ID {
	parts := []string{"action", string(a.Incident[:]), strconv.Itoa(int(a.Expected)), string(a.Kind), a.By, a.Text, a.Assignee, string(a.Verdict), string(a.Into[:])}
	for _, f := range a.Findings {
		parts = append(parts, string(f[:]))
	}
	return event.NewID(parts...)
}

// text is a field of a form: trimmed, valid, with plain line ends. Too long a text is refused, never cut.
func text(form url.Values, field, called string, limit int) (string, error) {
	s := strings.ToValidUTF8(strings.TrimSpace(strings.ReplaceAll(form.Get(field), "\r\n", "\n")), "\uFFFD")
	if n := utf8.RuneCountInString(s); n > limit {
		return "", fmt.Errorf("%s has %d characters; at most %d fit", called, n, limit)
	}
	return s, nil
}

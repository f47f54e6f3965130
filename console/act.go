package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// What a form may hold: bytes in all, characters of a name, of a note, of a ticket and of its address. The form's own limits say the same.
const (
	maxForm    = 64 << 10
	maxName    = 100
	maxNote    = 4000
	maxTicket  = 100
	maxAddress = 500
)

// actionMove takes findings to another incident: they are split off, and what they become is merged into it.
const actionMove incident.ActionKind = "move"

// act carries out an analyst's form and shows the incident again, as it was being looked at.
func (s *server) act(w http.ResponseWriter, r *http.Request) {
	id, err := idOf(r, event.IncidentPrefix)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	a, err := s.carryOut(r, id)
	switch {
	case errors.Is(err, incident.ErrStale):
		s.stale(w, r, a, err)
	case err != nil:
		s.problem(w, r, err, incidentPath(id))
	default:
		http.Redirect(w, r, back(id, r.PostForm.Get("view")), http.StatusSeeOther)
	}
}

// back is the incident's page in the state that a form came from.
func back(id event.ID, query string) string {
	q, err := url.ParseQuery(query)
	if err != nil {
		return incidentPath(id)
	}
	v, err := trailViewOf(q)
	if err != nil || v.Query() == "" {
		return incidentPath(id)
	}
	return incidentPath(id) + "?" + v.Query()
}

func (s *server) carryOut(r *http.Request, id event.ID) (incident.Action, error) {
	if s.set.Analyst == nil {
		return incident.Action{}, fmt.Errorf("%w: this console only reads", errBadRequest)
	}
	in, err := s.oneIncident(r)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return incident.Action{}, err
	}
	if err := r.ParseForm(); err != nil {
		return incident.Action{}, fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err)
	}
	a, err := s.actionOf(r, id, in)
	if err != nil {
		return a, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	a.At = s.set.Now()
	if err := s.toPin(r.Context(), &a, in); err != nil {
		return a, err
	}
	if a.Kind == actionMove {
		return a, s.move(r.Context(), a)
	}
	_, err = s.set.Analyst.Act(r.Context(), a)
	return a, err
}

// move splits findings off and merges what they became into another incident. Both steps stand in the log, and each can be undone.
func (s *server) move(ctx context.Context, a incident.Action) error {
	if a.Into.IsZero() {
		return fmt.Errorf("%w: name the incident to move to", errBadRequest)
	}
	first := a
	first.Kind, first.Into = incident.ActionSplit, event.ID{}
	first.ID = actionID(first)
	changes, err := s.set.Analyst.Act(ctx, first)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Kind != incident.ChangeSplit {
			continue
		}
		second := incident.Action{Kind: incident.ActionMerge, Incident: c.Incident.ID, Expected: c.Incident.Revision, By: a.By, At: a.At, Text: a.Text, Into: a.Into}
		second.ID = actionID(second)
		if _, err := s.set.Analyst.Act(ctx, second); err != nil {
			return fmt.Errorf("the findings are now %s, but could not be merged: %w", event.FormatID(event.IncidentPrefix, c.Incident.ID), err)
		}
	}
	return nil
}

// actor is who acts: the person who is signed in. Where nobody signs in, whoever stands at the machine may say who they are.
func actor(r *http.Request, form url.Values) (string, error) {
	who := access.From(r.Context())
	if who.Via != "loopback" {
		return who.Name, nil
	}
	by, err := text(form, "by", "your name", maxName)
	return cmp.Or(by, who.Name), err
}

// actionOf reads a form. The action's id is a hash of everything in it and of the revision it was made from, so a form sent twice is one act.
// in is the incident as it is now, nil if there is none.
func (s *server) actionOf(r *http.Request, id event.ID, in *incident.Incident) (incident.Action, error) {
	form := r.PostForm
	revision, err := strconv.ParseInt(form.Get("revision"), 10, 32)
	if err != nil {
		return incident.Action{}, fmt.Errorf("the form does not say which revision of the incident it is about: load the incident again")
	}
	a := incident.Action{Kind: incident.ActionKind(form.Get("action")), Incident: id, Expected: int32(revision), Verdict: incident.Verdict(form.Get("verdict"))}
	var errBy, errNote, errAssignee error
	a.By, errBy = actor(r, form)
	a.Text, errNote = text(form, "text", "the note", maxNote)
	a.Assignee, errAssignee = text(form, "assignee", "the assignee", maxName)
	if err := cmp.Or(errBy, errNote, errAssignee); err != nil {
		return a, err
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
	if read := particulars[a.Kind]; read != nil {
		if err := read(&a, form, in, s.set.Now()); err != nil {
			return a, err
		}
	}
	a.ID = actionID(a)
	return a, nil
}

// particulars read what only one kind of action has.
var particulars = map[incident.ActionKind]func(a *incident.Action, form url.Values, in *incident.Incident, now int64) error{
	incident.ActionAnswer: readAnswer, incident.ActionSnooze: readSnooze, incident.ActionTicket: readTicket,
	incident.ActionPin: readPin, incident.ActionUnpin: readPin,
}

// readAnswer reads one or more of the three answers.
func readAnswer(a *incident.Action, form url.Values, in *incident.Incident, _ int64) error {
	said := &incident.Said{Assessment: form.Get("assessment")}
	if s := said.Assessment; s != "" && !slices.Contains(incident.Assessments(), s) {
		return fmt.Errorf("the assessment is one of %s, not %q", strings.Join(incident.Assessments(), ", "), clip(40, s))
	}
	if in != nil && form.Get("scope") != "" {
		said.ScopeSet = true
		for _, id := range form["robot"] {
			if !slices.Contains(in.Robots, id) {
				return fmt.Errorf("%q is no robot of this incident", clip(60, id))
			}
			said.Scope = append(said.Scope, id)
		}
		slices.Sort(said.Scope)
		said.Scope = slices.Compact(said.Scope)
	}
	trigger, err := text(form, "trigger", "what changed", 400)
	if err != nil {
		return err
	}
	said.Trigger = trigger
	if s := form.Get("trigger_event"); s != "" && in != nil {
		if said.TriggerEvent, err = event.ParseID(event.EventPrefix, s); err != nil {
			return fmt.Errorf("the change: %w", err)
		}
		for _, c := range triage.Answer(in).ChangedBefore {
			if slices.Contains(c.Refs, said.TriggerEvent) {
				said.Trigger = c.Text
			}
		}
		if said.Trigger == "" {
			return fmt.Errorf("%s is no change of this incident", s)
		}
	}
	if said.Assessment == "" && !said.ScopeSet && said.Trigger == "" {
		return fmt.Errorf("the form answers none of the three questions")
	}
	a.Said, a.Text = said, ""
	return nil
}

// snoozes are how long an incident may be out of the queue, in hours.
var snoozes = []int{1, 4, 12, 24, 72, 168}

func readSnooze(a *incident.Action, form url.Values, _ *incident.Incident, now int64) error {
	hours, err := strconv.Atoi(form.Get("hours"))
	if err != nil || !slices.Contains(snoozes, hours) {
		return fmt.Errorf("choose how long to snooze: %s hours", choices(snoozes))
	}
	// To the minute, so that a form sent twice is one act.
	until := now + (time.Duration(hours) * time.Hour).Microseconds()
	a.Until = until - until%time.Minute.Microseconds()
	return nil
}

func readTicket(a *incident.Action, form url.Values, _ *incident.Incident, _ int64) error {
	var t incident.Ticket
	var errSystem, errID, errURL error
	t.System, errSystem = text(form, "system", "the system", maxTicket)
	t.ID, errID = text(form, "ticket", "the ticket", maxTicket)
	t.URL, errURL = text(form, "url", "the address", maxAddress)
	if err := cmp.Or(errSystem, errID, errURL); err != nil {
		return err
	}
	if t.System == "" || t.ID == "" {
		return fmt.Errorf("a ticket has a system and an id")
	}
	if u, err := url.Parse(t.URL); t.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return fmt.Errorf("the ticket's address begins with https:// or http://")
	}
	a.Ticket = &t
	return nil
}

func actionID(a incident.Action) event.ID {
	parts := []string{"action", string(a.Incident[:]), strconv.Itoa(int(a.Expected)), string(a.Kind), a.By, a.Text, a.Assignee, string(a.Verdict), string(a.Into[:]), strconv.FormatInt(a.Until, 10), string(a.Undoes[:])}
	for _, f := range a.Findings {
		parts = append(parts, string(f[:]))
	}
	if s := a.Said; s != nil {
		parts = append(parts, "said", s.Assessment, strconv.FormatBool(s.ScopeSet), strings.Join(s.Scope, "\x00"), s.Trigger, string(s.TriggerEvent[:]))
	}
	if p := a.Pin; p != nil {
		parts = append(parts, "pin", string(p.Event[:]))
	}
	if t := a.Ticket; t != nil {
		parts = append(parts, "ticket", t.System, t.ID, t.URL)
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

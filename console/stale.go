package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// History reads what happened to an incident behind a revision, in order, each change with the incident as it was after it.
type History interface {
	History(ctx context.Context, id event.ID, after int32) ([]incident.Change, error)
}

// stalePage says what changed while somebody was deciding, and lets them send the same again.
type stalePage struct {
	layout
	Text    string
	Path    string // Of the incident,
	Back    string // and as it was being looked at.
	Title   string
	Act     string // What was not done, in words.
	From    int32
	Rev     int32 // Of the incident now.
	Changes []revisionRow
	Again   []field // The form, about the revision as it is now; none where that makes no sense.
}

type field struct{ Name, Value string }

// revisionRow is a change as people read it.
type revisionRow struct {
	At       int64
	Revision int32
	Kind     incident.ChangeKind
	Actor    string
	Details  []string
}

// stale answers an act on an incident that has changed since its page was loaded. Nothing was done.
func (s *server) stale(w http.ResponseWriter, r *http.Request, a incident.Action, cause error) {
	in, err := s.oneIncident(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := stalePage{
		layout: s.layout(r, problems[http.StatusConflict].title, ""), Text: sayOf(http.StatusConflict, cause), Back: back(in.ID, r.PostForm.Get("view")), Title: in.Title,
		Act: strings.ReplaceAll(string(a.Kind), "_", " "), From: a.Expected, Rev: in.Revision, Path: incidentPath(in.ID),
	}
	if s.set.History != nil {
		changes, err := s.set.History.History(r.Context(), in.ID, a.Expected-1)
		if err != nil {
			s.set.Log.Error("console cannot read what happened to an incident", "err", err)
		}
		p.Changes = rowsOfChanges(changes, a.Expected)
	}
	if in.Status != incident.Merged && in.ID == a.Incident {
		p.Again = again(r.PostForm, in.Revision)
	}
	s.page(w, "stale", http.StatusConflict, p)
}

// again are the fields of a form, about another revision.
func again(form url.Values, revision int32) []field {
	out := []field{{"revision", fmt.Sprint(revision)}}
	for _, name := range []string{"action", "by", "verdict", "text", "assignee", "into", "finding", "assessment", "scope", "robot", "trigger", "trigger_event", "hours", "system", "ticket", "url", "view"} {
		for _, v := range form[name] {
			out = append(out, field{name, v})
		}
	}
	return out
}

// rowsOfChanges tells changes behind a revision; the one with the revision, if it is there, is what the first is compared with.
func rowsOfChanges(changes []incident.Change, after int32) []revisionRow {
	var out []revisionRow
	var before *incident.Incident
	for i := range changes {
		c := &changes[i]
		if c.Incident.Revision > after {
			out = append(out, revisionRow{c.Incident.Updated, c.Incident.Revision, c.Kind, c.Actor, differences(before, c.Incident)})
		}
		before = c.Incident
	}
	return out
}

// differences tells what one revision has that the one before had not. Without one before there is nothing to tell.
func differences(a, b *incident.Incident) []string {
	if a == nil {
		return nil
	}
	var out []string
	tell := func(what, from, to string) {
		if from != to {
			out = append(out, fmt.Sprintf("%s: %s → %s", what, orNone(from), orNone(to)))
		}
	}
	tell("status", a.Status.String(), b.Status.String())
	tell("verdict", string(a.Verdict), string(b.Verdict))
	tell("severity", a.Severity.String(), b.Severity.String())
	tell("score", fmt.Sprint(a.Score), fmt.Sprint(b.Score))
	tell("title", a.Title, b.Title)
	tell("owner", a.Owner, b.Owner)
	tell("assignee", a.Assignee, b.Assignee)
	tell("assessment", a.Said.Assessment, b.Said.Assessment)
	tell("what changed before", a.Said.Trigger, b.Said.Trigger)
	if a.Said.ScopeSet != b.Said.ScopeSet || strings.Join(a.Said.Scope, ",") != strings.Join(b.Said.Scope, ",") {
		tell("robots confirmed", scopeText(&a.Said), scopeText(&b.Said))
	}
	had := map[event.ID]bool{}
	for i := range a.Findings {
		had[a.Findings[i].ID] = true
	}
	for i := range b.Findings {
		if f := &b.Findings[i]; !had[f.ID] {
			out = append(out, "new finding: "+f.Rule.Title+" at "+stamp(f.Time, timeOfDay))
		}
		delete(had, b.Findings[i].ID)
	}
	if len(had) > 0 {
		out = append(out, fmt.Sprintf("findings gone: %d", len(had)))
	}
	for _, r := range b.Remarks[min(len(a.Remarks), len(b.Remarks)):] {
		out = append(out, "note by "+r.By+": "+clip(200, r.Text))
	}
	for _, p := range b.Pins {
		if !isPinned(a, p.Event) {
			out = append(out, "pinned by "+p.By+": "+clip(200, p.Text))
		}
	}
	for _, p := range a.Pins {
		if !isPinned(b, p.Event) {
			out = append(out, "no longer pinned: "+clip(200, p.Text))
		}
	}
	for _, t := range b.Tickets[min(len(a.Tickets), len(b.Tickets)):] {
		out = append(out, "ticket "+t.System+" "+t.ID)
	}
	return out
}

func scopeText(s *incident.Said) string {
	if !s.ScopeSet {
		return ""
	}
	if len(s.Scope) == 0 {
		return "no robot"
	}
	return strings.Join(s.Scope, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

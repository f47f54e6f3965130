package console

import (
	"slices"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/incident"
)

// form is an action that a page offers: everything that the parts of its form need.
type form struct {
	Kind     incident.ActionKind
	Title    string
	Key      string // Opens it; "" for none.
	Path     string
	Revision int32
	View     string // Where to go back to.
	AskName  bool   // Nobody signs in here: the form asks who it is.
}

// offers is the table of actions: what they are called, their keys and when they make sense.
var offers = []struct {
	kind  incident.ActionKind
	title string
	key   string
	fits  func(*incident.Incident, int64) bool
}{
	{incident.ActionAcknowledge, "Acknowledge", "a", func(in *incident.Incident, _ int64) bool { return in.Status == incident.Open }},
	{incident.ActionAssign, "Assign", "i", nil},
	{incident.ActionNote, "Add a note", "n", nil},
	{incident.ActionSnooze, "Snooze", "s", func(in *incident.Incident, now int64) bool { return in.Status != incident.Closed && in.Snoozed <= now }},
	{incident.ActionUnsnooze, "End the snooze", "s", func(in *incident.Incident, now int64) bool { return in.Status != incident.Closed && in.Snoozed > now }},
	{incident.ActionDecide, "Decided what to do", "", func(in *incident.Incident, _ int64) bool { return in.Decided == 0 && in.Status != incident.Closed }},
	{incident.ActionContain, "Report as contained", "", func(in *incident.Incident, _ int64) bool { return in.Contained == 0 }},
	{incident.ActionClose, "Close with a verdict", "c", func(in *incident.Incident, _ int64) bool { return in.Status != incident.Closed }},
	{incident.ActionReopen, "Reopen", "c", func(in *incident.Incident, _ int64) bool { return in.Status == incident.Closed }},
	{incident.ActionMerge, "Merge into another incident", "m", nil},
	{incident.ActionDetach, "Detach findings", "d", several},
	{incident.ActionSplit, "Split findings off", "", several},
	{actionMove, "Move findings to another incident", "", several},
	{incident.ActionTicket, "Name a ticket", "", nil},
	{incident.ActionUndo, "Undo the last act", "u", func(in *incident.Incident, _ int64) bool { return in.Touched }},
}

// besides are the actions whose forms stand where they belong on the page, and not in the list.
var besides = []struct {
	kind  incident.ActionKind
	title string
}{{incident.ActionAnswer, "Answer"}, {incident.ActionPin, "Pin to the summary"}, {incident.ActionUnpin, "Take out of the summary"}}

func several(in *incident.Incident, _ int64) bool { return len(in.Findings) > 1 }

// forms are what the person may do with an incident as it is: by kind, none where nothing can be done.
func (s *server) forms(who access.Person, in *incident.Incident, v trailView) map[incident.ActionKind]form {
	if s.set.Analyst == nil || !who.May(access.Analyst) {
		return nil
	}
	base := form{Path: incidentPath(in.ID), Revision: in.Revision, View: v.Query(), AskName: who.Via == "loopback"}
	out := map[incident.ActionKind]form{}
	if in.Status == incident.Merged {
		if in.Touched { // by a person; what Tocsin merged itself it would merge again
			base.Kind, base.Title, base.Key = incident.ActionUndo, "Undo the merge", "u"
			out[incident.ActionUndo] = base
		}
		return out
	}
	for _, o := range offers {
		if o.fits == nil || o.fits(in, s.set.Now()) {
			base.Kind, base.Title, base.Key = o.kind, o.title, o.key
			out[o.kind] = base
		}
	}
	for _, o := range besides {
		base.Kind, base.Title, base.Key = o.kind, o.title, ""
		out[o.kind] = base
	}
	return out
}

// inOrder are forms as a page lists them, one after the other.
func inOrder(forms map[incident.ActionKind]form) []form {
	var out []form
	for _, o := range offers {
		if f, ok := forms[o.kind]; ok {
			out = append(out, f)
		}
	}
	return out
}

// choice is a robot or a change that an answer may name.
type choice struct {
	ID   string
	Name string
	On   bool
}

// robotsOf are the robots of an incident; those that a person confirmed are on, all of them before anybody did.
func robotsOf(in *incident.Incident) []choice {
	out := make([]choice, 0, len(in.Robots))
	for _, id := range in.Robots {
		out = append(out, choice{id, bare(id), !in.Said.ScopeSet || slices.Contains(in.Said.Scope, id)})
	}
	return out
}

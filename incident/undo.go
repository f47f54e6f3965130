package incident

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// maxUndos bounds the actions that can be undone; the oldest go first.
const maxUndos = 128

// undos remembers what the last actions made of incidents, oldest first.
type undos []undoable

// undoable is an action that may be undone, for as long as nothing else happens to what it changed.
type undoable struct {
	Action event.ID
	Kind   ActionKind
	By     string
	Moved  bool // It moved findings: Was holds whole incidents; otherwise only what an action can change of one.
	Marks  []undoMark
}

// undoMark is one incident that an action changed.
type undoMark struct {
	ID       event.ID
	Revision int32     // The one that the action made.
	Was      *Incident // nil: the action made the incident.
}

// remember takes an action up that has just been carried out; before are the incidents it may have changed, nil for none.
func (u *undos) remember(a Action, changes []Change, before ...*Incident) {
	if a.Kind == ActionUndo || a.Kind == ActionView || a.Kind == ActionSummarise || len(changes) == 0 {
		return
	}
	x := undoable{Action: a.ID, Kind: a.Kind, By: a.By, Moved: a.Kind == ActionMerge || a.Kind == ActionSplit || a.Kind == ActionDetach}
	for _, c := range changes {
		mark := undoMark{ID: c.Incident.ID, Revision: c.Incident.Revision}
		for _, in := range before {
			if in != nil && in.ID == mark.ID {
				mark.Was = in
			}
		}
		if mark.Was != nil && !x.Moved {
			mark.Was = &Incident{ID: mark.ID}
			for _, in := range before {
				if in != nil && in.ID == mark.ID {
					copyLife(mark.Was, in)
				}
			}
		}
		u.drop(mark.ID)
		x.Marks = append(x.Marks, mark)
	}
	*u = append(*u, x)
	if extra := len(*u) - maxUndos; extra > 0 {
		*u = slices.Delete(*u, 0, extra)
	}
}

// drop forgets the actions on an incident: only its last one can be undone.
func (u *undos) drop(id event.ID) {
	*u = slices.DeleteFunc(*u, func(x undoable) bool { return x.touches(id) })
}

func (x *undoable) touches(id event.ID) bool {
	return slices.ContainsFunc(x.Marks, func(m undoMark) bool { return m.ID == id })
}

// Undoable is the action that undo would undo now, with its kind and who did it; ok is false if there is none.
func (s *Stitcher) Undoable(id event.ID) (action event.ID, kind ActionKind, by string, ok bool) {
	i := slices.IndexFunc(s.undos, func(x undoable) bool { return x.touches(id) })
	if i < 0 || s.calm(&s.undos[i]) != nil {
		return event.ID{}, "", "", false
	}
	x := &s.undos[i]
	return x.Action, x.Kind, x.By, true
}

// calm is the error that says that something has happened since the action.
func (s *Stitcher) calm(x *undoable) error {
	for _, m := range x.Marks {
		now := s.incidents[m.ID]
		if now == nil || now.Stale(m.Revision, false) {
			return fmt.Errorf("%w: something else has happened to %s since", ErrRefused, event.FormatID(event.IncidentPrefix, m.ID))
		}
	}
	return nil
}

// undo restores the state before the last action on an incident, as new revisions.
func (s *Stitcher) undo(in *Incident, a Action) ([]Change, error) {
	i := slices.IndexFunc(s.undos, func(x undoable) bool { return x.touches(in.ID) && (a.Undoes.IsZero() || a.Undoes == x.Action) })
	if i < 0 {
		return nil, fmt.Errorf("%w: there is nothing to undo: it has been undone, something else has happened since, or it is too long ago", ErrRefused)
	}
	x := s.undos[i]
	if err := s.calm(&x); err != nil {
		return nil, err
	}
	s.undos = slices.Delete(s.undos, i, i+1)
	var changes []Change
	for _, m := range x.Marks {
		switch {
		case m.Was == nil:
			changes = append(changes, s.unmake(m.ID, x.Marks, a))
		case x.Moved:
			changes = append(changes, s.putBack(m.Was, a))
		default:
			changes = append(changes, s.revive(m.Was, a))
		}
	}
	return changes, nil
}

// revive restores what an action changed of an incident without moving findings.
func (s *Stitcher) revive(was *Incident, a Action) Change {
	now := s.incidents[was.ID]
	next := *now
	copyLife(&next, was)
	s.ahead(&next, now, a)
	fields := lifeFields(now, &next)
	if len(fields) == 0 { // The action said what was so already.
		fields = []string{"touched"}
	}
	return Change{Kind: turn(now, &next), Fields: fields, Incident: &next}
}

// putBack restores an incident with the findings it had.
func (s *Stitcher) putBack(was *Incident, a Action) Change {
	now := s.incidents[was.ID]
	old := *was
	old.Findings = slices.Clone(was.Findings)
	for i := range old.Findings { // They may have become final since.
		if m := s.findings[old.Findings[i].ID]; m != nil {
			old.Findings[i] = m.finding
		}
	}
	silent := a
	silent.Text = ""
	c := s.rebuild(&old, ChangeUpdated, silent)
	next := *c.Incident
	next.Touched = was.Touched
	s.ahead(&next, now, a)
	c.Kind, c.Incident = turn(now, &next), &next
	c.Fields = append([]string{"findings"}, lifeFields(now, &next)...)
	slices.Sort(c.Fields)
	return c
}

// unmake ends an incident that the action made; its findings are back where they were.
func (s *Stitcher) unmake(id event.ID, marks []undoMark, a Action) Change {
	now := s.incidents[id]
	next := *now
	next.Status, next.Findings, next.Links = Merged, nil, nil
	for _, m := range marks {
		if m.Was != nil {
			next.MergedInto = m.ID
		}
	}
	s.ahead(&next, now, a)
	return Change{Kind: ChangeMerged, Fields: []string{"findings", "merged_into", "status"}, Incident: &next}
}

// ahead stores next as the revision after now.
func (s *Stitcher) ahead(next, now *Incident, a Action) {
	next.Revision, next.Updated = now.Revision+1, a.At
	next.Viewed, next.LastView, next.LastAck = cmp.Or(now.Viewed, next.Viewed), 0, 0
	next.Summary, next.Summaries = now.Summary, nil
	next.Remarks = slices.Clone(next.Remarks)
	remark(next, a)
	s.incidents[next.ID] = next
}

// turn is the kind of change from one status to another.
func turn(now, next *Incident) ChangeKind {
	switch {
	case next.Status == now.Status:
		return ChangeUpdated
	case next.Status == Closed:
		return ChangeClosed
	case now.Status == Closed || now.Status == Merged:
		return ChangeReopened
	case next.Status == Acknowledged:
		return ChangeAcknowledged
	}
	return ChangeUpdated
}

// copyLife copies what actions change of an incident, but for its findings.
func copyLife(to, from *Incident) {
	to.Status, to.Verdict, to.Assignee, to.MergedInto, to.Touched = from.Status, from.Verdict, from.Assignee, from.MergedInto, from.Touched
	to.Acked, to.ClosedAt, to.Decided, to.Contained, to.Understood, to.Snoozed = from.Acked, from.ClosedAt, from.Decided, from.Contained, from.Understood, from.Snoozed
	to.Said, to.Tickets, to.Pins, to.Remarks, to.Reopened, to.Detached = from.Said, from.Tickets, from.Pins, from.Remarks, from.Reopened, from.Detached
}

// lifeFields names what differs of that, sorted.
func lifeFields(a, b *Incident) []string {
	var out []string
	note := func(name string, same bool) {
		if !same {
			out = append(out, name)
		}
	}
	note("assignee", a.Assignee == b.Assignee)
	note("contained", a.Contained == b.Contained)
	note("decided", a.Decided == b.Decided)
	note("merged_into", a.MergedInto == b.MergedInto)
	note("pins", slices.Equal(a.Pins, b.Pins))
	note("remarks", slices.Equal(a.Remarks, b.Remarks))
	note("said", sameAnswers(&a.Said, &b.Said))
	note("snoozed", a.Snoozed == b.Snoozed)
	note("status", a.Status == b.Status)
	note("tickets", slices.Equal(a.Tickets, b.Tickets))
	note("understood", a.Understood == b.Understood)
	note("verdict", a.Verdict == b.Verdict)
	return out
}

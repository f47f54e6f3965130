package incident

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// ErrStale means that the incident has changed since the analyst looked at it: read it again and decide again.
var ErrStale = errors.New("the incident has changed since")

// ErrUnknown means that there is no such incident or suppression.
var ErrUnknown = errors.New("no such incident")

// ErrRefused means that the action makes no sense for the incident as it is.
var ErrRefused = errors.New("not possible")

// Act carries out an action and gives the changes that follow. An action that was carried out within the last 30 days does nothing. The error, which wraps
// ErrStale, ErrUnknown or ErrRefused, leaves everything as it was.
func (s *Stitcher) Act(a Action, batch event.BatchID) ([]Change, error) {
	if s.acted.has(a.ID) {
		return nil, nil
	}
	changes, err := s.carryOut(a)
	if err != nil {
		return nil, err
	}
	s.acted.note(a.ID, a.At)
	for i := range changes {
		c := &changes[i]
		c.Actor, c.Origin, c.Batch, c.Index = "user:"+a.By, a.Origin, batch, i
		if a.Kind == ActionSummarise {
			c.Actor = "system"
		}
	}
	return changes, nil
}

func (s *Stitcher) carryOut(a Action) ([]Change, error) {
	switch a.Kind {
	case ActionSuppress:
		return nil, s.suppress(a)
	case ActionUnsuppress:
		return nil, s.unsuppress(a)
	}
	in, err := s.target(a)
	if err != nil {
		return nil, err
	}
	do, known := acts[a.Kind]
	if !known {
		return nil, fmt.Errorf("%w: there is no action %q", ErrRefused, a.Kind)
	}
	into := s.incidents[a.Into]
	changes, err := do(s, in, a)
	if err != nil {
		return nil, err
	}
	s.undos.remember(a, changes, in, into)
	return changes, nil
}

func (s *Stitcher) target(a Action) (*Incident, error) {
	in := s.incidents[a.Incident]
	if in == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, event.FormatID(event.IncidentPrefix, a.Incident))
	}
	if in.Status == Merged && a.Kind != ActionUndo {
		return nil, fmt.Errorf("%w: it was merged into %s", ErrRefused, event.FormatID(event.IncidentPrefix, in.MergedInto))
	}
	if a.Kind != ActionView && a.Kind != ActionSummarise && in.Stale(a.Expected, a.Kind == ActionDispose && a.Status == Closed) {
		return nil, fmt.Errorf("%w: it is at revision %d, not %d", ErrStale, in.Revision, a.Expected)
	}
	return in, nil
}

// Stale reports whether what somebody saw at a revision is no longer what there is to decide on. That somebody looked at the incident for the
// first time in between, or that a model's summary became ready, makes nothing stale; and whoever resolves it wins over one who acknowledged it in between.
func (in *Incident) Stale(expected int32, resolving bool) bool {
	now := in.Revision
	for now > expected && (now == in.LastView || slices.Contains(in.Summaries, now) || resolving && now == in.LastAck) {
		now--
	}
	return now != expected
}

// acts is what each kind of action on an incident does.
var acts = map[ActionKind]func(*Stitcher, *Incident, Action) ([]Change, error){
	ActionAcknowledge: (*Stitcher).acknowledge,
	ActionAssign:      (*Stitcher).assign,
	ActionNote:        (*Stitcher).note,
	ActionMerge:       (*Stitcher).merge,
	ActionSplit:       (*Stitcher).split,
	ActionDetach:      (*Stitcher).split,
	ActionClose:       (*Stitcher).close,
	ActionReopen:      (*Stitcher).reopen,
	ActionView:        (*Stitcher).view,
	ActionAnswer:      (*Stitcher).answer,
	ActionSnooze:      (*Stitcher).snooze,
	ActionUnsnooze:    (*Stitcher).unsnooze,
	ActionContain:     (*Stitcher).contain,
	ActionDecide:      (*Stitcher).decide,
	ActionTicket:      (*Stitcher).ticket,
	ActionPin:         (*Stitcher).pin,
	ActionUnpin:       (*Stitcher).unpin,
	ActionUndo:        (*Stitcher).undo,
	ActionDispose:     (*Stitcher).dispose,
	ActionSummarise:   (*Stitcher).summarise,
}

// revise stores the next revision of an incident, changed by edit, as touched by an analyst.
func (s *Stitcher) revise(in *Incident, kind ChangeKind, at int64, fields []string, edit func(*Incident)) Change {
	next := *in
	next.Revision++
	next.Updated, next.Touched = at, true
	next.Remarks = slices.Clone(in.Remarks)
	edit(&next)
	s.incidents[next.ID] = &next
	return Change{Kind: kind, Fields: fields, Incident: &next}
}

func remark(in *Incident, a Action) {
	if a.Text != "" {
		in.Remarks = append(in.Remarks, Remark{At: a.At, By: a.By, Text: a.Text})
	}
}

func (s *Stitcher) acknowledge(in *Incident, a Action) ([]Change, error) {
	if in.Status != Open {
		return nil, fmt.Errorf("%w: it is %s already", ErrRefused, in.Status)
	}
	return []Change{s.revise(in, ChangeAcknowledged, a.At, []string{"assignee", "status"}, func(x *Incident) {
		x.Status, x.Acked, x.Assignee, x.LastAck = Acknowledged, a.At, a.By, x.Revision
		remark(x, a)
	})}, nil
}

func (s *Stitcher) assign(in *Incident, a Action) ([]Change, error) {
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"assignee"}, func(x *Incident) {
		x.Assignee = a.Assignee
		remark(x, a)
	})}, nil
}

func (s *Stitcher) note(in *Incident, a Action) ([]Change, error) {
	if a.Text == "" {
		return nil, fmt.Errorf("%w: the note is empty", ErrRefused)
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"remarks"}, func(x *Incident) { remark(x, a) })}, nil
}

func (s *Stitcher) close(in *Incident, a Action) ([]Change, error) {
	if in.Status == Closed {
		return nil, fmt.Errorf("%w: it is closed already", ErrRefused)
	}
	if !slices.Contains(Verdicts(), a.Verdict) {
		return nil, fmt.Errorf("%w: closing needs a verdict: one of %s", ErrRefused, verdictChoices())
	}
	return []Change{s.revise(in, ChangeClosed, a.At, []string{"status", "verdict"}, func(x *Incident) {
		x.Status, x.Verdict, x.ClosedAt, x.Snoozed = Closed, a.Verdict, a.At, 0
		remark(x, a)
	})}, nil
}

func (s *Stitcher) reopen(in *Incident, a Action) ([]Change, error) {
	if in.Status != Closed {
		return nil, fmt.Errorf("%w: it is not closed", ErrRefused)
	}
	return []Change{s.revise(in, ChangeReopened, a.At, []string{"status", "verdict"}, func(x *Incident) {
		x.Status, x.Verdict, x.ClosedAt = Open, "", 0
		x.Reopened++
		remark(x, a)
	})}, nil
}

// merge moves all findings of in to the incident a.Into names.
func (s *Stitcher) merge(in *Incident, a Action) ([]Change, error) {
	into := s.incidents[a.Into]
	if into == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, event.FormatID(event.IncidentPrefix, a.Into))
	}
	if into.ID == in.ID {
		return nil, fmt.Errorf("%w: an incident cannot be merged into itself; name another one", ErrRefused)
	}
	if into.Status == Merged {
		return nil, fmt.Errorf("%w: that incident was merged itself; name %s, which has its findings", ErrRefused, event.FormatID(event.IncidentPrefix, into.MergedInto))
	}
	links := slices.Clone(into.Links)
	if len(in.Findings) > 0 && len(into.Findings) > 0 {
		links = append(links, Link{A: into.Findings[0].ID, B: in.Findings[0].ID, Weight: joinWeight, Manual: a.By})
	}
	gone := s.revise(in, ChangeMerged, a.At, []string{"findings", "merged_into", "status"}, func(x *Incident) {
		x.Status, x.MergedInto, x.Findings, x.Links = Merged, into.ID, nil, nil
		remark(x, a)
	})
	moved := *into
	moved.Links, moved.Pins = links, joinPins(into, in)
	moved.Findings = append(slices.Clone(into.Findings), in.Findings...)
	kept := s.rebuild(&moved, ChangeUpdated, a)
	return []Change{kept, gone}, nil
}

// split moves the findings a.Findings names to an incident of their own; detaching one finding is the same.
func (s *Stitcher) split(in *Incident, a Action) ([]Change, error) {
	var stay, leave []Finding
	for _, f := range in.Findings {
		if slices.Contains(a.Findings, f.ID) {
			leave = append(leave, f)
		} else {
			stay = append(stay, f)
		}
	}
	if len(leave) != len(a.Findings) || len(leave) == 0 {
		return nil, fmt.Errorf("%w: choose at least one finding, and only such as this incident has", ErrRefused)
	}
	if len(stay) == 0 {
		return nil, fmt.Errorf("%w: at least one finding must stay", ErrRefused)
	}
	rest := *in
	rest.Findings = stay
	rest.Detached += int32(len(leave))
	kept := s.rebuild(&rest, ChangeUpdated, a)
	fresh := &Incident{ID: event.NewID("split", string(a.ID[:])), Status: Open, Opened: a.At, Findings: leave}
	created := s.rebuild(fresh, ChangeSplit, a)
	return []Change{kept, created}, nil
}

// rebuild works an incident out anew from the findings it was given, as touched by an analyst.
func (s *Stitcher) rebuild(in *Incident, kind ChangeKind, a Action) Change {
	g := &group{label: in.ID}
	for _, f := range in.Findings {
		m := s.findings[f.ID]
		if m == nil { // too old to be at work: it still counts
			m = &member{finding: f, ties: ties(&f), links: map[event.ID]Link{}}
			s.findings[f.ID] = m
		}
		m.home = in.ID
		if len(g.members) == 0 {
			g.first, g.last = f.First, f.Time
		}
		g.first, g.last = min(g.first, f.First), max(g.last, f.Time)
		g.members = append(g.members, m)
	}
	slices.SortFunc(g.members, byTime)
	next := s.build(in.ID, in, g, a.At)
	next.Touched = true
	next.Remarks = slices.Clone(in.Remarks)
	remark(next, a)
	s.incidents[next.ID] = next
	return Change{Kind: kind, Fields: []string{"findings"}, Incident: next}
}

package incident

import (
	"fmt"
	"slices"
)

// dispose takes over what another system decided: status, verdict, ticket, comment and containment in one revision. It never takes back more
// than it says: an acknowledgement does not reopen what is closed.
func (s *Stitcher) dispose(in *Incident, a Action) ([]Change, error) {
	if err := disposable(in, a); err != nil {
		return nil, err
	}
	tickets := in.Tickets
	if a.Ticket != nil {
		var err error
		if tickets, err = withTicket(in.Tickets, a.Ticket); err != nil {
			return nil, err
		}
	}
	kind, fields := ChangeUpdated, []string(nil)
	at := moment(in, a)
	edit := func(x *Incident) {
		switch {
		case a.Status == Closed && in.Status != Closed:
			x.Status, x.ClosedAt, x.Snoozed, kind = Closed, at, 0, ChangeClosed
		case a.Status == Acknowledged && in.Status == Open:
			x.Status, x.Acked, x.Assignee, x.LastAck, kind = Acknowledged, at, a.By, x.Revision, ChangeAcknowledged
		case a.Status == Open && in.Status == Closed:
			x.Status, x.Verdict, x.ClosedAt, kind = Open, "", 0, ChangeReopened
			x.Reopened++
		}
		if a.Verdict != "" {
			x.Verdict = a.Verdict
		}
		if a.Contained && x.Contained == 0 {
			x.Contained = at
		}
		x.Tickets = tickets
		remark(x, a)
		fields = lifeFields(in, x)
	}
	c := s.revise(in, kind, a.At, nil, edit)
	c.Kind, c.Fields = kind, fields
	return []Change{c}, nil
}

// disposable checks that the disposition says something, and something possible.
func disposable(in *Incident, a Action) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
	}
	switch {
	case a.Status == 0 && a.Verdict == "" && a.Ticket == nil && a.Text == "" && !a.Contained:
		return refuse("the disposition says nothing: give a status, verdict, ticket, comment or containment")
	case a.Status > Closed:
		return refuse("a disposition's status is open, acknowledged or closed")
	case a.Verdict != "" && !slices.Contains(Verdicts(), a.Verdict):
		return refuse("a verdict is one of %s", verdictChoices())
	case a.Verdict != "" && a.Status != Closed && (in.Status != Closed || a.Status != 0):
		return refuse("a verdict goes with status closed")
	case a.Status == Closed && a.Verdict == "" && in.Status != Closed:
		return refuse("closing needs a verdict: one of %s", verdictChoices())
	case a.Status == Acknowledged && in.Status == Closed:
		return refuse("it is closed; an acknowledgement does not reopen it")
	case a.Status != 0 && a.Status == in.Status && (a.Verdict == "" || a.Verdict == in.Verdict) && a.Ticket == nil && a.Text == "" && (!a.Contained || in.Contained != 0):
		return refuse("it is %s already", in.Status)
	}
	return nil
}

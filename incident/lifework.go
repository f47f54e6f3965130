package incident

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
)

// What people may write, in characters, and how much of it.
const (
	MaxText    = 4000 // A note, a reason.
	MaxTrigger = 500  // What changed just before.
	MaxScope   = 500  // Robots of a scope.
	MaxTickets = 20   // Tickets of an incident.
	maxName    = 256  // A name or an id.
	maxURL     = 2048
)

// MaxSnooze is the longest snooze, in microseconds.
const MaxSnooze = 30 * 24 * hour

// Quiet reports whether a change is news to nobody but ourselves: that somebody looked at the incident.
func (c *Change) Quiet() bool { return len(c.Fields) == 1 && c.Fields[0] == "viewed" }

// View is the action that says that somebody looked at an incident. It has the same id whoever it was, so that the first one counts.
func View(id event.ID, by string, at int64) Action {
	return Action{ID: event.NewID("view", string(id[:])), Kind: ActionView, Incident: id, By: by, At: at}
}

// view notes when somebody first looked at an incident. Later looks change nothing.
func (s *Stitcher) view(in *Incident, a Action) ([]Change, error) {
	if in.Viewed != 0 {
		return nil, nil
	}
	next := *in
	next.Revision++
	next.Updated, next.Viewed, next.LastView = a.At, a.At, next.Revision
	s.incidents[next.ID] = &next
	return []Change{{Kind: ChangeUpdated, Fields: []string{"viewed"}, Incident: &next}}, nil
}

// answer takes over the answers that are given. The moment at which all three are there for the first time is when the incident is understood.
func (s *Stitcher) answer(in *Incident, a Action) ([]Change, error) {
	if err := checkSaid(a.Said); err != nil {
		return nil, err
	}
	said, before := in.Said, in.Said
	if a.Said.Assessment != "" {
		said.Assessment, said.AssessmentNote = a.Said.Assessment, a.Said.AssessmentNote
	}
	if a.Said.ScopeSet {
		said.ScopeSet, said.Scope = true, slices.Compact(slices.Sorted(slices.Values(a.Said.Scope)))
	}
	if a.Said.Trigger != "" {
		said.Trigger, said.TriggerEvent = a.Said.Trigger, a.Said.TriggerEvent
	}
	if sameAnswers(&said, &before) {
		return nil, fmt.Errorf("%w: these answers are given already", ErrRefused)
	}
	said.By, said.At = a.By, a.At
	fields := []string{"said"}
	if before.Complete() {
		said.Revisions++
	} else if said.Complete() && in.Understood == 0 {
		fields = append(fields, "understood")
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, fields, func(x *Incident) {
		x.Said = said
		if said.Complete() && x.Understood == 0 {
			x.Understood = a.At
		}
		remark(x, a)
	})}, nil
}

func sameAnswers(a, b *Said) bool {
	return a.Assessment == b.Assessment && a.AssessmentNote == b.AssessmentNote && a.ScopeSet == b.ScopeSet && slices.Equal(a.Scope, b.Scope) &&
		a.Trigger == b.Trigger && a.TriggerEvent == b.TriggerEvent
}

func checkSaid(said *Said) error {
	switch {
	case said == nil || said.Assessment == "" && !said.ScopeSet && said.Trigger == "":
		return fmt.Errorf("%w: there is no answer: give an assessment, the scope or the trigger", ErrRefused)
	case said.Assessment != "" && !slices.Contains(Assessments(), said.Assessment):
		return fmt.Errorf("%w: an assessment is one of %s", ErrRefused, strings.Join(Assessments(), ", "))
	case len(said.Scope) > MaxScope:
		return fmt.Errorf("%w: the scope names %d robots; at most %d fit", ErrRefused, len(said.Scope), MaxScope)
	}
	for _, id := range said.Scope {
		if !strings.HasPrefix(id, "robot:") || utf8.RuneCountInString(id) > maxName {
			return fmt.Errorf("%w: the scope names robots, as robot:NAME", ErrRefused)
		}
	}
	if err := fits("the note on the assessment", said.AssessmentNote, MaxText); err != nil {
		return err
	}
	return fits("the trigger", said.Trigger, MaxTrigger)
}

// fits refuses text that is too long; it is never cut.
func fits(what, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Errorf("%w: %s has %d characters; at most %d fit", ErrRefused, what, n, most)
	}
	return nil
}

func (s *Stitcher) snooze(in *Incident, a Action) ([]Change, error) {
	switch {
	case in.Status == Closed:
		return nil, fmt.Errorf("%w: it is closed; reopen it first", ErrRefused)
	case a.Text == "":
		return nil, fmt.Errorf("%w: say why it can wait", ErrRefused)
	case a.Until <= a.At || a.Until-a.At > MaxSnooze:
		return nil, fmt.Errorf("%w: a snooze ends within 30 days from now", ErrRefused)
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"snoozed"}, func(x *Incident) {
		x.Snoozed = a.Until
		remark(x, a)
	})}, nil
}

func (s *Stitcher) unsnooze(in *Incident, a Action) ([]Change, error) {
	if in.Snoozed == 0 {
		return nil, fmt.Errorf("%w: it is not snoozed", ErrRefused)
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"snoozed"}, func(x *Incident) {
		x.Snoozed = 0
		remark(x, a)
	})}, nil
}

// moment is when something happened that is reported at a.At: not before the incident was opened and not after the report.
func moment(in *Incident, a Action) int64 {
	if a.When == 0 {
		return a.At
	}
	return min(max(a.When, in.Opened), a.At)
}

func (s *Stitcher) contain(in *Incident, a Action) ([]Change, error) {
	if in.Contained != 0 {
		return nil, fmt.Errorf("%w: it was reported as contained already", ErrRefused)
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"contained"}, func(x *Incident) {
		x.Contained = moment(in, a)
		remark(x, a)
	})}, nil
}

func (s *Stitcher) decide(in *Incident, a Action) ([]Change, error) {
	if a.Text == "" {
		return nil, fmt.Errorf("%w: say what was decided", ErrRefused)
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"decided", "remarks"}, func(x *Incident) {
		x.Decided = moment(in, a)
		remark(x, a)
	})}, nil
}

func (s *Stitcher) ticket(in *Incident, a Action) ([]Change, error) {
	tickets, err := withTicket(in.Tickets, a.Ticket)
	if err != nil {
		return nil, err
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"tickets"}, func(x *Incident) {
		x.Tickets = tickets
		remark(x, a)
	})}, nil
}

// withTicket is the list with t, which replaces one of the same system and id.
func withTicket(list []Ticket, t *Ticket) ([]Ticket, error) {
	if t == nil || t.System == "" || t.ID == "" {
		return nil, fmt.Errorf("%w: a ticket has a system and an id", ErrRefused)
	}
	if err := cmp.Or(fits("the ticket's system", t.System, maxName), fits("the ticket's id", t.ID, maxName)); err != nil {
		return nil, err
	}
	if !linkable(t.URL) {
		return nil, fmt.Errorf("%w: the ticket's url is no http or https address of at most %d bytes", ErrRefused, maxURL)
	}
	out := slices.Clone(list)
	at := slices.IndexFunc(out, func(x Ticket) bool { return x.System == t.System && x.ID == t.ID })
	if at >= 0 {
		out[at] = *t
		return out, nil
	}
	if len(out) == MaxTickets {
		return nil, fmt.Errorf("%w: it has %d tickets already", ErrRefused, MaxTickets)
	}
	return append(out, *t), nil
}

// linkable reports whether an address may become a link on a page.
func linkable(address string) bool {
	if address == "" {
		return true
	}
	u, err := url.Parse(address)
	return err == nil && len(address) <= maxURL && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Shift reads what a shift hands over. It is called from many goroutines at once.
type Shift interface {
	// Happened lists what became of incidents since a moment of our clock, in the order of the log, at most limit: the latest.
	Happened(ctx context.Context, since int64, limit int) ([]incident.Change, error)
	// Standing lists the incidents that are open or acknowledged.
	Standing() []Standing
}

// Standing is an incident that is worked on, in short.
type Standing struct {
	ID         event.ID
	Title      string
	Severity   incident.Severity
	Status     incident.Status
	Owner      string
	Assignee   string
	Sites      []string
	Robots     []string
	Opened     int64
	Updated    int64
	Snoozed    int64 // Until when; 0: not.
	Understood int64
}

// shifts are how many hours back a handover goes.
var shifts = []int{8, 12, 24, 72, 168}

const (
	defaultShift = 8
	maxHappened  = 2000
)

// happening is one thing that happened to an incident.
type happening struct {
	At      int64
	ID      event.ID
	Title   string
	Actor   string
	Verdict incident.Verdict
	Sev     incident.Severity
	Detail  string
}

// ownerGroup is what stands open for one owner.
type ownerGroup struct {
	Owner string
	Rows  []Standing
}

type handoverPage struct {
	layout
	Hours   int
	Shifts  []int
	Since   int64
	From    string // As the form writes it.
	Parts   []handoverPart
	Owners  []ownerGroup
	Open    int
	Wakes   []Standing
	Expires []suppressionRow
	Cut     bool
}

// handoverPart is the happenings of one kind.
type handoverPart struct {
	Key   string
	Title string
	Rows  []happening
}

func (s *server) handoverRoutes() []route {
	if s.set.Shift == nil {
		return nil
	}
	return []route{{"GET /handover", access.Viewer, s.handover}}
}

// sinceOf reads since when: a moment in UTC, or hours back.
func (s *server) sinceOf(r *http.Request) (since int64, hours int, err error) {
	q := r.URL.Query()
	if text := strings.TrimSpace(q.Get("since")); text != "" {
		for _, layout := range []string{formTime, time.RFC3339} {
			if at, err := time.Parse(layout, text); err == nil {
				return at.UnixMicro(), 0, nil
			}
		}
		return 0, 0, fmt.Errorf("%w: since is a date and a time in UTC, such as 2026-11-21T06:00, not %q", errBadRequest, clip(40, text))
	}
	hours = defaultShift
	if text := q.Get("hours"); text != "" {
		i := slices.IndexFunc(shifts, func(h int) bool { return fmt.Sprint(h) == text })
		if i < 0 {
			return 0, 0, fmt.Errorf("%w: hours is one of %s, not %q", errBadRequest, choices(shifts), clip(20, text))
		}
		hours = shifts[i]
	}
	return s.set.Now() - (time.Duration(hours) * time.Hour).Microseconds(), hours, nil
}

func (s *server) handover(w http.ResponseWriter, r *http.Request) {
	since, hours, err := s.sinceOf(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	changes, err := s.set.Shift.Happened(r.Context(), since, maxHappened)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := handoverPage{layout: s.layout(r, "Handover", "handover"), Hours: hours, Shifts: shifts, Since: since, From: stamp(since, formTime), Cut: len(changes) == maxHappened}
	p.Parts = partsOf(changes, p.Who)
	p.stand(s.set.Shift.Standing(), s.set.Now())
	if s.set.Suppressions != nil {
		for _, x := range s.set.Suppressions.Suppressions() {
			if row := heldRow(x, s.set.Now()); row.Soon {
				p.Expires = append(p.Expires, row)
			}
		}
		slices.SortStableFunc(p.Expires, func(a, b suppressionRow) int { return cmp.Compare(a.Until, b.Until) })
	}
	s.page(w, "handover", http.StatusOK, p)
}

// partsOf sorts changes by what they mean for the next shift.
func partsOf(changes []incident.Change, who access.Person) []handoverPart {
	kinds := []struct {
		kind  incident.ChangeKind
		title string
	}{
		{incident.ChangeOpened, "Opened"},
		{incident.ChangeEscalated, "Escalated"},
		{incident.ChangeReopened, "Reopened"},
		{incident.ChangeAcknowledged, "Acknowledged"},
		{incident.ChangeClosed, "Closed"},
		{incident.ChangeMerged, "Merged"},
		{incident.ChangeSplit, "Split off"},
	}
	rows := map[incident.ChangeKind][]happening{}
	for i := range changes {
		c := &changes[i]
		if who.Sees(c.Incident.Sites) {
			rows[c.Kind] = append(rows[c.Kind], happeningOf(c))
		}
	}
	out := make([]handoverPart, 0, len(kinds))
	for _, k := range kinds {
		out = append(out, handoverPart{string(k.kind), k.title, rows[k.kind]})
	}
	return out
}

func happeningOf(c *incident.Change) happening {
	in := c.Incident
	h := happening{At: in.Updated, ID: in.ID, Title: in.Title, Actor: strings.TrimPrefix(c.Actor, "user:"), Sev: in.Severity}
	switch c.Kind {
	case incident.ChangeClosed:
		h.Verdict = in.Verdict
	case incident.ChangeMerged:
		h.Detail = "into " + event.FormatID(event.IncidentPrefix, in.MergedInto)
	}
	if n := len(in.Remarks); n > 0 && in.Remarks[n-1].At == in.Updated {
		if h.Detail != "" {
			h.Detail += ": "
		}
		h.Detail += clip(300, in.Remarks[n-1].Text)
	}
	return h
}

// stand sorts what is open by its owner, the worst first, and says what wakes up.
func (p *handoverPage) stand(list []Standing, now int64) {
	by := map[string][]Standing{}
	for _, x := range list {
		if !p.Who.Sees(x.Sites) {
			continue
		}
		p.Open++
		if x.Snoozed > now {
			p.Wakes = append(p.Wakes, x)
		}
		by[x.Owner] = append(by[x.Owner], x)
	}
	for _, owner := range slices.Sorted(maps.Keys(by)) {
		rows := by[owner]
		slices.SortFunc(rows, func(a, b Standing) int {
			return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Opened, b.Opened), a.ID.Compare(b.ID))
		})
		p.Owners = append(p.Owners, ownerGroup{owner, rows})
	}
	slices.SortFunc(p.Wakes, func(a, b Standing) int { return cmp.Or(cmp.Compare(a.Snoozed, b.Snoozed), a.ID.Compare(b.ID)) })
}

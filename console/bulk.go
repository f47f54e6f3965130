package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// maxPicks bounds the incidents of one act.
const maxPicks = 200

// nap is how long incidents can be snoozed from the queue.
type nap struct {
	Value, Text string
	long        time.Duration
}

var naps = []nap{
	{"1h", "1 hour", time.Hour}, {"4h", "4 hours", 4 * time.Hour}, {"1d", "1 day", 24 * time.Hour}, {"7d", "7 days", 7 * 24 * time.Hour}, {"30d", "30 days", 30 * 24 * time.Hour},
}

// report tells what an act on several incidents has come to.
type report struct {
	Deed   string
	Done   []actResult
	Failed []actResult
	Undo   bool // What was done can be taken back.
}

// actResult is one incident of it.
type actResult struct {
	ID, Title string
	Revision  int32 // After the act.
	Why       string
}

// pick is one chosen incident, and the revision that its row showed.
type pick struct {
	id       event.ID
	revision int32
	card     *board.Card
}

// bulk carries out one act on the picked incidents, each for itself, and shows the queue again with what has come of it. A form sent twice does
// nothing twice.
func (s *server) bulk(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err), "")
		return
	}
	a, err := askOf(r.PostForm, queueRows)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	rep, err := s.carryOutAll(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	status := http.StatusOK
	if len(rep.Done) == 0 {
		status = http.StatusConflict
	}
	s.showQueue(w, r, status, a, rep)
}

func (s *server) carryOutAll(r *http.Request) (*report, error) {
	form, who := r.PostForm, access.From(r.Context())
	model, err := s.modelOf(form, who)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	picks, err := s.picksOf(form, who)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	rep := &report{Deed: deeds[model.Kind], Undo: model.Kind != incident.ActionUndo}
	if model.Kind == incident.ActionMerge {
		if len(picks) < 2 {
			return nil, fmt.Errorf("%w: pick at least two incidents to merge", errBadRequest)
		}
		oldest := 0
		for i, p := range picks {
			if p.card.Opened < picks[oldest].card.Opened {
				oldest = i
			}
		}
		model.Into = picks[oldest].id
		picks = append(picks[:oldest:oldest], picks[oldest+1:]...)
	}
	for _, p := range picks {
		a := model
		a.Incident, a.Expected = p.id, p.revision
		a.ID = actionID(a)
		x := actResult{ID: event.FormatID(event.IncidentPrefix, p.id), Title: p.card.Title}
		revision, err := s.actOne(r.Context(), a)
		if err != nil {
			x.Why = s.whyNot(err)
			rep.Failed = append(rep.Failed, x)
			continue
		}
		x.Revision = cmp.Or(revision, p.revision+1)
		rep.Done = append(rep.Done, x)
	}
	return rep, nil
}

// actOne carries out one action and gives the incident's revision after it; 0 where the action had been carried out before.
func (s *server) actOne(ctx context.Context, a incident.Action) (revision int32, err error) {
	changes, err := s.set.Analyst.Act(ctx, a)
	for i := range changes {
		if in := changes[i].Incident; in != nil && in.ID == a.Incident {
			revision = in.Revision
		}
	}
	return revision, err
}

// whyNot says why an act on one incident failed.
func (s *server) whyNot(err error) string {
	status := s.statusOf(err)
	if errors.Is(err, incident.ErrStale) {
		return "somebody was faster: " + err.Error() + "; look at it again"
	}
	return sayOf(status, err)
}

// deeds are what can be done to many incidents at once, in the words of the report.
var deeds = map[incident.ActionKind]string{
	incident.ActionAcknowledge: "acknowledged", incident.ActionAssign: "assigned", incident.ActionSnooze: "snoozed", incident.ActionUnsnooze: "woken",
	incident.ActionClose: "closed", incident.ActionMerge: "merged", incident.ActionUndo: "as before",
}

// modelOf reads what the form wants done; the incident is still open.
func (s *server) modelOf(form url.Values, who access.Person) (incident.Action, error) {
	a := incident.Action{Kind: incident.ActionKind(form.Get("action")), By: who.Name, At: s.set.Now(), Verdict: incident.Verdict(form.Get("verdict"))}
	if deeds[a.Kind] == "" {
		return a, fmt.Errorf("%.40q is nothing that can be done to several incidents", a.Kind)
	}
	var errBy, errAssignee, errText error
	if who.Via == "loopback" {
		if by, err := text(form, "by", "your name", maxName); err != nil || by != "" {
			a.By, errBy = by, err
		}
	}
	a.Assignee, errAssignee = text(form, "assignee", "the assignee", maxName)
	a.Text, errText = text(form, "text", "the note", maxNote)
	if err := cmp.Or(errBy, errAssignee, errText); err != nil {
		return a, err
	}
	switch a.Kind {
	case incident.ActionAssign:
		if form.Get("me") != "" {
			a.Assignee = a.By
		}
	case incident.ActionSnooze:
		for _, n := range naps {
			if n.Value == form.Get("until") {
				// Rounded, so that a form sent twice is one act.
				a.Until = (a.At/60e6)*60e6 + n.long.Microseconds()
			}
		}
		switch {
		case a.Until == 0:
			return a, errors.New("say how long to snooze")
		case a.Text == "":
			return a, errors.New("say why it can wait, in the field because")
		}
	case incident.ActionClose:
		if a.Verdict == "" {
			return a, errors.New("closing needs a verdict: choose one beside the button")
		}
	}
	return a, nil
}

// picksOf reads the picked incidents. One that the person may not see is unknown to it.
func (s *server) picksOf(form url.Values, who access.Person) ([]pick, error) {
	revisions := map[string]int32{}
	for _, text := range form["revision"] {
		id, number, _ := strings.Cut(text, ":")
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return nil, errors.New("the form does not say which revisions it is about: load the queue again")
		}
		revisions[id] = int32(n)
	}
	var out []pick
	seen := map[event.ID]bool{}
	for _, text := range form["pick"] {
		id, err := event.ParseID(event.IncidentPrefix, text)
		if err != nil {
			return nil, err
		}
		card := s.set.Board.Get(id)
		revision, known := revisions[text]
		switch {
		case card == nil || !who.Sees(card.Sites()):
			return nil, fmt.Errorf("there is no incident %s", text)
		case !known:
			return nil, errors.New("the form does not say which revisions it is about: load the queue again")
		case seen[id]:
			continue
		}
		seen[id] = true
		out = append(out, pick{id, revision, card})
	}
	switch {
	case len(out) == 0:
		return nil, errors.New("pick at least one incident")
	case len(out) > maxPicks:
		return nil, fmt.Errorf("%d incidents are picked; at most %d go at once", len(out), maxPicks)
	}
	return out, nil
}

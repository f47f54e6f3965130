package incident_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// one makes a stitcher with one incident.
func one(t *testing.T) (*incident.Stitcher, *incident.Incident) {
	t.Helper()
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	s.Apply([]incident.Finding{finding("a", 0, "robot:r1"), finding("b", 1, "robot:r1")}, nil, event.BatchID{Epoch: 1}, 100)
	return s, s.Incidents()[0]
}

var actions int

// do carries out an action at the incident's current revision.
func do(t *testing.T, s *incident.Stitcher, a incident.Action) []incident.Change {
	t.Helper()
	changes, err := try(s, a)
	if err != nil {
		t.Fatalf("%s: %v", a.Kind, err)
	}
	return changes
}

func try(s *incident.Stitcher, a incident.Action) ([]incident.Change, error) {
	actions++
	a.ID = event.NewID("action", fmt.Sprint(actions))
	if in := s.Get(a.Incident); in != nil && a.Expected == 0 {
		a.Expected = in.Revision
	}
	if a.By == "" {
		a.By = "ana"
	}
	return s.Act(a, event.BatchID{Epoch: 2})
}

func TestAnIncidentIsUnderstoodAtTheFirstMomentAllThreeAnswersAreGiven(t *testing.T) {
	s, in := one(t)
	answer := func(at int64, said incident.Said) *incident.Incident {
		t.Helper()
		return do(t, s, incident.Action{Kind: incident.ActionAnswer, Incident: in.ID, At: at, Said: &said})[0].Incident
	}
	if x := answer(200, incident.Said{Assessment: "intrusion", AssessmentNote: "new country"}); x.Understood != 0 || x.Said.By != "ana" || !x.Touched {
		t.Errorf("after one answer: %+v", x.Said)
	}
	if x := answer(300, incident.Said{ScopeSet: true}); x.Understood != 0 {
		t.Error("understood after two answers")
	}
	if x := answer(400, incident.Said{Trigger: incident.UnknownTrigger}); x.Understood != 400 || x.Said.Revisions != 0 {
		t.Errorf("after all three: understood %d, %+v", x.Understood, x.Said)
	}
	x := answer(500, incident.Said{Scope: []string{"robot:r2", "robot:r1", "robot:r2"}, ScopeSet: true})
	if x.Understood != 400 || x.Said.Revisions != 1 || x.Said.Assessment != "intrusion" || !slices.Equal(x.Said.Scope, []string{"robot:r1", "robot:r2"}) {
		t.Errorf("after a later edit: understood %d, %+v", x.Understood, x.Said)
	}
	for what, said := range map[string]*incident.Said{
		"these answers are given already": {Trigger: incident.UnknownTrigger}, "there is no answer": {}, "an assessment is one of": {Assessment: "aliens"},
		"names robots": {ScopeSet: true, Scope: []string{"user:ana"}}, "the trigger has 501 characters": {Trigger: strings.Repeat("ü", 501)},
		"at most 500 fit": {ScopeSet: true, Scope: make([]string, 501)},
	} {
		if _, err := try(s, incident.Action{Kind: incident.ActionAnswer, Incident: in.ID, Said: said}); !errors.Is(err, incident.ErrRefused) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionAnswer, Incident: in.ID}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("no answers at all: %v", err)
	}
}

func TestOnlyTheFirstLookCountsAndMakesNothingStale(t *testing.T) {
	s, in := one(t)
	changes, err := s.Act(incident.View(in.ID, "ben", 150), event.BatchID{})
	if err != nil || len(changes) != 1 || !changes[0].Quiet() || changes[0].Incident.Viewed != 150 || changes[0].Incident.Touched {
		t.Fatalf("%+v, %v", changes, err)
	}
	if again, err := s.Act(incident.View(in.ID, "ana", 160), event.BatchID{}); err != nil || again != nil {
		t.Errorf("a second look: %v, %v", again, err)
	}
	other := incident.View(in.ID, "ana", 160)
	other.ID = event.NewID("other")
	if again, err := s.Act(other, event.BatchID{}); err != nil || again != nil || s.Get(in.ID).Viewed != 150 {
		t.Errorf("a second look under another id: %v, %v", again, err)
	}
	if c := do(t, s, incident.Action{Kind: incident.ActionNote, Incident: in.ID, Expected: in.Revision, Text: "from before the look"}); c[0].Quiet() {
		t.Error("a note is quiet")
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionNote, Incident: in.ID, Expected: in.Revision, Text: "late"}); !errors.Is(err, incident.ErrStale) {
		t.Errorf("after a note: %v", err)
	}
}

func TestASnoozeNeedsAReasonAndEndsWithAnEscalation(t *testing.T) {
	s, in := one(t)
	snooze := func(until int64, text string) error {
		_, err := try(s, incident.Action{Kind: incident.ActionSnooze, Incident: in.ID, At: 200, Until: until, Text: text})
		return err
	}
	for _, bad := range []error{snooze(300, ""), snooze(200, "later"), snooze(201+incident.MaxSnooze, "later")} {
		if !errors.Is(bad, incident.ErrRefused) {
			t.Errorf("%v", bad)
		}
	}
	if err := snooze(1000, "vendor comes on Monday"); err != nil || s.Get(in.ID).Snoozed != 1000 {
		t.Fatalf("%v, %d", err, s.Get(in.ID).Snoozed)
	}
	more := finding("c", 2, "robot:r1")
	apply(s, more)
	if s.Get(in.ID).Snoozed != 1000 {
		t.Error("a finding that is no worse ended it")
	}
	worse := finding("d", 3, "robot:r1")
	worse.Severity = incident.High
	c := apply(s, worse)
	if c[0].Kind != incident.ChangeEscalated || c[0].Incident.Snoozed != 0 || !slices.Contains(c[0].Fields, "snoozed") || !slices.IsSorted(c[0].Fields) {
		t.Errorf("an escalation left it: %+v", c[0].Fields)
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionUnsnooze, Incident: in.ID}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("%v", err)
	}
	if err := snooze(1000, "again"); err != nil {
		t.Fatal(err)
	}
	do(t, s, incident.Action{Kind: incident.ActionUnsnooze, Incident: in.ID, At: 300})
	if s.Get(in.ID).Snoozed != 0 {
		t.Error("it is still snoozed")
	}
}

func TestContainmentDecisionAndTicketsAreKept(t *testing.T) {
	s, in := one(t)
	for _, c := range []struct{ when, want int64 }{{0, 500}, {50, 100}, {300, 300}, {900, 500}} {
		s, in = one(t)
		if x := do(t, s, incident.Action{Kind: incident.ActionContain, Incident: in.ID, At: 500, When: c.when})[0].Incident; x.Contained != c.want {
			t.Errorf("contained at %d reads as %d, want %d", c.when, x.Contained, c.want)
		}
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionContain, Incident: in.ID, At: 600}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("contained twice: %v", err)
	}
	if x := do(t, s, incident.Action{Kind: incident.ActionDecide, Incident: in.ID, At: 600, Text: "swap the controller"})[0].Incident; x.Decided != 600 || len(x.Remarks) != 1 {
		t.Errorf("%d, %v", x.Decided, x.Remarks)
	}
	ticket := func(x incident.Ticket) error {
		_, err := try(s, incident.Action{Kind: incident.ActionTicket, Incident: in.ID, Ticket: &x})
		return err
	}
	for _, bad := range []incident.Ticket{{System: "jira"}, {ID: "1"}, {System: "j", ID: "1", URL: "javascript:alert(1)"}, {System: "j", ID: "1", URL: "https://u:p@h/"}, {System: "j", ID: strings.Repeat("x", 257)}, {System: "j", ID: "1", URL: "https://h/" + strings.Repeat("x", 2048)}} {
		if err := ticket(bad); !errors.Is(err, incident.ErrRefused) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for _, good := range []incident.Ticket{{System: "jira", ID: "1"}, {System: "jira", ID: "2"}, {System: "jira", ID: "1", URL: "https://jira.example/1"}} {
		if err := ticket(good); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]incident.Ticket{{System: "jira", ID: "1", URL: "https://jira.example/1"}, {System: "jira", ID: "2"}}, s.Get(in.ID).Tickets); diff != "" {
		t.Error(diff)
	}
	for i := range incident.MaxTickets {
		if err := ticket(incident.Ticket{System: "x", ID: fmt.Sprint(i)}); (err != nil) != (i >= incident.MaxTickets-2) {
			t.Fatalf("ticket %d: %v", i, err)
		}
	}
}

func TestADispositionIsOneRevisionWithItsOrigin(t *testing.T) {
	s, in := one(t)
	c := do(t, s, incident.Action{
		Kind: incident.ActionDispose, Incident: in.ID, Origin: "soar", By: "bot", At: 700, When: 600, Status: incident.Closed, Verdict: incident.Malfunction, Text: "gear box", Contained: true,
		Ticket: &incident.Ticket{System: "snow", ID: "INC1"},
	})
	x := c[0].Incident
	if len(c) != 1 || c[0].Kind != incident.ChangeClosed || c[0].Origin != "soar" || c[0].Actor != "user:bot" || x.Revision != in.Revision+1 {
		t.Fatalf("%+v", c)
	}
	if x.Status != incident.Closed || x.Verdict != incident.Malfunction || x.ClosedAt != 600 || x.Contained != 600 || len(x.Tickets) != 1 || x.Remarks[0].Text != "gear box" {
		t.Errorf("%+v", x)
	}
	if diff := cmp.Diff([]string{"contained", "remarks", "status", "tickets", "verdict"}, c[0].Fields); diff != "" {
		t.Error(diff)
	}
	if x := do(t, s, incident.Action{Kind: incident.ActionDispose, Incident: in.ID, Verdict: incident.Intrusion})[0]; x.Kind != incident.ChangeUpdated || x.Incident.Verdict != incident.Intrusion {
		t.Errorf("a verdict corrected: %+v", x)
	}
	for what, a := range map[string]incident.Action{
		"says nothing": {}, "it is closed; an acknowledgement": {Status: incident.Acknowledged}, "status is open": {Status: incident.Merged}, "a verdict is one of": {Verdict: "x", Status: incident.Closed},
		"it is closed already": {Status: incident.Closed, Verdict: incident.Intrusion}, "goes with status closed": {Status: incident.Open, Verdict: incident.Intrusion},
		"has a system": {Ticket: &incident.Ticket{}},
	} {
		a.Kind, a.Incident = incident.ActionDispose, in.ID
		if _, err := try(s, a); !errors.Is(err, incident.ErrRefused) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if x := do(t, s, incident.Action{Kind: incident.ActionDispose, Incident: in.ID, Status: incident.Open})[0]; x.Kind != incident.ChangeReopened || x.Incident.Verdict != "" || x.Incident.Reopened != 1 {
		t.Errorf("reopened: %+v", x)
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionDispose, Incident: in.ID, Status: incident.Closed}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("closing without a verdict: %v", err)
	}
}

// Two systems decide about the same revision at once. Whatever comes first, the incident ends closed.
func TestAResolutionWinsOverAnAcknowledgementOfAnOlderRevision(t *testing.T) {
	resolve := incident.Action{Kind: incident.ActionDispose, Status: incident.Closed, Verdict: incident.Malfunction}
	ack := incident.Action{Kind: incident.ActionDispose, Status: incident.Acknowledged}
	for _, order := range [][]incident.Action{{resolve, ack}, {ack, resolve}} {
		s, in := one(t)
		var errs []error
		for _, a := range order {
			a.Incident, a.Expected = in.ID, in.Revision
			_, err := try(s, a)
			errs = append(errs, err)
		}
		if got := s.Get(in.ID); got.Status != incident.Closed {
			t.Errorf("it is %s after %v", got.Status, errs)
		}
	}
	s, in := one(t)
	do(t, s, incident.Action{Kind: incident.ActionNote, Incident: in.ID, Text: "look at this first"})
	resolve.Incident, resolve.Expected = in.ID, in.Revision
	if _, err := try(s, resolve); !errors.Is(err, incident.ErrStale) {
		t.Errorf("a resolution that has not seen a note: %v", err)
	}
}

// life is what tells two states of a stitcher apart, but for what an undo must not restore.
func life(s *incident.Stitcher) []incident.Incident {
	var out []incident.Incident
	for _, in := range s.Incidents() {
		out = append(out, *in)
	}
	return out
}

var unlike = cmp.Options{cmpopts.IgnoreFields(incident.Incident{}, "Revision", "Updated", "LastAck", "LastView"), cmpopts.EquateEmpty()}

// acts are actions of every kind that make sense for an incident; s has another one to merge into.
func everyAct(s *incident.Stitcher, in *incident.Incident, r *rand.Rand) []incident.Action {
	until := int64(5000)
	out := []incident.Action{
		{Kind: incident.ActionAcknowledge},
		{Kind: incident.ActionAssign, Assignee: "ben"},
		{Kind: incident.ActionNote, Text: "hm"},
		{Kind: incident.ActionClose, Verdict: incident.Misuse},
		{Kind: incident.ActionReopen},
		{Kind: incident.ActionAnswer, Said: &incident.Said{Assessment: incident.Assessments()[r.IntN(5)], ScopeSet: true, Trigger: fmt.Sprint(r.IntN(9))}},
		{Kind: incident.ActionSnooze, Until: until, Text: "later"},
		{Kind: incident.ActionUnsnooze},
		{Kind: incident.ActionContain},
		{Kind: incident.ActionDecide, Text: "so"},
		{Kind: incident.ActionTicket, Ticket: &incident.Ticket{System: "s", ID: fmt.Sprint(r.IntN(9))}},
		{Kind: incident.ActionPin, Pin: &incident.Pin{Event: event.NewID("pin", fmt.Sprint(r.IntN(9))), Time: r.Int64N(9), Text: "here"}},
		{Kind: incident.ActionUnpin, Pin: &incident.Pin{Event: event.NewID("pin", fmt.Sprint(r.IntN(9)))}},
		{Kind: incident.ActionDispose, Status: incident.Closed, Verdict: incident.Duplicate},
	}
	for _, other := range s.Incidents() {
		if other.ID != in.ID {
			out = append(out, incident.Action{Kind: incident.ActionMerge, Into: other.ID})
		}
	}
	if len(in.Findings) > 1 {
		out = append(out, incident.Action{Kind: incident.ActionSplit, Findings: []event.ID{in.Findings[r.IntN(len(in.Findings))].ID}})
	}
	for i := range out {
		out[i].Incident, out[i].At = in.ID, 1000
	}
	return out
}

func TestUndoRestoresWhatWasBeforeWhateverWasDone(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	undone := map[incident.ActionKind]int{}
	told := []incident.ActionKind{incident.ActionMerge, incident.ActionSplit, incident.ActionClose, incident.ActionReopen, incident.ActionAnswer, incident.ActionDispose}
	left := func() bool {
		return slices.ContainsFunc(told, func(k incident.ActionKind) bool { return undone[k] == 0 })
	}
	for round := 0; round < 120 || left() && round < 12_000; round++ { // On until chance has shown each.
		s := incident.NewStitcher(incident.DefaultConfig(), nil)
		for i := range 5 {
			apply(s, finding(fmt.Sprint("f", i), int64(i), fmt.Sprintf("robot:r%d", r.IntN(2))))
		}
		for range 6 {
			all := s.Incidents()
			in := all[r.IntN(len(all))]
			options := everyAct(s, in, r)
			a := options[r.IntN(len(options))]
			if in.Status == incident.Closed && r.IntN(2) == 0 {
				a.Kind = incident.ActionReopen
			}
			before := life(s)
			changes, err := try(s, a)
			if err != nil {
				continue
			}
			if r.IntN(8) == 0 {
				s = restart(t, s)
			}
			if r.IntN(3) == 0 {
				continue
			}
			if r.IntN(4) == 0 {
				_, _ = s.Act(incident.View(in.ID, "ben", 1500), event.BatchID{})
				for i := range before {
					if before[i].ID == in.ID && before[i].Viewed == 0 {
						before[i].Viewed = s.Get(in.ID).Viewed
					}
				}
			}
			from := changes[r.IntN(len(changes))].Incident.ID
			if _, kind, by, ok := s.Undoable(from); !ok || kind != a.Kind || by != "ana" {
				t.Fatalf("seed %d: %s cannot be undone", seed, a.Kind)
			}
			back, err := try(s, incident.Action{Kind: incident.ActionUndo, Incident: from, At: 2000})
			if err != nil {
				t.Fatalf("seed %d: undo of %s: %v", seed, a.Kind, err)
			}
			undone[a.Kind]++
			if diff := cmp.Diff(before, life(s), unlike); diff != "" {
				t.Fatalf("seed %d: undo of %s:\n%s", seed, a.Kind, diff)
			}
			for i, c := range back {
				if len(c.Fields) == 0 || !slices.IsSorted(c.Fields) || c.Incident.Revision != changes[i].Incident.Revision+1 && c.Incident.LastView == 0 && c.Incident.Viewed == 0 || c.Incident.Updated != 2000 {
					t.Errorf("seed %d: undo of %s: change %+v at revision %d", seed, a.Kind, c.Fields, c.Incident.Revision)
				}
			}
			if _, err := try(s, incident.Action{Kind: incident.ActionUndo, Incident: from}); !errors.Is(err, incident.ErrRefused) {
				t.Errorf("seed %d: undone twice: %v", seed, err)
			}
		}
	}
	for _, kind := range told {
		if undone[kind] == 0 {
			t.Errorf("no %s was undone", kind)
		}
	}
}

func TestUndoIsRefusedOnceSomethingElseHasHappened(t *testing.T) {
	s, in := one(t)
	do(t, s, incident.Action{Kind: incident.ActionAcknowledge, Incident: in.ID})
	do(t, s, incident.Action{Kind: incident.ActionNote, Incident: in.ID, Text: "x"})
	acted, _, _, _ := s.Undoable(in.ID)
	if _, err := try(s, incident.Action{Kind: incident.ActionUndo, Incident: in.ID, Undoes: event.NewID("another")}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("an act that was not the last: %v", err)
	}
	apply(s, finding("c", 2, "robot:r1"))
	if _, _, _, ok := s.Undoable(in.ID); ok {
		t.Error("it can be undone after a new finding")
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionUndo, Incident: in.ID, Undoes: acted}); !errors.Is(err, incident.ErrRefused) || !strings.Contains(err.Error(), "something else has happened") {
		t.Errorf("after a new finding: %v", err)
	}
	do(t, s, incident.Action{Kind: incident.ActionNote, Incident: in.ID, Text: "y"})
	if _, err := try(s, incident.Action{Kind: incident.ActionUndo, Incident: in.ID, Expected: 1}); !errors.Is(err, incident.ErrStale) {
		t.Errorf("at an old revision: %v", err)
	}
}

// A finding that becomes final without being news must not go back to what it was when its incident was split.
func TestUndoKeepsWhatFindingsHaveBecome(t *testing.T) {
	s, in := one(t)
	split := do(t, s, incident.Action{Kind: incident.ActionSplit, Incident: in.ID, Findings: []event.ID{in.Findings[0].ID}})
	final := finding("a", 0, "robot:r1")
	final.State, final.Revision = incident.Final, 2
	if c := apply(s, final); len(c) != 0 {
		t.Fatalf("%+v", c)
	}
	do(t, s, incident.Action{Kind: incident.ActionUndo, Incident: split[1].Incident.ID})
	got := s.Get(in.ID)
	if len(got.Findings) != 2 || got.Findings[0].State != incident.Final || got.Detached != 0 || s.Get(split[1].Incident.ID).MergedInto != in.ID {
		t.Errorf("%d findings, the first %s, detached %d", len(got.Findings), got.Findings[0].State, got.Detached)
	}
	apply(s, finding("c", 2, "robot:r1"))
	if got := partition(s); got != "a+b+c" {
		t.Errorf("what comes later joins %q", got)
	}
}

func TestWhatCanBeUndoneIsBounded(t *testing.T) {
	s := incident.NewStitcher(incident.DefaultConfig(), nil)
	for i := range 300 {
		apply(s, finding(fmt.Sprint("f", i), int64(i%50), fmt.Sprintf("robot:r%d", i)))
	}
	n := 0
	for _, in := range s.Incidents() {
		do(t, s, incident.Action{Kind: incident.ActionAcknowledge, Incident: in.ID})
	}
	for _, in := range s.Incidents() {
		if _, _, _, ok := s.Undoable(in.ID); ok {
			n++
		}
	}
	if n != 128 {
		t.Errorf("%d can be undone", n)
	}
}

func TestDetachedAndReopenedAreCounted(t *testing.T) {
	s, in := one(t)
	do(t, s, incident.Action{Kind: incident.ActionDetach, Incident: in.ID, Findings: []event.ID{in.Findings[0].ID}})
	do(t, s, incident.Action{Kind: incident.ActionClose, Incident: in.ID, Verdict: incident.Malfunction})
	apply(s, finding("c", 2, "robot:r1"))
	do(t, s, incident.Action{Kind: incident.ActionClose, Incident: in.ID, Verdict: incident.Malfunction})
	do(t, s, incident.Action{Kind: incident.ActionReopen, Incident: in.ID})
	if got := s.Get(in.ID); got.Detached != 1 || got.Reopened != 2 {
		t.Errorf("detached %d, reopened %d", got.Detached, got.Reopened)
	}
}

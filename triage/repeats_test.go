package triage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// rowsOfTexts are the rows of the robot's lane for events of one kind, told in seconds and words.
func rowsOfTexts(t *testing.T, tell func(i int) (second int64, text string), n int) []incident.Moment {
	t.Helper()
	var refs []*event.Ref
	for i := range n {
		second, text := tell(i)
		r := ref(state, 6, "robot", 0, "robot:r1")
		r.Time, r.Summary, r.Event = start+second*1_000_000, text, event.NewID("repeat", fmt.Sprint(i))
		refs = append(refs, r)
	}
	f := found("r", "Faults", nil, refs...)
	for i := range f.Evidence {
		f.Evidence[i].Step = "fault"
	}
	in := stitched(t, nil, f)
	return slices.DeleteFunc(triage.Timeline(in), func(m incident.Moment) bool { return m.Lane != "robot" })
}

func TestRepeatsThatDifferInNumbersAreOneRowWhateverHappenedBetween(t *testing.T) {
	rows := rowsOfTexts(t, func(i int) (int64, string) {
		if i%5 == 4 {
			return int64(i), "battery low"
		}
		return int64(i), fmt.Sprintf("fault E%d on axis %d: torque above limit", 100+i, i%3)
	}, 20)
	if len(rows) != 2 {
		t.Fatalf("got %+v", rows)
	}
	if r := rows[0]; r.Text != "fault * on axis * torque above limit" || r.Count != 16 || r.At != start || r.Until != start+18_000_000 {
		t.Errorf("got %+v", r)
	}
	if r := rows[1]; r.Text != "battery low" || r.Count != 4 || r.Until != start+19_000_000 {
		t.Errorf("got %+v", r)
	}
}

func TestRepeatsKeepApartWhatSaysSomethingElse(t *testing.T) {
	modes := []string{"manual", "automatic", "manual", "teach", "automatic"}
	rows := rowsOfTexts(t, func(i int) (int64, string) { return int64(i), "mode is " + modes[i] + " now" }, len(modes))
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s x%d", r.Text, r.Count))
	}
	if want := "mode is manual now x2, mode is automatic now x2, mode is teach now x1"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, ", "), want)
	}
}

func TestARunOfRepeatsEndsWithASilence(t *testing.T) {
	rows := rowsOfTexts(t, func(i int) (int64, string) { return int64(i)*300 + int64(i/4)*900, "joint 3 overheated" }, 9)
	if len(rows) != 3 || rows[0].Count != 4 || rows[0].Until-rows[0].At != 900_000_000 || rows[1].Count != 4 || rows[2].Count != 1 || rows[2].Until != 0 {
		t.Errorf("got %+v", rows)
	}
}

func TestASuccessIsNotHiddenAmongFailures(t *testing.T) {
	in := compromise(t)
	var events []*event.Event
	for i := range 9 {
		e := &event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 2, Time: in.First + int64(i)*1_000_000, User: event.User{Name: "ana"}}
		if i == 7 {
			e.StatusID = 1
		}
		e.Envelope = event.Envelope{ID: event.NewID("try", fmt.Sprint(i)), Received: e.Time}
		e.FindEntities()
		events = append(events, e)
	}
	var got []int
	for _, m := range triage.Around(in, events) {
		if m.Finding.IsZero() && m.Class == "authentication.logon" {
			got = append(got, m.Count)
		}
	}
	if !slices.Equal(got, []int{8, 1}) {
		t.Errorf("rows of %v events, want 8 failures and 1 success", got)
	}
}

func TestTextsBeyondTheBoundStandByThemselves(t *testing.T) {
	word := func(i int) string { return strings.Repeat("x", i%20+1) + strings.Repeat("y", i/20+1) }
	rows := rowsOfTexts(t, func(i int) (int64, string) { return int64(i), "text " + word(i) }, 300)
	n := 0
	for _, r := range rows {
		n += r.Count
		if strings.Contains(r.Text, "*") {
			t.Errorf("a row says %q", r.Text)
		}
	}
	if n != 300 {
		t.Errorf("rows stand for %d events", n)
	}
}

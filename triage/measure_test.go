package triage_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

const sec = 1_000_000

// spread finds a duration by name.
func spread(t *testing.T, list []triage.Measured, now int64, name string) triage.Spread {
	t.Helper()
	for _, s := range triage.Spreads(list, now) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no duration %s", name)
	return triage.Spread{}
}

func TestDurationsAreMeasuredFromTheirAnchors(t *testing.T) {
	m := triage.Measured{
		Status: incident.Closed, Touched: true, First: 100 * sec, Arrived: 130 * sec, Alerted: 131 * sec, Opened: 132 * sec, Viewed: 200 * sec, Acked: 210 * sec,
		Understood: 500 * sec, Contained: 900 * sec, Closed: 1000 * sec, Notified: 135 * sec, Owed: true,
	}
	for name, want := range map[string]triage.Seconds{"detect": 31, "pipeline": 2, "notify": 3, "acknowledge": 78, "understand": 300, "understand_wall": 368, "contain": 768, "resolve": 868} {
		if s := spread(t, []triage.Measured{m}, 9999*sec, name); s.Median != want || s.P90 != want || s.N != 1 || s.Censored != 0 {
			t.Errorf("%s: %+v, want %v", name, s, want)
		}
	}
}

func TestWhatHasNotHappenedYetIsCensoredAndWhatNeverWillIsLeftOut(t *testing.T) {
	open := triage.Measured{Status: incident.Open, First: sec, Alerted: 2 * sec, Opened: 10 * sec}
	viewed, closed, withdrawn, merged := open, open, open, open
	viewed.Viewed = 20 * sec
	closed.Status, closed.Touched, closed.Viewed, closed.Closed = incident.Closed, true, 20*sec, 50*sec
	withdrawn.Status, withdrawn.Closed = incident.Closed, 30*sec
	merged.Status, merged.Touched = incident.Merged, true
	list := []triage.Measured{open, viewed, closed, withdrawn, merged}
	for name, want := range map[string][2]int{"acknowledge": {1, 2}, "understand": {0, 2}, "understand_wall": {0, 3}, "contain": {0, 2}, "resolve": {1, 2}, "detect": {5, 0}} {
		if s := spread(t, list, 100*sec, name); [2]int{s.N, s.Censored} != want {
			t.Errorf("%s: %d came to it and %d may, want %v", name, s.N, s.Censored, want)
		}
	}
	if s := spread(t, list, 100*sec, "understand"); s.Median.Known() {
		t.Errorf("the median of what nobody has come to is %v", s.Median)
	}
	ahead := triage.Measured{First: 50 * sec, Alerted: 40 * sec}
	if s := spread(t, []triage.Measured{ahead}, 100*sec, "detect"); s.Skewed != 1 || s.N != 0 {
		t.Errorf("a source whose clock is ahead: %+v", s)
	}
}

func TestOnlyWhatAnEndpointIsOwedIsWaitedFor(t *testing.T) {
	nobody := triage.Measured{Status: incident.Open, Opened: 10 * sec}
	owed, told, given := nobody, nobody, nobody
	owed.Owed = true
	told.Owed, told.Notified = true, 14*sec
	given.Owed, given.Status, given.Closed = true, incident.Closed, 30*sec
	s := spread(t, []triage.Measured{nobody, owed, told, given}, 100*sec, "notify")
	if s.N != 1 || s.Censored != 2 || s.Median.Known() {
		t.Errorf("one of four was told, and two are owed: %+v", s)
	}
	if s := spread(t, []triage.Measured{told, told, owed}, 100*sec, "notify"); s.Median != 4 {
		t.Errorf("two of three after four seconds: %+v", s)
	}
}

func TestIncidentsPerAnalystHourCountAnHourOfAPersonOnce(t *testing.T) {
	ana, ben := triage.WorkHour{By: "user:ana", Hour: 3600}, triage.WorkHour{By: "user:ben", Hour: 3600}
	list := []triage.Measured{{Status: incident.Open, Hours: []triage.WorkHour{ana, ben}}, {Status: incident.Closed, Hours: []triage.WorkHour{ana}}, {Status: incident.Merged, Hours: []triage.WorkHour{ana}}, {Status: incident.Open}}
	if n := triage.NoiseOf(list); n.Worked != 3 || n.AnalystHours != 2 || n.PerHour() != 1.5 {
		t.Errorf("%+v, %v an hour", n, n.PerHour())
	}
	if n := triage.NoiseOf(list[3:]); n.PerHour() != -1 {
		t.Errorf("nobody worked: %v an hour", n.PerHour())
	}
}

// Five incidents of 10, 20, 30, 40 and 50 seconds. Where the one of 30 was still open when last seen, the Kaplan-Meier estimate falls to
// 4/5, 3/5, then by a half to 3/10, then to 0.
func TestQuantilesDoNotForgetWhatIsStillOpen(t *testing.T) {
	var list []triage.Measured
	for i := range 5 {
		list = append(list, triage.Measured{Status: incident.Closed, Touched: true, Opened: sec, Closed: int64(1+10*(i+1)) * sec})
	}
	if s := spread(t, list, 0, "resolve"); s.Median != 30 || s.P75 != 40 || s.P90 != 50 {
		t.Errorf("all closed: %+v", s)
	}
	list[2].Status, list[2].Closed = incident.Open, 0
	if s := spread(t, list, 31*sec, "resolve"); s.Median != 40 || s.P75 != 50 || s.P90 != 50 || s.N != 4 || s.Censored != 1 {
		t.Errorf("one open: %+v", s)
	}
	for i := range list {
		list[i].Status, list[i].Closed = incident.Open, 0
	}
	list[0].Status, list[0].Closed = incident.Closed, 11*sec
	if s := spread(t, list, 100*sec, "resolve"); s.Median.Known() || s.P90.Known() || s.N != 1 {
		t.Errorf("four open: %+v", s)
	}
}

func TestMeasuresDoNotDependOnOrder(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	var list []triage.Measured
	for range 200 {
		m := triage.Measured{Status: incident.Status(1 + r.IntN(4)), Verdict: incident.Verdicts()[r.IntN(9)], Team: "it", Findings: r.IntN(5), Opened: 1 + r.Int64N(100*sec), Touched: r.IntN(2) == 0, Rules: []string{"a", "b", "c"}[:1+r.IntN(3)], Zones: []string{"x", "y"}[:r.IntN(3)]}
		if m.Status == incident.Closed {
			m.Closed = m.Opened + r.Int64N(100*sec)
		}
		list = append(list, m)
	}
	measure := func(list []triage.Measured) any {
		out := []any{triage.Spreads(list, 300*sec), triage.NoiseOf(list), triage.Precisions(list)}
		for _, by := range triage.Groupings() {
			g, ok := triage.Groups(list, by, 300*sec)
			if !ok {
				t.Errorf("there is no grouping %s", by)
			}
			out = append(out, g)
		}
		return out
	}
	want := measure(list)
	other := slices.Clone(list)
	r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
	if diff := cmp.Diff(want, measure(other)); diff != "" {
		t.Errorf("seed %d: %s", seed, diff)
	}
	if _, ok := triage.Groups(list, "weather", 0); ok {
		t.Error("incidents are grouped by weather")
	}
}

func TestNoiseCountsWhatPeopleHadToMend(t *testing.T) {
	list := []triage.Measured{
		{Status: incident.Open, Findings: 3, Detached: 2, Understood: 9, Revised: 1},
		{Status: incident.Closed, Touched: true, Findings: 1, Reopened: 1},
		{Status: incident.Closed, Touched: true, Viewed: 5, Findings: 2, Understood: 6},
		{Status: incident.Closed},
		{Status: incident.Merged, Touched: true},
	}
	want := triage.Noise{Incidents: 4, Findings: 6, Open: 1, Closed: 2, ClosedUnviewed: 1, Withdrawn: 1, Merged: 1, Detached: 1, Reopened: 1, Understood: 2, Revised: 1}
	if diff := cmp.Diff(want, triage.NoiseOf(list)); diff != "" {
		t.Error(diff)
	}
	if got := triage.NoiseOf(list).FindingsEach(); got != 1.5 {
		t.Errorf("%v findings an incident", got)
	}
	if triage.Share(1, 0) != -1 {
		t.Error("a share of nothing")
	}
}

func TestAPrecisionIsThatOfTheVerdictsThatSaySomething(t *testing.T) {
	var list []triage.Measured
	for _, v := range incident.Verdicts() {
		list = append(list, triage.Measured{Status: incident.Closed, Touched: true, Verdict: v, Rules: []string{"r"}})
	}
	list = append(list, triage.Measured{Status: incident.Open, Rules: []string{"r", "quiet"}}, triage.Measured{Status: incident.Closed, Verdict: incident.RuleFalsePositive, Rules: []string{"r"}})
	want := []triage.Precision{{Rule: "r", Incidents: 10, Labelled: 6, Threats: 3, Wrong: 1}, {Rule: "quiet", Incidents: 1}}
	got := triage.Precisions(list)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if got[0].Share() != 5.0/6 || got[1].Share() != -1 {
		t.Errorf("%v, %v", got[0].Share(), got[1].Share())
	}
}

package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

const pairRule = `match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 10m
`

// batchOf makes a batch of timeline lines, numbered from n, with one source.
func batchOf(t testing.TB, n int, lines ...string) *event.Batch {
	b := &event.Batch{}
	for i, l := range lines {
		e := eventOf(t, strings.Fields(l), n+i)
		b.Events = append(b.Events, e)
		b.Marks = []event.Mark{{Source: "s", Newest: max(e.Time, markOf(b))}}
	}
	b.Sort()
	return b
}

func markOf(b *event.Batch) int64 {
	if len(b.Marks) == 0 {
		return 0
	}
	return b.Marks[0].Newest
}

func feedEngine(e *correlate.Engine, b *event.Batch) []incident.Finding {
	hits, _ := e.Match(b)
	return slices.Clone(e.Fold(hits, b.Marks))
}

func TestEventsNoRuleListensToCostNoAllocation(t *testing.T) {
	m := correlate.NewMatcher(manyRules(t, 200))
	s := m.NewScratch(nil)
	other, unmatched := traffic(100), traffic(100)
	for i := range other.Events {
		other.Events[i].ClassUID = event.ClassDNS
		unmatched.Events[i].API.Operation = "nobody asks for this"
	}
	for name, b := range map[string]*event.Batch{"class nobody listens to": other, "no condition is true": unmatched} {
		if n := testing.AllocsPerRun(20, func() { m.Match(s, b, 0, len(b.Sorted), nil) }); n != 0 {
			t.Errorf("%s: %v allocations for 100 events", name, n)
		}
	}
}

// TestIndexFindsWhatATryOfEveryRuleFinds holds the index against rules that are each alone in their set, where there is nothing to leave out.
func TestIndexFindsWhatATryOfEveryRuleFinds(t *testing.T) {
	set := manyRules(t, 120)
	b := traffic(2000)
	s := correlate.NewMatcher(set)
	got := map[string]int{}
	for _, h := range s.Match(s.NewScratch(nil), b, 0, len(b.Sorted), nil) {
		got[h.Rule]++
	}
	want, hits := map[string]int{}, 0
	machine := correlate.NewMachine()
	for _, r := range set.Rules {
		for i := range b.Events {
			e := &b.Events[i]
			for _, step := range r.Plan.Branches[0].Steps {
				if !slices.ContainsFunc(step.Classes, func(c event.ClassRef) bool { return c.Matches(e) }) {
					continue
				}
				if ok, err := step.Where.Match(machine, e); ok && err == nil {
					want[r.ID]++
					hits++
				}
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" || hits == 0 {
		t.Errorf("%d hits: %s", hits, d)
	}
}

func TestHitsDoNotDependOnTheNumberOfWorkers(t *testing.T) {
	set := manyRules(t, 100)
	b := traffic(5000)
	one, _ := correlate.New(set, correlate.Settings{}).Match(b)
	four, _ := correlate.New(set, correlate.Settings{Workers: 4}).Match(b)
	if d := cmp.Diff(one, four); d != "" || len(one) == 0 {
		t.Error(len(one), d)
	}
}

func TestASwapKeepsUnchangedRulesAndWarmsOthersInSilence(t *testing.T) {
	first, second := *ruleOf(t, pairRule), *ruleOf(t, pairRule)
	first.ID, second.ID = "kept", "edited"
	edited := second
	edited.Version = 2
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{&second, &first}}, correlate.Settings{})
	old := []*event.Batch{batchOf(t, 0, "0s A r1", "1m B r1"), batchOf(t, 2, "2m A r1", "3m X r9")}
	for _, b := range old {
		feedEngine(e, b)
	}
	report := e.Swap(&rules.Set{Rules: []*rules.Rule{&edited, &first}})
	if d := cmp.Diff(correlate.Report{Kept: []string{"kept"}, Warming: []string{"edited"}, Stopped: []string{"edited"}}, report); d != "" {
		t.Error(d)
	}
	for _, b := range old { // The log, matched again by the new rule.
		hits, _ := e.Match(b)
		e.Warm(hits, b.Marks)
	}
	var got []string
	for _, f := range feedEngine(e, batchOf(t, 4, "4m B r1", "20m X r9")) {
		got = append(got, fmt.Sprint(f.Rule.ID, " ", f.Rule.Version, " ", line(f)))
	}
	want := []string{"edited 2 4m robot=robot:r1 | a@2m b@4m", "kept 1 4m robot=robot:r1 | a@2m b@4m"}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWhatAStoppedRuleHadFoundBecomesFinal(t *testing.T) {
	r := ruleOf(t, pairRule+"lateness: 10m\n")
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{r}}, correlate.Settings{})
	if got := feedEngine(e, batchOf(t, 0, "0s A r1", "1m B r1")); len(got) != 1 || got[0].State != incident.Provisional {
		t.Fatalf("got %v", got)
	}
	e.Swap(&rules.Set{})
	if got := feedEngine(e, batchOf(t, 2, "2m X r1")); len(got) != 1 || got[0].State != incident.Final || got[0].Revision != 2 {
		t.Errorf("got %v", got)
	}
}

func TestAFloodOfKeysCannotPushOutASlowAttack(t *testing.T) {
	r := ruleOf(t, pairRule)
	for name, s := range map[string]correlate.Settings{"keys": {MaxKeys: 50}, "bytes": {MaxBytes: 100_000}} {
		e := correlate.New(&rules.Set{Rules: []*rules.Rule{r}}, s)
		feedEngine(e, batchOf(t, 0, "0s A r1"))
		var flood []string
		for i := range 500 {
			flood = append(flood, fmt.Sprintf("1m A flood%d", i))
		}
		feedEngine(e, batchOf(t, 1, flood...))
		found := feedEngine(e, batchOf(t, 1000, "2m B r1"))
		stats := e.Stats().Rules[0]
		if len(found) != 1 || stats.Evicted == 0 || !stats.Degraded || stats.Keys > 200 {
			t.Fatalf("%s: %d findings, %+v", name, len(found), stats)
		}
		if !strings.Contains(strings.Join(found[0].Notes, " "), "degraded") {
			t.Errorf("%s: the finding does not say that memory was full: %v", name, found[0].Notes)
		}
	}
}

func TestEvidenceBeyondTheBoundIsCountedAndTheNewestStays(t *testing.T) {
	r := ruleOf(t, "match:\n  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 30, within: 1h}\n")
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{r}}, correlate.Settings{MaxEvidence: 10})
	var lines []string
	for i := range 30 {
		lines = append(lines, fmt.Sprintf("%ds A r1", i+1))
	}
	f := feedEngine(e, batchOf(t, 0, lines...))[0]
	if len(f.Evidence) != 10 || f.Truncated != 20 || at(f.Evidence[0].Event.Time) != "1s" || at(f.Evidence[9].Event.Time) != "30s" {
		t.Errorf("%d kept, %d left out: %s", len(f.Evidence), f.Truncated, line(f))
	}
}

func TestChangesOfWatchedAttributesAreNoted(t *testing.T) {
	e := correlate.New(&rules.Set{}, correlate.Settings{})
	b := batchOf(t, 0,
		"0s X r1 robot.controller_fw=1.0 robot.operating_mode_id=1",
		"1m X r1 robot.controller_fw=1.0 robot.operating_mode_id=3",
		"2m X r1 robot.controller_fw=1.1 robot.operating_mode_id=3 actor.user.uid=ana",
		"3m X r1 class=robot_control.program_load robot_command.program_uid=P7 actor.user.uid=ana",
		"4m X class=group_management.add_user group.name=robot-admins user.uid=bob actor.user.uid=ana",
	)
	_, notes := e.Match(b)
	write := func(notes []event.Note) (out []string) {
		for _, n := range notes {
			out = append(out, fmt.Sprintf("%s %s of %s: %q to %q by %q", at(n.Ref.Time), n.What, n.Entity, n.Prev, n.Value, n.Actor))
		}
		return out
	}
	want := []string{
		`1m mode of robot:r1: "Automatic" to "Manual" by ""`,
		`2m firmware of robot:r1: "1.0" to "1.1" by "user:ana"`,
		`3m program of robot:r1: "" to "P7" by "user:ana"`,
		`4m role of user:bob: "" to "add user robot-admins" by "user:ana"`,
	}
	if d := cmp.Diff(want, write(correlate.Changes(notes))); d != "" {
		t.Error(d)
	}
	// An engine that learned the notes knows the same values; older events change nothing.
	next := correlate.New(&rules.Set{}, correlate.Settings{})
	next.Learn(notes)
	_, notes = next.Match(batchOf(t, 9, "59s X r1 robot.operating_mode_id=1", "5m X r1 robot.operating_mode_id=5 robot.controller_fw=1.1"))
	if d := cmp.Diff([]string{`5m mode of robot:r1: "Manual" to "Teach-In" by ""`}, write(notes)); d != "" {
		t.Error(d)
	}
}

func TestAProgramNamedWithoutItsFolderIsNoChange(t *testing.T) {
	e := correlate.New(&rules.Set{}, correlate.Settings{})
	_, notes := e.Match(batchOf(t, 0,
		"0s X r1 robot.program_uid=weld.urp",
		"1m X r1 robot.program_uid=/programs/weld.urp",
		"2m X r1 robot.program_uid=weld.urp",
		"3m X r1 robot.program_uid=/tmp/weld.urp",
		"4m X r1 robot.program_uid=other-weld.urp",
	))
	want := []string{"/programs/weld.urp > /tmp/weld.urp", "/tmp/weld.urp > other-weld.urp"}
	var got []string
	for _, n := range correlate.Changes(notes) {
		got = append(got, n.Prev+" > "+n.Value)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// What was learned from the log is the longer name, too.
	next := correlate.New(&rules.Set{}, correlate.Settings{})
	next.Learn(notes[:2])
	_, notes = next.Match(batchOf(t, 9, "5m X r1 robot.program_uid=paint.urp"))
	if len(notes) != 1 || notes[0].Prev != "/programs/weld.urp" {
		t.Errorf("noted %+v", notes)
	}
}

func TestRunTestSaysWhatIsWrong(t *testing.T) {
	r := ruleOf(t, `match:
  event: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
tests:
  - name: right
    events: [{at: 1m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}]
    fires: [{at: 1m, vars: {robot: r1}}]
  - name: wrong
    events:
      - {at: 1m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}
      - {at: 2m, class: api_activity.create, api: {operation: A}, robot: {uid: r2}}
      - {at: 3m, class: api_activity.create, api: {operation: B}, robot: {uid: r2}}
    fires: [{at: 1m, vars: {robot: r9}, severity: high}, {at: 2m, vars: {robot: r2}}, {at: 3m}]
  - name: silent
    events: [{at: 1m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}]
    fires: []
`)
	if got := correlate.RunTest(r, &r.Tests[0]); !got.Passed {
		t.Error(got.Difference)
	}
	for i, want := range map[int]string{
		1: "  different:  wanted robot = robot:r9, severity high; got finding at 1m, severity medium, score 50, robot = robot:r1; evidence a at 1m\n  missing:    finding at 3m (line 17)\n",
		2: "  unexpected: finding at 1m, severity medium, score 50, robot = robot:r1; evidence a at 1m\n",
	} {
		if got := correlate.RunTest(r, &r.Tests[i]); got.Passed || got.Difference != want {
			t.Errorf("got\n%swant\n%s", got.Difference, want)
		}
	}
}

// TestCountsOfHitsAndMemoryStayBounded folds a long stream over few keys and looks at what is left of it.
func TestMemoryDoesNotGrowWithTheLengthOfTheStream(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	e := correlate.New(set, correlate.Settings{}.StateEvery(64))
	r := rand.New(rand.NewPCG(14, 14))
	var sizes []int
	for i := range 40 {
		events := randomEvents(r, 200)
		b := &event.Batch{Events: events}
		for j := range events {
			events[j].Time += int64(i) * 1500_000_000
			events[j].Envelope.ID = event.NewID(fmt.Sprint(i, j))
		}
		b.Sort()
		b.Marks = []event.Mark{{Source: "s", Newest: start + int64(i+1)*1500_000_000}}
		feedEngine(e, b)
		sizes = append(sizes, len(e.Snapshot(nil)))
	}
	if early, late := slices.Max(sizes[5:15]), slices.Max(sizes[30:]); late > 2*early {
		t.Errorf("snapshots grow: %v", sizes)
	}
}

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

// Faults that other engines have or had, each played with data of ours: what they did is what these tests would report.

// silenceRule misses an answer: a question that nobody answers for ten minutes.
const silenceRule = `lateness: 1m
match:
  event: {id: question, class: api_activity, where: api.operation == "Q", bind: {robot: robot}}
  unless:
    - {class: api_activity, where: api.operation == "R", after: 10m, bind: {robot: robot}}
`

func engineOf(t *testing.T, list ...*rules.Rule) *correlate.Engine {
	t.Helper()
	return correlate.New(&rules.Set{Rules: list}, correlate.Settings{}.StateEvery(3))
}

// told are announcements, one line each.
func told(list []incident.Finding) (out []string) {
	for _, f := range list {
		out = append(out, line(f))
	}
	return out
}

// An absence was reported as soon as the first event came, while what would have answered it could still come (elastic/elasticsearch #145323).
func TestFaultAnAbsenceIsNotReportedBeforeItsTimeHasPassed(t *testing.T) {
	e := engineOf(t, ruleOf(t, silenceRule))
	for i, tick := range []string{"0s Q r1", "5m X r9", "10m X r9", "10m59s999ms X r9"} {
		if got := feedEngine(e, batchOf(t, i, tick)); len(got) > 0 {
			t.Fatalf("at %s, before 10m and the lateness of 1m have passed, it was reported: %v", tick, told(got))
		}
	}
	want := []string{"0s robot=robot:r1 | question@0s"}
	if d := cmp.Diff(want, told(feedEngine(e, batchOf(t, 9, "11m X r9")))); d != "" {
		t.Error(d)
	}
	// An answer that arrives when event time is past the window, but no later than the lateness allows, still counts; the edge belongs to the window.
	for at, answered := range map[string]bool{"10m": true, "10m1ms": false, "1ms": true} {
		e := engineOf(t, ruleOf(t, silenceRule))
		feedEngine(e, batchOf(t, 0, "0s Q r1"))
		feedEngine(e, batchOf(t, 1, "10m30s X r9"))
		if at != "1ms" {
			feedEngine(e, batchOf(t, 2, at+" R r1"))
		} else {
			e = engineOf(t, ruleOf(t, silenceRule))
			feedEngine(e, batchOf(t, 3, "1ms R r1", "0s Q r1"))
		}
		if got := correlate.Finals(e.Drain()); (len(got) == 0) != answered {
			t.Errorf("answer at %s: %v", at, told(got))
		}
	}
}

// Events were counted as they arrived: hours apart and read together they were many, minutes apart and read late they were none (crowdsecurity/hub
// #1374), or a late old event stayed in a window that had moved on.
func TestFaultEventsAreCountedByTheirOwnTime(t *testing.T) {
	rule := ruleOf(t, "lateness: 1h\nmatch:\n  count: {id: a, class: api_activity, where: api.operation == \"A\", bind: {robot: robot}, at_least: 3, within: 10m}\n")
	play := func(batches ...[]string) []string {
		e := engineOf(t, rule)
		n := 0
		for _, lines := range batches {
			b := batchOf(t, n, lines...)
			for i := range b.Events {
				b.Events[i].Envelope.Received = start + int64(n)*3600_000_000 // Our clock: an hour for each batch.
			}
			feedEngine(e, b)
			n += len(lines)
		}
		return told(correlate.Finals(e.Drain()))
	}
	if got := play([]string{"0s A r1", "20m A r1", "40m A r1", "60m A r1"}); got != nil {
		t.Errorf("twenty minutes apart and read at once: %v", got)
	}
	want := []string{"8m robot=robot:r1 | a@0s a@4m a@8m"}
	if d := cmp.Diff(want, play([]string{"4m A r1"}, []string{"8m A r1"}, []string{"0s A r1"})); d != "" {
		t.Error("minutes apart and read hours apart, the oldest last:", d)
	}
	if got := play([]string{"9m A r1", "11m A r1"}, []string{"0s A r1"}); got != nil {
		t.Errorf("the old event that came late lies outside of the window: %v", got)
	}
}

// The order of a chain was checked from its first step to each other one only (Yamato-Security/hayabusa #1810).
func TestFaultTheOrderOfAllStepsIsChecked(t *testing.T) {
	text := "lateness: 1h\nmatch:\n  sequence:\n"
	for _, op := range []string{"A", "B", "C", "D"} {
		text += fmt.Sprintf("    - {id: %s, class: api_activity, where: api.operation == %q, bind: {robot: robot}}\n", strings.ToLower(op), op)
	}
	rule := ruleOf(t, text+"  within: 10m\n")
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 31))
	fired := 0
	for _, order := range orders("ABCD") {
		var lines []string
		for i, op := range order {
			lines = append(lines, fmt.Sprintf("%dm %c r1", i, op))
		}
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] }) // Arrival says nothing.
		e := engineOf(t, rule)
		for i, l := range lines {
			feedEngine(e, batchOf(t, i, l))
		}
		got := told(correlate.Finals(e.Drain()))
		if (order == "ABCD") != (len(got) == 1) {
			t.Errorf("seed %d: %s gave %v", seed, order, got)
		}
		fired += len(got)
	}
	if fired != 1 {
		t.Errorf("%d orders of 24 fired", fired)
	}
}

func orders(s string) []string {
	if len(s) < 2 {
		return []string{s}
	}
	var out []string
	for i := range s {
		for _, rest := range orders(s[:i] + s[i+1:]) {
			out = append(out, s[i:i+1]+rest)
		}
	}
	return out
}

// Steps of one chain were taken from different hosts (Yamato-Security/hayabusa #1809).
func TestFaultHostsAreNotMixedInAChain(t *testing.T) {
	rule := ruleOf(t, `lateness: 1h
match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 1h
`)
	for _, hosts := range []string{"112", "121", "211", "123"} {
		e := engineOf(t, rule)
		feedEngine(e, batchOf(t, 0, "0s A r"+hosts[:1], "1m B r"+hosts[1:2], "2m C r"+hosts[2:]))
		if got := correlate.Finals(e.Drain()); len(got) > 0 {
			t.Errorf("steps of robots %s made %v", hosts, told(got))
		}
	}
	// Many at once: each chain has the events of its own robot and of no other, and an event without a robot belongs to none.
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 32))
	var lines []string
	for robot := range 50 {
		for i, op := range []string{"A", "B", "C"} {
			lines = append(lines, fmt.Sprintf("%dm%ds %s r%d", i*10, robot, op, robot), fmt.Sprintf("%dm%ds %s", i*10, robot, op))
		}
	}
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	e := engineOf(t, rule)
	for i := 0; i < len(lines); i += 30 {
		feedEngine(e, batchOf(t, i, lines[i:i+30]...))
	}
	got := correlate.Finals(e.Drain())
	for _, f := range got {
		for _, v := range f.Evidence {
			if !slices.ContainsFunc(v.Event.Entities, func(x event.EntityRef) bool { return x.ID == f.Vars[0].Value }) {
				t.Errorf("seed %d: %s has an event of another robot", seed, line(f))
			}
		}
	}
	if len(got) != 50 {
		t.Errorf("seed %d: %d findings of 50 robots", seed, len(got))
	}
}

// After a restart every absence whose window had passed on the clock was reported, before what had been sent meanwhile was read (YelpArchive/elastalert
// #2954).
func TestFaultARestartBringsNoStormOfAbsences(t *testing.T) {
	const robots = 200
	rule := ruleOf(t, silenceRule)
	mark := func(fast, slow int64) []event.Mark {
		return []event.Mark{{Source: "fast", Newest: fast}, {Source: "slow", Newest: slow}}
	}
	batch := func(from int, op string, marks []event.Mark, but int) *event.Batch {
		b := &event.Batch{Marks: marks}
		for i := range robots {
			if i != but {
				b.Events = append(b.Events, eventOf(t, strings.Fields(fmt.Sprintf("%dms %s r%d source=slow", from+i, op, i)), from+i))
			}
		}
		b.Sort()
		return b
	}
	const minute = 60_000_000
	// Before the crash: every robot has asked. Robot 7 gets no answer.
	questions := batch(0, "Q", mark(start+minute, start+minute), -1)
	straight := engineOf(t, rule)
	feedEngine(straight, questions)
	snapshot := straight.Snapshot(nil)
	hits, _ := engineOf(t, rule).Match(questions)
	for name, restart := range map[string]func(e *correlate.Engine){
		"from a snapshot": func(e *correlate.Engine) {
			if err := e.Restore(snapshot); err != nil {
				t.Fatal(err)
			}
		},
		"from the log alone": func(e *correlate.Engine) { e.Fold(hits, questions.Marks) },
	} {
		t.Run(name, func(t *testing.T) {
			e := engineOf(t, rule)
			restart(e)
			// An hour was lost. One source has caught up with it at once; the one with the answers has not begun to.
			for i, marks := range [][]event.Mark{mark(start+60*minute, 0), mark(start+60*minute, start+minute), mark(start+70*minute, start+5*minute)} {
				if got := e.Fold(nil, marks); len(got) > 0 {
					t.Fatalf("%d absences were reported at mark %d, while the answers were not read yet", len(got), i)
				}
			}
			got := slices.Clone(feedEngine(e, batch(5*60_000, "R", mark(start+70*minute, start+70*minute), 7)))
			got = append(got, e.Drain()...)
			if d := cmp.Diff([]string{"7ms robot=robot:r7 | question@7ms"}, told(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

// A rule that was added kept another from its events, without an error (wazuh/wazuh #30461); a flood at one rule filled the memory of all.
func TestFaultNoRuleStarvesAnother(t *testing.T) {
	all := lawfulSet(t)
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 33))
	events := randomEvents(r, 400)
	together, _ := runBatches(t, &rules.Set{Rules: all}, [][]event.Event{events}, 1, nil)
	fired := 0
	for _, rule := range all {
		alone, _ := runBatches(t, &rules.Set{Rules: []*rules.Rule{rule}}, [][]event.Event{events}, 1, nil)
		among := slices.DeleteFunc(slices.Clone(together), func(f incident.Finding) bool { return f.Rule.ID != rule.ID })
		if d := cmp.Diff(outcome(alone), outcome(among)); d != "" {
			t.Errorf("seed %d: %s finds other things among others (-alone +among):\n%s", seed, rule.ID, d)
		}
		fired += len(outcome(alone))
	}
	if fired < len(all) {
		t.Errorf("seed %d: only %d findings: the test shows little", seed, fired)
	}

	flood, calm := *ruleOf(t, strings.ReplaceAll(pairRule, "robot: robot", "robot: robot, name: api.service.name")), *ruleOf(t, pairRule)
	flood.ID, calm.ID = "flood", "quiet"
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{&flood, &calm}}, correlate.Settings{MaxKeys: 20})
	lines := []string{"0s A r1"}
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf("1s A r2 api.service.name=n%d", i))
	}
	got := feedEngine(e, batchOf(t, 0, append(lines, "1m B r1")...))
	got = correlate.Finals(append(got, e.Drain()...))
	stats := map[string]correlate.RuleStats{}
	for _, s := range e.Stats().Rules {
		stats[s.Rule] = s
	}
	if len(got) != 1 || got[0].Rule.ID != "quiet" || stats["flood"].Evicted < 900 || stats["quiet"].Evicted != 0 || stats["quiet"].Degraded {
		t.Errorf("%v\n%+v", told(got), stats)
	}
}

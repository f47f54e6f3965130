package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// chained are rules that listen to rules, in every place and to some depth.
const chained = `
id: base-a
lateness: 3m
match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, emit: {who: actor.user}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 3m
  unless:
    - {class: api_activity, where: api.operation == "U", after: 40s, bind: {robot: robot}}
score: 20 + 10 * b.count
---
id: base-b
lateness: 3m
match:
  count: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot, who: actor.user}, at_least: 2, within: 2m}
throttle: {per: [robot, who], for: 1m}
---
id: top-sequence
lateness: 3m
match:
  sequence:
    - {id: x, class: "rule:base-a", bind: {robot: vars.robot}, emit: {who: vars.who}}
    - {id: y, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 6m
score: x.risk_score
---
id: top-all
lateness: 1m
match:
  all:
    - {id: x, class: "rule:base-a", bind: {robot: robot}}
    - {id: y, class: "rule:base-b", bind: {robot: robot}}
  within: 5m
throttle: {per: [robot], for: 3m}
---
id: top-guard
lateness: 3m
match:
  event: {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  unless:
    - {class: "rule:base-b", before: 3m, after: 1m, bind: {robot: vars.robot}}
---
id: top-until
lateness: 3m
match:
  count: {id: n, class: api_activity, bind: {robot: robot}, at_least: 3, within: 4m}
  until:
    - {class: "rule:base-a", quiet_for: 1m, bind: {robot: vars.robot}}
---
id: top-count
lateness: 3m
match:
  count: {id: n, class: ["rule:base-a", "rule:base-b"], where: severity != "High", bind: {robot: vars.robot}, at_least: 2, within: 6m}
---
id: top-changed
lateness: 3m
match:
  event: {id: n, class: "rule:base-a", bind: {robot: vars.robot}, changed: {value: risk_score, per: [robot]}}
---
id: deep
lateness: 3m
match:
  sequence:
    - {id: both, class: "rule:top-all", bind: {robot: vars.robot}}
    - {id: other, class: ["rule:top-count", "rule:top-sequence"], bind: {robot: vars.robot}}
  within: 10m
`

// setOf loads rules without version, title and status.
func setOf(t testing.TB, text string) *rules.Set {
	t.Helper()
	text = strings.ReplaceAll(text, "\nid: ", "\nversion: 1\ntitle: A rule\nstatus: shadow\nid: ")
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml")
	if set == nil {
		t.Fatal(problems)
	}
	return set
}

// upstreamOutcome is outcome with what a finding follows from.
func upstreamOutcome(all []incident.Finding) []string {
	var out []string
	for _, f := range correlate.Finals(all) {
		out = append(out, fmt.Sprintf("%s %s score %d %v first %s", f.Rule.ID, line(f), f.Score, f.Upstream, at(f.First)))
	}
	return out
}

func TestFinalFindingsOfChainedRulesDoNotDependOnOrderOfArrivalOrCuts(t *testing.T) {
	set := setOf(t, chained)
	fired := map[string]int{}
	for round := 0; more(round, 15, allFired(set.Rules, fired)); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 15))
		events := randomEvents(r, 40+r.IntN(160))
		reference, _ := runBatches(t, set, [][]event.Event{events}, 1, nil)
		want := upstreamOutcome(reference)
		for _, f := range correlate.Finals(reference) {
			fired[f.Rule.ID]++
		}
		for range 4 {
			got, stats := runBatches(t, set, arrival(r, events, 180_000_000), 1+r.IntN(3), nil)
			for _, s := range stats.Rules {
				if s.Late > 0 || s.Evicted > 0 {
					t.Fatalf("seed %d: %s has %d late hits: it decides before what it listens to", seed, s.Rule, s.Late)
				}
			}
			if d := cmp.Diff(want, upstreamOutcome(got)); d != "" {
				t.Fatalf("seed %d: final findings depend on arrival (-in order +permuted):\n%s", seed, d)
			}
		}
	}
	for _, r := range set.Rules {
		if fired[r.ID] == 0 {
			t.Errorf("%s never fired: the test shows nothing about it", r.ID)
		}
	}
}

func TestAnEngineWithChainedRulesRestoredAtAnyPointGoesOnAsIfNothingHadHappened(t *testing.T) {
	set := setOf(t, chained)
	for range rounds(5) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 16))
		batches := arrival(r, randomEvents(r, 40+r.IntN(160)), 180_000_000)
		straight, _ := runBatches(t, set, batches, 1, nil)
		restored, _ := runBatches(t, set, batches, 1, func(e *correlate.Engine, _ int) *correlate.Engine {
			b := e.Snapshot(nil)
			next := correlate.New(set, correlate.Settings{}.StateEvery(1+r.IntN(60)))
			if err := next.Restore(b); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if d := cmp.Diff(b, next.Snapshot(nil)); d != "" {
				t.Fatalf("seed %d: a restored engine writes another snapshot: %s", seed, d)
			}
			return next
		})
		if d := cmp.Diff(straight, restored); d != "" {
			t.Fatalf("seed %d: announcements differ after a restore (-straight +restored):\n%s", seed, d)
		}
	}
}

func TestAChainedFindingCarriesTheEvidenceOfAllThatStandsBehindIt(t *testing.T) {
	set := setOf(t, `
id: one
lateness: 0s
match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 5m
---
id: two
lateness: 0s
match:
  sequence:
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
    - {id: x, class: "rule:one", bind: {robot: vars.robot}}
  within: 1h
---
id: three
lateness: 0s
match:
  event: {id: y, class: "rule:two", where: 'finding_info.analytic.uid == "two"', bind: {robot: robot}}
`)
	e := correlate.New(set, correlate.Settings{})
	all := append(folded(t, e, 0, []string{"0s C r1", "1m A r1", "2m B r1"}), e.Drain()...)
	got := correlate.Finals(all)
	got = slices.DeleteFunc(got, func(f incident.Finding) bool { return f.Rule.ID != "three" })
	if d := cmp.Diff([]string{"2m robot=robot:r1 | y/c@0s y/x/a@1m y/x/b@2m"}, lines(got)); d != "" {
		t.Fatal(d)
	}
	var path []string
	for _, up := range got[0].Upstream {
		path = append(path, up.Step+" "+up.Rule)
	}
	if d := cmp.Diff([]string{"y two", "y/x one"}, path); d != "" || at(got[0].First) != "0s" {
		t.Error(d, at(got[0].First))
	}
}

func TestAWithdrawnFindingTakesTheFindingsThatFollowFromItAlong(t *testing.T) {
	set := setOf(t, `
id: one
lateness: 5m
match:
  event: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
  unless:
    - {class: api_activity, where: api.operation == "G", before: 1m, bind: {robot: robot}}
---
id: two
lateness: 0s
match:
  event: {id: x, class: "rule:one", bind: {robot: vars.robot}}
`)
	e := correlate.New(set, correlate.Settings{})
	got := lines(folded(t, e, 0, []string{"60s A r1"}, []string{"30s G r1"}, []string{"1h X r1"}))
	slices.Sort(got)
	want := []string{
		"provisional 1m robot=robot:r1 | a@1m | history: 0s of 1m",
		"provisional 1m robot=robot:r1 | x/a@1m",
		"withdrawn 1m robot=robot:r1 | a@1m | an event that arrived out of order undid the match",
		"withdrawn 1m robot=robot:r1 | x/a@1m | an event that arrived out of order undid the match",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestARuleThatStartsToListenIsWarmedWithThePastOfTheRuleItListensTo(t *testing.T) {
	const one = `
id: one
lateness: 1m
match:
  event: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
`
	const two = `
id: two
lateness: 1m
match:
  sequence:
    - {id: x, class: "rule:one", bind: {robot: vars.robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 1h
`
	before, after := setOf(t, one), setOf(t, one+"---"+two)
	e := correlate.New(before, correlate.Settings{})
	past := []string{"0s A r1", "5m A r2", "6m C r2", "9m X r1"}
	folded(t, e, 0, past)
	if d := cmp.Diff(correlate.Report{Kept: []string{"one"}, Warming: []string{"two"}}, e.Swap(after)); d != "" {
		t.Fatal(d)
	}
	if got := e.Waiting(); len(got) != 2 {
		t.Fatalf("warming needs %d rules", len(got))
	}
	w := correlate.New(after, correlate.Settings{})
	var b event.Batch
	for i, l := range past {
		b.Events = append(b.Events, eventOf(t, strings.Fields(l), i))
	}
	b.Sort()
	e.Warm(w.Hits(&b), []event.Mark{{Source: "s", Newest: b.Events[len(past)-1].Time}})
	got := lines(folded(t, e, 10, []string{"10m C r1"}, []string{"1h X r1"}))
	if d := cmp.Diff([]string{"provisional 10m robot=robot:r1 | x/a@0s c@10m", "10m robot=robot:r1 | x/a@0s c@10m"}, got); d != "" {
		t.Error(d)
	}
}

func TestChainedRulesFoldedByPartitionsGiveTheFindingsOfOneEngine(t *testing.T) {
	set := setOf(t, chained+`---
id: alone
lateness: 3m
match:
  event: {id: a, class: api_activity, where: api.operation == "C", bind: {robot: robot, who: actor.user}}
`)
	for _, r := range set.Rules {
		want := "base-a"
		if r.ID == "alone" {
			want = ""
		}
		if r.Component != want {
			t.Errorf("%s is of component %q", r.ID, r.Component)
		}
	}
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 17))
	batches := arrival(r, randomEvents(r, 200), 180_000_000)
	var want []string
	for _, n := range []int32{1, 3, 7} {
		all, used := spread(set, correlate.Settings{}, nil, batches, marksAfter(batches), n)
		if n == 1 {
			want = finals(all)
		}
		if d := cmp.Diff(want, finals(all)); d != "" || n == 7 && used < 2 {
			t.Fatalf("seed %d: findings of %d partitions, %d used, differ (-one +many):\n%s", seed, n, used, d)
		}
	}
}

func TestTheTestsOfAChainedRuleRunWithTheRulesItListensTo(t *testing.T) {
	set := setOf(t, strings.Replace(chained, "score: x.risk_score\n", `score: x.risk_score
tests:
  - name: both halves
    events:
      - {at: 0m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}
      - {at: 1m, class: api_activity.create, api: {operation: B}, robot: {uid: r1}, count: 3}
      - {at: 2m, class: api_activity.create, api: {operation: C}, robot: {uid: r1}}
    fires: [{at: 2m, vars: {robot: r1}, score: 50}]
  - name: the first half is undone
    events:
      - {at: 0m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}
      - {at: 60s, class: api_activity.create, api: {operation: B}, robot: {uid: r1}, count: 3}
      - {at: 90s, class: api_activity.create, api: {operation: U}, robot: {uid: r1}}
      - {at: 120s, class: api_activity.create, api: {operation: C}, robot: {uid: r1}}
    fires: []
`, 1))
	r := set.Rule("top-sequence")
	for i := range r.Tests {
		if got := correlate.RunTest(r, &r.Tests[i]); !got.Passed {
			t.Errorf("%s:\n%s", got.Test, got.Difference)
		}
		for _, v := range correlate.RunVariants(r, &r.Tests[i]) {
			if !v.Passed() {
				t.Errorf("%s: %s: %s\n%v\n%v", r.Tests[i].Name, v.Name, v.Changed, v.Wanted, v.Got)
			}
		}
	}
	var events []event.Event
	for _, e := range r.Tests[0].Events {
		events = append(events, *e.Event)
	}
	x := correlate.Explain(r, events, correlate.Question{Entity: "robot:r1"})
	if len(x.Findings) != 1 || x.Steps[0].Matched != 1 || x.Steps[0].Classes[0] != "rule:base-a" {
		t.Error(x)
	}
}

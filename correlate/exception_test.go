package correlate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// lawfulExceptions are rules with exceptions of every kind, some of which end in the middle of random events.
var lawfulExceptions = []string{
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, emit: {who: actor.user}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 5m
  unless:
    - {class: api_activity, where: api.operation == "U", after: 40s, bind: {robot: robot}}
throttle: {per: [robot], for: 2m}
exceptions:
  - {id: three, when: a.count + b.count > 4, owner: soc, reason: Known., expires: 2026-01-05T10:08:00Z}
  - {id: who, when: 'vars.who == "user:u1"', owner: soc, reason: Known., expires: 2026-01-05T10:03:00Z}
  - {id: x, applies_to: "step:b", when: 'api.service.name == "x"', owner: soc, reason: Known., expires: 2026-01-05T10:06:00Z}`,
	`match:
  count: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, at_least: 2, within: 3m}
exceptions:
  - {id: all-equal, when: 'distinct(a, "api.service.name") == 1', owner: soc, reason: Known., expires: 2027-01-01}`,
}

const excepted = `lateness: 1m
match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 10m
throttle: {per: [robot], for: 1h}
`

// folded plays timelines, one batch each, and gives the engine and all it announced, without the end of input.
func folded(t *testing.T, e *correlate.Engine, n int, batches ...[]string) []incident.Finding {
	t.Helper()
	var all []incident.Finding
	marks := []event.Mark{{Source: "s"}}
	for _, lines := range batches {
		var b event.Batch
		for _, l := range lines {
			b.Events = append(b.Events, eventOf(t, strings.Fields(l), n))
			newest(marks, "s", b.Events[len(b.Events)-1].Time)
			n++
		}
		b.Sort()
		hits, _ := e.Match(&b)
		all = append(all, e.Fold(hits, slices.Clone(marks))...)
	}
	return all
}

func lines(all []incident.Finding) []string {
	var out []string
	for _, f := range all {
		out = append(out, line(f))
	}
	return out
}

func TestAnExceptedStepDoesNotSeeTheEventUntilTheExceptionEndsInEventTime(t *testing.T) {
	r := ruleOf(t, excepted+`exceptions:
  - {id: x, applies_to: "step:a", when: 'api.service.name == "x"', owner: soc, reason: Known., expires: 2026-01-05T10:05:00Z}
`)
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{r}}, correlate.Settings{})
	all := folded(t, e, 0, []string{"0s A r1 api.service.name=x", "1m B r1", "299s A r2 api.service.name=x", "5m A r3 api.service.name=x", "6m B r2", "6m B r3"})
	all = append(all, e.Drain()...)
	if d := cmp.Diff([]string{"6m robot=robot:r3 | a@5m b@6m"}, lines(correlate.Finals(all))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]correlate.ExceptionCount{{ID: "x", Count: 2}}, e.Stats().Rules[0].Excepted); d != "" {
		t.Error(d)
	}
}

func TestAnExceptedMatchMakesNoFindingOpensNoThrottleAndIsCountedOnce(t *testing.T) {
	r := ruleOf(t, excepted+`exceptions:
  - {id: maintenance, when: b.count == 3 and vars.robot == "robot:r1", owner: soc, reason: Known., expires: 2027-01-01}
`)
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{r}}, correlate.Settings{})
	all := folded(t, e, 0, []string{"0s A r1", "1m B r1 count=3"}, []string{"2m A r1"}, []string{"3m B r1 count=1"}, []string{"9m X r1"})
	all = append(all, e.Drain()...)
	if d := cmp.Diff([]string{"3m robot=robot:r1 | a@2m b@3m"}, lines(correlate.Finals(all))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]correlate.ExceptionCount{{ID: "maintenance", Count: 1}}, e.Stats().Rules[0].Excepted); d != "" {
		t.Error(d)
	}
}

func TestAddingAnExceptionKeepsTheStateAndWithdrawsWhatItSpeaksAboutWhileItIsProvisional(t *testing.T) {
	plain := ruleOf(t, excepted)
	with := ruleOf(t, excepted+`exceptions:
  - {id: r1, when: 'vars.robot == "robot:r1"', owner: soc, reason: It is being moved., expires: 2027-01-01}
`)
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{plain}}, correlate.Settings{})
	all := folded(t, e, 0, []string{"0s A r1", "0s A r2", "30s B r1", "60s X r9"})
	if len(all) != 1 || all[0].State != incident.Provisional {
		t.Fatal(lines(all))
	}
	report := e.Swap(&rules.Set{Rules: []*rules.Rule{with}})
	if d := cmp.Diff(correlate.Report{Kept: []string{"scenario"}}, report); d != "" {
		t.Error(d)
	}
	all = folded(t, e, 10, []string{"40s X r1", "90s B r2"}, []string{"3m X r1"})
	want := []string{
		"withdrawn 30s robot=robot:r1 | a@0s b@30s | exception r1 of soc: It is being moved.",
		"provisional 1m30s robot=robot:r2 | a@0s b@1m30s",
		"1m30s robot=robot:r2 | a@0s b@1m30s",
	}
	got := lines(all)
	slices.SortFunc(got, func(a, b string) int { return strings.Compare(b[:1], a[:1]) })
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestExplainNamesTheExceptionThatSpoke(t *testing.T) {
	r := ruleOf(t, excepted+`exceptions:
  - {id: step-x, applies_to: "step:a", when: 'api.service.name == "x"', owner: soc, reason: Its own agent., expires: 2027-01-01}
  - {id: match-y, when: 'b.api.service.name == "y"', owner: ot, reason: The nightly job., expires: 2027-01-01}
`)
	var events []event.Event
	for i, l := range []string{"0s A r1 api.service.name=x", "1m A r1", "2m B r1 api.service.name=y"} {
		events = append(events, eventOf(t, strings.Fields(l), i))
	}
	x := correlate.Explain(r, events, correlate.Question{Entity: "robot:r1"})
	if d := cmp.Diff([]string{"exception step-x of soc: Its own agent."}, x.Steps[0].Exceptions); d != "" || x.Steps[0].Excepted != 1 {
		t.Error(d, x.Steps[0].Excepted)
	}
	if !slices.ContainsFunc(x.Fates, func(f correlate.Fate) bool { return f.Text == "no finding: exception match-y of ot: The nightly job." }) {
		t.Errorf("no fate names the exception in\n%+v", x.Fates)
	}
	if len(x.Findings) != 0 {
		t.Errorf("%d findings", len(x.Findings))
	}
}

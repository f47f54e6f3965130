package correlate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// TestExplainNamesTheReason plays a timeline and expects an explanation to have a fate, as "offset text", for every reason there is.
func TestExplainNamesTheReason(t *testing.T) {
	sequence := `match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 10m
  unless:
    - {class: api_activity, where: api.operation == "G", between: true, bind: {robot: robot}}
    - {class: api_activity, where: api.operation == "H", before: 5m, bind: {robot: robot}}
    - {class: api_activity, where: api.operation == "L", after: 1m, bind: {robot: robot}}
  until:
    - {class: api_activity, where: api.operation == "U", bind: {robot: robot}, quiet_for: 5m}
throttle: {per: [robot], for: 1h}
`
	for name, c := range map[string]struct {
		rule     string
		timeline []string
		want     string
	}{
		"waiting":   {sequence, []string{"0s A r1", "5m X r1"}, "waits for step b until 2026-01-05 10:10:00.000"},
		"expired":   {sequence, []string{"0s A r1", "11m B r1"}, "expired: step b did not come until 2026-01-05 10:10:00.000"},
		"in vain":   {sequence, []string{"0s A r1", "11m X r1"}, "expired: step b did not come until 2026-01-05 10:10:00.000"},
		"between":   {sequence, []string{"0s A r1", "1m G r1", "2m B r1"}, "killed through guard 1"},
		"before":    {sequence, []string{"0s H r1", "1m A r1", "2m B r1"}, "refused through guard 2: it came before"},
		"after":     {sequence, []string{"0s A r1", "1m B r1", "90s L r1"}, "killed through guard 3"},
		"until":     {sequence, []string{"0s A r1", "1m U r1"}, "killed through until 1"},
		"quiet":     {sequence, []string{"0s U r1", "1m A r1"}, "ignored: an until keeps the rule quiet"},
		"throttled": {sequence, []string{"0s A r1", "1m B r1", "2m A r1", "3m B r1"}, "throttled: counted into the finding at 2026-01-05 10:01:00.000"},
		"replaced":  {sequence, []string{"0s A r1", "1m A r1"}, "replaced: a newer hit of step a took its place"},
		"complete":  {sequence, []string{"0s A r1", "1m B r1"}, "complete"},
		"not changed": {
			"match:\n  event: {id: a, class: api_activity, bind: {robot: robot}, changed: {value: api.operation, per: [robot]}}\n",
			[]string{"0s A r1", "1m A r1"},
			"passed over at step a: the value did not change",
		},
		"counting": {
			"match:\n  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 3, within: 10m}\n",
			[]string{"0s A r1", "1m A r1"},
			"waits for more: it counts 2 of 3 until 2026-01-05 10:11:00.000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var events []event.Event
			for i, l := range c.timeline {
				events = append(events, eventOf(t, strings.Fields(l), i))
			}
			x := correlate.Explain(ruleOf(t, c.rule), events, correlate.Question{Entity: "robot:r1"})
			if !slices.ContainsFunc(x.Fates, func(f correlate.Fate) bool { return f.Text == c.want }) {
				t.Errorf("no fate %q in\n%+v", c.want, x.Fates)
			}
			if other := correlate.Explain(ruleOf(t, c.rule), events, correlate.Question{Entity: "robot:r2"}); len(other.Fates)+len(other.Findings) > 0 {
				t.Errorf("another robot is told of:\n%+v", other)
			}
		})
	}
}

func TestExplainCountsWhyEventsFallOutOfAStep(t *testing.T) {
	r := ruleOf(t, "match:\n  event: {id: a, class: api_activity, where: api.operation == \"A\", bind: {robot: robot}}\n")
	var events []event.Event
	for i, l := range []string{"0s A r1", "1s B r1", "2s B r1", "3s A", "4s A r1 class=authentication.logon"} {
		events = append(events, eventOf(t, strings.Fields(l), i))
	}
	s := correlate.Explain(r, events, correlate.Question{}).Steps[0]
	if s.Seen != 4 || s.Matched != 1 || s.False != 2 || s.Unbound != 1 || s.Variable != "robot" || len(s.Hits) != 1 || len(s.Misses) != 3 {
		t.Errorf("got %+v", s)
	}
}

// explained plays a timeline; batch boundaries are lines of their own.
func explained(t *testing.T, rule string, q correlate.Question, timeline ...string) correlate.Explanation {
	t.Helper()
	x := correlate.NewExplainer(ruleOf(t, rule), q)
	n := 0
	for _, part := range strings.Split(strings.Join(timeline, "\n"), "\nbatch\n") {
		lines := strings.Split(part, "\n")
		if err := x.Add(batchOf(t, n, lines...)); err != nil {
			t.Fatal(err)
		}
		n += len(lines)
	}
	return x.End()
}

// fates are the fates of an explanation of a kind, or those that are near.
func fates(x correlate.Explanation, kind string) (out []string) {
	for _, f := range x.Fates {
		if f.Kind == kind || kind == "near" && f.Near {
			out = append(out, at(f.At)+" "+f.Text)
		}
	}
	return out
}

func TestExplainSaysWhatWasFalseWithItsValues(t *testing.T) {
	x := explained(t, "match:\n  event: {id: a, class: api_activity, where: 'api.operation == \"A\" and count > 2', bind: {robot: robot}}\n", correlate.Question{},
		"0s A r1 count=2", "1s B r1 count=3", "2s A count=3", "3s A r1 count=3")
	var got []string
	for _, m := range x.Steps[0].Misses {
		got = append(got, at(m.Ref.Time)+" "+strings.Join(m.Reasons, "; "))
	}
	want := []string{
		`0s count > 2 is false: count is "2"`,
		`1s api.operation == "A" is false: api.operation is "B"`,
		`2s no value for the variable robot, by which the steps join`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestExplainKeepsWhatIsNearestToTheTimeAskedFor(t *testing.T) {
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("%ds X r1", i))
	}
	x := explained(t, pairRule, correlate.Question{At: start + 150_000_000}, lines...)
	m := x.Steps[0].Misses
	if len(m) != 50 || at(m[0].Ref.Time) != "2m5s" || at(m[49].Ref.Time) != "2m54s" || x.Steps[0].False != 200 {
		t.Errorf("%d misses from %s to %s", len(m), at(m[0].Ref.Time), at(m[len(m)-1].Ref.Time))
	}
}

func TestExplainTellsOnlyWhatWasAskedForAndFoldsEverything(t *testing.T) {
	timeline := []string{"0s A r1", "9m B r1", "20m A r1", "21m B r1", "22m A r2"}
	x := explained(t, pairRule, correlate.Question{From: start + 5*60_000_000, To: start + 10*60_000_000}, timeline...)
	if d := cmp.Diff([]string{"9m complete"}, fates(x, "complete")); d != "" || len(x.Findings) != 1 || x.Steps[1].Seen != 1 {
		t.Error(d, len(x.Findings), x.Steps[1].Seen)
	}
	all := explained(t, pairRule, correlate.Question{}, timeline...)
	one := explained(t, pairRule, correlate.Question{Events: []event.ID{all.Findings[1].Evidence[0].Event.Event}}, timeline...)
	if d := cmp.Diff([]string{"20m reached step a"}, fates(one, "reached")); d != "" || len(one.Findings) != 1 || len(one.Evidence) != 1 || one.Evidence[0].Step != "a" {
		t.Error(d, one.Findings, one.Evidence)
	}
	if d := cmp.Diff([]expression.Operand{{Text: "api.operation", Value: "A", Known: true}}, one.Evidence[0].Read); d != "" {
		t.Error(d)
	}
}

func TestExplainNamesHitsThatCameTooLate(t *testing.T) {
	x := explained(t, pairRule, correlate.Question{}, "0s A r1", "9m X r1", "batch", "1m B r1", "batch", "9m30s B r1")
	if d := cmp.Diff([]string{"1m late: when it arrived, everything up to 2026-01-05 10:09:00.000 was decided"}, fates(x, "late")); d != "" {
		t.Error(d)
	}
	if len(x.Findings) != 1 || at(x.Findings[0].Time) != "9m30s" {
		t.Errorf("findings %+v", x.Findings)
	}
}

func TestExplainNamesHitsForWhichThereWasNoRoom(t *testing.T) {
	x := explained(t, pairRule, correlate.Question{MaxKeys: 1}, "0s A r1", "1m A r2", "2m B r1")
	if d := cmp.Diff([]string{"1m evicted: the rule's memory was full"}, fates(x, "evicted")); d != "" || len(x.Findings) != 1 {
		t.Errorf("%s, %d findings", d, len(x.Findings))
	}
	if x := explained(t, pairRule, correlate.Question{}, "0s A r1", "1m A r2", "2m B r1"); len(fates(x, "evicted")) > 0 {
		t.Error("there was room")
	}
}

func TestNearMissesAreChainsThatLackTheLastStepAndMatchesThatAGuardSpokeAgainst(t *testing.T) {
	triple := `match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 10m
  unless:
    - {class: api_activity, where: api.operation == "L", after: 1m, bind: {robot: robot}}
`
	for name, c := range map[string]struct {
		rule     string
		timeline []string
		want     []string
	}{
		"all but the last":    {triple, []string{"0s A r1", "1m B r1", "20m X r1"}, []string{"10m expired: step c did not come until 2026-01-05 10:10:00.000"}},
		"the first step only": {triple, []string{"0s A r1", "20m X r1"}, nil},
		"the whole":           {triple, []string{"0s A r1", "1m B r1", "2m C r1"}, nil},
		"killed at the end":   {triple, []string{"0s A r1", "1m B r1", "2m C r1", "150s L r1"}, []string{"2m30s killed through guard 1"}},
		"a count that lacks one": {
			"match:\n  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 3, within: 10m}\n",
			[]string{"0s A r1", "1m A r1", "0s A r2", "1m A r2", "2m A r2"},
			[]string{"1m counts 2 of 3"},
		},
		"an unordered pattern that lacks one": {
			strings.Replace(strings.Replace(triple, "sequence:", "all:", 1), "  unless:\n    - {class: api_activity, where: api.operation == \"L\", after: 1m, bind: {robot: robot}}\n", "", 1),
			[]string{"0s C r1", "1m A r1", "0s A r2", "0s A r3", "1m B r3", "2m C r3"},
			[]string{"1m 2 of 3 steps within 10m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := explained(t, c.rule, correlate.Question{}, c.timeline...)
			if d := cmp.Diff(c.want, fates(x, "near")); d != "" {
				t.Errorf("%s\n%+v", d, x.Fates)
			}
		})
	}
}

func TestExplainSaysWhatTheGuardsOfAFindingLookedAt(t *testing.T) {
	x := explained(t, `match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 10m
  unless:
    - {class: api_activity, where: 'api.operation == "G" and api.service.name == b.api.service.name', before: 5m, bind: {robot: robot}}
    - {class: api_activity, where: api.operation == "H", between: true, bind: {robot: robot}}
`, correlate.Question{}, "0s G r1 api.service.name=other", "1m A r1", "2m B r1 api.service.name=one")
	var got []string
	for _, g := range x.Guards {
		got = append(got, fmt.Sprintf("%s from %s to %s: %d", g.ID, at(g.From), at(g.To), len(g.Hits)))
	}
	if d := cmp.Diff([]string{"guard 1 from -4m to 1m: 1", "guard 2 from 1m to 2m: 0"}, got); d != "" {
		t.Error(d)
	}
}

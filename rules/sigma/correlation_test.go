package sigma_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/rules"
)

// The rules that the correlations below refer to. Their events are those of a log of our own.
const referred = `
title: Failed
name: failed
logsource: {category: door}
detection: {s: {result: failed}, condition: s}
---
title: Opened
name: opened
logsource: {category: door}
detection: {s: {result: opened}, condition: s}
---
title: Alarm off
name: alarm-off
logsource: {category: alarm}
detection: {s: {state: off}, condition: s}
---
`

// The kinds of event in the tests of correlations.
var shorthand = strings.NewReplacer(
	"FAILED", "class: base_event, metadata.event_code: door, raw: {result: failed, ",
	"OPENED", "class: base_event, metadata.event_code: door, raw: {result: opened, ",
	"ALARM", "class: base_event, metadata.event_code: alarm, raw: {state: off, ",
)

// checkCorrelation converts a correlation with the rules it refers to and runs tests on what it became.
func checkCorrelation(t *testing.T, correlation, tests string) {
	t.Helper()
	result := convert(t, referred+"title: C\nname: c\ncorrelation:\n"+indent(correlation))
	for _, p := range result.Refused {
		t.Fatal(p)
	}
	if len(result.Rules) == 0 || result.Rules[len(result.Rules)-1].ID != "sigma-c" {
		t.Fatalf("got %v", result.Rules)
	}
	result.Rules = result.Rules[len(result.Rules)-1:]
	set := load(t, result.Rules)
	if set == nil {
		t.FailNow()
	}
	text := ruleText(t, result) + "tests:\n" + indent(shorthand.Replace(tests))
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml")
	for _, p := range problems {
		t.Errorf("%v\n%s", p, text)
	}
	if set == nil {
		t.FailNow()
	}
	r := set.Rule("sigma-c")
	if len(r.Tests) == 0 {
		t.Fatal("no tests")
	}
	for i := range r.Tests {
		if got := correlate.RunTest(r, &r.Tests[i]); !got.Passed {
			t.Errorf("%s: %s\n%s", r.Tests[i].Name, got.Difference, text)
		}
	}
}

func TestEventCountCountsEventsOfAGroupWithinTheTimespan(t *testing.T) {
	checkCorrelation(t, `
type: event_count
rules: [failed]
group-by: [userName]
timespan: 10m
condition: {gte: 3}`, `
- name: the third within ten minutes
  events:
    - {at: 0m, FAILED userName: ana}}
    - {at: 1m, FAILED userName: ana}}
    - {at: 9m59s999ms, FAILED userName: ana}}
  fires: [{at: 9m59s999ms, vars: {user_name: ana}}]
- name: the window is open at its start
  events:
    - {at: 0m, FAILED userName: ana}}
    - {at: 1m, FAILED userName: ana}}
    - {at: 10m, FAILED userName: ana}}
  fires: []
- name: another group, another rule, and nobody
  events:
    - {at: 0m, FAILED userName: ana}}
    - {at: 1m, FAILED userName: ana}}
    - {at: 2m, FAILED userName: bob}}
    - {at: 2m, OPENED userName: ana}}
    - {at: 2m, FAILED other: ana}}
  fires: []
- name: what was counted is not counted again
  events:
    - {at: 0m, FAILED userName: ana}}
    - {at: 1m, FAILED userName: ana}}
    - {at: 2m, FAILED userName: ana}}
    - {at: 3m, FAILED userName: ana}}
    - {at: 4m, FAILED userName: ana}}
    - {at: 5m, FAILED userName: ana}}
  fires: [{at: 2m}, {at: 5m}]`)
	checkCorrelation(t, `
type: event_count
rules: [failed, alarm-off]
timespan: 10m
condition: {gt: 1}`, `
- name: events of both rules count, whoever they are about
  events:
    - {at: 0m, FAILED userName: ana}}
    - {at: 1m, ALARM userName: bob}}
  fires: [{at: 1m}]
- name: not of others
  events:
    - {at: 0m, FAILED userName: ana}}
    - {at: 1m, OPENED userName: bob}}
  fires: []`)
}

func TestValueCountCountsDifferentValues(t *testing.T) {
	checkCorrelation(t, `
type: value_count
rules: [failed]
group-by: [Door]
timespan: 10m
condition: {field: userName, gte: 2}`, `
- name: two people at one door
  events:
    - {at: 0m, FAILED userName: ana, Door: d1}}
    - {at: 1m, FAILED userName: ana, Door: d1}}
    - {at: 9m59s999ms, FAILED userName: bob, Door: d1}}
  fires: [{at: 9m59s999ms, vars: {door: d1}}]
- name: one person, or two doors, or too late
  events:
    - {at: 0m, FAILED userName: ana, Door: d1}}
    - {at: 1m, FAILED userName: bob, Door: d2}}
    - {at: 2m, FAILED Door: d1}}
    - {at: 10m, FAILED userName: eve, Door: d1}}
  fires: []`)
}

func TestTemporalWantsAllRulesInAnyOrder(t *testing.T) {
	checkCorrelation(t, `
type: temporal
rules: [failed, alarm-off]
aliases: {who: {failed: userName, alarm-off: operator}}
group-by: [who]
timespan: 10m`, `
- name: in any order, ends inside
  events:
    - {at: 0m, ALARM operator: ana}}
    - {at: 10m, FAILED userName: ana}}
    - {at: 20m, FAILED userName: eve}}
    - {at: 25m, ALARM operator: eve}}
  fires: [{at: 10m, vars: {who: ana}}, {at: 25m, vars: {who: eve}}]
- name: a millisecond too late, or somebody else
  events:
    - {at: 0m, ALARM operator: ana}}
    - {at: 1m, FAILED userName: eve}}
    - {at: 10m1ms, FAILED userName: ana}}
  fires: []`)
	checkCorrelation(t, `
type: temporal
rules: [failed, opened, alarm-off]
timespan: 10m
condition: {gte: 2}`, `
- name: two of three
  events: [{at: 0m, ALARM a: a}}, {at: 1m, ALARM a: a}}, {at: 2m, OPENED a: a}}]
  fires: [{at: 2m}]
- name: one of three
  events: [{at: 0m, ALARM a: a}}, {at: 1m, ALARM a: a}}]
  fires: []`)
}

func TestTemporalOrderedWantsTheOrderOfTheRules(t *testing.T) {
	checkCorrelation(t, `
type: temporal_ordered
rules: [failed, opened]
group-by: [userName]
timespan: 10m`, `
- name: failed, then opened, at the edge
  events: [{at: 0m, FAILED userName: ana}}, {at: 10m, OPENED userName: ana}}]
  fires: [{at: 10m, vars: {user_name: ana}}]
- name: a millisecond later
  events: [{at: 0m, FAILED userName: ana}}, {at: 10m1ms, OPENED userName: ana}}]
  fires: []
- name: the other way round
  events: [{at: 0m, OPENED userName: ana}}, {at: 1m, FAILED userName: ana}}]
  fires: []`)
}

func TestNotIsAnAbsenceThatItsDeadlineDecides(t *testing.T) {
	checkCorrelation(t, `
type: temporal
rules: [opened, alarm-off]
group-by: [userName]
timespan: 5m
condition: opened and not alarm-off`, `
- name: opened, and nobody switched the alarm off
  events: [{at: 0m, OPENED userName: ana}}, {at: 5m1ms, ALARM userName: ana}}, {at: 3m, ALARM userName: eve}}]
  fires: [{at: 0m, vars: {user_name: ana}}]
- name: switched off at the last moment
  events: [{at: 0m, OPENED userName: ana}}, {at: 5m, ALARM userName: ana}}]
  fires: []
- name: switched off just before
  events: [{at: 0m, ALARM userName: ana}}, {at: 5m, OPENED userName: ana}}]
  fires: []
- name: switched off long before
  events: [{at: 0m, ALARM userName: ana}}, {at: 5m1ms, OPENED userName: ana}}]
  fires: [{at: 5m1ms}]`)
	checkCorrelation(t, `
type: temporal_ordered
rules: [failed, alarm-off, opened]
timespan: 5m
condition: failed and not alarm-off and opened`, `
- name: nothing between the two
  events: [{at: 0m, ALARM a: a}}, {at: 1m, FAILED a: a}}, {at: 6m, OPENED a: a}}, {at: 6m1ms, ALARM a: a}}]
  fires: [{at: 6m}]
- name: something between the two
  events: [{at: 1m, FAILED a: a}}, {at: 2m, ALARM a: a}}, {at: 3m, OPENED a: a}}]
  fires: []`)
	checkCorrelation(t, `
type: temporal_ordered
rules: [failed, opened, alarm-off]
timespan: 5m
condition: failed and (opened or alarm-off)`, `
- name: either of the two after it
  events: [{at: 0m, FAILED a: a}}, {at: 1m, ALARM a: a}}, {at: 20m, FAILED a: a}}, {at: 25m, OPENED a: a}}]
  fires: [{at: 1m}, {at: 25m}]
- name: neither
  events: [{at: 0m, OPENED a: a}}, {at: 1m, FAILED a: a}}, {at: 6m1ms, OPENED a: a}}]
  fires: []`)
}

func TestRulesThatOnlyCorrelationsUseStandInThose(t *testing.T) {
	correlation := "title: C\nname: c\ncorrelation: {type: temporal, rules: [failed, opened], timespan: 1m}\n"
	result := convert(t, referred+correlation)
	if len(result.Rules) != 2 || result.Parts != 2 || result.Rules[0].ID != "sigma-alarm-off" {
		t.Errorf("got %v, %d parts", result.Rules, result.Parts)
	}
	result = convert(t, referred+strings.Replace(correlation, "timespan", "generate: true, timespan", 1))
	if len(result.Rules) != 4 || result.Parts != 0 {
		t.Errorf("with generate: got %v, %d parts", result.Rules, result.Parts)
	}
}

func TestCorrelationsThatCannotBeCarriedAreRefused(t *testing.T) {
	for correlation, want := range map[string]string{
		"type: event_count, rules: [failed], timespan: 1m, condition: {lt: 3}":                                                                     "S032",
		"type: event_count, rules: [failed], timespan: 1m, condition: {eq: 3}":                                                                     "S032",
		"type: event_count, rules: [failed], timespan: 1m, condition: {gte: 3, lte: 5}":                                                            "S032",
		"type: event_count, rules: [failed], timespan: 1m":                                                                                         "S003",
		"type: event_count, rules: [failed], condition: {gte: 3}":                                                                                  "S003",
		"type: event_count, rules: [failed], timespan: 1M, condition: {gte: 3}":                                                                    "S013",
		"type: event_count, rules: [failed], timespan: 60d, condition: {gte: 3}":                                                                   "S030",
		"type: event_count, rules: [nosuch], timespan: 1m, condition: {gte: 3}":                                                                    "S031",
		"type: event_count, rules: [c], timespan: 1m, condition: {gte: 3}":                                                                         "S031",
		"type: event_count, rules: [], timespan: 1m, condition: {gte: 3}":                                                                          "S030",
		"type: often, rules: [failed], timespan: 1m":                                                                                               "S030",
		"type: value_sum, rules: [failed], timespan: 1m, condition: {field: a, lt: 3}":                                                             "S032",
		"type: value_percentile, rules: [failed], timespan: 1m, condition: {field: a, gt: 3}":                                                      "S013",
		"type: value_count, rules: [failed], timespan: 1m, condition: {gte: 3}":                                                                    "S003",
		"type: temporal, rules: [failed, opened], timespan: 1m, condition: not failed and not opened":                                              "S030",
		"type: temporal, rules: [failed, opened], timespan: 1m, condition: failed and not failed":                                                  "S030",
		"type: temporal, rules: [failed, opened], timespan: 1m, condition: failed and alarm-off":                                                   "S031",
		"type: temporal_ordered, rules: [failed, opened], timespan: 1m, condition: {gte: 1}":                                                       "S030",
		"type: event_count, rules: [failed, alarm-off], group-by: [w], aliases: {w: {failed: a, alarm-off: b}}, timespan: 1m, condition: {gte: 3}": "S033",
	} {
		result := convert(t, referred+"title: C\nname: c\ncorrelation: {"+correlation+"}\n")
		if len(result.Refused) != 1 || result.Refused[0].Code != want || result.Refused[0].Line < 17 {
			t.Errorf("%s\n got %v\nwant %s", correlation, result.Refused, want)
		}
	}
}

func TestValuesAreMeasuredOverTheWindow(t *testing.T) {
	checkCorrelation(t, `
type: value_sum
rules: [failed]
group-by: [Door]
timespan: 10m
condition: {field: bytes, gt: 100}`, `
- name: above a hundred, once more after a match, inside of the window
  events:
    - {at: 0m, FAILED Door: d, bytes: 60}}
    - {at: 1m, FAILED Door: d, bytes: 40}}
    - {at: 9m59s999ms, FAILED Door: d, bytes: 0.5}}
    - {at: 10m, FAILED Door: d, bytes: 60}}
    - {at: 11m, FAILED Door: d, bytes: 41}}
  fires: [{at: 9m59s999ms}, {at: 11m}]
- name: one value has left the window, and what is no number counts for nothing
  events:
    - {at: 0m, FAILED Door: d, bytes: 60}}
    - {at: 1m, FAILED Door: d, bytes: 40}}
    - {at: 2m, FAILED Door: d, bytes: many}}
    - {at: 2m, FAILED Door: d}}
    - {at: 10m, FAILED Door: d, bytes: 50}}
  fires: []`)
	checkCorrelation(t, `
type: value_avg
rules: [failed]
timespan: 10m
condition: {field: bytes, gte: 50}`, `
- name: the mean reaches fifty
  events: [{at: 0m, FAILED bytes: 10}}, {at: 1m, FAILED bytes: 89}}, {at: 2m, FAILED bytes: 51}}]
  fires: [{at: 2m}]
- name: it does not quite
  events: [{at: 0m, FAILED bytes: 10}}, {at: 1m, FAILED bytes: 89}}]
  fires: []`)
	checkCorrelation(t, `
type: value_percentile
rules: [failed]
timespan: 10m
condition: {field: bytes, percentile: 50, gte: 20}`, `
- name: half of the values are at most ten, then half are not
  events: [{at: 0m, FAILED bytes: 10}}, {at: 1m, FAILED bytes: 20}}, {at: 2m, FAILED bytes: 30}}]
  fires: [{at: 2m}]
- name: the first is above already
  events: [{at: 0m, FAILED bytes: 20}}]
  fires: [{at: 0m}]`)
	checkCorrelation(t, `
type: value_median
rules: [failed]
timespan: 10m
condition: {field: bytes, gt: 15}`, `
- name: the mean of the two middle values is not above fifteen, the middle one of three is
  events: [{at: 0m, FAILED bytes: 10}}, {at: 1m, FAILED bytes: 20}}, {at: 2m, FAILED bytes: 16}}]
  fires: [{at: 2m}]`)
}

func TestCorrelationsOfCorrelationsListenToTheirFindings(t *testing.T) {
	result := convert(t, referred+`title: Many
name: many
correlation:
  type: event_count
  rules: [failed]
  group-by: [userName]
  timespan: 10m
  condition: {gte: 2}
---
title: C
name: c
correlation:
  type: temporal_ordered
  rules: [many, opened]
  group-by: [userName]
  timespan: 10m
`)
	set := load(t, result.Rules)
	if set == nil || len(result.Refused) > 0 {
		t.Fatal(result.Refused)
	}
	many, c := set.Rule("sigma-many"), set.Rule("sigma-c")
	if many == nil || many.Status != rules.Shadow || c == nil || len(set.Rules) != 3 {
		t.Errorf("got %v", result.Rules)
	}
	text := ruleText(t, result)
	for _, want := range []string{"class: ['rule:sigma-many']\n", "bind: {user_name: vars.user_name}\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not contain %s", text, want)
		}
	}
}

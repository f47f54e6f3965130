package rules_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/rules"
)

const measuring = `id: x-1
version: 1
title: X
status: shadow
match:
  count:
    id: big
    class: network_activity
    bind: {who: src_endpoint.ip}
    within: 10m
`

func TestCountsMeasureANumber(t *testing.T) {
	for keys, want := range map[string]string{
		"sum: traffic.bytes\n    above: 5000":                       "sum of traffic.bytes above 5000",
		"avg: raw.Size\n    reaches: 0.5\n    at_least: 10":         "avg of raw.Size reaches 0.5",
		"percentile: traffic.bytes\n    above: 9":                   "percentile 95 of traffic.bytes above 9",
		"percentile: traffic.bytes\n    rank: 99.9\n    reaches: 1": "percentile 99.9 of traffic.bytes reaches 1",
		"median: traffic.bytes\n    reaches: -1":                    "median of traffic.bytes reaches -1",
	} {
		r := load(t, measuring+"    "+keys+"\n")
		if got := r.Describe().Branches[0].Measure; got != want {
			t.Errorf("%s: got %q, want %q", keys, got, want)
		}
	}
}

func TestMistakesInMeasuresAreTold(t *testing.T) {
	for keys, want := range map[string]string{
		"at_least: 3\n    above: 5":                                     "R002 above says nothing without one of sum, avg, median, percentile",
		"sum: traffic.bytes":                                            "R003 sum needs one of above and reaches",
		"sum: traffic.bytes\n    above: 1\n    reaches: 1":              "R003 sum needs one of above and reaches",
		"sum: traffic.bytes\n    avg: traffic.bytes\n    above: 1":      "R039 a count has at most one of distinct, sum, avg, median, percentile",
		"sum: traffic.bytes\n    distinct: traffic.bytes\n    above: 1": "R039 a count has at most one of distinct",
		"sum: traffic.byte\n    above: 1":                               "R038 unknown field traffic.byte",
		"sum: traffic.bytes\n    above: many":                           "R004 above must be a number",
		"sum: traffic.bytes\n    rank: 5\n    above: 1":                 "R002 rank says nothing without percentile",
		"percentile: traffic.bytes\n    rank: 101\n    above: 1":        "R037 rank must be above 0 and up to 100",
	} {
		_, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(measuring + "    " + keys + "\n")}}, "r.yaml")
		if len(problems) != 1 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%s: got %v, want %s", keys, problems, want)
		}
	}
}

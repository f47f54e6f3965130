package correlate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
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
		"expired":   {sequence, []string{"0s A r1", "11m B r1"}, "expired: nothing followed in time"},
		"in vain":   {sequence, []string{"0s A r1", "11m X r1"}, "waited for step b until 2026-01-05 10:10:00.000, in vain"},
		"between":   {sequence, []string{"0s A r1", "1m G r1", "2m B r1"}, "killed through guard 1"},
		"before":    {sequence, []string{"0s H r1", "1m A r1", "2m B r1"}, "refused through guard 2: it came before"},
		"after":     {sequence, []string{"0s A r1", "1m B r1", "90s L r1"}, "killed through guard 3"},
		"until":     {sequence, []string{"0s A r1", "1m U r1"}, "killed through until 1"},
		"quiet":     {sequence, []string{"0s U r1", "1m A r1"}, "ignored: an until keeps the rule quiet"},
		"throttled": {sequence, []string{"0s A r1", "1m B r1", "2m A r1", "3m B r1"}, "throttled: counted into the finding at 2026-01-05 10:01:00.000"},
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
				t.Errorf("no fate %q in\n%s", c.want, x)
			}
			if other := correlate.Explain(ruleOf(t, c.rule), events, correlate.Question{Entity: "robot:r2"}); len(other.Fates)+len(other.Findings) > 0 {
				t.Errorf("another robot is told of:\n%s", other)
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
	if s.Seen != 4 || s.Matched != 1 || s.False != 2 || s.Unbound != 1 || s.Variable != "robot" || len(s.Hits) != 1 || len(s.Misses) != 2 {
		t.Errorf("got %+v", s)
	}
}

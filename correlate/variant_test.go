package correlate_test

import (
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestVariantsOfEveryShippedTestEndAsTheTestDoes(t *testing.T) {
	runs := map[string]int{}
	for _, r := range shippedRules(t) {
		for i := range r.Tests {
			for _, v := range correlate.RunVariants(r, &r.Tests[i]) {
				runs[v.Name] += v.Runs
				if !v.Passed() {
					t.Errorf("%s: %s: %s: %s\nwanted\n  %s\ngot\n  %s", r.ID, r.Tests[i].Name, v.Name, v.Changed, strings.Join(v.Wanted, "\n  "), strings.Join(v.Got, "\n  "))
				}
			}
		}
	}
	for _, v := range correlate.Variants() {
		if runs[v.Name] == 0 {
			t.Errorf("no run of kind %s was derived: the test shows nothing about it", v.Name)
		}
	}
}

// variantRule is a pair within a span, with a test; what it is made of can be put in other words.
func variantRule(t *testing.T, old, with string) *rules.Rule {
	return ruleOf(t, strings.Replace(`lateness: 5m
match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 10m
tests:
  - name: a pair
    events:
      - {at: 1m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}
      - {at: 3m, class: api_activity.create, api: {operation: B}, robot: {uid: r1}}
    fires: [{at: 3m}]
`, old, with, 1))
}

// TestVariantsFailWhereTheEngineDoesNotKeepWhatTheRulePromises makes the runs with an engine that runs a rule that differs from the one they
// were derived from, as an engine with a fault would behave.
func TestVariantsFailWhereTheEngineDoesNotKeepWhatTheRulePromises(t *testing.T) {
	r := variantRule(t, "", "")
	for _, v := range correlate.RunVariants(r, &r.Tests[0]) {
		if !v.Passed() || v.Runs == 0 || v.Note != "" {
			t.Errorf("%+v", v)
		}
	}
	for name, c := range map[string]struct{ old, with, variant, changed, got string }{
		"too little lateness":  {"lateness: 5m", "lateness: 1m", "order", "the events arrived in the order 2 (3m) 1 (1m), one a batch", ""},
		"a span too long":      {"within: 10m", "within: 10m1ms", "span", "event 1 (1m) moved to -7m, 1 ms beyond within: the finding must not come", "a at -7m"},
		"a span too short":     {"within: 10m", "within: 9m59s999ms", "span", "event 1 (1m) moved to -7m, exactly the edge of within: the finding must still come", ""},
		"nothing ever matches": {`== "B"`, `== "C"`, "cuts", "the events came in batches of 2", ""},
		"late hits are used":   {"lateness: 5m", "lateness: 1h", "late", "event 1 (1m) arrived when the watermark had passed it", "finding at 3m"},
		"a repeat counts":      {`where: api.operation == "B", bind: {robot: robot}`, `where: api.operation == "B"`, "duplicates", "every event came twice in one batch, from the same place", "a at 1m"},
	} {
		t.Run(name, func(t *testing.T) {
			v := correlate.RunVariantsOn(variantRule(t, c.old, c.with), r, &r.Tests[0], c.variant)[0]
			if v.Passed() || !strings.Contains(v.Changed, c.changed) {
				t.Errorf("changed %q, want %q", v.Changed, c.changed)
			}
			if got := strings.Join(v.Got, "\n"); c.got == "" && got != "" || !strings.Contains(got, c.got) {
				t.Errorf("got %q, want %q", got, c.got)
			}
		})
	}
}

func TestASpanIsDerivedOnlyWhereItAloneDecides(t *testing.T) {
	for name, c := range map[string]struct{ old, with, note string }{
		"another hit lies where the event would go": {
			"    events:\n", "    events:\n      - {at: -1m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}\n      - {at: 4m, class: api_activity.create, api: {operation: A}, robot: {uid: r1}}\n",
			"event 3 (1m) would pass event 1 (-1m)",
		},
		"the step remembers": {
			"    - {id: a, class: api_activity, where: api.operation == \"A\", bind: {robot: robot}}\n    - {id: b, class: api_activity, where: api.operation == \"B\", bind: {robot: robot}}",
			"    - {id: a, class: api_activity, where: api.operation == \"A\", bind: {robot: robot}, new: {value: api.operation, per: [robot], history: 1d, learn: 0s}}\n" +
				"    - {id: b, class: api_activity, where: api.operation == \"B\", bind: {robot: robot}, new: {value: api.operation, per: [robot], history: 1d, learn: 0s}}",
			"the step of event 1 (1m) remembers",
		},
		"the first step goes by the hour, so the last event is moved": {
			`where: api.operation == "A"`, `where: 'api.operation == "A" and hour(time) == 10'`, "",
		},
		"there is a guard": {
			"  within: 10m\n", "  within: 10m\n  unless:\n    - {class: api_activity, where: api.operation == \"A\", bind: {robot: robot}, before: 1h}\n",
			"a guard or until is hit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := variantRule(t, c.old, c.with)
			v := correlate.RunVariants(r, &r.Tests[0], "span")[0]
			if !v.Passed() || !strings.HasSuffix(v.Note, c.note) || (c.note == "") != (v.Runs == 2) {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestACrashVariantFailsWhereASnapshotForgets(t *testing.T) {
	r := variantRule(t, "", "")
	v := correlate.RunForgetfulVariants(r, &r.Tests[0])[0]
	if v.Passed() || v.Changed != "a crash after event 1 (1m), then the log folded again from the snapshot" || len(v.Got) != 0 || len(v.Wanted) != 2 {
		t.Errorf("%+v", v)
	}
}

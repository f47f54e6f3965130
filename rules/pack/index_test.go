package pack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// matched counts the hits of a batch by rule, branch and step.
func matched(m *correlate.Matcher, look tables, b *event.Batch) map[[3]any]int {
	out := map[[3]any]int{}
	for _, h := range m.Match(m.NewScratch(look), b, 0, len(b.Sorted), nil) {
		out[[3]any{h.Rule, h.Branch, h.Step}]++
	}
	return out
}

func TestScenariosMatchTheSameWithoutTheIndexAndInExprsMachine(t *testing.T) {
	set := load(t)
	m := correlate.NewMatcher(set)
	slow, err := m.Interpreted()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios.All() {
		r := play(t, set, s.Tables, logsOf(s))
		b := &event.Batch{Events: r.events}
		b.Sort()
		got := matched(m, r.tables, b)
		if len(got) == 0 {
			t.Errorf("%s: no hits", s.Name)
		}
		if d := cmp.Diff(matched(m.Exhaustive(), r.tables, b), got); d != "" {
			t.Errorf("%s: hits differ (-without the index +with it):\n%s", s.Name, d)
		}
		if d := cmp.Diff(matched(slow, r.tables, b), got); d != "" {
			t.Errorf("%s: hits differ (-machine +closures):\n%s", s.Name, d)
		}
	}
}

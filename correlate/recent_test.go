package correlate_test

import (
	"fmt"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// twenty is a distinct count of which a key needs twenty values.
const twenty = `match:
  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 20, within: 100s, distinct: api.service.name}
lateness: 10s
`

// eachSecond folds a call of one robot for each second, with the value of that second, fifty in a batch.
func eachSecond(t *testing.T, e *correlate.Engine, from, to int, value func(i int) int, after func(i, findings int)) {
	t.Helper()
	for i := from; i < to; i += 50 {
		b := event.Batch{Events: make([]event.Event, min(50, to-i))}
		newest := int64(0)
		for j := range b.Events {
			x := &b.Events[j]
			x.ClassUID, x.ActivityID, x.Time = event.ClassAPI, 1, start+int64(i+j)*1_000_000
			x.API = &event.API{Operation: "A", Service: fmt.Sprint("service", value(i+j))}
			x.Robot = &event.Robot{UID: "r1"}
			x.Envelope.Position = event.Position{Source: "s", Offset: int64(i + j)}
			x.Envelope.ID = event.NewID("twenty", fmt.Sprint(i+j))
			x.FindEntities()
			newest = x.Time
		}
		b.Sort()
		hits, _ := e.Match(&b)
		after(i, len(e.Fold(hits, []event.Mark{{Source: "s", Newest: newest}})))
	}
}

func TestABusyKeyOfADistinctCountRestsUntilItHasEnoughValues(t *testing.T) {
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, twenty)}}, correlate.Settings{}.AllMayRest())
	eachSecond(t, e, 0, 1000, func(i int) int { return i % 16 }, func(i, findings int) {
		if hits, n := e.Piled(); i >= 500 && (n != 1 || hits < 100) || findings > 0 {
			t.Fatalf("after %d s: %d piles of %d hits, %d findings; there are 16 values", i+50, n, hits, findings)
		}
	})
	found := 0
	eachSecond(t, e, 1000, 1004, func(i int) int { return i }, func(_, findings int) { found = findings })
	if _, n := e.Piled(); found != 1 || n != 0 {
		t.Errorf("the twentieth value gave %d findings and leaves %d piles", found, n)
	}
}

func TestAPileForgetsValuesThatHaveLeftTheWindow(t *testing.T) {
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, twenty)}}, correlate.Settings{}.AllMayRest())
	early := int64(0)
	eachSecond(t, e, 0, 10_000, func(i int) int { return i / 10 }, func(i, findings int) {
		if _, n := e.Piled(); i >= 500 && n != 1 || findings > 0 {
			t.Fatalf("after %d s: %d piles, %d findings; twelve values are in what may still change", i+50, n, findings)
		}
		switch bytes := e.Stats().Rules[0].Bytes; {
		case i == 1000:
			early = bytes
		case i > 1000 && bytes > early+early/2:
			t.Fatalf("after %d s the key takes %d bytes, after 1,050 s it took %d", i+50, bytes, early)
		}
	})
}

package correlate_test

import (
	"fmt"
	"strings"
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

// calls are those of one robot from number from to number to, so many in each second, with services by number.
func calls(from, to, inSecond int, service func(i int) int) (*event.Batch, []event.Mark) {
	b := event.Batch{Events: make([]event.Event, to-from)}
	newest := int64(0)
	for j := range b.Events {
		x, i := &b.Events[j], from+j
		x.ClassUID, x.ActivityID, x.Time = event.ClassAPI, 1, start+int64(i/inSecond)*1_000_000
		x.API = &event.API{Operation: "A", Service: fmt.Sprint("service", service(i))}
		x.Robot = &event.Robot{UID: "r1"}
		x.Envelope.Position = event.Position{Source: "s", Offset: int64(i)}
		x.Envelope.ID = event.NewID("twenty", fmt.Sprint(i))
		x.FindEntities()
		newest = x.Time
	}
	b.Sort()
	return &b, []event.Mark{{Source: "s", Newest: newest}}
}

// eachSecond folds a call a second, fifty in a batch.
func eachSecond(e *correlate.Engine, from, to int, service func(i int) int, after func(i, findings int)) {
	for i := from; i < to; i += 50 {
		b, marks := calls(i, min(i+50, to), 1, service)
		hits, _ := e.Match(b)
		after(i, len(e.Fold(hits, marks)))
	}
}

func TestABusyKeyOfADistinctCountRestsUntilItHasEnoughValues(t *testing.T) {
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, twenty)}}, correlate.Settings{}.AllMayRest())
	eachSecond(e, 0, 1000, func(i int) int { return i % 16 }, func(i, findings int) {
		if hits, n := e.Piled(); i >= 500 && (n != 1 || hits < 100) || findings > 0 {
			t.Fatalf("after %d s: %d piles of %d hits, %d findings; there are 16 values", i+50, n, hits, findings)
		}
	})
	found := 0
	eachSecond(e, 1000, 1004, func(i int) int { return i }, func(_, findings int) { found = findings })
	if _, n := e.Piled(); found != 1 || n != 0 {
		t.Errorf("the twentieth value gave %d findings and leaves %d piles", found, n)
	}
}

func TestAPileForgetsValuesThatHaveLeftTheWindow(t *testing.T) {
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, twenty)}}, correlate.Settings{}.AllMayRest())
	early := int64(0)
	eachSecond(e, 0, 10_000, func(i int) int { return i / 10 }, func(i, findings int) {
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

func TestAKeyThatHoldsMuchRestsThoughItsRuleHasFewKeys(t *testing.T) {
	rule := ruleOf(t, strings.ReplaceAll(twenty, "100s", "10m"))
	e, working := correlate.New(&rules.Set{Rules: []*rules.Rule{rule}}, correlate.Settings{}), int64(0)
	eachSecond(e, 0, 5000, func(i int) int { return i % 16 }, func(i, findings int) {
		hits, n := e.Piled()
		bytes := e.Stats().Rules[0].Bytes
		switch {
		case n == 0:
			working = max(working, bytes)
		case i >= 1000 && (hits < 600 || bytes > working):
			t.Fatalf("after %d s: %d hits on piles take %d bytes; before there were any the key took %d", i+50, hits, bytes, working)
		}
		if i >= 500 && n == 0 || findings > 0 {
			t.Fatalf("after %d s: %d piles, %d findings", i+50, n, findings)
		}
	})
}

// TestHitsOfOneTimeLeaveAKeyAtRest has logs whose times are whole seconds, with many lines of one robot in each. Where there are more than a pile
// looks at, the key wakes, and works for as many hits as had to be read for that: it is found at rest seldom, and not after each batch.
func TestHitsOfOneTimeLeaveAKeyAtRest(t *testing.T) {
	for _, c := range []struct{ inSecond, seconds, least, most int }{{40, 300, 290, 300}, {300, 100, 1, 12}} {
		t.Run(fmt.Sprint(c.inSecond), func(t *testing.T) {
			e := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, strings.ReplaceAll(twenty, "100s", "10m"))}}, correlate.Settings{}.AllMayRest())
			rests := 0
			for i := range c.seconds {
				b, marks := calls(i*c.inSecond, (i+1)*c.inSecond, c.inSecond, func(i int) int { return i % 5 })
				if n := len(e.Fold(e.Hits(b), marks)); n > 0 {
					t.Fatalf("%d findings", n)
				}
				_, n := e.Piled()
				rests += n
			}
			if rests < c.least || rests > c.most {
				t.Errorf("the key rests after %d of %d batches, should after %d to %d", rests, c.seconds, c.least, c.most)
			}
		})
	}
}

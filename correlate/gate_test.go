package correlate_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

const gatedRule = `match:
  event: {id: a, class: robot_state, bind: {robot: robot}, changed: {value: robot.operating_mode, per: [robot]}}
lateness: 10m
`

// foldReports folds state reports of many robots and gives what the rule's counters say.
func foldReports(t *testing.T, s correlate.Settings, robots, batches, size int) (*correlate.Engine, correlate.RuleStats) {
	t.Helper()
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, gatedRule)}}, s)
	for i := range batches {
		b := reports(robots, size, i*size)
		hits, _ := e.Match(b)
		e.Fold(hits, []event.Mark{{Source: "s", Newest: b.Events[size-1].Time}})
	}
	return e, e.Stats().Rules[0]
}

func TestWhatGatesHoldCountsInTheBudget(t *testing.T) {
	_, few := foldReports(t, correlate.Settings{}, 10, 1, 1000)
	_, many := foldReports(t, correlate.Settings{}, 10, 10, 1000)
	if few.Bytes < 1000*50 || many.Bytes < 8*few.Bytes {
		t.Errorf("1,000 held hits count %d bytes and 10,000 count %d", few.Bytes, many.Bytes)
	}
	if many.Registers != 10 || many.Degraded {
		t.Errorf("there are %d registers, degraded %t", many.Registers, many.Degraded)
	}
}

func TestAtTheLimitOfRegistersNewOnesAreRefusedAndTheRuleIsMarked(t *testing.T) {
	e, s := foldReports(t, correlate.Settings{MaxKeys: 20}, 50, 4, 500)
	if s.Registers != 20 || !s.Degraded || s.Evicted != 4*500*30/50 {
		t.Errorf("%d registers, degraded %t, %d hits evicted", s.Registers, s.Degraded, s.Evicted)
	}
	// The first robots are still watched, and their findings say that something is missing.
	b := reports(1, 1, 4*500)
	b.Events[0].Robot.ModeID = 3
	hits, _ := e.Match(b)
	e.Fold(hits, nil)
	found := correlate.Finals(e.Drain())
	if len(found) != 1 || len(found[0].Notes) == 0 {
		t.Fatalf("findings: %+v", found)
	}
}

func TestAtTheLimitOfBytesTheNewestRegistersAreGivenUpAndTheRuleIsMarked(t *testing.T) {
	const limit = 4 << 20
	e, s := foldReports(t, correlate.Settings{MaxBytes: limit}, 200, 20, 2000)
	if s.Bytes > limit/4 || !s.Degraded || s.Shed == 0 {
		t.Errorf("%d bytes of %d, degraded %t, %d shed", s.Bytes, limit, s.Degraded, s.Shed)
	}
	if s.Registers == 0 {
		t.Errorf("nothing is left")
	}
	held := heap()
	if again := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, gatedRule)}}, correlate.Settings{MaxBytes: limit}); again.Restore(e.Snapshot(nil)) != nil || held == 0 {
		t.Errorf("a snapshot at the limit is refused")
	}
}

func TestAnEventThatIsReadAgainFromAnotherPlaceCountsOnceAtAGate(t *testing.T) {
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{ruleOf(t, gatedRule)}}, correlate.Settings{})
	for i := range 3 {
		b := reports(1, 1, 0)
		b.Events[0].Envelope.Position.Offset += int64(i)
		hits, _ := e.Match(b)
		e.Fold(hits, nil)
	}
	if s := e.Stats().Rules[0]; s.Hits != 3 || s.Repeated != 2 {
		t.Errorf("%d hits of which %d repeated", s.Hits, s.Repeated)
	}
}

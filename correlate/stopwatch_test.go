package correlate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// slowLookups are tables of which one takes time, as the clock tells it.
type slowLookups struct {
	expression.Lookups
	clock *atomic.Int64
}

func (l slowLookups) InList(string, string) bool {
	l.clock.Add(1000)
	return false
}

func ruleNamed(t *testing.T, id, text string) *rules.Rule {
	t.Helper()
	r := *ruleOf(t, text)
	r.ID = id
	return &r
}

func TestTheTimeThatMatchingTakesIsGivenToTheRuleThatTakesIt(t *testing.T) {
	slow := ruleNamed(t, "slow", `match: {event: {id: a, class: api_activity, where: 'inList("l", actor.user.uid)', bind: {who: actor.user}}}`)
	fast := ruleNamed(t, "fast", `match: {event: {id: a, class: api_activity, where: 'api.operation == "Z"', bind: {who: actor.user}}}`)
	var clock atomic.Int64
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{fast, slow}}, correlate.Settings{Lookups: slowLookups{clock: &clock}, Stopwatch: clock.Load})
	const events = 64 * 50
	for range 5 { // One event in 64 is timed, however they are cut into batches.
		b := &event.Batch{}
		for i := range events / 5 {
			x := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start, API: &event.API{Operation: "Z"}}
			x.Actor.User.UID = "u"
			x.Envelope.ID = event.NewID("stopwatch", fmt.Sprint(i))
			x.FindEntities()
			b.Events = append(b.Events, x)
		}
		b.Sort()
		e.Match(b)
	}
	stats := e.Stats().Rules
	if got := []int64{stats[0].Tried, stats[1].Tried}; got[0] != events || got[1] != events {
		t.Fatalf("tried %v times, want %d each", got, events)
	}
	if stats[0].MatchTime != 0 || stats[1].MatchTime != events*1000 {
		t.Errorf("matching took %d ns for the fast rule and %d for the slow one, want 0 and %d", stats[0].MatchTime, stats[1].MatchTime, events*1000)
	}
	if matching, folding := e.Spent(); matching.Nanoseconds() != events*1000 || folding != 0 {
		t.Errorf("matching took %d ns and folding %d in all, want %d and 0", matching, folding, events*1000)
	}
}

func TestFoldingIsTimedForRulesWithHitsAndTheStopwatchChangesNothing(t *testing.T) {
	idle := ruleNamed(t, "idle", `match: {event: {id: a, class: api_activity, where: 'api.operation == "never"', bind: {who: actor.user}}}`)
	set := &rules.Set{Rules: append(lawfulSet(t), idle)}
	seed := seedOf()
	events := randomEvents(rand.New(rand.NewPCG(seed, 31)), 200)
	run := func(clock func() int64) (correlate.Stats, []incident.Finding, []byte) {
		e := correlate.New(set, correlate.Settings{Stopwatch: clock})
		var all []incident.Finding
		batches := arrivalIn(rand.New(rand.NewPCG(seed, 32)), events, 180_000_000, 40) // All small, so that each is timed.
		for i, marks := range marksAfter(batches) {
			b := &event.Batch{Events: batches[i]}
			b.Sort()
			hits, _ := e.Match(b)
			all = append(all, e.Fold(hits, marks)...)
		}
		state := e.Snapshot(nil)
		return e.Stats(), append(all, e.Drain()...), state
	}
	_, want, without := run(nil)
	var reading int64 // Each takes longer than the one before, so that no lap is worth nothing.
	var now int64
	stats, got, with := run(func() int64 {
		reading++
		now += reading
		return now
	})
	if diff := cmp.Diff(outcome(want), outcome(got)); diff != "" {
		t.Errorf("seed %d: findings change with a stopwatch (-without +with):\n%s", seed, diff)
	}
	if !bytes.Equal(without, with) {
		t.Errorf("seed %d: the state changes with a stopwatch", seed)
	}
	for _, r := range stats.Rules {
		if r.Rule == "idle" && (r.Hits != 0 || r.FoldTime != 0) || r.Hits > 0 && r.FoldTime == 0 {
			t.Errorf("seed %d: folding %d hits of rule %s took %d ns", seed, r.Hits, r.Rule, r.FoldTime)
		}
	}
}

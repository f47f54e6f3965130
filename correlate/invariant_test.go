package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// lawful are rules of every kind, dense enough in what they use that random events meet every path.
var lawful = []string{
	`match:
  event: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
throttle: {per: [robot], for: 4m}`,
	`match:
  event: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, emit: {who: actor.user}}
  unless:
    - {class: api_activity, where: api.operation == "G", before: 2m, after: 90s, bind: {robot: robot}}
throttle: {per: [robot, who], for: 4m}
score: 'a.count'`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 6m
  order_tolerance: 20s
  unless:
    - {class: api_activity, where: api.operation == "G", between: [a, b], bind: {robot: robot}}
  until:
    - {class: api_activity, where: api.operation == "U", bind: {robot: robot}, quiet_for: 30s}
score: 'b.count + c.count'`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", at_least: 2, distinct: api.service.name, bind: {robot: robot}}
    - {id: b, class: api_activity, where: 'api.operation in ["A", "B"]', at_least: 2, bind: {robot: robot}}
  within: 5m
  order_tolerance: 10s
  unless:
    - {class: api_activity, where: api.operation == "G", before: 1m, of: b, bind: {robot: robot}}
    - {class: api_activity, where: api.operation == "U", after: 1m, of: a, bind: {robot: robot}}`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: 'api.operation in ["A", "B"]', bind: {robot: robot}}
  within: 3m
  select: first
throttle: {per: [robot], for: 2m}`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot, who: actor.user}}
    - id: b
      class: api_activity
      where: api.operation == "B"
      bind_any: [{robot: robot}, {who: actor.user}]
      emit: {name: api.service.name}
  within: 4m
  unless:
    - class: api_activity
      where: api.operation == "G" and api.service.name == b.api.service.name
      before: 1m
      of: a
      bind: {robot: robot}
    - {class: api_activity, where: api.operation == "U", between: true, bind: {who: actor.user}}`,
	`match:
  all:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot, who: actor.user}}
    - {id: b, class: api_activity, where: api.operation == "B", at_least: 2, bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot, who: actor.user}}
  within: 4m
  at_least: 2
  until:
    - {class: api_activity, where: api.operation == "U", bind: {robot: robot}, quiet_for: 20s}`,
	`match:
  count: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, at_least: 3, within: 3m, collect: {names: api.service.name, max: 5}}
  until:
    - {class: api_activity, where: api.operation == "U", bind: {robot: robot}, quiet_for: 1m}
  unless:
    - {class: api_activity, where: api.operation == "G", before: 30s, bind: {robot: robot}}
severity_if:
  - {when: 'count(a, .count > 3) > 1', severity: high}
throttle: {per: [robot], for: 2m}`,
	`match:
  count: {id: a, class: api_activity, where: 'api.operation in ["A", "B"]', bind: {robot: robot, who: actor.user}, at_least: 3, within: 5m, distinct: api.service.name}
  until:
    - {class: api_activity, where: api.operation == "U", bind: {robot: robot}}`,
	`match:
  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 9, within: 2m}
  until:
    - {class: api_activity, where: api.operation == "U" and count == 3, bind: {robot: robot}}`,
	`match:
  consecutive:
    id: a
    class: api_activity
    where: api.operation != "U"
    bind: {robot: robot}
    when: count > prev.count
    at_least: 3
    within: 2m
  until:
    - {class: api_activity, where: api.operation == "U", bind: {robot: robot}}`,
	`match:
  any:
    - count: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, at_least: 2, within: 2m}
    - sequence:
        - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
        - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
      within: 2m
      unless:
        - {class: api_activity, where: api.operation == "U", after: 40s, bind: {robot: robot}}
    - event: {id: g, class: api_activity, where: api.operation == "G", bind: {robot: robot}}
  at_least: 2
  within: 3m
throttle: {per: [robot], for: 1m}`,
	`match:
  event: {id: a, class: api_activity, where: 'api.operation in ["A", "B"]', bind: {robot: robot}, changed: {value: api.service.name, per: [robot]}}
throttle: {per: [robot], for: 1m}
score: 'a.prev == "x" ? 20 : a.prev == "y" ? 30 : 40'`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot, who: actor.user}, new: {value: api.service.name, per: [who], history: 5m, learn: 1m, freeze: count == 3}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}, changed: {value: count, per: [robot]}}
  within: 5m
score: '10 * b.prev + b.count'`,
	`match:
  event: {id: a, class: api_activity, bind: {robot: robot}, changed: {value: count, per: [robot]}}
  unless:
    - {class: api_activity, where: 'api.operation == "G" and a.prev > 1', before: 30s, after: 30s, bind: {robot: robot}}
severity_if:
  - {when: 'a.prev > a.count', severity: high}`,
	`match:
  event: {id: a, class: api_activity, where: 'api.operation in ["A", "B"]', bind: {robot: robot}, spike: {value: count, per: [robot], bucket: 10s, over: 1m, baseline: 1d, season: none, learn: 3m, ratio: 1.2, deviations: 0.5, floor: 9, freeze: api.operation == "B" and count == 0}}
score: 'clamp(a.amount - a.usual)'`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, spike: {per: [robot], bucket: 5s, over: 30s, baseline: 1d, season: hour_of_day, learn: 0s, ratio: 1, deviations: 0, floor: 2}, new: {value: api.service.name, per: [robot], history: 10m}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 3m
score: 'a.amount * 3'`,
	`match:
  event: {id: a, class: api_activity, where: api.operation != "U", bind: {robot: robot}, beacon: {per: [robot], at_least: 4, over: 5m, jitter_max: 0.6, min_gap: 6s, freeze: count == 4}}
score: 'clamp(a.gap / 1000 + int(10 * a.jitter))'`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot, who: actor.user}, beacon: {per: [robot, who], at_least: 3, over: 10m, jitter_max: 0.5}, changed: {value: count, per: [robot]}}
    - {id: b, class: api_activity, where: api.operation == "B" , bind: {robot: robot}, new: {value: api.service.name, per: [robot], history: 2m}}
  within: 5m
score: 'clamp(a.prev + a.gap / 1000)'`,
	`match:
  event: {id: a, class: api_activity, where: 'api.operation == "A"', bind: {robot: robot}, drop: {per: [robot], for: 45s, at_least: 3, over: 3m, freeze: count == 4}}
throttle: {per: [robot], for: 3m}
score: '(a.silent_since - a.time) == 0 ? 30 : 40'`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "A", bind: {robot: robot}, drop: {per: [robot], for: 30s, at_least: 1}, new: {value: api.service.name, per: [robot], history: 5m}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 10m
  order_tolerance: 20s`,
	`match:
  event: {id: a, class: api_activity, bind: {robot: robot}, drop: {value: count, per: [robot], bucket: 10s, over: 30s, baseline: 1d, season: none, learn: 2m, ratio: 1.5, deviations: 0, freeze: api.operation == "G"}}
score: 'clamp(a.usual - a.amount)'`,
	`match:
  event: {id: a, class: api_activity, where: api.operation != "U", bind: {robot: robot}, emit: {who: actor.user}, new: {value: string(count), per: [who, robot], history: 20m, learn: 8m, inherit: api.service.name}}`,
}

// seedOf is a random seed, or the one in TOCSIN_SEED, to see a failure again.
func seedOf() uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TOCSIN_SEED"), 10, 64); err == nil {
		return seed
	}
	return rand.Uint64()
}

// rounds is how many seeds a property is tried with; TOCSIN_ROUNDS multiplies it.
func rounds(n int) int {
	if more, err := strconv.Atoi(os.Getenv("TOCSIN_ROUNDS")); err == nil {
		return n * more
	}
	return n
}

// more reports whether a property is tried once more: as often as rounds says, and on until chance has shown what the property is about, for a test
// that shows nothing is worthless and one that needs luck fails one day.
func more(n, times int, shown bool) bool {
	return n < rounds(times) || !shown && n < 100*rounds(times) && os.Getenv("TOCSIN_SEED") == ""
}

// allFired reports whether every rule has found something.
func allFired(all []*rules.Rule, fired map[string]int) bool {
	return !slices.ContainsFunc(all, func(r *rules.Rule) bool { return fired[r.ID] == 0 })
}

// randomEvents are events on a coarse grid of times, so that ties are common.
func randomEvents(r *rand.Rand, n int) []event.Event {
	ops := []string{"A", "A", "A", "B", "B", "C", "G", "U"}
	names := []string{"x", "y", "z", ""}
	out := make([]event.Event, n)
	for i := range out {
		e := &out[i]
		*e = event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + r.Int64N(int64(n)*3/2)*5_000_000, Count: int32(r.IntN(5))}
		e.API = &event.API{Operation: ops[r.IntN(len(ops))], Service: names[r.IntN(len(names))]}
		if r.IntN(12) > 0 {
			e.Robot = &event.Robot{UID: fmt.Sprint("r", r.IntN(2))}
		}
		e.Actor.User.UID = fmt.Sprint("u", r.IntN(2))
		e.Envelope.Position = event.Position{Source: fmt.Sprint("s", r.IntN(3)), Offset: int64(i)}
		e.Envelope.Site = []string{"", "north"}[int(e.Envelope.Position.Source[1]-'0')%2]
		e.Envelope.ID = event.NewID("random", fmt.Sprint(i))
		e.FindEntities()
	}
	return out
}

// arrival is an order and a cut of events in which none is later than lateness.
func arrival(r *rand.Rand, events []event.Event, lateness int64) [][]event.Event {
	return arrivalIn(r, events, lateness, 0)
}

// arrivalIn is arrival with so many batches at least.
func arrivalIn(r *rand.Rand, events []event.Event, lateness int64, batches int) [][]event.Event {
	type keyed struct {
		event.Event
		at int64
	}
	all := make([]keyed, len(events))
	spread := []int64{1, max(1, lateness/8), lateness}[r.IntN(3)]
	for i := range events {
		all[i] = keyed{events[i], events[i].Time + r.Int64N(spread)}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b keyed) int { return int(min(1, max(-1, a.at-b.at))) })
	var out [][]event.Event
	size := 1 + r.IntN(max(1, len(all)/max(1, batches)))
	for len(all) > 0 {
		n := min(len(all), 1+r.IntN(size))
		batch := make([]event.Event, n)
		for i := range batch {
			batch[i] = all[i].Event
		}
		out, all = append(out, batch), all[n:]
	}
	return out
}

// marksAfter are the sources' newest times after each batch.
func marksAfter(batches [][]event.Event) [][]event.Mark {
	marks := []event.Mark{{Source: "s0"}, {Source: "s1"}, {Source: "s2"}}
	var out [][]event.Mark
	for _, b := range batches {
		for _, e := range b {
			newest(marks, e.Envelope.Position.Source, e.Time)
		}
		out = append(out, slices.Clone(marks))
	}
	return out
}

// outcome is what N5 is about: the final findings.
func outcome(all []incident.Finding) []string {
	var out []string
	for _, f := range correlate.Finals(all) {
		out = append(out, fmt.Sprintf("%s %s %s score %d severity %s", f.Rule.ID, event.FormatID(event.FindingPrefix, f.ID), line(f), f.Score, f.Severity))
	}
	return out
}

func runBatches(t *testing.T, set *rules.Set, batches [][]event.Event, workers int, each func(*correlate.Engine, int) *correlate.Engine) ([]incident.Finding, correlate.Stats) {
	t.Helper()
	e := correlate.New(set, correlate.Settings{Workers: workers}.StateEvery([]int{2, 7, 50, 1024}[len(batches)%4]))
	var all []incident.Finding
	marks := marksAfter(batches)
	for i, events := range batches {
		b := event.Batch{Events: events}
		b.Sort()
		hits, _ := e.Match(&b)
		all = append(all, e.Fold(hits, marks[i])...)
		if each != nil {
			e = each(e, i)
		}
	}
	all = append(all, e.Drain()...)
	checkRevisions(t, all)
	return all, e.Stats()
}

// checkRevisions holds announcements against N4: revisions count from 1, final findings are never withdrawn.
func checkRevisions(t *testing.T, all []incident.Finding) {
	t.Helper()
	revision, state := map[event.ID]int32{}, map[event.ID]incident.State{}
	for _, f := range all {
		if f.Revision != revision[f.ID]+1 {
			t.Errorf("revision %d follows %d: %s", f.Revision, revision[f.ID], line(f))
		}
		if state[f.ID] == incident.Final && f.State != incident.Final {
			t.Errorf("final finding became %s: %s", f.State, line(f))
		}
		revision[f.ID], state[f.ID] = f.Revision, f.State
	}
	for id, s := range state {
		if s == incident.Provisional {
			t.Errorf("%s is still provisional at the end", event.FormatID(event.FindingPrefix, id))
		}
	}
}

func lawfulSet(t testing.TB) []*rules.Rule {
	var out []*rules.Rule
	for i, text := range slices.Concat(lawful, lawfulExceptions) {
		r := ruleOf(t, "lateness: 3m\n"+text)
		c := *r
		c.ID = fmt.Sprintf("law-%02d", i)
		out = append(out, &c)
	}
	return out
}

func TestFinalFindingsDoNotDependOnOrderOfArrivalOrCutsOrWorkers(t *testing.T) {
	all := lawfulSet(t)
	set := &rules.Set{Rules: all}
	fired := map[string]int{}
	for round := 0; more(round, 60, allFired(all, fired)); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 5))
		events := randomEvents(r, 40+r.IntN(200))
		reference, _ := runBatches(t, set, [][]event.Event{events}, 1, nil)
		want := outcome(reference)
		for _, f := range correlate.Finals(reference) {
			fired[f.Rule.ID]++
		}
		for range 4 {
			got, stats := runBatches(t, set, arrival(r, events, 180_000_000), 1+r.IntN(3), nil)
			for _, s := range stats.Rules {
				if s.Late > 0 || s.Evicted > 0 {
					t.Fatalf("seed %d: the test is wrong: %d late", seed, s.Late)
				}
			}
			if d := cmp.Diff(want, outcome(got)); d != "" {
				t.Fatalf("seed %d: final findings depend on arrival (-in order +permuted):\n%s", seed, d)
			}
		}
	}
	for _, r := range all {
		if fired[r.ID] == 0 {
			t.Errorf("%s never fired: the test shows nothing about it", r.ID)
		}
	}
}

package correlate_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/rules"
)

// spread matches batches with one engine and folds the hits in n others, each of which gets those of one partition and all marks.
func spread(set *rules.Set, settings correlate.Settings, seed *rules.Test, batches [][]event.Event, marks [][]event.Mark, n int32) (all []incident.Finding, used int) {
	matcher := correlate.New(set, settings)
	engines := make([]*correlate.Engine, n)
	had := make([]bool, n)
	for i := range engines {
		engines[i] = correlate.New(set, settings)
		if seed != nil {
			engines[i].Seed(seed)
		}
	}
	for i := range batches {
		b := &event.Batch{Events: slices.Clone(batches[i])}
		b.Sort()
		lanes := make([][]event.Hit, n)
		for _, h := range matcher.Hits(b) {
			p := relay.HitPartition(&h, n)
			if c := set.Rule(h.Rule).Component; c != "" {
				p = relay.ComponentPartition(c, n)
			}
			lanes[p] = append(lanes[p], h)
			had[p] = true
		}
		for p, e := range engines {
			all = append(all, e.Fold(lanes[p], marks[i])...)
		}
	}
	for p, e := range engines {
		all = append(all, e.Drain()...)
		if had[p] {
			used++
		}
	}
	return all, used
}

// finals are the final findings whatever engine they come from. How far back an engine remembers is its own: the remark on a history that is
// shorter than the rule asks for is about the hits of the rule in its partition, and left out here.
func finals(all []incident.Finding) []string {
	all = slices.Clone(all)
	for i := range all {
		all[i].Notes = slices.DeleteFunc(slices.Clone(all[i].Notes), func(n string) bool { return strings.HasPrefix(n, "history: ") })
	}
	out := outcome(all)
	slices.Sort(out)
	return out
}

func TestFoldingByPartitionsGivesTheFindingsOfOneEngineForEveryShippedRule(t *testing.T) {
	byRule, fired, split := 0, 0, 0
	shipped := shippedRules(t)
	for _, rule := range shipped {
		most := 0
		if len(rule.Plan.Key) == 0 {
			byRule++
			t.Logf("%s is routed by its name only", rule.ID)
		}
		for i := range rule.Tests {
			test := &rule.Tests[i]
			seed := seedOf()
			r := rand.New(rand.NewPCG(seed, 31))
			events := variations(r, test)
			if len(events) == 0 {
				continue
			}
			set := &rules.Set{Rules: rule.WithUpstream()}
			settings := correlate.Settings{Lookups: &test.Given}.StateEvery(3)
			var want []string
			for _, n := range []int32{1, 2, 3, 7} {
				batches := arrival(r, events, patience(set))
				all, used := spread(set, settings, test, batches, marksByBatch(batches), n)
				most = max(most, used)
				if n == 1 {
					want = finals(all)
					fired += len(want)
				}
				if d := cmp.Diff(want, finals(all)); d != "" {
					t.Fatalf("seed %d: %s: %s: findings of %d partitions differ (-one +many):\n%s", seed, rule.ID, test.Name, n, d)
				}
			}
		}
		if most > 1 {
			split++
		}
		if len(rule.Plan.Key) == 0 && most > 1 {
			t.Errorf("%s has no key and its hits are in %d partitions", rule.ID, most)
		}
	}
	if fired == 0 || split < len(shipped)/3 {
		t.Errorf("%d findings, and %d of %d rules had hits in several partitions: the test shows nothing", fired, split, len(shipped))
	}
	t.Logf("%d of %d rules are routed by their name only; %d had hits in several partitions; %d findings compared", byRule, len(shipped), split, fired)
}

// variations are the events of a rule's test several times over, moved in time and in name, so that they fall into several keys.
func variations(r *rand.Rand, test *rules.Test) (out []event.Event) {
	for i := range 3 {
		shift := int64(i) * r.Int64N(3600_000_000)
		for j, x := range test.Events {
			if i > 0 && r.IntN(5) == 0 {
				continue
			}
			e := *x.Event
			e.Time += shift
			e.Entities = slices.Clone(e.Entities)
			for k := range e.Entities {
				if i == 2 && e.Entities[k].Kind != event.EntityIP {
					e.Entities[k].Key += "-2"
					e.Entities[k].ID += "-2"
				}
			}
			e.Envelope.ID = event.NewID("route", test.Name, string(rune('a'+i)), string(rune('a'+j)))
			e.Envelope.Position.Offset += int64(i * 1000)
			out = append(out, e)
		}
	}
	return out
}

// marksByBatch are the newest times of every source after each batch.
func marksByBatch(batches [][]event.Event) (out [][]event.Mark) {
	var marks []event.Mark
	for _, b := range batches {
		for i := range b {
			if s := b[i].Envelope.Position.Source; !slices.ContainsFunc(marks, func(m event.Mark) bool { return m.Source == s }) {
				marks = append(marks, event.Mark{Source: s})
			}
		}
	}
	for _, b := range batches {
		for i := range b {
			newest(marks, b[i].Envelope.Position.Source, b[i].Time)
		}
		out = append(out, slices.Clone(marks))
	}
	return out
}

func TestFoldingByPartitionsGivesTheFindingsOfOneEngineForRulesOfEveryKind(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	most := 0
	for round := 0; more(round, 25, most >= 5); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 32))
		events := randomEvents(r, 40+r.IntN(200))
		var want []string
		for _, n := range []int32{1, 2, 3, 7} {
			batches := arrival(r, events, 180_000_000)
			all, used := spread(set, correlate.Settings{}.StateEvery(5), nil, batches, marksAfter(batches), n)
			if n == 1 {
				want = finals(all)
			}
			most = max(most, used)
			if d := cmp.Diff(want, finals(all)); d != "" {
				t.Fatalf("seed %d: findings of %d partitions differ (-one +many):\n%s", seed, n, d)
			}
		}
	}
	if most < 5 {
		t.Errorf("at most %d partitions had hits: the test shows nothing", most)
	}
}

// What a gate remembers lies outside the keys, so a key must never be finer than it.
func TestTheKeyOfEveryShippedRuleIsPartOfWhatItsGatesGoBy(t *testing.T) {
	for _, rule := range append(shippedRules(t), lawfulSet(t)...) {
		for _, b := range rule.Plan.Branches {
			for i := range b.Steps {
				x := &b.Steps[i]
				for _, v := range rule.Plan.Key {
					if x.New != nil && !slices.Contains(x.New.Per, v) || x.Changed != nil && !slices.Contains(x.Changed.Per, v) {
						t.Errorf("%s: step %s remembers across values of %s, by which its hits are spread", rule.ID, x.ID, rule.Plan.Vars[v].Name)
					}
				}
			}
		}
	}
}

package relay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/rules"
)

// upgraded are the same rules as version 2.
func upgraded(set *rules.Set) *rules.Set {
	out := &rules.Set{Hash: set.Hash + "2"}
	for _, r := range set.Rules {
		c := *r
		c.Version = 2
		out.Rules = append(out.Rules, &c)
	}
	return out
}

// reloadFrames are the frames of one partition: a batch each, of members that go by the rules in force for them.
type reloadFrames struct {
	matchers map[string]*correlate.Engine
	rules    map[string]*rules.Set
	marks    map[string]event.Mark
	stored   []event.Event
	received int64
}

func (x *reloadFrames) frame(member, source string, events []event.Event) *relay.Frame {
	x.received++
	b := &event.Batch{Events: slices.Clone(events)}
	b.Sort()
	x.stored = append(x.stored, events...)
	m := x.marks[source]
	m.Source = source
	for i := range events {
		m.Newest = max(m.Newest, events[i].Time)
	}
	x.marks[source] = m
	f := &relay.Frame{Member: member, Received: x.received, Rules: x.rules[member].Hash, Roster: []relay.Partitions{{Source: "s0", Count: 1}, {Source: "s1", Count: 1}}}
	f.Hits = slices.Clone(x.matchers[member].Hits(b))
	f.Marks = []relay.SentMark{{Mark: m, Generation: 1}}
	return f
}

func (x *reloadFrames) load(member string, set *rules.Set) {
	x.rules[member], x.matchers[member] = set, correlate.New(set, correlate.Settings{})
}

// warm fills what a partition has to know of the past.
func (x *reloadFrames) warm(p *relay.Partition) {
	waiting := p.Waiting()
	slices.SortFunc(waiting, func(a, b *rules.Rule) int { return int(a.Version-b.Version) + 2*len(a.ID) - 2*len(b.ID) })
	m := correlate.New(&rules.Set{Rules: waiting}, correlate.Settings{})
	b := &event.Batch{Events: slices.Clone(x.stored)}
	b.Sort()
	p.Warm(m.Hits(b), []event.Mark{{Source: "store", Newest: b.Events[b.Sorted[len(b.Sorted)-1]].Time}})
}

func about(f *incident.Finding) string {
	return fmt.Sprint(f.Rule.ID, " ", f.Key, " ", f.Time, " ", f.Evidence[len(f.Evidence)-1].Event.Event)
}

// TestRulesThatReachMembersAtDifferentTimesLoseNoMatchAndFindNoneTwice lets two ingest members and the fold of a partition take over the next
// version of every rule in a random order, the fold no sooner than it may.
func TestRulesThatReachMembersAtDifferentTimesLoseNoMatchAndFindNoneTwice(t *testing.T) {
	before := ruleSet(t, "3m")
	before.Hash = "one"
	after := upgraded(before)
	found := 0
	for range rounds(30) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 41))
		feed := randomFeed(r, 80)
		names := slices.Sorted(func(yield func(string) bool) {
			for k := range feed {
				if !yield(k) {
					return
				}
			}
		})
		var lanes [2][]event.Event
		for i := range lanes { // Each in its order of arrival, in which none is late.
			lanes[i] = feed[names[i]]
		}
		run := func(reload bool) []incident.Finding {
			r := rand.New(rand.NewPCG(seed, 42))
			x := &reloadFrames{matchers: map[string]*correlate.Engine{}, rules: map[string]*rules.Set{}, marks: map[string]event.Mark{}}
			x.load("m0", before)
			x.load("m1", before)
			p := relay.NewPartition(0, before, correlate.Settings{})
			at := [3]int{r.IntN(20), r.IntN(20), r.IntN(20)} // When the members and the fold have the new files.
			var all []incident.Finding
			offset, swapped := int64(0), false
			queues := [2][]event.Event{lanes[0], lanes[1]}
			for step := 0; len(queues[0])+len(queues[1]) > 0 || step < 25; step++ {
				for m := range 2 {
					if reload && at[m] == step {
						x.load(fmt.Sprint("m", m), after)
					}
					n := min(len(queues[m]), 1+r.IntN(6))
					a, _ := p.Take(x.frame(fmt.Sprint("m", m), fmt.Sprint("s", m), queues[m][:n]), offset, 1)
					queues[m] = queues[m][n:]
					all = append(all, a.Findings...)
					offset++
				}
				if reload && !swapped && step >= at[2] && len(p.Behind(after)) == 0 {
					p.Swap(after)
					x.warm(p)
					swapped = true
				}
			}
			if reload && !swapped {
				t.Fatalf("seed %d: the fold never took the rules over: %v are behind", seed, p.Behind(after))
			}
			end := x.frame("m0", "s0", nil)
			for i := range end.Marks {
				end.Marks[i].Newest = 1 << 60
			}
			a, _ := p.Take(end, offset, 1)
			all = append(all, a.Findings...)
			end = x.frame("m1", "s1", nil)
			end.Marks[0].Newest = 1 << 60
			a, _ = p.Take(end, offset+1, 1)
			return append(all, a.Findings...)
		}
		want := map[string]bool{}
		for _, f := range correlate.Finals(run(false)) {
			want[about(&f)] = true
		}
		got := map[string]int{}
		for _, f := range correlate.Finals(run(true)) {
			got[about(&f)]++
			if got[about(&f)] == 2 {
				t.Errorf("seed %d: found twice: %s", seed, about(&f))
			}
		}
		for w := range want {
			if got[w] == 0 {
				t.Errorf("seed %d: lost: %s", seed, w)
			}
		}
		found += len(want)
		if t.Failed() {
			return
		}
	}
	if found == 0 {
		t.Error("nothing is found at all")
	}
}

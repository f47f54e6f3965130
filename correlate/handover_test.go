package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// nextVersion are the same rules as version 2.
func nextVersion(set *rules.Set) *rules.Set {
	out := &rules.Set{}
	for _, r := range set.Rules {
		c := *r
		c.Version = 2
		out.Rules = append(out.Rules, &c)
	}
	return out
}

// completed names what a finding is about, whatever the version that found it.
func completed(f *incident.Finding) string {
	return fmt.Sprint(f.Rule.ID, " ", f.Key, " ", at(f.Time), " ", f.Evidence[len(f.Evidence)-1].Event.Event)
}

// swapped runs batches and goes on with the next version of every rule after one of them, warmed with all events so far. In between, the
// handover may be reserved, and the state go through a snapshot.
func swapped(t *testing.T, set *rules.Set, batches [][]event.Event, reserve, swap int, through bool) []incident.Finding {
	e := correlate.New(set, correlate.Settings{}.StateEvery(5))
	marks := marksAfter(batches)
	var all []incident.Finding
	var past []event.Event
	for i, events := range batches {
		b := event.Batch{Events: slices.Clone(events)}
		b.Sort()
		hits, _ := e.Match(&b)
		all = append(all, e.Fold(hits, marks[i])...)
		past = append(past, events...)
		if i == reserve {
			e.Reserve()
		}
		if i != swap {
			continue
		}
		next := nextVersion(set)
		if through {
			restored := correlate.New(next, correlate.Settings{}.StateEvery(3))
			if err := restored.Restore(e.Snapshot(nil)); err != nil {
				t.Fatal(err)
			}
			e.Swap(&rules.Set{}) // What it announced becomes final.
			all = append(all, e.Fold(nil, marks[i])...)
			e = restored
		} else {
			e.Swap(next)
		}
		b = event.Batch{Events: slices.Clone(past)}
		b.Sort()
		e.Warm(correlate.New(next, correlate.Settings{}).Hits(&b), marks[i])
	}
	return append(all, e.Drain()...)
}

func TestAChangeOfRulesUnderLoadLosesNoMatchAndFindsNoneTwice(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	seen := 0
	for round := 0; more(round, 40, seen >= rounds(40)/4); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 21))
		events := randomEvents(r, 40+r.IntN(160))
		batches := arrival(r, events, 180_000_000)
		if len(batches) < 2 {
			continue
		}
		reference, _ := runBatches(t, set, batches, 1, nil)
		want := map[string]bool{}
		for _, f := range correlate.Finals(reference) {
			want[completed(&f)] = true
		}
		swap := r.IntN(len(batches) - 1)
		got := map[string]int{}
		before, after := 0, 0
		reserve, through := r.IntN(swap+1), r.IntN(2) == 0
		t.Logf("seed %d: %d batches, reserved after %d, swapped after %d, through a snapshot: %v", seed, len(batches), reserve, swap, through)
		for _, f := range correlate.Finals(swapped(t, set, batches, reserve, swap, through)) {
			got[completed(&f)]++
			if got[completed(&f)] > 1 {
				t.Errorf("seed %d: found twice: %s", seed, completed(&f))
			}
			if f.Rule.Version == 1 {
				before++
			} else {
				after++
			}
			if f.Rule.Version == 2 && !want[completed(&f)] {
				t.Errorf("seed %d: the new version finds what is not there: %s %s", seed, f.Rule.ID, line(f))
			}
		}
		if before > 0 && after > 0 {
			seen++
		}
		for w := range want {
			if got[w] == 0 {
				t.Errorf("seed %d: lost: %s", seed, w)
			}
		}
		if t.Failed() {
			return
		}
	}
	if seen < rounds(40)/4 {
		t.Errorf("in %d rounds both versions found something: the test shows little", seen)
	}
}

// TestRulesThatWereJustFilledGoOnFromASnapshotAsWithoutOne holds a checkpoint that is made between the filling of new rules and the next batch against
// the state it was made of: both announce the same from there on.
func TestRulesThatWereJustFilledGoOnFromASnapshotAsWithoutOne(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	for range rounds(40) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 23))
		batches := arrivalIn(r, randomEvents(r, 40+r.IntN(160)), 180_000_000, 4)
		marks := marksAfter(batches)
		swap := r.IntN(len(batches) - 1)
		e := correlate.New(set, correlate.Settings{})
		var restored *correlate.Engine
		var past []event.Event
		for i, events := range batches {
			b := event.Batch{Events: slices.Clone(events)}
			b.Sort()
			hits, _ := e.Match(&b)
			announced := slices.Clone(e.Fold(hits, marks[i]))
			if restored != nil {
				if diff := cmp.Diff(announcements(announced), announcements(restored.Fold(hits, marks[i]))); diff != "" {
					t.Fatalf("seed %d: swapped after batch %d, batch %d announces other things from a snapshot (-without +from it):\n%s", seed, swap, i, diff)
				}
			}
			past = append(past, events...)
			if i != swap {
				continue
			}
			next := nextVersion(set)
			e.Swap(next)
			b = event.Batch{Events: slices.Clone(past)}
			b.Sort()
			e.Warm(correlate.New(next, correlate.Settings{}).Hits(&b), marks[i])
			restored = correlate.New(next, correlate.Settings{})
			if err := restored.Restore(e.Snapshot(nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// announcements are findings as they are told, revision by revision.
func announcements(list []incident.Finding) []string {
	var out []string
	for i := range list {
		f := &list[i]
		out = append(out, fmt.Sprintf("%s v%d %s revision %d: %s score %d", f.Rule.ID, f.Rule.Version, event.FormatID(event.FindingPrefix, f.ID), f.Revision, line(*f), f.Score))
	}
	return out
}

package correlate_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// pair are two engines that fold the same hits: one those that it has prepared, the other copies, which it must write itself.
type pair struct {
	t         *testing.T
	seed      uint64
	own, copy *correlate.Engine
	prepared  int
}

func newPair(t *testing.T, seed uint64, set *rules.Set, s correlate.Settings) *pair {
	return &pair{t: t, seed: seed, own: correlate.New(set, s), copy: correlate.New(set, s)}
}

// fold folds the hits of events and compares what was announced and what is kept.
func (p *pair) fold(events []event.Event, marks []event.Mark, change func(hits []event.Hit)) {
	p.t.Helper()
	b := event.Batch{Events: events}
	b.Sort()
	hits := p.own.Hits(&b)
	p.copy.Hits(&b)
	p.prepared += p.own.Prepared()
	change(hits)
	want := slices.Clone(p.copy.Fold(slices.Clone(hits), marks))
	if d := cmp.Diff(want, p.own.Fold(hits, marks)); d != "" {
		p.t.Fatalf("seed %d: announcements differ (-written by the fold +prepared):\n%s", p.seed, d)
	}
	if !slices.Equal(p.copy.Snapshot(nil), p.own.Snapshot(nil)) {
		p.t.Fatalf("seed %d: other records are kept", p.seed)
	}
}

func asTheyAre([]event.Hit) {}

func TestPreparedHitsMakeTheSameRecordsAndFindings(t *testing.T) {
	set, prepared := restingSet(t), 0
	for round := 0; more(round, 10, prepared > 0); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 30))
		events := randomEvents(r, 40+r.IntN(600))
		manyKeys(r, events, 1+r.IntN(60), 100*r.IntN(2))
		s := correlate.Settings{Workers: 1 + r.IntN(3)}.AllMayRest().StateEvery(1 + r.IntN(60)).PileAbove(3 + r.IntN(20))
		p := newPair(t, seed, set, s)
		batches := arrivalIn(r, events, 180_000_000, 1+r.IntN(8))
		for i, marks := range marksAfter(batches) {
			p.fold(batches[i], marks, asTheyAre)
		}
		prepared += p.prepared
		if d := cmp.Diff(p.copy.Drain(), p.own.Drain()); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
	if prepared == 0 {
		t.Error("nothing was ever prepared: the test shows nothing")
	}
}

// TestHitsThatWereMovedAreNotTakenForOthers changes the order of hits where they lie.
func TestHitsThatWereMovedAreNotTakenForOthers(t *testing.T) {
	set := restingSet(t)
	set.Rules = set.Rules[len(set.Rules)-len(plain):][:1]
	r := rand.New(rand.NewPCG(31, 31))
	events := randomEvents(r, 600)
	manyKeys(r, events, 40, 0)
	p := newPair(t, 31, set, correlate.Settings{}.AllMayRest())
	batches := arrivalIn(r, events, 180_000_000, 6)
	for i, marks := range marksAfter(batches) {
		p.fold(batches[i], marks, slices.Reverse)
	}
	if p.prepared == 0 {
		t.Error("nothing was prepared")
	}
}

// TestWhatWasPreparedIsNotUsedOnceItIsOutOfDate folds other hits between, after which times are counted from elsewhere, and takes other rules.
func TestWhatWasPreparedIsNotUsedOnceItIsOutOfDate(t *testing.T) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, openSequence)}}
	const hour = 3600_000_000
	for name, between := range map[string]func(e *correlate.Engine, later []event.Hit){
		"another epoch": func(e *correlate.Engine, later []event.Hit) {
			before := e.Epoch()
			e.Fold(nil, []event.Mark{{Source: "fleet", Newest: start + 20*hour}})
			e.Fold(later, []event.Mark{{Source: "fleet", Newest: start + 20*hour}})
			if e.Epoch() == before || e.Resting() != len(later) {
				t.Fatalf("%d keys rest, from %d", e.Resting(), e.Epoch())
			}
		},
		"other rules": func(e *correlate.Engine, _ []event.Hit) {
			e.Swap(&rules.Set{Rules: []*rules.Rule{newVersion(set.Rules[0])}})
		},
		"restored": func(e *correlate.Engine, _ []event.Hit) {
			if err := e.Restore(e.Snapshot(nil)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		run := func(own bool) []byte {
			e := correlate.New(set, correlate.Settings{}.AllMayRest())
			s := newSource(set, 30)
			first, marks := s.next(30, func(i int) int { return i }, constant)
			e.Fold(slices.Clone(first), marks)
			s.n += 30 * hour / s.step
			later, _ := s.next(5, func(i int) int { return 100 + i }, constant)
			later = slices.Clone(later)
			s.engine = e
			hits, marks := s.next(30, func(i int) int { return i }, constant)
			if own && e.Prepared() != len(hits) {
				t.Fatalf("%s: %d of %d hits were prepared", name, e.Prepared(), len(hits))
			}
			if between(e, later); !own {
				hits = slices.Clone(hits)
			}
			e.Fold(hits, marks)
			return e.Snapshot(nil)
		}
		if !slices.Equal(run(true), run(false)) {
			t.Errorf("%s: other records are kept", name)
		}
	}
}

// TestWhereRecordsWereFoundIsNotTrustedOnceTheyHaveGoneElsewhere folds other hits between the making of hits and their fold.
func TestWhereRecordsWereFoundIsNotTrustedOnceTheyHaveGoneElsewhere(t *testing.T) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, openSequence)}}
	const keys, some, day = 20_000, 1_000, 24 * 3600_000_000
	for name, c := range map[string]struct {
		wait int64
		n    int
		pick func(i int) int
	}{
		"records of the same keys grow":   {1, some, func(i int) int { return i }},
		"the index grows":                 {1, 3 * keys, func(i int) int { return keys + i }},
		"all keys expire and others come": {day, some, func(i int) int { return keys + i }},
	} {
		run := func(own bool) []byte {
			e := correlate.New(set, correlate.Settings{}.AllMayRest())
			s := newSource(set, keys)
			for from := 0; from < keys; from += keys / 4 { // The first of a template, and whatever comes with it, is not prepared.
				e.Fold(s.next(keys/4, func(i int) int { return from + i }, constant))
			}
			before := s.n
			s.n += c.wait / s.step
			hits, marks := s.next(c.n, c.pick, constant)
			between := slices.Clone(hits)
			s.n = before + (c.wait+day/24)/s.step
			s.engine = e
			hits, later := s.next(some, func(i int) int { return i }, constant)
			if found, _ := e.Located(); found != some {
				t.Fatalf("%s: the records of %d of %d hits were found ahead", name, found, some)
			}
			e.Fold(between, marks)
			if _, there := e.Located(); there > some/10 && own {
				t.Fatalf("%s: %d of %d are where they were", name, there, some)
			}
			if !own {
				hits = slices.Clone(hits)
			}
			e.Fold(hits, later)
			return e.Snapshot(nil)
		}
		if !slices.Equal(run(true), run(false)) {
			t.Errorf("%s: other records are kept", name)
		}
	}
}

func TestSlabsThatAreGivenBackAreFreeAlthoughTheirRecordsWereReadAhead(t *testing.T) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, openSequence)}}
	const keys, some, day = 160_000, 160, 24 * 3600_000_000
	e := correlate.New(set, correlate.Settings{Workers: 2}.AllMayRest())
	s := newSource(set, keys)
	s.engine = e
	for from := 0; from < keys; from += keys / 8 {
		e.Fold(s.next(keys/8, func(i int) int { return from + i }, constant))
	}
	hits, marks := s.next(some, func(i int) int { return i * keys / some }, constant)
	if found, _ := e.Located(); found != some {
		t.Fatalf("the records of %d of %d hits were found ahead", found, some)
	}
	e.Fold(hits, marks)
	slabs, before := e.Slabs()
	s.n += day / s.step
	e.Fold(s.next(1, func(int) int { return 0 }, constant))
	_, after := e.Slabs()
	runtime.GC()
	alive := 0
	for _, p := range slabs {
		if p.Value() != nil {
			alive++
		}
	}
	if after > before/2 || alive > after {
		t.Errorf("of %d slabs %d are in use and %d in memory", before, after, alive)
	}
	runtime.KeepAlive(e)
	runtime.KeepAlive(hits)
}

func newVersion(r *rules.Rule) *rules.Rule {
	next := *r
	next.Version++
	next.Hash += "2"
	return &next
}

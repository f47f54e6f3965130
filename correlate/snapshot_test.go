package correlate_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestAnEngineRestoredAtAnyPointGoesOnAsIfNothingHadHappened(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	for range rounds(20) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 6))
		batches := arrival(r, randomEvents(r, 40+r.IntN(200)), 180_000_000)
		straight, _ := runBatches(t, set, batches, 1, nil)
		restored, _ := runBatches(t, set, batches, 1, func(e *correlate.Engine, _ int) *correlate.Engine {
			if r.IntN(3) > 0 {
				return e
			}
			b := e.Snapshot([]byte("before"))
			next := correlate.New(set, correlate.Settings{}.StateEvery(1+r.IntN(60)))
			saved := b[len("before"):]
			if r.IntN(2) == 0 {
				saved = e.Pack().AppendTo(nil)
			}
			if err := next.Restore(saved); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if d := cmp.Diff(b[len("before"):], next.Snapshot(nil)); d != "" {
				t.Fatalf("seed %d: a restored engine writes another snapshot: %s", seed, d)
			}
			return next
		})
		if d := cmp.Diff(straight, restored); d != "" {
			t.Fatalf("seed %d: announcements differ after a restore (-straight +restored):\n%s", seed, d)
		}
	}
}

// midway is an engine in the middle of things.
func midway(t testing.TB, set *rules.Set, n int) *correlate.Engine {
	e := correlate.New(set, correlate.Settings{})
	r := rand.New(rand.NewPCG(7, 7))
	batches := arrival(r, randomEvents(r, n), 180_000_000)
	marks := marksAfter(batches)
	for i, events := range batches[:(len(batches)+1)/2] {
		b := event.Batch{Events: events}
		b.Sort()
		hits, _ := e.Match(&b)
		e.Fold(hits, marks[i])
	}
	return e
}

func TestADamagedOrForeignSnapshotIsRefusedAndLeavesNoState(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	empty := correlate.New(set, correlate.Settings{}).Snapshot(nil)
	engine := midway(t, set, 120)
	for form, good := range map[string][]byte{"plain": engine.Snapshot(nil), "packed": engine.Pack().AppendTo(nil)} {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 8))
		for i := range 500 {
			bad := slices.Clone(good)
			switch i % 4 {
			case 0:
				bad = bad[:1+r.IntN(len(bad)-1)] // Of nothing at all the state is empty.
			case 1:
				bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			case 2:
				bad = append(bad, 0)
			case 3: // Damage with a checksum to match.
				bad[22+r.IntN(len(bad)-22)] ^= byte(1 + r.IntN(255))
				sign(bad)
			}
			e := correlate.New(set, correlate.Settings{})
			err := e.Restore(bad)
			if i%4 == 3 && err == nil {
				continue // The damage made another sound state.
			}
			if !errors.Is(err, correlate.ErrSnapshot) {
				t.Fatalf("%s, seed %d, case %d: error is %v", form, seed, i, err)
			}
			if !bytes.Equal(e.Snapshot(nil), empty) {
				t.Fatalf("%s, seed %d, case %d: something is left after a refusal", form, seed, i)
			}
		}
	}
}

func sign(b []byte) {
	binary.LittleEndian.PutUint64(b[6:], uint64(len(b)-22))
	binary.LittleEndian.PutUint64(b[14:], xxhash.Sum64(b[22:]))
}

func FuzzRestoreNeverPanics(f *testing.F) {
	all := lawfulSet(f)
	set := &rules.Set{Rules: append([]*rules.Rule{all[3], all[7]}, all[len(all)-8:]...)}
	good := midway(f, set, 25).Snapshot(nil)
	f.Add(good[22:])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(slices.Clone(good[:6]), make([]byte, 16)...)
		b = append(b, body...)
		sign(b)
		e := correlate.New(set, correlate.Settings{})
		if e.Restore(b) != nil {
			return
		}
		e.Drain()
		e.Snapshot(nil)
	})
}

func TestARuleOfAnotherVersionStartsWithoutStateAndTheOthersKeepTheirs(t *testing.T) {
	all := lawfulSet(t)
	b := midway(t, &rules.Set{Rules: all}, 120).Snapshot(nil)
	changed := *all[0]
	changed.Version = 2
	e := correlate.New(&rules.Set{Rules: append([]*rules.Rule{&changed}, all[2:]...)}, correlate.Settings{})
	if err := e.Restore(b); err != nil {
		t.Fatal(err)
	}
	for i, s := range e.Stats().Rules {
		if (s.Keys+s.Registers == 0) != (i == 0) && s.Rule != all[4].ID {
			t.Errorf("%s version %d has %d keys", s.Rule, s.Version, s.Keys)
		}
	}
}

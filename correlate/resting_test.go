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

// manyKeys spreads random events over keys, so that most are seen seldom and many have names that need care.
func manyKeys(r *rand.Rand, events []event.Event, keys, formats int) {
	for i := range events {
		e := &events[i]
		if e.Robot != nil {
			e.Robot.UID = fmt.Sprint([]string{"r", "", "robot:", "é", "a\x1fb"}[r.IntN(5)], r.IntN(keys))
		}
		e.Actor.User.UID = fmt.Sprint("u", r.IntN(keys))
		e.Envelope.Received = e.Time + r.Int64N(5_000_000) - 1_000_000
		e.Envelope.Format = []string{"ros2", "vda5050"}[r.IntN(2)]
		if formats > 0 {
			e.Envelope.Format = fmt.Sprint("format", r.IntN(formats))
		}
		e.Envelope.Position.Partition = int32(r.IntN(3))
		e.Entities = nil
		e.FindEntities()
	}
}

// plain are rules without guards, whose hits go straight into records.
var plain = []string{
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 3m`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: 'api.operation in ["A", "G"]', bind: {robot: robot}, emit: {who: actor.user}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: c, class: api_activity, where: 'api.operation in ["A", "C"]', bind: {robot: robot}}
  within: 8m
  select: first
score: a.count + c.count`,
	`match:
  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 4, within: 2m, distinct: api.service.name, collect: {names: api.service.name, max: 5}}`,
	`match:
  all:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 4m
throttle: {per: [robot], for: 2m}`,
}

func restingSet(t testing.TB) *rules.Set {
	set := &rules.Set{Rules: lawfulSet(t)}
	for i, text := range plain {
		c := *ruleOf(t, "lateness: 3m\n"+text)
		c.ID = fmt.Sprintf("plain-%02d", i)
		set.Rules = append(set.Rules, &c)
	}
	return set
}

// TestRestingAndWorkingKeysAnnounceTheSame runs the same batches through engines that let every key rest, none, and some, and that go on from
// each other's snapshots.
func TestRestingAndWorkingKeysAnnounceTheSame(t *testing.T) {
	set := restingSet(t)
	rested := 0
	for round := 0; more(round, 15, rested > 0); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 15))
		events := randomEvents(r, 40+r.IntN(400))
		manyKeys(r, events, 1+r.IntN(60), 100*r.IntN(2))
		batches := arrival(r, events, 180_000_000)
		marks := marksAfter(batches)
		run := func(now correlate.Settings, change func(int) (correlate.Settings, bool)) []incident.Finding {
			e := correlate.New(set, now)
			var all []incident.Finding
			for i, events := range batches {
				b := event.Batch{Events: events}
				b.Sort()
				hits, _ := e.Match(&b)
				all = append(all, e.Fold(hits, marks[i])...)
				rested += e.Resting()
				if next, ok := change(i); ok {
					to := correlate.New(set, next)
					if err := to.Restore(e.Snapshot(nil)); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					e = to
				}
			}
			return append(all, e.Drain()...)
		}
		every := func() correlate.Settings { return correlate.Settings{}.StateEvery(1 + r.IntN(60)) }
		stay := func(int) (s correlate.Settings, ok bool) { return s, false }
		want := run(every().WithoutRest(), stay)
		for name, got := range map[string][]incident.Finding{
			"all rest": run(every().AllMayRest(), stay),
			"restored": run(every().AllMayRest(), func(int) (correlate.Settings, bool) {
				s := every()
				return []correlate.Settings{s, s.WithoutRest(), s.AllMayRest(), s.AllMayRest()}[r.IntN(4)], r.IntN(3) == 0
			}),
		} {
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d: %s: announcements differ (-working +resting):\n%s", seed, name, d)
			}
		}
	}
	if rested == 0 {
		t.Error("no key ever rested: the test shows nothing")
	}
}

// TestManyKeysComeToRestAndExpire is about what only many keys show: the index and the pages grow, keys expire, thin pages are emptied.
func TestManyKeysComeToRestAndExpire(t *testing.T) {
	set := restingSet(t)
	set.Rules = set.Rules[len(set.Rules)-len(plain):]
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 19))
	var engines []*correlate.Engine
	for _, s := range []correlate.Settings{correlate.Settings{}.WithoutRest(), {}, correlate.Settings{}.AllMayRest()} {
		engines = append(engines, correlate.New(set, s))
	}
	most, least := 0, 1<<30
	for i := range 40 {
		events := randomEvents(r, 600)
		wave := 1 + i/10%2*20 // Keys come in waves, so that pages empty.
		manyKeys(r, events, 100+400*wave, 0)
		b := event.Batch{Events: events}
		for j := range events {
			events[j].Time = start + int64(i)*20_000_000 + r.Int64N(60_000_000)
			events[j].Envelope.ID = event.NewID(fmt.Sprint(i, " ", j))
		}
		b.Sort()
		var want []incident.Finding
		for j, e := range engines {
			hits, _ := e.Match(&b)
			got := slices.Clone(e.Fold(hits, []event.Mark{{Source: "s", Newest: start + int64(i)*20_000_000}}))
			if j == 0 {
				want = got
			} else if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d: engine %d: batch %d (-working +resting):\n%s", seed, j, i, d)
			}
		}
		most, least = max(most, engines[2].Resting()), min(least, engines[2].Resting()+1000*(1-i/20))
	}
	if most < 5000 || least > most/2 {
		t.Errorf("seed %d: between %d and %d keys rest: the test shows little", seed, least, most)
	}
	for _, e := range engines {
		e.Drain()
		if n := e.Resting(); n > 0 {
			t.Errorf("seed %d: %d keys rest after the end", seed, n)
		}
		for _, s := range e.Stats().Rules {
			if s.Keys > 0 || s.Bytes > 0 || s.Evicted > 0 || s.Late > 0 {
				t.Errorf("seed %d: after the end: %+v", seed, s)
			}
		}
	}
}

func TestASnapshotOfRestingKeysIsWrittenAgainByteForByte(t *testing.T) {
	set := restingSet(t)
	for range rounds(6) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 16))
		events := randomEvents(r, 300)
		manyKeys(r, events, 50, 0)
		e := correlate.New(set, correlate.Settings{}.AllMayRest())
		batches := arrival(r, events, 180_000_000)
		for i, events := range batches {
			b := event.Batch{Events: events}
			b.Sort()
			hits, _ := e.Match(&b)
			e.Fold(hits, marksAfter(batches)[i])
			first := e.Snapshot(nil)
			to := correlate.New(set, correlate.Settings{}.AllMayRest())
			if err := to.Restore(first); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if again := to.Snapshot(nil); !slices.Equal(first, again) {
				t.Fatalf("seed %d: batch %d: %d resting, %d after; another snapshot", seed, i, e.Resting(), to.Resting())
			}
		}
	}
}

// resting is an engine in the middle of things whose keys all rest where they can.
func resting(t testing.TB, set *rules.Set, n, keys int) *correlate.Engine {
	e := correlate.New(set, correlate.Settings{}.AllMayRest())
	r := rand.New(rand.NewPCG(17, 17))
	events := randomEvents(r, n)
	manyKeys(r, events, keys, 0)
	slices.SortFunc(events, func(a, b event.Event) int { return int(a.Time - b.Time) })
	for part := range slices.Chunk(events[:n/2], 20) {
		b := event.Batch{Events: part}
		b.Sort()
		hits, _ := e.Match(&b)
		e.Fold(hits, []event.Mark{{Source: "s", Newest: part[len(part)-1].Time}})
	}
	e.Fold(nil, nil)
	if e.Resting() == 0 {
		t.Fatal("no key rests")
	}
	return e
}

// TestDamagedRestingKeysAreRefusedOrGivenUpAloud damages snapshots in a way their checksum does not show. What is read all the same must
// not end the process, and a key that cannot be read when it wakes is counted.
func TestDamagedRestingKeysAreRefusedOrGivenUpAloud(t *testing.T) {
	set := restingSet(t)
	good := resting(t, set, 300, 40).Snapshot(nil)
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 18))
	refused, given := 0, 0
	for round := 0; more(round, 600, refused > 0 && given > 0); round++ {
		bad := slices.Clone(good)
		for range 1 + r.IntN(3) {
			bad[22+r.IntN(len(bad)-22)] ^= byte(1 + r.IntN(255))
		}
		sign(bad)
		settings := correlate.Settings{}.AllMayRest()
		if r.IntN(2) == 0 {
			settings = settings.WithoutRest() // All keys wake at once.
		}
		e := correlate.New(set, settings)
		if e.Restore(bad) != nil {
			refused++
			continue
		}
		e.Drain()
		for _, s := range e.Stats().Rules {
			if s.Evicted > 0 && !s.Degraded {
				t.Fatalf("seed %d: %s lost keys in silence", seed, s.Rule)
			}
			given += int(s.Evicted)
		}
	}
	if refused == 0 || given == 0 {
		t.Errorf("seed %d: %d refused, %d given up: the test shows little", seed, refused, given)
	}
}

func FuzzRestingKeysNeverPanic(f *testing.F) {
	all := lawfulSet(f)
	set := &rules.Set{Rules: []*rules.Rule{all[2], all[7], all[8], restingSet(f).Rules[len(all)]}}
	good := resting(f, set, 60, 20).Snapshot(nil)
	f.Add(good[22:])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(slices.Clone(good[:6]), make([]byte, 16)...)
		b = append(b, body...)
		sign(b)
		for _, s := range []correlate.Settings{correlate.Settings{}.AllMayRest(), correlate.Settings{}.WithoutRest()} {
			e := correlate.New(set, s)
			if e.Restore(b) != nil {
				continue
			}
			e.Fold(nil, []event.Mark{{Source: "s", Newest: start + 60_000_000}})
			e.Snapshot(nil)
			e.Drain()
		}
	})
}

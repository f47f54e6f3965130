package correlate_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// reload is a feed during which the rule files change once: from the moment on that the log has so many events.
type reload struct {
	events   []event.Event
	ends     []int // Of the batches. What is announced before it is final depends on them, and so does what a version leaves to the next.
	at       int   // One of the ends.
	old, new *rules.Set
	swaps    int  // Taken over while running.
	passed   int  // Lives that began on the far side, after a crash on the near one.
	forget   bool // Checkpoints do not say by which rules they were made.
}

// force are the rules in the files.
func (x *reload) force(d *disk) *rules.Set {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for i := range d.entries {
		n += len(d.entries[i].Batch.Events)
	}
	if n < x.at {
		return x.old
	}
	return x.new
}

// warm matches the events of the log by the rules that wait for their past.
func (x *reload) warm(d *disk, e *correlate.Engine) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	b := &event.Batch{}
	for i := range d.entries {
		b.Events = append(b.Events, d.entries[i].Batch.Events...)
	}
	if len(b.Events) == 0 {
		return nil
	}
	b.Sort()
	waiting := &rules.Set{Rules: slices.SortedFunc(slices.Values(e.Waiting()), func(a, b *rules.Rule) int { return cmp.Compare(a.ID, b.ID) })}
	last := b.Events[b.Sorted[len(b.Sorted)-1]].Time
	e.Warm(correlate.New(waiting, correlate.Settings{}).Hits(b), []event.Mark{{Source: "log", Newest: last}})
	return d.step()
}

// live runs a process from the log's end to the end of the feed, or to its death.
func (x *reload) live(r *rand.Rand, d *disk) error {
	engine := correlate.New(x.force(d), correlate.Settings{})
	set := correlate.WorkerSettings{
		Engine: engine, Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: d, Records: d, Checkpoints: d, Tables: func() string { return "tables" },
		Every: []int64{1, 3, 1 << 40}[r.IntN(3)], Slog: slog.New(slog.DiscardHandler),
		Rules: func() *rules.Set { return x.force(d) }, Swapped: func(correlate.Report) { x.swaps++ },
		Warm:      func(context.Context) error { return x.warm(d, engine) },
		RulesText: func(s *rules.Set) []byte { return []byte(s.Hash) },
		RulesOf: func(text []byte) (*rules.Set, error) {
			for _, s := range []*rules.Set{x.old, x.new} {
				if s.Hash == string(text) {
					return s, nil
				}
			}
			return nil, errors.New("no such rules")
		},
	}
	if x.forget {
		set.RulesText, set.RulesOf = nil, nil
	}
	if x.force(d) == x.new && d.entries[len(d.entries)-1].Rules == x.old.Hash {
		x.passed++
	}
	w := correlate.NewWorker(set)
	w.StageBytes([]int64{1, 5000, 1 << 40}[len(d.entries)%3])
	defer w.Stop(context.Background())
	tail, err := w.Recover(context.Background())
	if err != nil {
		return err
	}
	marks := []event.Mark{{Source: "s0"}, {Source: "s1"}, {Source: "s2"}}
	if len(tail.Marks) > 0 {
		marks = slices.Clone(tail.Marks)
	}
	next := 0
	for i := range d.entries {
		next += len(d.entries[i].Batch.Events)
	}
	under := &flow{w: w, r: r}
	for received := tail.Received; next < len(x.events); {
		i, _ := slices.BinarySearch(x.ends, next+1)
		end := x.ends[i]
		b := &event.Batch{Events: slices.Clone(x.events[next:end])}
		for i := range b.Events {
			p := b.Events[i].Envelope.Position
			newest(marks, p.Source, b.Events[i].Time)
			b.Ends = slices.DeleteFunc(b.Ends, func(e event.End) bool { return e.Source == p.Source })
			b.Ends = append(b.Ends, event.End{Source: p.Source, Offset: p.Offset + 1})
		}
		b.Marks = slices.Clone(marks)
		received++
		b.Received = received
		if next == x.at { // So that the rules change here, and not a batch later.
			if err := under.end(); err != nil {
				return err
			}
		}
		if err := under.hand(b, func() {}); err != nil {
			return err
		}
		next = end
	}
	return under.end()
}

// edited are rules as an author may leave them: of every three, one has a new version, one another title, and one is as it was. The last is gone, and
// one is there that was not.
func edited(list []*rules.Rule, hash string, fresh *rules.Rule) *rules.Set {
	out := &rules.Set{Hash: hash}
	for i, r := range list[:len(list)-1] {
		c := *r
		switch i % 3 {
		case 0:
			c.Version++
		case 1:
			c.Title = "Another title"
		}
		out.Rules = append(out.Rules, &c)
	}
	c := *fresh
	c.ID = "law-fresh"
	out.Rules = append(out.Rules, &c)
	slices.SortFunc(out.Rules, func(a, b *rules.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// reloads makes a feed with a change of rules in it.
func reloads(t *testing.T, r *rand.Rand) *reload {
	list := lawfulSet(t)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] }) // Any rule may be the one that changes.
	old := &rules.Set{Rules: slices.SortedFunc(slices.Values(list), func(a, b *rules.Rule) int { return cmp.Compare(a.ID, b.ID) }), Hash: "old"}
	events := slices.Concat(arrival(r, randomEvents(r, 60+r.IntN(60)), 180_000_000)...)
	offsets := map[string]int64{}
	for i := range events {
		p := &events[i].Envelope.Position
		p.Offset = offsets[p.Source]
		offsets[p.Source]++
	}
	for _, source := range []string{"s0", "s1", "s2"} {
		e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + 86400_000_000, API: &event.API{Operation: "end"}}
		e.Envelope.Position = event.Position{Source: source, Offset: offsets[source]}
		e.Envelope.ID = event.NewID("end", source)
		events = append(events, e)
	}
	// The first batch of all is followed by a checkpoint, before which nobody could say by which rules it was folded.
	x := &reload{events: events, at: 13 + r.IntN(len(events)-16), old: old, new: edited(list, "new", list[r.IntN(len(list))])}
	for end := 0; end < len(events); x.ends = append(x.ends, end) {
		next := min(end+1+r.IntN(12), len(events))
		if end < x.at {
			next = min(next, x.at)
		}
		end = next
	}
	return x
}

// through runs a feed through crashes to its end.
func (x *reload) through(r *rand.Rand, d *disk, most int) (lives int) {
	for {
		d.dead, d.steps = false, 1+r.IntN(60)
		if lives++; lives > most {
			d.steps = -1
		}
		if x.live(r, d) == nil && !d.dead {
			return lives
		}
	}
}

// TestAReloadBetweenAnyTwoStepsAndCrashesOnEitherSideOfItChangeNothing cuts a feed into batches as the seed says, changes the rules between two of
// them, and lets the process die at any step: before the change is taken over, while the new rules are filled, before the checkpoint after it, and
// later. What is found must be what a process finds that never dies, reads the same batches and takes over the same rules at the same event.
func TestAReloadBetweenAnyTwoStepsAndCrashesOnEitherSideOfItChangeNothing(t *testing.T) {
	swaps, passed, found := 0, 0, map[int32]int{}
	for range rounds(60) {
		seed := seedOf()
		x := reloads(t, rand.New(rand.NewPCG(seed, 51)))
		calm := newDisk()
		if err := x.live(rand.New(rand.NewPCG(seed, 52)), calm); err != nil {
			t.Fatal(err)
		}
		d := newDisk()
		lives := x.through(rand.New(rand.NewPCG(seed, 53)), d, 40)
		if d.conflict != "" {
			t.Fatalf("seed %d: after %d lives %s", seed, lives, d.conflict)
		}
		if diff := gocmp.Diff(standing(calm), standing(d)); diff != "" {
			t.Fatalf("seed %d: rules changed at event %d of %d, findings differ after %d lives (-calm +crashed):\n%s", seed, x.at, len(x.events), lives, diff)
		}
		swaps, passed = swaps+x.swaps, passed+x.passed
		for _, f := range d.last {
			found[f.Rule.Version]++
		}
	}
	t.Logf("%d swaps, %d lives that began with other rules than the log ended with, findings by version: %v", swaps, passed, found)
	if swaps == 0 || found[1] == 0 || found[2] == 0 {
		t.Errorf("%d swaps, findings by version %v: the test shows nothing", swaps, found)
	}
}

func TestCheckpointsThatDoNotSayByWhichRulesTheyWereMadeLoseWhatTheTestOfReloadsLooksFor(t *testing.T) {
	for n := range 400 {
		r := rand.New(rand.NewPCG(uint64(n), 54))
		x := reloads(t, r)
		calm, d := newDisk(), newDisk()
		x.forget = true
		if err := x.live(rand.New(rand.NewPCG(uint64(n), 55)), calm); err != nil {
			t.Fatal(err)
		}
		x.through(r, d, 40)
		if gocmp.Diff(standing(calm), standing(d)) != "" || d.conflict != "" {
			return
		}
	}
	t.Error("nothing differs in 400 runs: the test of reloads cannot fail")
}

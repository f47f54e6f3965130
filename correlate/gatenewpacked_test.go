package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

const (
	manyHistory = 30 * weekDay
	manyLearn   = 5 * weekDay
	manyNew     = `lateness: 10m
match:
  event: {id: a, class: network_activity, bind: {robot: robot}, new: {value: dst_endpoint.ip, per: [robot], history: 30d, learn: 5d, inherit: robot.model}}`
)

// contact is an event of a robot that talks to an address, by number.
func contact(n, robot int, at int64, address int) event.Event {
	e := event.Event{ClassUID: event.ClassNetwork, ActivityID: 6, Time: start + at}
	e.Robot = &event.Robot{UID: fmt.Sprint("h", robot), Model: "m"}
	e.DstEndpoint.IP = fmt.Sprintf("10.%d.%d.%d", address>>16, address>>8&255, address&255)
	e.Envelope.Position = event.Position{Source: fmt.Sprint("s", n%3), Offset: int64(n)}
	e.Envelope.ID = event.NewID("contact", fmt.Sprint(n))
	e.FindEntities()
	return e
}

// contacts are a hundred days of one robot that talks to some addresses all the time, to many now and then, and to some after a pause of about as long
// as the history: more than keep their text.
func contacts(r *rand.Rand) []event.Event {
	var out []event.Event
	for at := int64(0); at < 100*weekDay; at += r.Int64N(weekHour) + 1 {
		address := r.IntN(40)
		switch r.IntN(4) {
		case 0:
			address = 1000 + r.IntN(500)
		case 1:
			address = 2000 + int(at/weekDay)%33*10 + r.IntN(10) // Comes again after 33 days.
		}
		out = append(out, contact(len(out), 0, at, address))
	}
	return out
}

// newByHand is when a value was new, by the words of the documentation and nothing else.
func newByHand(events []event.Event) (times []int64) {
	last := map[string]int64{}
	for i := range events {
		e := &events[i]
		t, seen := last[e.DstEndpoint.IP]
		if e.Time-events[0].Time >= manyLearn && (!seen || e.Time-t > manyHistory) {
			times = append(times, e.Time)
		}
		last[e.DstEndpoint.IP] = e.Time
	}
	return times
}

func TestWhatIsNewAmongManyValuesIsWhatWasNotSeenInWhateverOrderItComes(t *testing.T) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, manyNew)}}
	for range rounds(2) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 41))
		events := contacts(r)
		want := newByHand(events)
		for round := range 3 {
			batches, hashed := [][]event.Event{events}, 0
			if round > 0 {
				batches = arrivalIn(r, events, 600_000_000, 50+r.IntN(300))
			}
			got, _ := runBatches(t, set, batches, 1, func(e *correlate.Engine, _ int) *correlate.Engine {
				for _, m := range e.Recall("robot:h0", "") {
					hashed = max(hashed, m.Hashed)
				}
				if r.IntN(20) > 0 {
					return e
				}
				data := e.Snapshot(nil)
				next := correlate.New(set, correlate.Settings{})
				if err := next.Restore(data); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				return next
			})
			var times []int64
			for _, f := range correlate.Finals(got) {
				times = append(times, f.Time)
			}
			slices.Sort(times)
			if d := cmp.Diff(want, times); d != "" {
				t.Errorf("seed %d, round %d: (-by hand +found):\n%s", seed, round, d)
			}
			if round > 0 && hashed < 100 {
				t.Errorf("seed %d: the test is void: at most %d values had no text", seed, hashed)
			}
		}
	}
}

// marksTo says that all sources have come to a time.
func marksTo(t int64) []event.Mark {
	return []event.Mark{{Source: "s0", Newest: t}, {Source: "s1", Newest: t}, {Source: "s2", Newest: t}}
}

// known folds contacts with n addresses, an hour of event time for a thousand, and lets another hour pass.
func known(tb testing.TB, set *rules.Set, n int) *correlate.Engine {
	tb.Helper()
	e := correlate.New(set, correlate.Settings{})
	for from := 0; from < n; from += 1000 {
		b := &event.Batch{}
		for i := range min(1000, n-from) {
			b.Events = append(b.Events, contact(from+i, 0, int64(from+i)*weekHour/1000, from+i))
		}
		b.Marks = marksTo(b.Events[len(b.Events)-1].Time)
		b.Sort()
		hits, _ := e.Match(b)
		e.Fold(hits, b.Marks)
	}
	e.Fold(nil, marksTo(start+int64(n)*weekHour/1000+weekHour))
	return e
}

func TestManyValuesAreCountedTheNewestByTheirTextAndForgottenInTime(t *testing.T) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, manyNew)}}
	e := known(t, set, 5000)
	m := e.Recall("robot:h0", "")[0]
	if m.Known != 5000 || m.Hashed < 4500 || len(m.Values) != m.Known-m.Hashed {
		t.Errorf("%d values, %d without their text, %d with it", m.Known, m.Hashed, len(m.Values))
	}
	if got := m.Values[0].Value; got != "10.0.19.135" {
		t.Errorf("the newest value is %s", got)
	}
	before := e.Stats().Rules[0].Bytes
	if before > 2*5000*80 { // Of the robot and of its model.
		t.Errorf("%d bytes are reckoned for 5,000 values, twice", before)
	}
	again := correlate.New(set, correlate.Settings{})
	data := e.Snapshot(nil)
	if err := again.Restore(data); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, again.Recall("robot:h0", "")[0]); d != "" {
		t.Errorf("after a restart (-before +after):\n%s", d)
	}
	if string(again.Snapshot(nil)) != string(data) {
		t.Error("the snapshot of what was restored differs")
	}
	if err := again.Restore(data[:len(data)-8]); err == nil {
		t.Error("half a snapshot is taken")
	}
	for day := range int64(40) {
		e.Fold(nil, marksTo(start+5*weekHour+day*weekDay))
	}
	if m := e.Recall("robot:h0", "")[0]; m.Known != 0 || e.Stats().Rules[0].Bytes > before/5 {
		t.Errorf("%d values and %d of %d bytes are left after the history", m.Known, e.Stats().Rules[0].Bytes, before)
	}
}

// BenchmarkManyValues measures what a remembered value takes: one robot with 200,000 of them, and its model with as many.
func BenchmarkManyValues(b *testing.B) {
	const n = 200_000
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, manyNew)}}
	var e *correlate.Engine
	before := heap()
	for b.Loop() {
		e = known(b, set, n)
	}
	b.ReportMetric((float64(heap())-float64(before))/(2*n), "B/value")
	b.ReportMetric(float64(e.Stats().Rules[0].Bytes)/(2*n), "reckoned-B/value")
	b.ReportMetric(float64(len(e.Snapshot(nil)))/(2*n), "snapshot-B/value")
	runtime.KeepAlive(e)
}

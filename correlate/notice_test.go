package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// tellingEvents are events that say something of watched attributes, or change something, with few entities and values, so that values repeat,
// flap and come late.
func tellingEvents(r *rand.Rand, n int, from int64) []event.Event {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	out := make([]event.Event, n)
	for i := range out {
		e := &out[i]
		e.Time = from + r.Int64N(int64(n))*1_000_000
		e.ActivityID = uint16(r.IntN(19))
		switch r.IntN(7) {
		case 0, 1, 2:
			e.ClassUID = event.ClassRobotState
			e.Robot = &event.Robot{UID: pick("r1", "r2"), ModeID: uint8(r.IntN(4)), PrevModeID: uint8(r.IntN(3)), Firmware: pick("", "1", "2"), ProgramUID: pick("", "a.urp", "/p/a.urp", "b.urp")}
		case 3:
			e.ClassUID = event.ClassRobotControl
			e.Robot = &event.Robot{UID: pick("r1", "r2"), MapUID: pick("", "m1")}
			e.Command = &event.Command{Name: pick("load", "go")}
		case 4:
			e.ClassUID = event.ClassAppLifecycle
			e.Device.Hostname = pick("h1", "h2")
			e.App = &event.Product{Name: pick("fleet", "agent"), Version: pick("1", "2"), PrevVersion: pick("", "1")}
		case 5:
			e.ClassUID = event.ClassCompliance
			e.Device.Hostname, e.Device.Compliant = pick("h1", "h2"), event.Bool(r.IntN(3))
		default:
			e.ClassUID = event.ClassAccountChange
			e.User.Name = pick("ana", "bo")
		}
		e.Actor.User.Name = pick("", "ana")
		if r.IntN(15) == 0 {
			e.StatusID = 2
		}
		if r.IntN(15) == 0 {
			e.Envelope.Quality = event.Future
		}
		e.Envelope.ID = event.NewID("telling", fmt.Sprint(from, i))
		e.Envelope.Position = event.Position{Source: "s", Offset: from + int64(i)}
		e.FindEntities()
	}
	return out
}

// overTheWire writes observations and reads them again.
func overTheWire(t *testing.T, notes []event.Note) (out []event.Note) {
	for i := range notes {
		var n event.Note
		rest, err := event.ReadNote(event.AppendRef(event.AppendNote(nil, &notes[i]), notes[i].Ref), &n)
		if err == nil {
			n.Ref, _, err = event.ReadRef(rest)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

func TestObservationsNoticedElsewhereGiveTheNotesOfMatch(t *testing.T) {
	stated, acts := 0, 0
	for range rounds(300) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 21))
		set := &rules.Set{}
		whole, ingest, register := correlate.New(set, correlate.Settings{}), correlate.New(set, correlate.Settings{}), correlate.New(set, correlate.Settings{})
		at := int64(start)
		for range 1 + r.IntN(6) {
			b := &event.Batch{Events: tellingEvents(r, 1+r.IntN(60), at)}
			at += r.Int64N(40_000_000) // Batches overlap in event time.
			b.Sort()
			_, want := whole.Match(b)
			observed := ingest.Observations(b)
			for i := range observed {
				if observed[i].Stated {
					stated++
				} else {
					acts++
				}
			}
			if d := cmp.Diff(want, register.Notice(overTheWire(t, observed)), cmp.Transformer("none", func(n []event.Note) []event.Note { return append([]event.Note{}, n...) })); d != "" {
				t.Fatalf("seed %d: notes differ (-match +notice):\n%s", seed, d)
			}
		}
		a, b := whole.Snapshot(nil), register.Snapshot(nil)
		if string(a) != string(b) {
			t.Fatalf("seed %d: the registers differ", seed)
		}
	}
	if stated == 0 || acts == 0 {
		t.Errorf("%d values and %d acts were observed: the test shows nothing", stated, acts)
	}
}

// Nothing is lost by leaving out what repeats: event by event, which leaves out nothing, the notes are the same.
func TestNotesOfABatchInOrderAreThoseOfItsEventsOneByOne(t *testing.T) {
	for range rounds(200) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 22))
		b := &event.Batch{Events: tellingEvents(r, 1+r.IntN(120), start)}
		b.Sort()
		_, got := correlate.New(&rules.Set{}, correlate.Settings{}).Match(b)
		var want []event.Note
		single := correlate.New(&rules.Set{}, correlate.Settings{})
		for _, i := range b.Sorted {
			one := &event.Batch{Events: b.Events[i : i+1]}
			one.Sort()
			_, notes := single.Match(one)
			want = append(want, notes...)
		}
		if d := cmp.Diff(want, append([]event.Note(nil), got...)); d != "" {
			t.Fatalf("seed %d: (-one by one +together):\n%s", seed, d)
		}
	}
}

func TestOfARunOfEqualValuesTheFirstAndTheLastAreObserved(t *testing.T) {
	b := &event.Batch{}
	for i, firmware := range []string{"1", "1", "1", "1", "2", "1", "1"} {
		e := event.Event{ClassUID: event.ClassRobotState, Time: start + int64(i), Robot: &event.Robot{UID: "r", Firmware: firmware}}
		e.Envelope.ID = event.NewID(fmt.Sprint(i))
		e.FindEntities()
		b.Events = append(b.Events, e)
	}
	b.Sort()
	var got []string
	for _, n := range correlate.New(&rules.Set{}, correlate.Settings{}).Observations(b) {
		got = append(got, fmt.Sprint(n.Ref.Time-start, " ", n.What, " ", n.Value, " ", n.Stated))
	}
	if d := cmp.Diff([]string{"0 firmware 1 true", "3 firmware 1 true", "4 firmware 2 true", "5 firmware 1 true", "6 firmware 1 true"}, got); d != "" {
		t.Error(d)
	}
}

// The first of a run may be older than what the register has; the last then says that the value holds now.
func TestALateRunThatGoesOnBeyondWhatIsKnownIsAChange(t *testing.T) {
	say := func(at int64, mode uint8) event.Event {
		e := event.Event{ClassUID: event.ClassRobotState, Time: start + at, Robot: &event.Robot{UID: "r", ModeID: mode}}
		e.Envelope.ID = event.NewID(fmt.Sprint(at, mode))
		e.FindEntities()
		return e
	}
	engine := correlate.New(&rules.Set{}, correlate.Settings{})
	var got []string
	for _, events := range [][]event.Event{{say(5, 1)}, {say(1, 2), say(3, 2), say(9, 2)}} {
		b := &event.Batch{Events: events}
		b.Sort()
		_, notes := engine.Match(b)
		for _, n := range correlate.Changes(notes) {
			got = append(got, fmt.Sprint(n.Ref.Time-start, " ", n.What))
		}
	}
	if d := cmp.Diff([]string{"9 mode"}, got); d != "" {
		t.Error(d)
	}
}

func TestHitsAreThoseOfMatchAndObservingChangesNothing(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	r := rand.New(rand.NewPCG(5, 23))
	a, b := correlate.New(set, correlate.Settings{}), correlate.New(set, correlate.Settings{Workers: 2})
	batch := &event.Batch{Events: randomEvents(r, 600)}
	batch.Sort()
	want, _ := a.Match(batch)
	b.Observations(batch)
	if d := cmp.Diff(want, b.Hits(batch)); d != "" || len(want) == 0 {
		t.Errorf("hits differ (-match +hits):\n%s", d)
	}
	if n := b.Stats().Watched; n != 0 {
		t.Errorf("observing put %d values into the register", n)
	}
}

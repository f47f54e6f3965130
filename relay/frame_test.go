package relay_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/relay"
)

// randomFrame has hits and observations of which some cite the same events.
func randomFrame(r *rand.Rand, hits, observed int) *relay.Frame {
	f := &relay.Frame{Member: "ingest-1", Received: r.Int64()}
	refs := []*event.Ref{nil}
	for i := range 1 + (hits+observed)/3 {
		refs = append(refs, &event.Ref{
			Event: event.NewID(fmt.Sprint(r.Uint64())), Time: r.Int64N(1 << 50), Received: r.Int64N(1 << 50), Sequence: fmt.Sprintf("okta\x1f00000000%016x\x1f0000", i),
			ClassUID: 3002, Activity: 1, ActivityName: "Logon", Severity: 1, Status: 1, Domain: event.DomainIdentity, Source: "okta", Format: "okta",
			Summary: "ana.silva logged on to Okta from 198.51.100.7 (PT), using push",
			Entities: []event.EntityRef{
				{Kind: event.EntityUser, Role: event.RoleActor, Strength: event.Strong, Key: "ana.silva@example.org", ID: "user:ana.silva"},
				{Kind: event.EntityIP, Role: event.RoleSource, Strength: event.Weak, Key: "198.51.100.7", ID: "ip:198.51.100.7"},
			},
		})
	}
	for i := range hits {
		h := event.Hit{Rule: fmt.Sprintf("rb-%04d", r.IntN(40)), Version: 1 + int32(r.IntN(3)), Step: uint8(r.IntN(4)), Key: fmt.Sprint("robot:ur-", i), Ref: refs[r.IntN(len(refs))]}
		h.Vars = []string{h.Key, "user:ana.silva"}
		if r.IntN(2) == 0 {
			h.Fields = []event.FieldValue{{Kind: event.KindString, Known: true, Str: "push"}, {Kind: event.KindInt, Known: true, Num: int64(i)}, {Kind: event.KindBool}}
		}
		f.Hits = append(f.Hits, h)
	}
	for i := range observed {
		f.Observed = append(f.Observed, event.Note{Entity: fmt.Sprint("robot:", i), What: "mode", Value: "manual", Ref: refs[r.IntN(len(refs))], Stated: r.IntN(2) == 0})
	}
	for i := range r.IntN(4) {
		f.Marks = append(f.Marks, relay.SentMark{Mark: event.Mark{Source: "okta", Partition: int32(i), Newest: r.Int64N(1 << 50), Received: 7, Idle: r.IntN(2) == 0}, Generation: int32(r.IntN(9))})
		f.Roster = append(f.Roster, relay.Partitions{Source: "okta", Count: int32(i)})
	}
	return f
}

func TestAFrameIsReadAsItWasWrittenHoweverItWasCut(t *testing.T) {
	cut := 0
	for range 150 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		want := randomFrame(r, r.IntN(60), r.IntN(60))
		e := relay.FrameEncoder{Limit: []int{1200, 3000, 20_000, 0}[r.IntN(4)]}
		for range 2 { // An encoder is used again.
			messages, oversized := e.Append(nil, want)
			if oversized > 0 {
				t.Fatalf("seed %d: %d hits were left out", seed, oversized)
			}
			cut += len(messages) - 1
			got := &relay.Frame{Member: want.Member, Received: want.Received}
			for i, b := range messages {
				if e.Limit > 0 && len(b) > e.Limit {
					t.Fatalf("seed %d: message %d has %d bytes, the most is %d", seed, i, len(b), e.Limit)
				}
				f, err := relay.ReadFrame(b)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				last := i == len(messages)-1
				if !last && (len(f.Marks) > 0 || len(f.Roster) > 0 || len(f.Hits)+len(f.Observed) == 0) {
					t.Fatalf("seed %d: message %d of %d has marks or says nothing", seed, i, len(messages))
				}
				if f.Member != want.Member || f.Received != want.Received {
					t.Fatalf("seed %d: message %d is of %s at %d", seed, i, f.Member, f.Received)
				}
				got.Hits, got.Observed = append(got.Hits, f.Hits...), append(got.Observed, f.Observed...)
				got.Marks, got.Roster = f.Marks, f.Roster
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d: (-written +read):\n%s", seed, d)
			}
		}
	}
	if cut == 0 {
		t.Error("no frame was cut: the test shows nothing")
	}
}

func TestHitsOfOneEventShareItAfterReading(t *testing.T) {
	ref := &event.Ref{Event: event.NewID("x"), Source: "s"}
	var e relay.FrameEncoder
	messages, _ := e.Append(nil, &relay.Frame{Hits: []event.Hit{{Rule: "a", Ref: ref}, {Rule: "b", Ref: ref}}, Observed: []event.Note{{Entity: "r", Ref: ref}}})
	f, err := relay.ReadFrame(messages[0])
	if err != nil {
		t.Fatal(err)
	}
	if f.Hits[0].Ref != f.Hits[1].Ref || f.Hits[0].Ref != f.Observed[0].Ref {
		t.Error("one event became several")
	}
}

func TestAHitTooLargeForAnyMessageIsLeftOutAndCountedAndTheRestArrives(t *testing.T) {
	f := randomFrame(rand.New(rand.NewPCG(1, 2)), 5, 0)
	f.Hits[2].Fields = []event.FieldValue{{Kind: event.KindString, Known: true, Str: strings.Repeat("x", 5000)}}
	e := relay.FrameEncoder{Limit: 4000}
	messages, oversized := e.Append(nil, f)
	hits := 0
	for _, b := range messages {
		got, err := relay.ReadFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		hits += len(got.Hits)
	}
	if oversized != 1 || hits != 4 {
		t.Errorf("%d left out and %d arrived, want 1 and 4", oversized, hits)
	}
}

func TestADamagedFrameIsRefused(t *testing.T) {
	var e relay.FrameEncoder
	messages, _ := e.Append(nil, randomFrame(rand.New(rand.NewPCG(1, 3)), 3, 3))
	whole := messages[0]
	for i := range whole {
		if _, err := relay.ReadFrame(whole[:i]); err == nil {
			t.Errorf("%d of %d bytes were taken for a frame", i, len(whole))
		}
		b := []byte(string(whole))
		b[i] ^= 1
		if _, err := relay.ReadFrame(b); err == nil {
			t.Errorf("a frame with another byte %d was read", i)
		}
	}
}

// The body is mutated behind a checksum that fits, so that the reader itself is tried and not the checksum.
func FuzzFramesAreReadWithoutPanicAndWrittenAgainAsTheyWere(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 4))
	var e relay.FrameEncoder
	for _, n := range []int{0, 1, 5} {
		messages, _ := e.Append(nil, randomFrame(r, n, n))
		f.Add(relay.FrameBody(messages[0]))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := relay.ReadFrame(relay.SealedFrame(body))
		if err != nil {
			return
		}
		e := relay.FrameEncoder{Limit: 32 << 20}
		messages, oversized := e.Append(nil, got)
		if len(messages) != 1 || oversized > 0 {
			t.Fatalf("%d messages, %d left out", len(messages), oversized)
		}
		again, err := relay.ReadFrame(messages[0])
		if err != nil {
			t.Fatalf("what was read cannot be written and read: %v", err)
		}
		if second, _ := e.Append(nil, again); string(second[0]) != string(messages[0]) {
			t.Error("a frame changed on its way")
		}
	})
}

func BenchmarkFrames(b *testing.B) {
	shared := randomFrame(rand.New(rand.NewPCG(1, 5)), 1000, 0)
	apart := randomFrame(rand.New(rand.NewPCG(1, 5)), 1000, 0)
	for i := range apart.Hits {
		if h := &apart.Hits[i]; h.Ref != nil {
			h.Ref = new(*h.Ref)
		}
	}
	for name, f := range map[string]*relay.Frame{"three_hits_of_an_event": shared, "one_hit_of_an_event": apart} {
		var e relay.FrameEncoder
		messages, _ := e.Append(nil, f)
		report := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(f.Hits)), "ns/hit")
			b.ReportMetric(float64(len(messages[0]))/float64(len(f.Hits)), "bytes/hit")
		}
		b.Run(name+"/write", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				messages, _ = e.Append(messages[:0], f)
			}
			report(b)
		})
		b.Run(name+"/read", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := relay.ReadFrame(messages[0]); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
	}
}

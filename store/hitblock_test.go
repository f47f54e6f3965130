package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"

	"github.com/tocsin-siem/tocsin/event"
)

// packed gives hits as rows of the table hit_blocks.
func packed(hits []event.Hit) (rows [][]byte, counts []uint32) {
	e := newHitEncoder()
	for len(hits) > 0 {
		n := e.pack(hits)
		rows, counts = append(rows, bytes.Clone(e.compress())), append(counts, uint32(n))
		hits = hits[n:]
	}
	return rows, counts
}

func unpacked(t *testing.T, rows [][]byte, counts []uint32) (hits []event.Hit) {
	t.Helper()
	var r hitReader
	for i := range rows {
		if err := r.read(rows[i], counts[i], func(h event.Hit) { hits = append(hits, h) }); err != nil {
			t.Fatalf("row %d of %d: %v", i, len(rows), err)
		}
	}
	return hits
}

// someHits are hits of which some have the same event, step, key or values.
func someHits(r *rand.Rand, n int) []event.Hit {
	refs := []*event.Ref{nil, {}, {
		Event: event.NewID("a"), Time: 5, Received: 7, Sequence: "okta\x1f0", ClassUID: 3002, Domain: event.DomainIdentity, Source: "okta", Summary: "ana signed in", Site: "plant-1",
		Entities: []event.EntityRef{{Kind: event.EntityUser, Role: event.RoleActor, Strength: event.Strong, Key: "ana", ID: "user:ana"}},
	}}
	hits := make([]event.Hit, n)
	for i := range hits {
		h := &hits[i]
		*h = event.Hit{Rule: fmt.Sprint("rb-", r.IntN(200)), Version: int32(r.IntN(3)) - 1, Branch: uint8(r.IntN(2)), Step: uint8(r.IntN(3)), Ref: refs[r.IntN(3)]}
		if i > 0 && r.IntN(2) == 0 {
			h.Ref = hits[i-1].Ref
		}
		for range r.IntN(3) {
			h.Vars = append(h.Vars, []string{"", "user:ana", fmt.Sprint("robot:", r.IntN(9))}[r.IntN(3)])
		}
		h.Key = strings.Join(h.Vars, "\x1f")
		for range r.IntN(3) {
			h.Fields = append(h.Fields, event.FieldValue{Kind: event.KindInt, Known: true, Num: r.Int64()})
		}
	}
	return hits
}

func TestHitsComeOutOfBlocksAsTheyWerePacked(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		want := someHits(r, 1+r.IntN(300))
		got := unpackedAgain(t, want)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("seed %d (-packed +unpacked):\n%s", seed, d)
		}
		for i := range want[1:] {
			if want[i].Ref != nil && want[i].Ref == want[i+1].Ref && got[i].Ref != got[i+1].Ref {
				t.Fatalf("seed %d: hits %d and %d do not share their event", seed, i, i+1)
			}
		}
	}
}

func unpackedAgain(t *testing.T, hits []event.Hit) []event.Hit {
	t.Helper()
	rows, counts := packed(hits)
	return unpacked(t, rows, counts)
}

func TestARowHasSoManyHitsAndBytesAndNoMore(t *testing.T) {
	ref := &event.Ref{Event: event.NewID("a")}
	many := make([]event.Hit, maxHits+1)
	for i := range many {
		many[i] = event.Hit{Rule: "r", Ref: ref}
	}
	large := make([]event.Hit, 5) // Two go into a row, three do not.
	for i := range large {
		large[i] = event.Hit{Rule: fmt.Sprint("r", i), Ref: ref, Vars: []string{strings.Repeat("x", maxHitBytes*2/5)}}
	}
	huge := []event.Hit{{Rule: "a"}, {Rule: "b", Ref: ref, Key: strings.Repeat("x", 2*maxHitBytes)}, {Rule: "c", Ref: ref}}
	for name, tc := range map[string]struct {
		hits   []event.Hit
		counts []uint32
	}{
		"as many as go":      {many[:maxHits], []uint32{maxHits}},
		"one more":           {many, []uint32{maxHits, 1}},
		"large ones":         {large, []uint32{2, 2, 1}},
		"one that is larger": {huge, []uint32{1, 1, 1}},
		"none":               {nil, nil},
	} {
		rows, counts := packed(tc.hits)
		if d := cmp.Diff(tc.counts, counts); d != "" {
			t.Errorf("%s: hits of the rows (-want +got):\n%s", name, d)
		}
		for i, row := range rows {
			if n, _ := s2.DecodedLen(row[1:]); n > maxHitBytes && counts[i] > 1 {
				t.Errorf("%s: row %d has %d bytes before compression", name, i, n)
			}
		}
		if d := cmp.Diff(tc.hits, unpacked(t, rows, counts)); d != "" {
			t.Errorf("%s (-packed +unpacked):\n%.2000s", name, d)
		}
	}
}

func TestADamagedForeignOrMiscountedBlockOfHitsIsRefused(t *testing.T) {
	hits := someHits(rand.New(rand.NewPCG(1, 2)), 20)
	rows, counts := packed(hits)
	whole := rows[0]
	plain, err := s2.Decode(nil, whole[1:])
	if err != nil {
		t.Fatal(err)
	}
	block := func(plain []byte) []byte { return append([]byte{hitBlockVersion}, s2.Encode(nil, plain)...) }
	var r hitReader
	refused := func(what string, b []byte, n uint32) {
		t.Helper()
		if err := r.read(b, n, func(event.Hit) {}); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: got %v, want a damaged row", what, err)
		}
	}
	refused("a later version", append([]byte{hitBlockVersion + 1}, whole[1:]...), counts[0])
	refused("nothing", nil, 0)
	refused("one that claims more than there can be", append([]byte{hitBlockVersion}, 0x80, 0x80, 0x80, 0x80, 0x01), 1)
	refused("a hit less", whole, counts[0]-1)
	refused("a hit more", whole, counts[0]+1)
	none := newHitEncoder() // A block that begins with a hit without an event: its number, step and no event.
	none.add(&event.Hit{}, true)
	refused("the event of a hit before the first", block(none.plain), 1)
	for i := range plain {
		refused(fmt.Sprintf("%d of %d bytes", i, len(plain)), block(plain[:i]), counts[0])
	}
	for i := range whole {
		refused(fmt.Sprintf("%d of %d compressed bytes", i, len(whole)), whole[:i], counts[0])
	}
	if err := r.read(whole, counts[0], func(event.Hit) {}); err != nil {
		t.Errorf("the block itself: %v", err)
	}
}

// blockOfOld is what version 1 wrote of oldHits.
const blockOfOld = "\x01\xfe\x01D\x00\arb-0001\x06\x01\x02p\x02\x01\x02\x03\x00.\x01\x00\xf0C\x80\xa0վ\x9a\xfb\xa5\x06\xf4\x03\afleet\x1f0\xa2\xf3\xd1/\x01\x00\x01\x00\x00\x05robot\x05fleet\avda5050\x0eamr-01 reports\x01\x02\x03\x03\x06\x06\t\x14\x00\f\x05/\x00:\t!,\aplant-1\x19\x01\x02\x002\x19\x00(\x02\x01\x05hall3\x04\x02\x03\r\x98\x182\x01\x00\x00\x16\x01\x022?\x00\t$\b\x00\x00\x12.;\x00\x00\x1f\x059\x10\x00\x1f\x01\x00\x00n\x02\x00\x00\x03\x05 \x1c\x02\x00\x03\x01\x00\x00\x00\x00"

func oldHits() []event.Hit {
	ref := &event.Ref{
		Event: event.ID{1, 2, 3}, Time: 1_772_330_400_000_000, Received: 1_772_330_400_000_250, Sequence: "fleet\x1f0", ClassUID: 99908002, Activity: 1, Severity: 1, Domain: "robot", Source: "fleet", Format: "vda5050",
		Summary: "amr-01 reports", Site: "plant-1", Entities: []event.EntityRef{{Kind: event.EntityRobot, Role: event.RoleSubject, Strength: event.Strong, Object: 6, Key: "amr-01", ID: "robot:amr-01"}},
	}
	return []event.Hit{
		{Rule: "rb-0001", Version: 3, Branch: 1, Step: 2, Key: "robot:amr-01", Vars: []string{"", "robot:amr-01"}, Fields: []event.FieldValue{{Kind: event.KindString, Known: true, Str: "hall3"}, {Kind: event.KindFloat}}, Ref: ref},
		{Rule: "rb-0002", Version: -1, Key: "robot:amr-01\x1fhall3", Vars: []string{"robot:amr-01", "hall3"}, Ref: ref},
		{Rule: "rb-0001", Version: 3, Branch: 1, Step: 2, Ref: &event.Ref{}},
		{Rule: "rb-0002", Version: -1},
	}
}

func TestBlocksOfHitsThatAreInDatabasesAreReadAndWrittenAlike(t *testing.T) {
	want := oldHits()
	var got []event.Hit
	var r hitReader
	if err := r.read([]byte(blockOfOld), uint32(len(want)), func(h event.Hit) { got = append(got, h) }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what was written once reads otherwise (-want +got):\n%s", d)
	}
	plain, err := s2.Decode(nil, []byte(blockOfOld)[1:]) // How S2 presses it may change.
	if err != nil {
		t.Fatal(err)
	}
	e := newHitEncoder()
	e.pack(want)
	if !bytes.Equal(plain, e.plain) {
		t.Errorf("the same hits are written otherwise, as\n%q\nand were written as\n%q: that needs a version of its own", e.plain, plain)
	}
}

// The bytes are compressed first, so that the reader itself is tried.
func FuzzBlocksOfHitsAreReadWithoutPanicAndWrittenAgainAsTheyWere(f *testing.F) {
	e := newHitEncoder()
	for _, hits := range [][]event.Hit{oldHits(), someHits(rand.New(rand.NewPCG(1, 3)), 12)} {
		e.pack(hits)
		f.Add(bytes.Clone(e.plain), uint32(len(hits)))
	}
	f.Fuzz(func(t *testing.T, plain []byte, n uint32) {
		var hits, again []event.Hit
		var r hitReader
		if r.read(append([]byte{hitBlockVersion}, s2.Encode(nil, plain)...), n, func(h event.Hit) { hits = append(hits, h) }) != nil {
			return
		}
		rows, counts := packed(hits)
		for i := range rows {
			if err := r.read(rows[i], counts[i], func(h event.Hit) { again = append(again, h) }); err != nil {
				t.Fatalf("hits that were read cannot be written and read: %v", err)
			}
		}
		if same, _ := packed(again); !slices.EqualFunc(rows, same, bytes.Equal) {
			t.Errorf("hits changed on their way:\n%s", cmp.Diff(hits, again))
		}
	})
}

// BenchmarkHits packs and unpacks hits, of which two are of one event.
func BenchmarkHits(b *testing.B) {
	const n = 5400
	hits := benchHits(n)
	per := func(b *testing.B, bytes int) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/hit")
		b.ReportMetric(float64(bytes)/n, "B/hit")
		b.ReportAllocs()
	}
	for _, x := range []struct {
		name   string
		encode func() (*block, error)
	}{
		{"pack", func() func() (*block, error) {
			e := newHitEncoder()
			return func() (*block, error) {
				e.encode(hits, event.BatchID{Epoch: 1, Number: 1}, 1)
				return &e.block, e.seal()
			}
		}()},
		{"formerly", func() func() (*block, error) {
			e := newFormerHits()
			return func() (*block, error) {
				e.encode(hits, event.BatchID{Epoch: 1, Number: 1}, 1)
				return &e.block, e.seal()
			}
		}()},
	} {
		b.Run(x.name, func(b *testing.B) {
			bytes := 0
			for b.Loop() {
				made, err := x.encode()
				if err != nil {
					b.Fatal(err)
				}
				bytes = made.size()
			}
			per(b, bytes)
		})
	}
	b.Run("unpack", func(b *testing.B) {
		rows, counts := packed(hits)
		var r hitReader
		for b.Loop() {
			for i := range rows {
				if err := r.read(rows[i], counts[i], func(event.Hit) {}); err != nil {
					b.Fatal(err)
				}
			}
		}
		per(b, len(bytes.Join(rows, nil)))
	})
}

// benchHits are hits as the shipped rules make them of robots' states.
func benchHits(n int) []event.Hit {
	hits := make([]event.Hit, 0, n)
	for i := 0; len(hits) < n; i++ {
		name := fmt.Sprintf("amr-%03d", i%400)
		e := event.Event{ClassUID: event.ClassRobotState, ActivityID: 9, Time: int64(i) * 2500, Robot: &event.Robot{UID: "acme/" + name, Serial: name, ModeID: 1}}
		e.Envelope.Position = event.Position{Source: "vda5050", Partition: 1, Offset: int64(i)}
		e.Envelope.ID, e.Envelope.Format, e.Envelope.Site = event.PositionID(e.Envelope.Position, 0), "vda5050", "werk-1"
		e.FindEntities()
		ref, key := event.RefOf(&e), "robot:"+name
		hits = append(hits,
			event.Hit{Rule: "rb-0070", Version: 2, Step: 1, Key: key, Vars: []string{key, "hall3"}, Ref: ref, Fields: []event.FieldValue{{Kind: event.KindString, Known: true, Str: fmt.Sprintf("hall3/%d/3", i%8)}, {Kind: event.KindBool, Known: true}}},
			event.Hit{Rule: "rb-0140", Version: 1, Key: key, Vars: []string{key}, Ref: ref, Fields: []event.FieldValue{{Kind: event.KindInt, Known: true, Num: 1000}}})
	}
	return hits
}

package correlate_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// manyOpen is an engine with so many keys waiting that its snapshot has several pieces.
func manyOpen(t *testing.T, set *rules.Set, keys int) *correlate.Engine {
	t.Helper()
	e := correlate.New(set, correlate.Settings{})
	from := newSource(set, keys)
	for at := 0; at < keys; at += stateBatch {
		hits, marks := from.next(stateBatch, func(i int) int { return at + i }, constant)
		e.Fold(hits, marks)
	}
	return e
}

func TestAPackedSnapshotHoldsWhatASnapshotHolds(t *testing.T) {
	open := &rules.Set{Rules: []*rules.Rule{ruleOf(t, openSequence)}}
	values := &rules.Set{Rules: []*rules.Rule{ruleOf(t, manyNew)}}
	law := &rules.Set{Rules: lawfulSet(t)}
	for _, c := range []struct {
		name   string
		set    *rules.Set
		engine *correlate.Engine
		least  int // Bytes of the snapshot.
		most   int // Thousandths of them that may be left.
	}{
		{"nothing", law, correlate.New(law, correlate.Settings{}), 0, 2000},
		{"a bit of everything", law, midway(t, law, 400), 0, 1000},
		{"keys in several pieces", open, manyOpen(t, open, 60_000), 3 << 20, 900},
		{"a modifier's memory in several pieces", values, known(t, values, 60_000), 2 << 20, 1001}, // Hashes.
	} {
		t.Run(c.name, func(t *testing.T) {
			plain := c.engine.Snapshot(nil)
			if len(plain) < c.least {
				t.Fatalf("the snapshot has %d bytes: the test is void", len(plain))
			}
			packed := c.engine.Pack().AppendTo([]byte("before"))
			if !bytes.HasPrefix(packed, []byte("before")) || !bytes.Equal(packed, c.engine.Pack().AppendTo([]byte("before"))) {
				t.Error("packing twice gives other bytes, or loses those before")
			}
			packed = packed[len("before"):]
			for _, later := range []int64{0, 1<<20 - 1, 2 << 20} {
				if !bytes.Equal(packed, c.engine.PackAllBut(later).AppendTo(nil)) {
					t.Errorf("with %d bytes left to be compressed later the snapshot is another one", later)
				}
			}
			if len(packed) > len(plain)*c.most/1000 {
				t.Errorf("%d bytes are packed into %d", len(plain), len(packed))
			}
			for _, b := range [][]byte{plain, packed} {
				again := correlate.New(c.set, correlate.Settings{})
				if err := again.Restore(b); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(again.Snapshot(nil), plain) {
					t.Error("an engine that was restored writes another snapshot")
				}
			}
		})
	}
}

func FuzzPackedSnapshotsNeverPanic(f *testing.F) {
	all := lawfulSet(f)
	set := &rules.Set{Rules: append([]*rules.Rule{all[3], all[7]}, all[len(all)-8:]...)}
	good := midway(f, set, 25).Pack().AppendTo(nil)
	f.Add(good[22:])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(slices.Clone(good[:6]), make([]byte, 16)...)
		b = append(b, body...)
		sign(b)
		e := correlate.New(set, correlate.Settings{})
		if e.Restore(b) != nil {
			return
		}
		e.Fold(nil, []event.Mark{{Source: "s", Newest: start + 60_000_000}})
		e.Pack().AppendTo(nil)
	})
}

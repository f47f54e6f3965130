package correlate_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
)

func TestBlocksOfAnArenaKeepWhatWasWrittenInThemUntilTheyAreGivenBack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var b correlate.Blocks
	want := map[uint32]string{}
	places := []uint32{}
	check := func() {
		t.Helper()
		if got := b.Records(); !maps.Equal(got, want) {
			t.Fatalf("the arena holds other records (-want +got):\n%s", cmp.Diff(want, got))
		}
	}
	var top int64
	for round, size := range []int{300, 2000, 90, 700} { // Bytes, at most; what one round leaves are free blocks for the next.
		for range 20_000 {
			record := bytes.Repeat([]byte{byte(r.Uint32())}, 18+r.IntN(size))
			p := b.Room(record)
			if _, taken := want[p]; taken {
				t.Fatalf("the block at %d was given out twice", p)
			}
			want[p] = string(record)
			places = append(places, p)
			if r.IntN(3) == 0 {
				i := r.IntN(len(places))
				p := places[i]
				if got := string(b.At(p)); got != want[p] {
					t.Fatalf("the block at %d has %d bytes, want %d", p, len(got), len(want[p]))
				}
				b.Leave(p, r.IntN(2) == 0)
				delete(want, p)
				places[i] = places[len(places)-1]
				places = places[:len(places)-1]
			}
		}
		check()
		_, memory := b.Held()
		top = max(top, memory)
		b.Settle()
		if round%2 == 1 {
			for _, p := range places {
				b.Leave(p, false)
			}
			clear(want)
			places = places[:0]
		}
		check()
	}
	used, memory := b.Held()
	if used != 0 {
		t.Errorf("%d bytes count as used, and nothing is", used)
	}
	if memory > top/4 {
		t.Errorf("%d bytes of memory are kept for nothing, of %d", memory, top)
	}
}

func TestAGlanceAtAWrittenHitSeesWhatReadingItDoes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	fine := 0
	for range 200_000 {
		hit := binary.AppendUvarint(nil, uint64(r.IntN(5)))
		if r.IntN(50) == 0 {
			hit = binary.AppendUvarint(nil, r.Uint64()>>r.IntN(64))
		}
		hit = binary.AppendVarint(append(hit, byte(r.IntN(16))), int64(r.Uint64())>>r.IntN(64))
		hit = append(hit, make([]byte, r.IntN(200))...)
		written := append(binary.AppendUvarint(nil, uint64(len(hit)-r.IntN(2)*r.IntN(2))), hit...)
		written = written[:len(written)-r.IntN(2)*r.IntN(min(len(written), 4))]
		short, long, ok, also := correlate.Glance(written)
		if ok != also || ok && short != long {
			t.Fatalf("% x: %v %v, read %v %v", written, short, ok, long, also)
		}
		if ok {
			fine++
		}
	}
	if fine == 0 {
		t.Error("none of the hits could be read")
	}
}

func TestBlocksLieInAsFewCacheLinesAsTheyCan(t *testing.T) {
	const line = 64
	for _, size := range []int{32, 64, 96, 128, 256, 512} {
		var b correlate.Blocks
		for range 1_000 {
			at := 16 * int(b.Room(make([]byte, size)))
			if lines := (at+size-1)/line - at/line + 1; lines > (size+line-1)/line {
				t.Fatalf("a block of %d bytes at %d lies in %d cache lines", size, at, lines)
			}
		}
	}
}

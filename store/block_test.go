package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/google/go-cmp/cmp"
)

// testBlock has a column of every kind; row gives its i-th row as ClickHouse's client shows it.
type testBlock struct {
	block
	number *fixed
	maybe  *nullable
	text   *text
	low    *low
	lows   *list[*low]
	texts  *list[*text]
}

func newTestBlock() *testBlock {
	b := &testBlock{block: block{table: "t"}}
	b.number = add(&b.block, "number", newFixed("UInt32", 4))
	b.maybe = add(&b.block, "maybe", newNullable("Int64", 8))
	b.text = add(&b.block, "text", &text{})
	b.low = add(&b.block, "low", newLow())
	b.lows = add(&b.block, "lows", newList(newLow()))
	b.texts = add(&b.block, "texts", newList(&text{}))
	return b
}

func (b *testBlock) addRow(n uint32, s string, list []string) {
	b.number.add32(n)
	b.maybe.mark(n%2 == 0)
	b.maybe.add64(uint64(n))
	b.text.add(s)
	b.low.add(s)
	addAll(b.lows, list)
	for _, x := range list {
		b.texts.of.add(x)
	}
	b.texts.end()
}

func TestTheClientsOwnDecoderReadsOurBlocks(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	b := newTestBlock()
	// One block after another, with few and with many distinct values, so that all widths of dictionary ids and its memory are used.
	for round, distinct := range []int{1, 256, 257, 3, 70_000, 300, 2} {
		b.reset()
		rows := min(2*distinct, 80_000)
		var want [][]any
		for i := range rows {
			s := fmt.Sprint("v", random.IntN(distinct))
			if distinct == 70_000 {
				s = fmt.Sprint("v", i)
			}
			if random.IntN(10) == 0 {
				s = ""
			}
			var list []string
			for range random.IntN(3) {
				list = append(list, strings.Repeat("é", random.IntN(100)))
			}
			if round == 0 {
				list = nil // An array column without any element.
			}
			b.addRow(uint32(i), s, list)
			var maybe any
			if i%2 == 0 {
				maybe = new(int64(i))
			}
			want = append(want, []any{uint32(i), maybe, s, s, append([]string{}, list...), append([]string{}, list...)})
		}
		if err := b.seal(); err != nil {
			t.Fatal(err)
		}
		decoded, err := decodeBlock(chproto.NewReader(b.reader()))
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		if decoded.Rows() != rows {
			t.Fatalf("seed %d, round %d: %d rows, want %d", seed, round, decoded.Rows(), rows)
		}
		for i := range rows {
			var got []any
			for _, c := range decoded.Columns {
				got = append(got, c.Row(i, false))
			}
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Fatalf("seed %d, round %d, row %d (-want +got):\n%s", seed, round, i, diff)
			}
		}
		if chgo := decodeChGo(t, b); chgo != rows {
			t.Errorf("seed %d, round %d: ch-go reads %d rows, want %d", seed, round, chgo, rows)
		}
	}
}

// decodeChGo reads the block with the lower library's typed columns and returns how many rows were right in the dictionary column.
func decodeChGo(t *testing.T, b *testBlock) int {
	t.Helper()
	var number chproto.ColUInt32
	maybe := new(chproto.ColInt64).Nullable()
	var text chproto.ColStr
	low := new(chproto.ColStr).LowCardinality()
	lows := chproto.NewArray(new(chproto.ColStr).LowCardinality())
	texts := chproto.NewArray(new(chproto.ColStr))
	var decoded chproto.Block
	results := chproto.Results{
		{Name: "number", Data: &number},
		{Name: "maybe", Data: maybe},
		{Name: "text", Data: &text},
		{Name: "low", Data: low},
		{Name: "lows", Data: lows},
		{Name: "texts", Data: texts},
	}
	if err := decoded.DecodeRawBlock(chproto.NewReader(b.reader()), 0, results); err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range decoded.Rows {
		if low.Row(i) == text.Row(i) && cmp.Equal(lows.Row(i), texts.Row(i)) {
			right++
		}
	}
	return right
}

func TestABlockWithColumnsOfUnequalLengthIsNotSent(t *testing.T) {
	b := newTestBlock()
	b.addRow(1, "a", nil)
	b.text.add("one too many")
	if err := b.seal(); err == nil || !strings.Contains(err.Error(), "column text has 2 values for 1 rows") {
		t.Errorf("got %v, want an error that names the column", err)
	}
}

func TestValuesWithAHashAreWrittenLikeOthers(t *testing.T) {
	for name, hash := range map[string]func(i int, s string) uint64{
		"most meet another value in their place": func(i int, _ string) uint64 { return uint64(i % 3) },
		"all have their place":                   func(_ int, s string) uint64 { return uint64(len(s)) },
	} {
		plain, hashed := newLow(), newLow()
		for block := range 6 {
			for i := range 500 {
				s := strings.Repeat("x", (i*7+block)%40)
				plain.add(s)
				hashed.addHashed(s, hash(i, s))
			}
			if block == 3 { // So many that they are forgotten.
				for i := range maxInterned {
					s := strconv.Itoa(i)
					plain.add(s)
					hashed.addHashed(s, uint64(i))
				}
			}
			a, b := bytes.Join(plain.parts(nil), nil), bytes.Join(hashed.parts(nil), nil)
			if !bytes.Equal(a, b) || len(a) == 0 {
				t.Fatalf("%s: block %d: %d bytes, want %d", name, block, len(b), len(a))
			}
			plain.reset()
			hashed.reset()
		}
	}
}

func TestATextThatKnowsHowManyComeIsWrittenLikeOthers(t *testing.T) {
	plain, expecting := &text{}, &text{}
	for range 2 {
		expecting.coming = 1000
		for i := range 1200 { // More come than were told of.
			s := bytes.Repeat([]byte{'y'}, i%900)
			plain.addBytes(s)
			expecting.addBytes(s)
		}
		if !bytes.Equal(plain.b, expecting.b) || plain.rows != expecting.rows {
			t.Fatal("the bytes are not the same")
		}
		plain.reset()
		expecting.reset()
	}
}

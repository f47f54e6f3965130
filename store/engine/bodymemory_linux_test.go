package engine

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// filled takes memory of a kind and fills it.
func filled(t *testing.T, b *bodyMemory, kind string, size int) (m *memory, whole bool) {
	t.Helper()
	m, err := b.take(kind)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte(kind), size/len(kind))
	n, whole, err := m.fill(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if whole && n != int64(len(want)) {
		t.Errorf("%s: %d bytes are whole, want %d", kind, n, len(want))
	}
	got, err := io.ReadAll(io.NewSectionReader(m.file, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(want, got) || whole && len(got) != len(want) {
		t.Errorf("%s: the file has %d bytes, which are not the %d given", kind, len(got), len(want))
	}
	return m, whole
}

func kinds(b *bodyMemory) string {
	var all []string
	for _, m := range b.idle {
		all = append(all, m.kind)
	}
	return strings.Join(all, " ")
}

func TestMemoryOfAnInsertIsUsedAgainByItsKind(t *testing.T) {
	b := &bodyMemory{limit: 8 << 20}
	long, _ := filled(t, b, "rows", 3<<20)
	b.put(long)
	hits, _ := filled(t, b, "hits", 1000)
	b.put(hits)
	if again, _ := filled(t, b, "rows", 2<<20); again != long {
		t.Error("rows have other memory than before")
	} else {
		b.put(again)
	}
	if b.used != 2<<20+1000 {
		t.Errorf("%d bytes are used, want those of the last inserts", b.used)
	}
}

func TestInsertsTakeNoMoreMemoryThanThereIs(t *testing.T) {
	b := &bodyMemory{limit: 4 << 20}
	for _, kind := range []string{"first", "second"} {
		m, _ := filled(t, b, kind, 1<<20)
		b.put(m)
	}
	third, whole := filled(t, b, "third", 3<<20+1<<19)
	if got := kinds(b); !whole || got != "" {
		t.Errorf("whole: %t; rest: %q; what rests has to make room", whole, got)
	}
	fourth, whole := filled(t, b, "fourth", 1<<20)
	if whole || b.used > b.limit {
		t.Errorf("whole: %t; %d bytes of %d are used", whole, b.used, b.limit)
	}
	b.drop(third)
	b.drop(fourth)
	if b.used != 0 {
		t.Errorf("%d bytes are used at the end", b.used)
	}
}

func TestMemoryThatRestsForLongIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bodyMemory{limit: 4 << 20}
		for _, kind := range []string{"long ago", "now and then", "now and then"} {
			m, _ := filled(t, b, kind, 1000)
			b.put(m)
			time.Sleep(bodyRest * 2 / 3)
		}
		if got := kinds(b); got != "now and then" {
			t.Errorf("rest: %q", got)
		}
		for i := range 2 * bodyKinds {
			m, _ := filled(t, b, strings.Repeat("x", i+1), 1000)
			b.put(m)
		}
		if len(b.idle) != bodyKinds || !slices.IsSortedFunc(b.idle, func(x, y *memory) int { return len(x.kind) - len(y.kind) }) {
			t.Errorf("%d rest, want the newest %d", len(b.idle), bodyKinds)
		}
	})
}

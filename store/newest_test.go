package store

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func changesOf(from, to uint64) (list []incident.Change, sizes []int) {
	for n := from; n <= to; n++ {
		list, sizes = append(list, incident.Change{Batch: event.BatchID{Epoch: 2, Number: n}}), append(sizes, 100)
	}
	return list, sizes
}

func behindBatch(epoch, number uint64) ChangeCursor {
	return ChangeCursor{Batch: event.BatchID{Epoch: epoch, Number: number}}
}

func TestTheNewestChangesAreHeldFromTheClaimOn(t *testing.T) {
	var l newest
	l.add(changesOf(1, 1))
	if _, whole := l.page(behindBatch(2, 0), 10); whole {
		t.Error("changes are held before an epoch is claimed")
	}
	l.begin(behindBatch(1, 9))
	l.add(changesOf(1, 3))
	l.add(changesOf(3, 4)) // The third was recorded twice.
	if _, whole := l.page(behindBatch(1, 8), 10); whole {
		t.Error("a change of another process was passed over")
	}
	for _, c := range []struct {
		after ChangeCursor
		n     int
		want  []uint64
	}{{behindBatch(1, 9), 10, []uint64{1, 2, 3, 4}}, {behindBatch(2, 2), 1, []uint64{3}}, {behindBatch(2, 4), 10, nil}, {behindBatch(2, 7), 10, nil}} {
		page, whole := l.page(c.after, c.n)
		if !whole || len(page) != len(c.want) {
			t.Errorf("behind %v are %v (%v), want %v", c.after, page, whole, c.want)
			continue
		}
		for i, n := range c.want {
			if page[i].Batch.Number != n {
				t.Errorf("behind %v are %v, want %v", c.after, page, c.want)
			}
		}
	}
}

func TestTheNewestChangesAreBounded(t *testing.T) {
	for name, size := range map[string]int{"by their number": 100, "by their bytes": newestBytes / 100} {
		t.Run(name, func(t *testing.T) {
			var l newest
			l.begin(ChangeCursor{})
			list, sizes := changesOf(1, newestChanges+1)
			for i := range list {
				sizes[i] = size
				l.add(list[i:i+1], sizes[i:i+1])
				if len(l.list) > newestChanges || l.bytes > newestBytes {
					t.Fatalf("%d changes of %d bytes are held", len(l.list), l.bytes)
				}
			}
			if _, whole := l.page(behindBatch(2, 1), 1); whole {
				t.Error("a change that was let go was passed over")
			}
			if page, whole := l.page(l.after, 1); !whole || len(page) != 1 || page[0].Batch.Number != l.after.Batch.Number+1 {
				t.Errorf("behind the last that was let go, %v, is %v (%v)", l.after, page, whole)
			}
		})
	}
}

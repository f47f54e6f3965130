package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
)

// batch is what a test looks at in a batch: its number, the seconds of its events, and its first mark.
type batch struct {
	Number  uint64
	Seconds []int64
	Mark    int64
}

func batchesOf(t *testing.T, db *store.DB, s store.LogSpan, classes ...string) (out []batch) {
	t.Helper()
	for b, err := range db.Batches(t.Context(), s, classes) {
		must(t, err)
		x := batch{Number: b.ID.Number}
		for _, i := range b.Sorted {
			x.Seconds = append(x.Seconds, (b.Events[i].Time-start)/1e6)
		}
		if len(b.Marks) > 0 {
			x.Mark = (b.Marks[0].Newest - start) / 1e6
		}
		out = append(out, x)
	}
	return out
}

func TestAStretchOfTheLogComesBackAsItCame(t *testing.T) {
	db := open(t, freshConfig(t))
	if _, err := db.Tail(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := db.Span(t.Context(), 0, 0); err != nil || s != (store.LogSpan{}) {
		t.Fatal(s, err)
	}
	// The second batch is older than the first: the order is that of the log.
	for i, from := range []int{10, 0, 20} {
		must(t, appendTo(t.Context(), db, entry(1, uint64(i+1), from, 3)))
	}
	s, err := db.Span(t.Context(), 0, 0)
	must(t, err)
	if want := (store.LogSpan{First: event.BatchID{Epoch: 1, Number: 1}, Last: event.BatchID{Epoch: 1, Number: 3}, Batches: 3, Events: 9}); s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	all := []batch{{1, []int64{10, 11, 12}, 12}, {2, []int64{0, 1, 2}, 2}, {3, []int64{20, 21, 22}, 22}}
	if d := cmp.Diff(all, batchesOf(t, db, s)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(all, batchesOf(t, db, s, "robot_state.mode_change", "robot_state")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]batch{{1, nil, 12}, {2, nil, 2}, {3, nil, 22}}, batchesOf(t, db, s, "authentication")); d != "" {
		t.Error("batches without events of the class keep their marks:", d)
	}
	if s, err = db.Span(t.Context(), start+15e6, start+21e6); err != nil || s.First.Number != 3 || s.Before.Number != 2 || s.Events != 3 {
		t.Fatal(s, err)
	}
	if d := cmp.Diff([]batch{{2, nil, 2}, {3, []int64{20, 21, 22}, 22}}, batchesOf(t, db, s)); d != "" {
		t.Error(d)
	}
	if s, err = db.Span(t.Context(), start, start+11e6); err != nil || s.First.Number != 1 || s.Last.Number != 2 || s.Before != (event.BatchID{}) {
		t.Error(s, err)
	}
	if s, err = db.Span(t.Context(), start+30e6, 0); err != nil || s != (store.LogSpan{}) {
		t.Error(s, err)
	}
}

func TestRowsWithoutAMarkerAreInNoStretch(t *testing.T) {
	db := open(t, freshConfig(t))
	b := &event.Batch{ID: event.BatchID{Epoch: store.RoleEpoch, Number: 1}, Events: samples(0, 3)}
	must(t, db.AppendRows(t.Context(), b))
	if s, err := db.Span(t.Context(), 0, 0); err != nil || s != (store.LogSpan{}) {
		t.Error(s, err)
	}
}

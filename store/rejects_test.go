package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// rejected is a reject of the i-th second.
func rejected(i int, source, code string) event.Reject {
	return event.Reject{
		Position: event.Position{Source: source, Partition: int32(i % 2), Offset: int64(i)}, Format: "okta", Received: start + int64(i)*1e6,
		Code: code, Reason: "because of " + code, Raw: fmt.Appendf(nil, "record %d", i),
	}
}

func appendRejects(t *testing.T, db *store.DB, number uint64, list ...event.Reject) {
	t.Helper()
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: number}, Received: start, Rejects: list}}))
}

// places are the offsets of the rejects of a filter, in order.
func places(t *testing.T, db *store.DB, f store.RejectFilter) []int64 {
	t.Helper()
	var list []int64
	for r, err := range db.Rejected(t.Context(), f) {
		must(t, err)
		list = append(list, r.Position.Offset)
	}
	return list
}

func TestARejectKeepsKeyHeadersAndBytes(t *testing.T) {
	db := open(t, freshConfig(t))
	whole := rejected(3, "idp", "json_syntax")
	whole.Context, whole.Basis, whole.Partial = []byte("#fields\tts\n"), event.ID{9}, true
	whole.Key, whole.Headers = []byte{}, []event.Header{{Key: "a", Value: []byte{0xff, 0}}, {Key: "a", Value: []byte("again")}}
	tombstone, empty := rejected(2, "idp", "tombstone"), rejected(1, "idp", "empty")
	tombstone.Raw, tombstone.Key, empty.Raw = nil, []byte("k"), []byte{}
	want := []event.Reject{whole, tombstone, empty}
	appendRejects(t, db, 1, want...)
	if diff := cmp.Diff(want, collect(t, db.Rejects(t.Context(), store.RejectFilter{}))); diff != "" {
		t.Errorf("rejects (-appended +read):\n%s", diff)
	}
}

func TestRejectsAreFilteredAndPaged(t *testing.T) {
	db := open(t, freshConfig(t))
	other := rejected(7, "nac", "no_event")
	other.Format = "cisco_ise"
	appendRejects(t, db, 1, rejected(1, "idp", "a"), rejected(2, "idp", "b"), rejected(3, "idp", "a"), other)
	third := rejected(3, "idp", "a")
	for name, tc := range map[string]struct {
		filter store.RejectFilter
		want   []int64
	}{
		"all":     {store.RejectFilter{}, []int64{7, 3, 2, 1}},
		"forward": {store.RejectFilter{Forward: true}, []int64{1, 2, 3, 7}},
		"limit":   {store.RejectFilter{Limit: 2}, []int64{7, 3}},
		"source":  {store.RejectFilter{Source: "nac"}, []int64{7}},
		"format":  {store.RejectFilter{Format: "okta", Code: "a"}, []int64{3, 1}},
		"time":    {store.RejectFilter{From: start + 2e6, To: start + 7e6}, []int64{3, 2}},
		"after":   {store.RejectFilter{After: store.RejectCursor{Received: third.Received, ID: store.RejectID(&third)}}, []int64{2, 1}},
		"before":  {store.RejectFilter{Forward: true, After: store.RejectCursor{Received: third.Received, ID: store.RejectID(&third)}}, []int64{7}},
		"ids":     {store.RejectFilter{IDs: []event.ID{store.RejectID(&third), store.RejectID(&other), {1}}}, []int64{7, 3}},
	} {
		if diff := cmp.Diff(tc.want, places(t, db, tc.filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A list is read in pages; none is left out and none comes twice.
func TestManyRejectsAreAllListed(t *testing.T) {
	db := open(t, freshConfig(t))
	const n = 1203
	var list []event.Reject
	for i := range n {
		r := rejected(i, "idp", "a")
		r.Received = start + int64(i/50) // Many have the same time.
		if i == 40 {
			r.Raw = make([]byte, 9<<20) // More than a page holds.
		}
		list = append(list, r)
	}
	appendRejects(t, db, 1, list...)
	seen := map[int64]int{}
	for _, o := range places(t, db, store.RejectFilter{}) {
		seen[o]++
	}
	if len(seen) != n {
		t.Errorf("%d of %d rejects are listed", len(seen), n)
	}
	for o, times := range seen {
		if times != 1 {
			t.Errorf("the reject at %d is listed %d times", o, times)
		}
	}
}

func TestARecordThatCameTwiceIsOneReject(t *testing.T) {
	db := open(t, freshConfig(t))
	r := rejected(1, "idp", "a")
	later := r
	later.Received += 5e6
	for n, x := range []event.Reject{r, later} {
		must(t, db.AppendRows(t.Context(), &event.Batch{ID: event.BatchID{Epoch: store.RoleEpoch + uint64(n), Number: 1}, Rejects: []event.Reject{x}}))
	}
	if diff := cmp.Diff([]event.Reject{later}, collect(t, db.Rejects(t.Context(), store.RejectFilter{}))); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
}

func TestARejectThatBecameEventsIsNotListedAgain(t *testing.T) {
	db := open(t, freshConfig(t))
	appendRejects(t, db, 1, rejected(1, "idp", "old"), rejected(2, "idp", "old"), rejected(3, "idp", "old"))
	all := collect(t, db.Rejected(t.Context(), store.RejectFilter{Forward: true}))
	good, bad := all[0], all[1]
	good.Tried, good.Events = start+50, 2
	bad.Tried, bad.Code, bad.Reason, bad.Format = start+50, "new", "still wrong", "entra"
	for range 2 { // Recording it again changes nothing.
		must(t, db.Retried(t.Context(), []store.Reject{good, bad}))
	}
	for name, tc := range map[string]struct {
		filter store.RejectFilter
		want   []store.Reject
	}{
		"listed":       {store.RejectFilter{Forward: true}, []store.Reject{bad, all[2]}},
		"all":          {store.RejectFilter{Forward: true, All: true}, []store.Reject{good, bad, all[2]}},
		"the old code": {store.RejectFilter{Code: "old"}, []store.Reject{all[2]}},
		"the new code": {store.RejectFilter{Code: "new"}, []store.Reject{bad}},
		"by id":        {store.RejectFilter{IDs: []event.ID{good.ID}, All: true}, []store.Reject{good}},
	} {
		if diff := cmp.Diff(tc.want, collect(t, db.Rejected(t.Context(), tc.filter))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !good.Replayed() || bad.Replayed() {
		t.Error("what became of a reject is told wrongly")
	}
	bad.Tried, bad.Events = start+60, 1
	must(t, db.Retried(t.Context(), []store.Reject{bad}))
	if got := places(t, db, store.RejectFilter{}); len(got) != 1 || got[0] != 3 {
		t.Errorf("after the second one became an event, %v are listed, want 3", got)
	}
}

// What a process that died left behind is removed by the next one. A record of another batch is not lost with it.
func TestRejectsOfUnfinishedBatchesAreRemoved(t *testing.T) {
	cfg := freshConfig(t)
	db := open(t, cfg)
	appendRejects(t, db, 1, rejected(1, "idp", "a"))
	must(t, admin(t, cfg).Exec(t.Context(), "INSERT INTO "+cfg.Database+".rejects (id, epoch, number, source, offset) VALUES ('0123456789abcdef', 1, 2, 'idp', 9)"))
	next := open(t, cfg)
	must(t, appendTo(t.Context(), next, entry(2, 1, 0, 5)))
	if got := places(t, next, store.RejectFilter{Source: "idp"}); len(got) != 1 || got[0] != 1 {
		t.Errorf("rejects at %v, want 1", got)
	}
}

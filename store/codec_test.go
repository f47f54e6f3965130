package store

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

// Whatever the database gives back, reading it ends with a value or an error; and what reads back is written again as it was.
func FuzzStoredFormsAreReadWithoutPanic(f *testing.F) {
	ref := &event.Ref{Event: event.NewID("a"), Time: 1, Sequence: "s", ClassUID: 3002, Future: true, Entities: []event.EntityRef{{Kind: event.EntityIP, Role: event.RoleSource, Key: "k", ID: "ip:k"}}}
	f.Add(appendHit(nil, &event.Hit{Vars: []string{"v"}, Fields: []event.FieldValue{{Kind: event.KindStrings, Known: true, Lst: []string{"x"}}, {Kind: event.KindFloat, Known: true, Flt: 1}}, Ref: ref}))
	f.Add(appendRef(nil, ref))
	f.Add(appendCarry(nil, []event.Record{{Value: []byte("v"), Headers: []event.Header{{Key: "k", Value: []byte("v")}}, Location: time.UTC}}))
	var ids []string
	f.Add(appendRefs(nil, ref.Entities, &ids))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h event.Hit
		if decodeHit(b, &h) == nil {
			var again event.Hit
			if err := decodeHit(appendHit(nil, &h), &again); err != nil {
				t.Errorf("a hit that was read cannot be written and read: %v", err)
			}
		}
		if r, err := decodeRef(b); err == nil {
			if again, err := decodeRef(appendRef(nil, r)); err != nil || !cmp.Equal(r, again) {
				t.Errorf("an event for evidence changed on its way: %v", err)
			}
		}
		_, _ = decodeCarry(b)
		_, _ = decodeRefs(b, []string{"ip:k", "user:x"})
	})
}

func TestAHitIsReadAsItWasWrittenAndAForeignVersionIsRefused(t *testing.T) {
	h := event.Hit{Ref: nil}
	b := appendHit(nil, &h)
	var got event.Hit
	if err := decodeHit(b, &got); err != nil || !cmp.Equal(h, got) {
		t.Errorf("an empty hit reads as %+v, %v", got, err)
	}
	b[1]++ // behind the length
	if err := decodeHit(b, &got); err == nil {
		t.Error("a hit of a later version was read")
	}
	if err := decodeHit(append(appendHit(nil, &h), 0), &got); err == nil {
		t.Error("bytes behind a hit were ignored")
	}
}

// The bound of an epoch follows from who had read how much when it began.
func TestWhichBatchesOfAnEpochStand(t *testing.T) {
	claims := []claimed{{epoch: 1}, {2, event.BatchID{Epoch: 1, Number: 7}}, {4, event.BatchID{Epoch: 2, Number: 3}}, {5, event.BatchID{Epoch: 2, Number: 3}}}
	for _, tc := range []struct {
		epoch, bound uint64
		ok           bool
	}{{1, 7, true}, {2, 3, true}, {4, 0, true}, {5, 0, false}} {
		if bound, ok := boundOf(tc.epoch, claims); bound != tc.bound || ok != tc.ok {
			t.Errorf("epoch %d stands up to %d (%v), want %d (%v)", tc.epoch, bound, ok, tc.bound, tc.ok)
		}
	}
}

func TestAFullDiskAndOtherPassingTroublesAreTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		err             error
		permanent, full bool
	}{
		{&clickhouse.Exception{Code: 243}, false, true},
		{fmt.Errorf("insert Native: %w", &clickhouse.Exception{Code: 241}), false, false}, // memory
		{&clickhouse.Exception{Code: 252}, false, false},                                  // too many parts
		{&clickhouse.Exception{Code: 164}, false, false},                                  // read-only
		{io.ErrUnexpectedEOF, false, false},
		{fmt.Errorf("insert Native: %w", &clickhouse.Exception{Code: 60}), true, false}, // no such table
		{fmt.Errorf("%w: column", errBlock), true, false},
	} {
		if isPermanent(tc.err, true) != tc.permanent || isPermanent(tc.err, false) != tc.permanent || isDiskFull(tc.err) != tc.full {
			t.Errorf("%v: permanent %v, disk full %v; want %v, %v", tc.err, isPermanent(tc.err, true), isDiskFull(tc.err), tc.permanent, tc.full)
		}
	}
	for _, code := range []int32{192, 497, 516} {
		err := fmt.Errorf("insert Native: %w", &clickhouse.Exception{Code: code})
		if !isPermanent(err, false) || isPermanent(err, true) {
			t.Errorf("code %d must end a start and be waited for once an insert was taken", code)
		}
	}
	f := &Fault{What: "append batch 1/2", DiskFull: true, Err: io.EOF}
	if !strings.Contains(f.Error(), "free space or shorten clickhouse.retention") {
		t.Errorf("a full disk reads %q, without what to do", f)
	}
}

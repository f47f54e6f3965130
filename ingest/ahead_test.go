package ingest_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
)

// steady is a source that gives one record every ten milliseconds.
type steady struct{ memory }

func (s *steady) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	time.Sleep(10 * time.Millisecond)
	return s.memory.Fetch(ctx, dst, 1, wait)
}

// slow is a handler that takes half a second for any batch.
type slow struct{ recorder }

func (h *slow) Handle(ctx context.Context, b *event.Batch) error {
	time.Sleep(500 * time.Millisecond)
	return h.recorder.Handle(ctx, b)
}

func TestBatchesGrowWhileTheHandlerIsBusyAndKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &steady{memory{name: "a"}}
		for i := range 150 {
			a.records = append(a.records, conn(int64(i)))
		}
		var h slow
		set := ingest.Settings{Config: ingest.DefaultConfig(), Handler: &h, Clock: func() int64 { return time.Now().UnixMicro() }}
		set.Inputs = []ingest.Input{{Name: "a", Format: "zeek", Source: a, Idle: 10 * time.Second, IsFile: true}}
		set.Config.Linger = 100 * time.Millisecond
		p, err := ingest.New(set)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := slices.Concat(h.batches...)
		if len(got) != 150 || !slices.IsSorted(got) {
			t.Errorf("%d events, in order: %t", len(got), slices.IsSorted(got))
		}
		if first, second := len(h.batches[0]), len(h.batches[1]); second < 3*first {
			t.Errorf("batches of %d and %d: the second did not take what came during the first", first, second)
		}
		if !slices.IsSorted(a.committed) || a.committed[len(a.committed)-1] != 150 {
			t.Errorf("committed %v", a.committed)
		}
	})
}

// bulk is a source that gives as much as it is asked for.
type bulk struct{ memory }

func (s *bulk) Fetch(_ context.Context, dst []event.Record, limit int, _ time.Duration) ([]event.Record, error) {
	for ; s.next < len(s.records) && len(dst) < limit; s.next++ {
		dst = append(dst, event.Record{Value: []byte(s.records[s.next]), Format: "vda5050", Position: event.Position{Source: s.name, Offset: int64(s.next)}, Received: clock()})
	}
	if s.next == len(s.records) {
		return dst, io.EOF
	}
	return dst, nil
}

func TestDecodingOnSeveralCoresGivesTheSameAsOnOne(t *testing.T) {
	var records []string
	for i := range 4000 {
		faults := ""
		for k := range i % 4 * max(0, 1-i/1500) { // Early records become several events each, so that the first worker outgrows its share.
			faults += fmt.Sprintf(`,{"errorType":"motorFault%d","errorLevel":"FATAL","errorDescription":"drive %d"}`, k, k)
		}
		r := fmt.Sprintf(`{"headerId":%d,"timestamp":"2026-11-20T02:%02d:%02d.250Z","version":"2.1.0","manufacturer":"acme","serialNumber":"AMR-%04d","orderId":"o","orderUpdateId":2,"lastNodeId":"n4",`+
			`"lastNodeSequenceId":8,"nodeStates":[],"edgeStates":[],"driving":false,"actionStates":[],"batteryState":{"batteryCharge":62.5,"charging":false},"operatingMode":"AUTOMATIC",`+
			`"errors":[%s],"safetyState":{"eStop":"NONE","fieldViolation":false}}`, i, i/60%60, i%60, i%50, faults[min(1, len(faults)):])
		if i%7 == 0 {
			r = "garbage"
		}
		records = append(records, r)
	}
	run := func(batch int) (ids []event.ID, rejects int) {
		var h recorder
		set := ingest.Settings{Config: ingest.Config{Batch: batch, Bytes: 1 << 30}, Handler: &h, Clock: clock}
		set.Inputs = []ingest.Input{{Name: "a", Format: "vda5050", Source: &bulk{memory{name: "a", records: records}}, IsFile: true}}
		p, err := ingest.New(set)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Replay(t.Context()); err != nil {
			t.Fatal(err)
		}
		return h.ids, h.rejects
	}
	want, refused := run(100)
	got, also := run(4000)
	if d := cmp.Diff(want, got); d != "" || refused != also {
		t.Errorf("%d events and %d rejects in small batches, %d and %d in a large one\n%.2000s", len(want), refused, len(got), also, d)
	}
	if len(want) <= 4000-refused {
		t.Errorf("%d events of %d good records: none gave several", len(want), 4000-refused)
	}
}

// logged is a source of Windows events, one every ten milliseconds.
type logged struct{ steady }

func (s *logged) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	dst, err := s.steady.Fetch(ctx, dst, limit, wait)
	for i := range dst {
		dst[i].Format = "windows"
	}
	return dst, err
}

// reader is a slow handler that reads the raw fields of its batch when it gets it and before it returns.
type reader struct {
	early, late []string
}

func (h *reader) Handle(_ context.Context, b *event.Batch) error {
	read := func(to *[]string) {
		for _, i := range b.Sorted {
			record, _ := b.Events[i].RawValue("EventRecordID")
			text, _ := b.Events[i].RawValue("Text")
			*to = append(*to, record+" "+text)
		}
	}
	read(&h.early)
	time.Sleep(500 * time.Millisecond)
	read(&h.late)
	return nil
}

func TestRawFieldsOfABatchStandWhileTheNextIsDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &logged{steady{memory{name: "a"}}}
		var want []string
		for i := range 400 {
			a.records = append(a.records, fmt.Sprintf(`{"EventID":%d,"Channel":"Application","EventTime":"2026-11-20T02:%02d:%02d.250Z","RecordNumber":%d,"Text":"C:\\%d"}`, 7000+i%5, i/60, i%60, i, i))
			want = append(want, fmt.Sprintf(`%d C:\%d`, i, i))
		}
		var h reader
		set := ingest.Settings{Config: ingest.DefaultConfig(), Handler: &h, Clock: func() int64 { return time.Now().UnixMicro() }}
		set.Inputs = []ingest.Input{{Name: "a", Format: "windows", Source: a, Idle: 10 * time.Second, IsFile: true}}
		p, err := ingest.New(set)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, h.early); d != "" {
			t.Errorf("as batches come: %s", d)
		}
		if d := cmp.Diff(want, h.late); d != "" {
			t.Errorf("before they go: %s", d)
		}
	})
}

package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
)

// memory is a source of prepared records, a few a fetch.
type memory struct {
	name      string
	records   []string
	next      int
	committed []int64
	endless   bool
}

func (m *memory) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	for range min(limit, 3) {
		if m.next == len(m.records) {
			break
		}
		dst = append(dst, event.Record{Value: []byte(m.records[m.next]), Format: "zeek", Position: event.Position{Source: m.name, Offset: int64(m.next)}, Received: clock()})
		m.next++
	}
	if len(dst) > 0 {
		return dst, nil
	}
	if !m.endless {
		return dst, io.EOF
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return dst, ctx.Err()
	}
	return dst, nil
}

func (m *memory) Ends() []event.End { return []event.End{{Source: m.name, Offset: int64(m.next)}} }

func (m *memory) Commit(_ context.Context, ends []event.End) error {
	for _, e := range ends {
		m.committed = append(m.committed, e.Offset)
	}
	return nil
}

func (m *memory) Close() error { return nil }

// conn is a Zeek connection at a second.
func conn(at int64) string {
	return fmt.Sprintf(`{"_path":"conn","ts":%d.5,"uid":"C%d","id.orig_h":"10.20.0.5","id.orig_p":40000,"id.resp_h":"192.0.2.1","id.resp_p":443,"proto":"tcp"}`, 1_794_000_000+at, at)
}

// recorder is a handler that writes down what it got.
type recorder struct {
	batches [][]int64 // seconds of the events, by batch
	ids     []event.ID
	rejects int
	last    event.Batch
	fail    error
	mu      sync.Mutex // guards last
}

func (h *recorder) Handle(_ context.Context, b *event.Batch) error {
	if h.fail != nil {
		return h.fail
	}
	var seconds []int64
	for i := range b.Events {
		seconds = append(seconds, b.Events[i].Time/1_000_000-1_794_000_000)
		h.ids = append(h.ids, b.Events[i].Envelope.ID)
	}
	h.batches = append(h.batches, seconds)
	h.rejects += len(b.Rejects)
	h.mu.Lock()
	h.last = event.Batch{Marks: b.Marks, Ends: b.Ends}
	h.mu.Unlock()
	return nil
}

// marks are those of the last batch.
func (h *recorder) marks() []event.Mark {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last.Marks
}

func pipeline(t *testing.T, h ingest.Handler, sources ...*memory) *ingest.Pipeline {
	t.Helper()
	set := ingest.Settings{Config: ingest.DefaultConfig(), Handler: h, Clock: func() int64 { return time.Now().UnixMicro() }}
	for _, s := range sources {
		set.Inputs = append(set.Inputs, ingest.Input{Name: s.name, Format: "zeek", Source: s, Idle: 10 * time.Second, IsFile: true})
	}
	p, err := ingest.New(set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReplayAlwaysReadsTheSourceThatIsFurthestBehind(t *testing.T) {
	var h recorder
	a := &memory{name: "a", records: []string{conn(1), conn(2), conn(3), conn(50), conn(51), conn(52)}}
	b := &memory{name: "b", records: []string{conn(10), conn(11), conn(12), conn(60)}}
	if err := pipeline(t, &h, a, b).Replay(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(h.batches, func(x []int64) bool { return len(x) == 0 })
	if d := cmp.Diff([][]int64{{1, 2, 3}, {10, 11, 12}, {50, 51, 52}, {60}}, got); d != "" {
		t.Error(d)
	}
}

func TestReplayingTheSameInputGivesTheSameIDs(t *testing.T) {
	run := func() []event.ID {
		var h recorder
		if err := pipeline(t, &h, &memory{name: "a", records: []string{conn(1), conn(2), "garbage"}}).Replay(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h.rejects != 1 {
			t.Errorf("%d rejects, want 1", h.rejects)
		}
		return h.ids
	}
	if d := cmp.Diff(run(), run()); d != "" {
		t.Error(d)
	}
}

func TestRunCommitsOnlyWhatTheHandlerTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := recorder{fail: errors.New("store is gone")}
		a := &memory{name: "a", records: []string{conn(1)}, endless: true}
		if err := pipeline(t, &h, a).Run(t.Context()); err == nil || len(a.committed) != 0 {
			t.Errorf("err %v, committed %v", err, a.committed)
		}
	})
}

func TestASourceBecomesIdleOnlyWhenItsTimeHasPassedAndThenSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h recorder
		a := &memory{name: "a", records: []string{conn(1)}, endless: true}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- pipeline(t, &h, a).Run(ctx) }()
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if m := h.marks(); len(m) != 1 || m[0].Idle {
			t.Errorf("after 8 s: %+v", m)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if m := h.marks(); !m[0].Idle {
			t.Errorf("after 13 s: %+v", m)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestOneStampFarAheadDoesNotMoveTheFrontierTenAgreeingDo(t *testing.T) {
	frontier := func(ahead int) int64 {
		var h recorder
		records := []string{conn(1), conn(100_000)}
		for i := range ahead {
			records = append(records, conn(int64(100_001+i)))
		}
		if err := pipeline(t, &h, &memory{name: "a", records: records}).Replay(t.Context()); err != nil {
			t.Fatal(err)
		}
		return h.last.Marks[0].Newest/1_000_000 - 1_794_000_000
	}
	if got := frontier(8); got != 1 {
		t.Errorf("with nine ahead the frontier is at %d", got)
	}
	if got := frontier(9); got != 100_009 {
		t.Errorf("with ten ahead the frontier is at %d", got)
	}
}

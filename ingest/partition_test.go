package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// parted is a source with partitions that the test speaks for.
type parted struct {
	steps chan step

	mu        sync.Mutex
	ends      []event.End
	committed []event.End
}

// step is what one fetch gives, and the ends after it.
type step struct {
	records []event.Record
	ends    []event.End
}

func (s *parted) Fetch(ctx context.Context, dst []event.Record, _ int, wait time.Duration) ([]event.Record, error) {
	select {
	case x := <-s.steps:
		s.mu.Lock()
		s.ends = x.ends
		s.mu.Unlock()
		return append(dst, x.records...), nil
	case <-time.After(wait):
		return dst, nil
	case <-ctx.Done():
		return dst, ctx.Err()
	}
}

func (s *parted) Ends() []event.End {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ends)
}

func (s *parted) Commit(_ context.Context, ends []event.End) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = ends
	return nil
}

func (s *parted) Close() error { return nil }
func (s *parted) Partitioned() {}

func at(partition int32, second int64) event.Record {
	return event.Record{
		Value: []byte(conn(second)), Format: "zeek", Received: (1_794_000_000 + second) * 1_000_000,
		Position: event.Position{Source: "k", Partition: partition, Offset: second},
	}
}

func end(partition int32, offset int64, drained bool) event.End {
	return event.End{Source: "k", Partition: partition, Offset: offset, Drained: drained}
}

// run runs a pipeline over the source until the test's body returns.
func (s *parted) run(t *testing.T, h ingest.Handler, marks []event.Mark, body func()) {
	t.Helper()
	p, err := ingest.New(ingest.Settings{
		Config: ingest.DefaultConfig(), Handler: h, Clock: func() int64 { return time.Now().UnixMicro() }, Marks: marks,
		Inputs: []ingest.Input{{Name: "k", Format: "zeek", Source: s, Idle: 10 * time.Second}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	body()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func (s *parted) give(ends []event.End, records ...event.Record) {
	s.steps <- step{records, ends}
	time.Sleep(time.Second)
	synctest.Wait()
}

// frontiers are marks in short: partition, second, and whether it is idle.
func frontiers(marks []event.Mark) []string {
	var out []string
	for _, m := range marks {
		second := int64(-1)
		if m.Newest != 0 {
			second = m.Newest/1_000_000 - 1_794_000_000
		}
		idle := ""
		if m.Idle {
			idle = " idle"
		}
		out = append(out, fmt.Sprint(m.Source, m.Partition, "@", second, idle))
	}
	return out
}

func TestEachPartitionHasAFrontierOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h recorder
		s := &parted{steps: make(chan step), ends: []event.End{end(0, -1, false), end(1, -1, false)}}
		expect := func(want ...string) {
			t.Helper()
			if d := cmp.Diff(want, frontiers(h.marks())); d != "" {
				t.Error(d)
			}
		}
		s.run(t, &h, nil, func() {
			s.give([]event.End{end(1, 21, false), end(0, 11, false)}, at(0, 10), at(1, 20))
			expect("k0@10", "k1@20")
			s.give([]event.End{end(0, 11, true), end(1, 31, false)}, at(1, 30))
			time.Sleep(15 * time.Second)
			synctest.Wait()
			expect("k0@10 idle", "k1@30") // Both are silent, but only 0 is read to its end.
			s.give([]event.End{end(0, 11, true)})
			expect("k0@10 idle") // 1 went to another member.
			s.give([]event.End{end(0, 11, true), end(1, 51, true)})
			expect("k0@10 idle", "k1@30") // It comes back, and was not silent there for all we know.
			time.Sleep(15 * time.Second)
			synctest.Wait()
			expect("k0@10 idle", "k1@30 idle")
			s.give([]event.End{end(0, 61, true), end(1, 51, true)}, at(0, 60))
			expect("k0@60", "k1@30 idle")
		})
		if d := cmp.Diff([]event.End{end(0, 61, true), end(1, 51, true)}, s.committed); d != "" {
			t.Error(d)
		}
	})
}

func TestPartitionsWhosePlaceIsNotKnownHoldEventTimeBackAndAreNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h recorder
		s := &parted{steps: make(chan step), ends: []event.End{{Source: "k", Offset: -1}}}
		s.run(t, &h, []event.Mark{{Source: "k", Partition: 1, Newest: 1_794_000_005_000_000}}, func() {
			s.give([]event.End{end(0, 11, false), end(1, -1, false)}, at(0, 10))
			if d := cmp.Diff([]string{"k0@10", "k1@5"}, frontiers(h.marks())); d != "" {
				t.Error(d)
			}
			if f, ok := event.Frontier(h.marks()); !ok || f != 1_794_000_005_000_000 {
				t.Errorf("the frontier is %d %t", f, ok)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if d := cmp.Diff([]event.End{end(0, 11, false)}, h.last.Ends); d != "" {
				t.Error(d)
			}
		})
	})
}

// xed transcodes records that are an x before the text.
type xed struct{}

func (xed) Transcode(r *event.Record) error {
	switch r.Value[0] {
	case 'x':
		r.Wire, r.Value = r.Value, r.Value[1:]
		return nil
	case '?':
		return format.Rejectf("schema_unknown", "no schema")
	case '!':
		panic("no idea")
	}
	return errors.New("does not begin with x")
}

// keeper keeps what became of the records.
type keeper struct {
	events  []event.Event
	rejects []event.Reject
}

func (h *keeper) Handle(_ context.Context, b *event.Batch) error {
	h.events = append(h.events, b.Events...)
	h.rejects = append(h.rejects, b.Rejects...)
	return nil
}

// listed gives prepared records, then ends.
type listed struct {
	memory
	records []event.Record
}

func (s *listed) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	dst, s.records = append(dst, s.records...), nil
	return s.memory.Fetch(ctx, dst, limit, wait)
}

func TestRecordsAreTranscodedBeforeTheFormatAndRejectsKeepWhatCame(t *testing.T) {
	headers := []event.Header{{Key: "h", Value: []byte("v")}}
	record := func(offset int64, value string) event.Record {
		return event.Record{
			Value: []byte(value), Key: []byte("key"), Headers: headers, Format: "zeek", Received: clock(), Position: event.Position{Source: "a", Offset: offset},
		}
	}
	tombstone, empty, unread := record(5, ""), record(6, ""), record(7, "xrest")
	tombstone.Value = nil
	unread.Unread = &event.Unread{Code: "kafka_crc", Reason: "the batch is damaged"}
	keyless := record(8, "")
	keyless.Value, keyless.Key = nil, nil
	src := &listed{memory: memory{name: "a"}, records: []event.Record{
		record(0, "x"+conn(1)), record(1, "xgarbage"), record(2, "?"), record(3, "!"), record(4, "bare"), tombstone, empty, unread, keyless,
	}}
	var h keeper
	p, err := ingest.New(ingest.Settings{
		Config: ingest.DefaultConfig(), Handler: &h, Clock: clock, Inputs: []ingest.Input{{Name: "a", Format: "zeek", Source: src, Transcoder: xed{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Replay(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(h.events) != 1 || string(h.events[0].Envelope.Raw) != conn(1) {
		t.Fatalf("%d events", len(h.events))
	}
	type short struct{ Code, Raw, Key string }
	var got []short
	for _, r := range h.rejects {
		got = append(got, short{r.Code, string(r.Raw), string(r.Key)})
		if d := cmp.Diff(headers, r.Headers); d != "" {
			t.Error(d)
		}
	}
	want := []short{
		{"no_header", "xgarbage", "key"},
		{"schema_unknown", "?", "key"},
		{"format_panic", "!", "key"},
		{"undecodable", "bare", "key"},
		{"tombstone", "", "key"},
		{"empty", "", "key"},
		{"kafka_crc", "xrest", "key"},
		{"empty", "", ""},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAPartitionThatIsReadAgainHasItsEventTimeToReachAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h recorder
		s := &parted{steps: make(chan step), ends: []event.End{end(0, 0, false)}}
		s.run(t, &h, nil, func() {
			s.give([]event.End{end(0, 31, false)}, at(0, 30))
			s.give([]event.End{end(0, 11, false)}, at(0, 10))
			if got, want := frontiers(h.marks()), []string{"k0@10"}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v: what lies between was given up before it was durable", got, want)
			}
		})
	})
}

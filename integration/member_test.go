package integration_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// place is one partition of a source.
type place struct {
	source    string
	partition int32
}

// journal stands for the log of events: what members have made durable, in the order of each partition. A record before its partition's tail is
// redelivered and dropped, as the worker does; any number of members write to it.
type journal struct {
	mu       sync.Mutex
	tails    map[place]int64
	cookies  map[place]string
	records  map[place][]event.Record
	repeated int
}

func newJournal() *journal {
	return &journal{tails: map[place]int64{}, cookies: map[place]string{}, records: map[place][]event.Record{}}
}

// tail is the settings' From.
func (j *journal) tail(source string, partition int32) (event.End, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := place{source, partition}
	next, known := j.tails[at]
	return event.End{Source: source, Partition: partition, Offset: next, Cookie: j.cookies[at]}, known
}

func (j *journal) append(records []event.Record, ends []event.End) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		at := place{r.Position.Source, r.Position.Partition}
		if r.Position.Offset < j.tails[at] {
			j.repeated++
			continue
		}
		j.tails[at] = r.Position.Offset + 1
		j.records[at] = append(j.records[at], r)
	}
	for _, e := range ends {
		at := place{e.Source, e.Partition}
		j.tails[at] = max(j.tails[at], e.Offset)
		j.cookies[at] = e.Cookie
	}
}

func (j *journal) count() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, records := range j.records {
		n += len(records)
	}
	return n
}

// values are the records of a partition, as values() gives them.
func (j *journal) values(source string, partition int32) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, r := range j.records[place{source, partition}] {
		out = append(out, fmt.Sprintf("%d %q=%q", r.Position.Offset, r.Key, r.Value))
	}
	return out
}

// member is one process that consumes: fetch, make durable, commit, for every source.
type member struct {
	*kafka.Consumer
	end  context.CancelFunc
	dead *atomic.Bool
	ran  chan error // What Run returned; one value.
}

// join starts a member that writes to j. Settings without group or clock get one.
func join(t *testing.T, c *kafka.Cluster, j *journal, set kafka.ConsumerSettings) *member {
	t.Helper()
	if set.Group == "" {
		set.Group = "tocsin"
	}
	set.Clock = func() int64 { return time.Now().UnixMicro() }
	set.Session = max(set.Session, 6*time.Second)
	if set.Discover == 0 {
		set.Discover = 500 * time.Millisecond
	}
	set.Commit = 100 * time.Millisecond
	consumer, err := kafka.NewConsumer(c, set)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	m := &member{Consumer: consumer, end: end, dead: &atomic.Bool{}, ran: make(chan error, 1)}
	var all sync.WaitGroup
	all.Go(func() { m.ran <- consumer.Run(ctx) })
	for _, s := range set.Sources {
		all.Go(func() { m.pump(ctx, consumer.Source(s.Name), j) })
	}
	t.Cleanup(func() {
		end()
		all.Wait()
	})
	return m
}

// pump is the pipeline of one source. A dead member's ends with records in its hands that nobody else has seen.
func (m *member) pump(ctx context.Context, s *kafka.Source, j *journal) {
	for {
		records, err := s.Fetch(ctx, nil, 500, 200*time.Millisecond)
		if m.dead.Load() {
			return
		}
		ends := s.Ends()
		j.append(records, slices.DeleteFunc(slices.Clone(ends), func(e event.End) bool { return e.Offset < 0 }))
		if err != nil || s.Commit(ctx, ends) != nil {
			return
		}
	}
}

// leave ends a member in good order and returns what its Run said.
func (m *member) leave(t *testing.T) error {
	t.Helper()
	m.end()
	return m.result(t)
}

// die ends a member's pipeline as a crash does, in the middle of its work, and some time later its membership.
func (m *member) die(t *testing.T, later time.Duration) error {
	t.Helper()
	m.dead.Store(true)
	<-time.After(later)
	return m.leave(t)
}

func (m *member) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-m.ran:
		return err
	case <-time.After(patience):
		t.Fatal("the consumer's Run does not end")
		return nil
	}
}

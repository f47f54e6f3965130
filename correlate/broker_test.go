package correlate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// topicPartition is one partition of a topic; a topic is a source.
type topicPartition struct {
	topic     string
	partition int32
}

// broker keeps topics and what a consumer group has committed. A process asks it for records; every question is a step at which it can die.
type broker struct {
	*disk
	topics    map[topicPartition][]event.Event
	order     []topicPartition // of topics, for a steady order
	committed map[topicPartition]int64
	fetches   int
}

// moment is a step outside the disk, which a checkpoint may be on its way to.
func (b *broker) moment() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.step()
}

// Tail is the disk's, with an end for each partition.
func (b *broker) Tail(ctx context.Context) (incident.Tail, error) {
	tail, err := b.disk.Tail(ctx)
	tail.Ends = nil
	for _, e := range b.entries {
		for _, end := range e.Batch.Ends {
			i := slices.IndexFunc(tail.Ends, func(x event.End) bool { return x.Source == end.Source && x.Partition == end.Partition })
			if i < 0 {
				tail.Ends = append(tail.Ends, end)
				continue
			}
			tail.Ends[i].Offset = max(tail.Ends[i].Offset, end.Offset)
		}
	}
	return tail, err
}

// newBroker spreads events over three topics, two of them with two partitions, and closes each partition with an event that ends all waiting.
func newBroker(r *rand.Rand, events []event.Event) *broker {
	b := &broker{disk: newDisk(), topics: map[topicPartition][]event.Event{}, committed: map[topicPartition]int64{}}
	b.order = []topicPartition{{"s0", 0}, {"s0", 1}, {"s1", 0}, {"s1", 1}, {"s2", 0}}
	put := func(p topicPartition, e event.Event) {
		e.Envelope.Position = event.Position{Source: p.topic, Partition: p.partition, Offset: int64(len(b.topics[p]))}
		e.Envelope.ID = event.PositionID(e.Envelope.Position, 0)
		b.topics[p] = append(b.topics[p], e)
	}
	for i := range events {
		put(b.order[r.IntN(len(b.order))], events[i])
	}
	for _, p := range b.order {
		put(p, event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + 86400_000_000, API: &event.API{Operation: "end"}})
	}
	return b
}

// consumer is what a process reads with: the positions of the partitions it owns now.
type consumer struct {
	*broker
	r        *rand.Rand
	position map[topicPartition]int64
	marks    []event.Mark
	received int64
}

// subscribe gives a consumer all partitions, at the log's tail or, where the log has nothing of one, at the committed offset: perhaps of a while ago.
func (b *broker) subscribe(r *rand.Rand, tail incident.Tail) *consumer {
	c := &consumer{broker: b, r: r, position: map[topicPartition]int64{}, received: tail.Received}
	for _, p := range b.order {
		m := event.Mark{Source: p.topic, Partition: p.partition}
		if i := slices.IndexFunc(tail.Marks, func(x event.Mark) bool { return x.Source == p.topic && x.Partition == p.partition }); i >= 0 {
			m = tail.Marks[i]
		}
		c.marks = append(c.marks, m)
		c.reset(p, tail.Ends)
	}
	return c
}

func (c *consumer) reset(p topicPartition, ends []event.End) {
	c.position[p] = c.committed[p]
	for _, end := range ends {
		if end.Source == p.topic && end.Partition == p.partition && c.r.IntN(2) == 0 {
			c.position[p] = end.Offset
		}
	}
}

// rebalance takes some partitions away and gives them back, at what is committed; records that were handled come again.
func (c *consumer) rebalance() error {
	for _, p := range c.order {
		if c.r.IntN(2) == 0 {
			c.reset(p, nil)
		}
	}
	return c.moment()
}

// fetch reads some of some partitions, mixed; nil when all are read.
func (c *consumer) fetch() (*event.Batch, error) {
	if err := c.moment(); err != nil {
		return nil, err
	}
	c.fetches++
	left := func(p topicPartition) int { return len(c.topics[p]) - int(c.position[p]) }
	if !slices.ContainsFunc(c.order, func(p topicPartition) bool { return left(p) > 0 }) {
		return nil, nil
	}
	c.received++
	b := &event.Batch{Received: c.received}
	for n := 1 + c.r.IntN(12); len(b.Events) < n; {
		i := c.r.IntN(len(c.order))
		p := c.order[i]
		if left(p) == 0 {
			if !slices.ContainsFunc(c.order, func(p topicPartition) bool { return left(p) > 0 }) {
				break
			}
			continue
		}
		e := c.topics[p][c.position[p]]
		b.Events = append(b.Events, e)
		c.position[p]++
		c.marks[i].Newest = max(c.marks[i].Newest, e.Time)
	}
	for _, p := range c.order {
		b.Ends = append(b.Ends, event.End{Source: p.topic, Partition: p.partition, Offset: c.position[p]})
	}
	b.Marks = slices.Clone(c.marks)
	return b, nil
}

// commit says how far the handled batches go, for some partitions: the others' commit is lost, or comes after the group has moved on.
func (c *consumer) commit(b *event.Batch) error {
	for _, end := range b.Ends {
		if c.r.IntN(3) == 0 {
			c.committed[topicPartition{end.Source, end.Partition}] = end.Offset
		}
	}
	return c.moment()
}

// live is one life of a process: recovery, then everything until the topics are read or it dies.
func (b *broker) live(t *testing.T, seed uint64, r *rand.Rand, set *rules.Set) error {
	ctx := context.Background()
	w := correlate.NewWorker(correlate.WorkerSettings{
		Engine: correlate.New(set, correlate.Settings{}), Stitcher: &stitcher{Revisions: map[string]int32{}}, Log: b, Records: b, Checkpoints: b,
		Tables: func() string { return "tables" }, Every: []int64{1, 3, 1 << 40}[r.IntN(3)], Slog: slog.New(slog.DiscardHandler),
	})
	defer w.Stop(ctx)
	before := b.fetches
	tail, err := w.Recover(ctx)
	if err != nil {
		return err
	}
	if n := len(b.entries); b.fetches != before || n > 0 && b.recorded != b.entries[n-1].Batch.ID {
		t.Fatalf("seed %d: new events could be read while the log ended at %v and was recorded up to %v", seed, b.entries[n-1].Batch.ID, b.recorded)
	}
	c := b.subscribe(r, tail)
	for {
		batch, err := c.fetch()
		if err != nil || batch == nil {
			return err
		}
		if err := w.Handle(ctx, batch); err != nil {
			return err
		}
		if err := c.commit(batch); err != nil {
			return err
		}
		if r.IntN(6) == 0 {
			if err := c.rebalance(); err != nil {
				return err
			}
		}
	}
}

// follows folds the log from its beginning with a new engine and stitcher: what should have been recorded.
func (b *broker) follows(set *rules.Set) (findings, changes map[string]string) {
	e, s := correlate.New(set, correlate.Settings{}), &stitcher{Revisions: map[string]int32{}}
	findings, changes = map[string]string{}, map[string]string{}
	for i := range b.entries {
		entry := &b.entries[i]
		found := e.Fold(entry.Hits, entry.Batch.Marks)
		for _, f := range found {
			findings[fmt.Sprint(f.ID, f.Revision)] = line(f)
		}
		for _, c := range s.Apply(found, nil, entry.Batch.ID, entry.Batch.Received) {
			changes[fmt.Sprint(c.Incident.ID, c.Incident.Revision)] = fmt.Sprint(c.Kind, c.Batch, c.Incident.Title)
		}
	}
	return findings, changes
}

// The guarantee, literally: every accepted record is in the log once; every published change follows from the log; after any crash, both are true
// again before the first new event is read. Also, what is found in the end is what one undisturbed process finds.
func TestOverABrokerNoCrashNoRebalanceAndNoRedeliveryBreaksTheGuarantee(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	crashes, repeated := 0, 0
	for round := 0; more(round, 100, crashes > 0 && repeated > 0); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 12))
		events := slices.Concat(arrival(r, randomEvents(r, 40+r.IntN(60)), 180_000_000)...)
		b := newBroker(r, events)
		calm := &broker{disk: newDisk(), topics: b.topics, order: b.order, committed: map[topicPartition]int64{}}
		if err := calm.live(t, seed, rand.New(rand.NewPCG(seed, 13)), set); err != nil {
			t.Fatal(err)
		}
		for lives := 1; ; lives++ {
			b.dead, b.steps = false, 1+r.IntN(80)
			if lives > 40 {
				b.steps = -1
			}
			err := b.live(t, seed, r, set)
			if err == nil && !b.dead {
				break
			}
			if err != nil && !errors.Is(err, errCrash) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			crashes++
		}
		seen := map[event.ID]int{}
		for _, e := range b.entries {
			if len(e.Batch.Events) == 0 {
				repeated++
			}
			for i := range e.Batch.Events {
				seen[e.Batch.Events[i].Envelope.ID]++
			}
		}
		for p, list := range b.topics {
			for i := range list {
				if n := seen[list[i].Envelope.ID]; n != 1 {
					t.Fatalf("seed %d: record %d of %v is %d times in the log", seed, i, p, n)
				}
			}
		}
		if b.conflict != "" {
			t.Fatalf("seed %d: %s", seed, b.conflict)
		}
		findings, changes := b.follows(set)
		if diff := cmp.Diff(findings, b.findings); diff != "" {
			t.Fatalf("seed %d: recorded findings are not the fold of the log (-log +recorded):\n%s", seed, diff)
		}
		if diff := cmp.Diff(changes, b.changes); diff != "" {
			t.Fatalf("seed %d: recorded changes are not the fold of the log (-log +recorded):\n%s", seed, diff)
		}
		if diff := cmp.Diff(standing(calm.disk), standing(b.disk)); diff != "" {
			t.Fatalf("seed %d: findings differ (-calm +crashed):\n%s", seed, diff)
		}
	}
	if crashes == 0 || repeated == 0 {
		t.Errorf("%d crashes, %d batches of nothing but repeats: the test shows nothing", crashes, repeated)
	}
}

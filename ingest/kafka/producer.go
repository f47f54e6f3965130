package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"

	"github.com/tocsin-siem/tocsin/event"
)

// Record is one record to be sent.
type Record struct {
	Partition int32 // For Produce; Send chooses itself.
	Key       []byte
	Value     []byte // nil: a tombstone.
	Headers   []event.Header
}

// TooLarge says that a record is larger than its topic takes.
type TooLarge struct {
	Topic string
	Size  int // Bytes of key, value and headers.
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("topic %s: a record of %d bytes is larger than the topic takes: raise its max.message.bytes", e.Topic, e.Size)
}

// Bounds of what is sent at once: below the 1 MiB that brokers take by default, with room for what surrounds records.
const (
	sendBytes   = 900 << 10
	sendRecords = 10_000
	sendTimeout = 10 * time.Second // how long a broker may wait for its replicas
)

// Producer sends records to the leaders of their partitions. Safe for concurrent use; records of one partition keep their order within one call.
type Producer struct {
	cluster *Cluster

	mu      sync.Mutex // guards what follows
	leaders map[place]string
	idle    map[string][]*link // connections by address that nobody uses
	closed  bool
}

// Producer makes a producer. It opens no connection yet.
func (c *Cluster) Producer() *Producer {
	return &Producer{cluster: c, leaders: map[place]string{}, idle: map[string][]*link{}}
}

// Close closes idle connections.
func (p *Producer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, list := range p.idle {
		for _, l := range list {
			l.raw.Close()
		}
	}
	clear(p.idle)
}

// Produce sends records to the partitions they name, and returns once all replicas in sync have all of them. It retries for as long as ctx
// lives; a record may come twice if the answer to it was lost. *TooLarge and errors of what is asked end it.
func (p *Producer) Produce(ctx context.Context, topic string, records []Record) error {
	byPartition := map[int32][]Record{}
	for _, r := range records {
		byPartition[r.Partition] = append(byPartition[r.Partition], r)
	}
	errs := make(chan error, len(byPartition))
	var wg sync.WaitGroup
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	for partition, list := range byPartition {
		wg.Go(func() {
			if err := p.partition(inner, place{topic, partition}, list); err != nil {
				errs <- err
				cancel()
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs { // The first is the cause of the others.
		return cmp.Or(ctx.Err(), err)
	}
	return nil
}

// Send is Produce for records that may go into any partition: those with the same key go into the same.
func (p *Producer) Send(ctx context.Context, topic string, records []Record) error {
	said := complaint{log: p.cluster.log}
	var n uint32
	for {
		topics, err := p.cluster.metadata(ctx, []string{topic})
		if err == nil && len(topics) == 1 {
			if n = uint32(len(topics[0].Partitions)); n > 0 && topics[0].ErrorCode == 0 {
				break
			}
			err = kafka.Error(topics[0].ErrorCode)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		said.say(place{topic: topic}, err)
		pause(ctx, time.Second)
	}
	placed := slices.Clone(records)
	for i := range placed {
		h := fnv.New32a()
		_, _ = h.Write(placed[i].Key)
		placed[i].Partition = int32(h.Sum32() % n)
	}
	return p.Produce(ctx, topic, placed)
}

// partition sends the records of one partition, one request after the other.
func (p *Producer) partition(ctx context.Context, at place, records []Record) error {
	for len(records) > 0 {
		n := fitting(records)
		err := p.persist(ctx, at, records[:n])
		switch {
		case err == nil:
			records = records[n:]
		case errors.Is(err, kafka.MessageSizeTooLarge) && n > 1: // The topic takes less than most do: one by one.
			for i := range n {
				if err := p.partition(ctx, at, records[i:i+1]); err != nil {
					return err
				}
			}
			records = records[n:]
		case errors.Is(err, kafka.MessageSizeTooLarge):
			return &TooLarge{Topic: at.topic, Size: sizeOf(&records[0])}
		default:
			return err
		}
	}
	return nil
}

// fitting is how many records go into one request: at least one.
func fitting(records []Record) int {
	total := 0
	for i := range records {
		total += sizeOf(&records[i])
		if i > 0 && (total > sendBytes || i == sendRecords) {
			return i
		}
	}
	return len(records)
}

func sizeOf(r *Record) int {
	n := 32 + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}

// persist sends one request until it is acknowledged, refused for good, or ctx ends.
func (p *Producer) persist(ctx context.Context, at place, records []Record) error {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval, pace.MaxInterval = 50*time.Millisecond, 5*time.Second
	said := complaint{log: p.cluster.log}
	for {
		err := p.attempt(ctx, at, records)
		switch {
		case err == nil:
			said.well(at)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case hopeless(err):
			return fmt.Errorf("topic %s partition %d: %w", at.topic, at.partition, err)
		}
		said.say(at, err)
		p.forget(at)
		pause(ctx, pace.NextBackOff())
	}
}

// hopeless are the refusals that time does not cure.
func hopeless(err error) bool {
	return slices.ContainsFunc([]kafka.Error{kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidTopic, kafka.InvalidRecord, kafka.InvalidTimestamp, kafka.UnsupportedVersion},
		func(code kafka.Error) bool { return errors.Is(err, code) })
}

// complaint logs a trouble once when it starts and once when it ends.
type complaint struct {
	log  *slog.Logger
	said bool
}

func (c *complaint) say(at place, err error) {
	if c.said {
		return
	}
	c.said = true
	hint := "trying again"
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		hint = "the topic or partition does not exist: tocsin topics apply makes Tocsin's own; trying again"
	}
	c.log.Warn("kafka does not take records", "topic", at.topic, "partition", at.partition, "err", err, "hint", hint)
}

func (c *complaint) well(at place) {
	if c.said {
		c.log.Info("kafka takes records again", "topic", at.topic, "partition", at.partition)
	}
}

// attempt sends one request to the leader, once.
func (p *Producer) attempt(ctx context.Context, at place, records []Record) error {
	l, address, err := p.link(ctx, at)
	if err != nil {
		return err
	}
	answer, err := l.ask(ctx, produceRequest(at, records))
	if err != nil {
		l.raw.Close()
		return err
	}
	p.free(address, l)
	res := answer.(*produce.Response)
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return errAnswer
	}
	if code := res.Topics[0].Partitions[0].ErrorCode; code != 0 {
		return kafka.Error(code)
	}
	return nil
}

func produceRequest(at place, records []Record) *produce.Request {
	out := make([]protocol.Record, len(records))
	for i := range records {
		r := &records[i]
		out[i] = protocol.Record{Key: protocol.NewBytes(r.Key), Value: protocol.NewBytes(r.Value)}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, protocol.Header{Key: h.Key, Value: h.Value})
		}
	}
	return &produce.Request{
		Acks: int16(kafka.RequireAll), Timeout: int32(sendTimeout / time.Millisecond),
		Topics: []produce.RequestTopic{{Topic: at.topic, Partitions: []produce.RequestPartition{{
			Partition: at.partition, RecordSet: protocol.RecordSet{Records: protocol.NewRecordReader(out...)},
		}}}},
	}
}

// link is an idle connection to the leader of a partition, or a new one.
func (p *Producer) link(ctx context.Context, at place) (*link, string, error) {
	p.mu.Lock()
	address := p.leaders[at]
	p.mu.Unlock()
	if address == "" {
		var err error
		if address, _, err = p.cluster.leaderAddress(ctx, at.topic, at.partition); err != nil {
			return nil, "", err
		}
	}
	p.mu.Lock()
	p.leaders[at] = address
	if list := p.idle[address]; len(list) > 0 {
		l := list[len(list)-1]
		p.idle[address] = list[:len(list)-1]
		p.mu.Unlock()
		return l, address, nil
	}
	p.mu.Unlock()
	l, err := p.cluster.connect(ctx, address)
	return l, address, err
}

// free puts a connection back.
func (p *Producer) free(address string, l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		l.raw.Close()
		return
	}
	p.idle[address] = append(p.idle[address], l)
}

// forget asks for the leader of a partition anew, and lets go of connections to the one there was.
func (p *Producer) forget(at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	address := p.leaders[at]
	delete(p.leaders, at)
	for _, l := range p.idle[address] {
		l.raw.Close()
	}
	delete(p.idle, address)
}

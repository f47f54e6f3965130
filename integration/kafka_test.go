// Package integration_test holds Tocsin against a real Apache Kafka: `make integration`.
package integration_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

// patience is how long anything may take that the broker has to do; a test that needs it all has failed.
const patience = 5 * time.Minute

// connect is Tocsin's own client with settings that suit a test: what takes a minute in production takes a second.
func connect(t *testing.T, b *broker.Broker) *kafka.Cluster {
	t.Helper()
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{b.Addr()}
	cfg.FetchBytes = 64 << 10
	cfg.RequestTimeout = 5 * time.Second
	cfg.Stall = time.Second
	c, err := kafka.Connect(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, c *kafka.Cluster, topic string, from int64) *kafka.Reader {
	t.Helper()
	r, err := c.Open(t.Context(), topic, 0, from)
	if err != nil {
		t.Fatalf("open %s at %d: %v", topic, from, err)
	}
	t.Cleanup(r.Close)
	return r
}

// readTo reads until the reader is at offset next, and fails where it does not get there, goes back, or gives what cannot be read.
func readTo(t *testing.T, r *kafka.Reader, next int64) []kafka.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var messages []kafka.Message
	for r.Offset() < next {
		from := len(messages)
		var err error
		if messages, err = r.Read(ctx, messages, 200*time.Millisecond); err != nil {
			t.Fatalf("read at offset %d of %d, %d records read: %v; %+v", r.Offset(), next, len(messages), err, r.Stats())
		}
		for i := from; i < len(messages); i++ {
			if i > 0 && messages[i].Offset <= messages[i-1].Offset {
				t.Fatalf("offset %d comes after %d", messages[i].Offset, messages[i-1].Offset)
			}
			if f := messages[i].Fault; f != nil {
				t.Errorf("offsets %d to %d could not be read: %+v", messages[i].Offset, f.Last, *f)
			}
		}
	}
	return messages
}

// values are the offsets and values of messages, for comparison.
func values(messages []kafka.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, fmt.Sprintf("%d %q=%q", m.Offset, m.Key, m.Value))
	}
	return out
}

// until asks until what it asks for is true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.After(patience); !is(); {
		select {
		case <-deadline:
			t.Fatalf("waited %v for %s in vain", patience, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// reference is what a partition holds below next as franz-go sees it, read committed: a second opinion.
func reference(t *testing.T, b *broker.Broker, topic string, next int64) []string {
	t.Helper()
	client := franz(t, b, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []string
	for at := int64(0); at < next; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			out = append(out, fmt.Sprintf("%d %q=%q", r.Offset, r.Key, r.Value))
			at = r.Offset + 1
		})
	}
	return out
}

func franz(t *testing.T, b *broker.Broker, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	// Up to 3.9 a request to produce names its topic; later ones carry an id that would have to be asked for.
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(b.Addr()), kgo.MaxVersions(kversion.V3_9_0()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// one is a batch of one record, of a producer that never comes again. The broker keeps its head for as long as it remembers the producer, even
// when the cleaner has taken the record out.
func one(producer, ms int64, key, value string) kmsg.RecordBatch {
	record := kmsg.Record{Key: []byte(key), Value: []byte(value)}
	record.Length = int32(len(record.AppendTo(nil)) - 1)
	return kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, FirstTimestamp: ms, MaxTimestamp: ms,
		ProducerID: producer, NumRecords: 1, Records: record.AppendTo(nil),
	}
}

// produce sends a batch as it is, with length and checksum filled in. On a busy machine the broker may not lead its partition for a moment; a
// producer's batch that comes twice counts once.
func produce(ctx context.Context, client *kgo.Client, topic string, batch kmsg.RecordBatch) error {
	for {
		err := offer(ctx, client, topic, batch)
		if !errors.Is(err, kerr.NotLeaderForPartition) && !errors.Is(err, kerr.LeaderNotAvailable) || ctx.Err() != nil {
			return err
		}
	}
}

func offer(ctx context.Context, client *kgo.Client, topic string, batch kmsg.RecordBatch) error {
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, 10_000
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = seal(batch)
	part := kmsg.NewProduceRequestTopic()
	part.Topic, part.Partitions = topic, []kmsg.ProduceRequestTopicPartition{partition}
	request.Topics = []kmsg.ProduceRequestTopic{part}
	answer, err := client.Broker(1).RetriableRequest(ctx, request)
	if err != nil {
		return err
	}
	said := answer.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return kerr.ErrorForCode(said.ErrorCode)
}

// seal is a batch in its bytes; what follows the length field is counted, what follows the checksum is checked.
func seal(batch kmsg.RecordBatch) []byte {
	const length, checksum, attributes = 8, 17, 21
	out := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(out[length:], uint32(len(out)-length-4))
	binary.BigEndian.PutUint32(out[checksum:], crc32.Checksum(out[attributes:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

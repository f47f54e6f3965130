package kafka_test

import (
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// craft describes a batch as a broker may hold it: with records missing, of a transaction, damaged.
type craft struct {
	base       int64
	delta      int32 // Of the last offset.
	deltas     []int32
	value      string // Of its records; default: v.
	body       []byte // In place of the records of deltas.
	count      int32  // With body.
	attributes int16
	producer   int64
	maxTime    int64
	badCRC     bool
}

const (
	transactional = 0x10
	control       = 0x20
)

func (c craft) last() int64 { return c.base + int64(c.delta) }

func (c craft) bytes() []byte {
	body, count := c.body, c.count
	if body == nil {
		value := c.value
		if value == "" {
			value = "v"
		}
		for _, d := range c.deltas {
			body = record(body, d, []byte("k"), []byte(value))
		}
		count = int32(len(c.deltas))
	}
	be := binary.BigEndian
	b := be.AppendUint64(nil, uint64(c.base))
	b = be.AppendUint32(b, uint32(49+len(body)))
	b = be.AppendUint32(b, 0)
	b = append(b, 2)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint16(b, uint16(c.attributes))
	b = be.AppendUint32(b, uint32(c.delta))
	b = be.AppendUint64(b, 1_700_000_000_000)
	b = be.AppendUint64(b, uint64(c.maxTime))
	b = be.AppendUint64(b, uint64(c.producer))
	b = be.AppendUint16(b, 0)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, uint32(count))
	b = append(b, body...)
	sum := crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli))
	if c.badCRC {
		sum++
	}
	be.PutUint32(b[17:], sum)
	return b
}

// marker is the batch that ends a transaction: kind 0 aborts, 1 commits.
func marker(offset, producer int64, kind byte) craft {
	return craft{base: offset, body: record(nil, 0, []byte{0, 0, 0, kind}, []byte{0, 0, 0, 0, 0, 0}), count: 1, attributes: transactional | control, producer: producer}
}

// record appends a record without headers.
func record(dst []byte, delta int32, key, value []byte) []byte {
	b := []byte{0}
	b = binary.AppendVarint(b, int64(delta)) // A time of its own, to tell records apart.
	b = binary.AppendVarint(b, int64(delta))
	for _, f := range [][]byte{key, value} {
		if f == nil {
			b = binary.AppendVarint(b, -1)
			continue
		}
		b = binary.AppendVarint(b, int64(len(f)))
		b = append(b, f...)
	}
	b = binary.AppendVarint(b, 0)
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

// partition is what the broker of a test answers for its one partition, in place of its own log.
type partition struct {
	mu      sync.Mutex
	batches []craft
	first   int64
	high    int64
	stable  int64
	aborted [][2]int64 // Producer and first offset.
	alone   bool       // One batch in an answer.
	mute    func(offset int64) bool
	fetches int
}

func (p *partition) serve(t *testing.T) *kfake.Cluster {
	t.Helper()
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	broker.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		return p.fetch(req.(*kmsg.FetchRequest)), nil, true
	})
	broker.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		return p.list(req.(*kmsg.ListOffsetsRequest)), nil, true
	})
	return broker
}

func (p *partition) fetch(req *kmsg.FetchRequest) kmsg.Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	offset := req.Topics[0].Partitions[0].FetchOffset
	part := kmsg.NewFetchResponseTopicPartition()
	part.HighWatermark, part.LastStableOffset, part.LogStartOffset = p.high, p.high, p.first
	if p.stable > 0 {
		part.LastStableOffset = p.stable
	}
	if offset < p.first || offset > p.high {
		part.ErrorCode = 1
	}
	muted := p.mute != nil && p.mute(offset)
	for _, b := range p.batches {
		if b.last() < offset || muted || p.alone && len(part.RecordBatches) > 0 || p.stable > 0 && b.base >= p.stable {
			continue
		}
		part.RecordBatches = append(part.RecordBatches, b.bytes()...)
	}
	for _, a := range p.aborted {
		txn := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		txn.ProducerID, txn.FirstOffset = a[0], a[1]
		part.AbortedTransactions = append(part.AbortedTransactions, txn)
	}
	res := req.ResponseKind().(*kmsg.FetchResponse)
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic, topic.TopicID, topic.Partitions = "logs", req.Topics[0].TopicID, []kmsg.FetchResponseTopicPartition{part}
	res.Topics = []kmsg.FetchResponseTopic{topic}
	return res
}

func (p *partition) fetched() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func (p *partition) list(req *kmsg.ListOffsetsRequest) kmsg.Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	part := kmsg.NewListOffsetsResponseTopicPartition()
	part.Offset = p.high
	if req.Topics[0].Partitions[0].Timestamp == kafka.Earliest {
		part.Offset = p.first
	}
	res := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	topic := kmsg.NewListOffsetsResponseTopic()
	topic.Topic, topic.Partitions = "logs", []kmsg.ListOffsetsResponseTopicPartition{part}
	res.Topics = []kmsg.ListOffsetsResponseTopic{topic}
	return res
}

func fake(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	broker, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker
}

// diary keeps what was logged.
type diary struct {
	mu   sync.Mutex
	text strings.Builder
}

func (d *diary) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(b)
}

func (d *diary) count(text string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.text.String(), text)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func connect(t testing.TB, broker *kfake.Cluster, change func(*kafka.Config)) (*kafka.Cluster, *diary) {
	t.Helper()
	cfg := kafka.DefaultConfig()
	cfg.Brokers = broker.ListenAddrs()
	cfg.Stall = 20 * time.Millisecond
	if change != nil {
		change(&cfg)
	}
	d := &diary{}
	c, err := kafka.Connect(cfg, slog.New(slog.NewTextHandler(d, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, d
}

func open(t testing.TB, c *kafka.Cluster, from int64) *kafka.Reader {
	t.Helper()
	r, err := c.Open(t.Context(), "logs", 0, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// drain reads up to the high watermark.
func drain(t testing.TB, r *kafka.Reader) []kafka.Message {
	t.Helper()
	var all []kafka.Message
	for r.Offset() < r.High() {
		var err error
		if all, err = r.Read(t.Context(), all, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func offsets(messages []kafka.Message) []int64 {
	var out []int64
	for _, m := range messages {
		out = append(out, m.Offset)
	}
	return out
}

func (p *partition) read(t *testing.T) ([]int64, *kafka.Reader) {
	t.Helper()
	c, _ := connect(t, p.serve(t), nil)
	r := open(t, c, kafka.Earliest)
	return offsets(drain(t, r)), r
}

func expect(t *testing.T, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
}

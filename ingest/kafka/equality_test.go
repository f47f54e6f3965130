package kafka_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// TestReadingEqualsFranzGoForRandomBatchesOfEveryCodec writes records of random shape with two clients, in and out of transactions, and holds what
// we read against what franz-go reads of it.
func TestReadingEqualsFranzGoForRandomBatchesOfEveryCodec(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	onlyPartitionsLimit(broker)
	for round := range 20 {
		writeRandomly(t, rng, broker, round%10 == 3)
	}
	produce(t, broker, 0, 1) // So that the last offset is one that every reader sees.
	c, _ := connect(t, broker, func(cfg *kafka.Config) { cfg.FetchBytes = 64<<10 + rng.IntN(1<<20) })
	r := open(t, c, kafka.Earliest)
	want := readByFranz(t, broker, r.High())
	got := drain(t, r)
	if len(want) == 0 {
		t.Fatal("nothing was written")
	}
	same(t, "the whole", want, got)
	s := r.Stats()
	t.Logf("%d records, %d aborted batches, %d markers", s.Messages, s.Aborted, s.Control)
	if s.Gaps != 0 || s.Faults != 0 || s.Aborted == 0 {
		t.Errorf("%+v", s)
	}
	// From any offset on it is the end of the same.
	from := rng.IntN(len(want))
	same(t, fmt.Sprintf("from offset %d on", want[from].Offset), want[from:], drain(t, open(t, c, want[from].Offset)))
}

// onlyPartitionsLimit leaves the cutting of an answer to the partition's limit. kfake forgets the list of aborted transactions where the limit of the
// whole answer cuts it, and ours are equal as we ask for one partition; Kafka gives the list either way.
func onlyPartitionsLimit(broker *kfake.Cluster) {
	broker.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		req.(*kmsg.FetchRequest).MaxBytes = math.MaxInt32
		return nil, nil, false
	})
}

func same(t *testing.T, what string, want, got []kafka.Message) {
	t.Helper()
	if !reflect.DeepEqual(want, got) { // cmp takes seconds for as many bytes.
		t.Errorf("%s, %d records (-want +got):\n%.2000s", what, len(want), cmp.Diff(want, got))
	}
}

func writeRandomly(t *testing.T, rng *rand.Rand, broker *kfake.Cluster, abort bool) {
	t.Helper()
	n := 1 + rng.IntN(100)
	if !abort && rng.IntN(3) == 0 {
		w := &kafkago.Writer{
			Addr: kafkago.TCP(broker.ListenAddrs()...), Topic: "logs", BatchSize: n, BatchTimeout: time.Millisecond,
			Compression: kafkago.Compression(rng.IntN(5)),
		}
		defer w.Close()
		var messages []kafkago.Message
		for range n {
			m := kafkago.Message{Key: randomBytes(rng, 20), Value: randomBytes(rng, 3000), Time: time.UnixMilli(rng.Int64N(1 << 40))}
			for range rng.IntN(3) {
				m.Headers = append(m.Headers, kafkago.Header{Key: string(randomText(rng, 12)), Value: randomBytes(rng, 9)})
			}
			messages = append(messages, m)
		}
		if err := w.WriteMessages(t.Context(), messages...); err != nil {
			t.Fatal(err)
		}
		return
	}
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	opts := []kgo.Opt{kgo.SeedBrokers(broker.ListenAddrs()...), kgo.DefaultProduceTopic("logs"), kgo.ProducerBatchCompression(codecs[rng.IntN(5)])}
	inTransaction := abort || rng.IntN(2) == 0
	if inTransaction {
		opts = append(opts, kgo.TransactionalID(string(randomText(rng, 12))+"x"))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if inTransaction {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
	}
	var records []*kgo.Record
	for range n {
		r := &kgo.Record{Key: randomBytes(rng, 20), Value: randomBytes(rng, 3000), Timestamp: time.UnixMilli(rng.Int64N(1 << 40))}
		for range rng.IntN(3) {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(randomText(rng, 12)), Value: randomBytes(rng, 9)})
		}
		records = append(records, r)
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if inTransaction {
		if err := client.EndTransaction(t.Context(), kgo.TransactionEndTry(!abort && rng.IntN(2) == 0)); err != nil {
			t.Fatal(err)
		}
	}
}

// randomBytes is nil, empty, or compressible bytes.
func randomBytes(rng *rand.Rand, most int) []byte {
	if rng.IntN(8) == 0 {
		return nil
	}
	return randomText(rng, most)
}

func randomText(rng *rand.Rand, most int) []byte {
	out := make([]byte, rng.IntN(most))
	for i := range out {
		out[i] = 'a' + byte(rng.IntN(4))
	}
	return out
}

func readByFranz(t *testing.T, broker *kfake.Cluster, high int64) []kafka.Message {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"logs": {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out []kafka.Message
	for last := int64(-1); last < high-1; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for r := range fetches.RecordsAll() {
			last = r.Offset
			m := kafka.Message{Offset: r.Offset, Time: r.Timestamp.UnixMicro(), Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				m.Headers = append(m.Headers, event.Header{Key: h.Key, Value: h.Value})
			}
			out = append(out, m)
		}
	}
	return out
}

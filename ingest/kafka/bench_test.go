package kafka_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

const brokerProcess = "TOCSIN_BENCH_BROKER"

// TestBrokerForTheBenchmark is the process BenchmarkRead starts, so that the broker's processor time is not counted with the reader's.
func TestBrokerForTheBenchmark(t *testing.T) {
	if os.Getenv(brokerProcess) == "" {
		t.Skip("only as a process of BenchmarkRead")
	}
	broker := fake(t, kfake.SeedTopics(1, "none", "snappy", "lz4", "zstd"))
	fmt.Fprintf(os.Stdout, "broker %s\n", broker.ListenAddrs()[0])
	_, _ = io.Copy(io.Discard, os.Stdin) // Until the benchmark is over.
}

// BenchmarkRead gives the processor time of the reading process per message of about 1 KB, beside kafka-go's Reader in the same run. One turn of
// the loop reads the whole partition. 64 MiB are held meanwhile, as any process that does something with the messages holds: with nothing else in
// memory the collector runs after every fourth fetch and costs more than the reading.
func BenchmarkRead(b *testing.B) {
	const n = 50_000
	held := make([]byte, 64<<20)
	defer runtime.KeepAlive(held)
	address := startBroker(b)
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for _, codec := range []string{"none", "snappy", "lz4", "zstd"} {
		fill(b, address, codec, codecs[codec], n)
		b.Run(codec+"/ours", func(b *testing.B) { measure(b, n, func() { readOurs(b, address, codec, n) }) })
		b.Run(codec+"/kafka-go.Reader", func(b *testing.B) { measure(b, n, func() { readTheirs(b, address, codec, n) }) })
	}
}

func measure(b *testing.B, n int, pass func()) {
	pass()
	b.ReportAllocs()
	before, turns := processorTime(), 0
	for b.Loop() {
		pass()
		turns++
	}
	spent := processorTime() - before
	b.ReportMetric(float64(spent.Nanoseconds())/1e3/float64(turns*n), "cpu-µs/msg")
	b.ReportMetric(float64(turns*n)/b.Elapsed().Seconds(), "msg/s")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func readOurs(b *testing.B, address, topic string, n int) {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{address}
	c, err := kafka.Connect(cfg, quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r, err := c.Open(b.Context(), topic, 0, kafka.Earliest)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var messages []kafka.Message
	for seen := 0; seen < n; seen += len(messages) {
		if messages, err = r.Read(b.Context(), messages[:0], time.Second); err != nil {
			b.Fatal(err)
		}
	}
}

func readTheirs(b *testing.B, address, topic string, n int) {
	r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: []string{address}, Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, QueueCapacity: 1000, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	for range n {
		if _, err := r.ReadMessage(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func startBroker(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBrokerForTheBenchmark$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), brokerProcess+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "broker "); ok {
			return address
		}
	}
	b.Fatal("the broker's process gave no address")
	return ""
}

func fill(b *testing.B, address, topic string, codec kgo.CompressionCodec, n int) {
	b.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		client.Produce(b.Context(), &kgo.Record{Value: sample(rng), Headers: []kgo.RecordHeader{{Key: "site", Value: []byte("plant-4")}}}, nil)
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// sample is about 1 KB of what a log line in JSON is like: mostly the same words, some numbers.
func sample(rng *rand.Rand) []byte {
	var s strings.Builder
	fmt.Fprintf(&s, `{"time":"2026-03-04T05:%02d:%02d.%06dZ","host":"gateway-%d","seq":%d`, rng.IntN(60), rng.IntN(60), rng.IntN(1e6), rng.IntN(40), rng.Uint32())
	for i := range 17 {
		fmt.Fprintf(&s, `,"field_%02d":{"kind":"reading","unit":"mm","value":%d.%d}`, i, rng.IntN(100), rng.IntN(1000))
	}
	s.WriteString("}")
	return []byte(s.String())
}

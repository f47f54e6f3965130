package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// produce writes n records with values from, from+1, … to partition 0 of logs.
func produce(t testing.TB, broker *kfake.Cluster, from, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range n {
		r := &kgo.Record{Topic: "logs", Value: fmt.Append(nil, from+i)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// readValues reads until n messages are there, and fails on a value that is not the next one.
func readValues(t *testing.T, r *kafka.Reader, from, n int) {
	t.Helper()
	var all []kafka.Message
	for len(all) < n {
		var err error
		if all, err = r.Read(t.Context(), all, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range all {
		if want := fmt.Sprint(from + i); string(m.Value) != want || m.Offset != int64(from+i) {
			t.Fatalf("offset %d has %q, want %s", m.Offset, m.Value, want)
		}
	}
}

func TestABrokerThatRestartsIsReadOnWithoutLossOrRepetition(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	start := func() *kfake.Cluster {
		broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.SyncWrites(), kfake.SeedTopics(1, "logs"))
		if err != nil {
			t.Fatal(err)
		}
		return broker
	}
	broker := start()
	produce(t, broker, 0, 5)
	c, log := connect(t, broker, func(cfg *kafka.Config) { cfg.Stall = time.Minute })
	r := open(t, c, kafka.Earliest)
	readValues(t, r, 0, 5)
	broker.Close()
	for log.count("cannot be read") == 0 {
		if got, err := r.Read(t.Context(), nil, 50*time.Millisecond); err != nil || len(got) > 0 {
			t.Fatalf("%d messages, error %v of a broker that is down", len(got), err)
		}
	}
	for range 5 {
		if _, err := r.Read(t.Context(), nil, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	broker = start()
	defer broker.Close()
	produce(t, broker, 5, 5)
	readValues(t, r, 5, 5)
	if down, up := log.count("cannot be read"), log.count("is read again"); down != 1 || up != 1 {
		t.Errorf("logged %d times as down and %d times as up, want once each", down, up)
	}
}

// freePort is a port that nobody listens on. It lies below those that the kernel gives out: neither another test nor a connection gets it meanwhile.
func freePort(t *testing.T) int {
	t.Helper()
	var err error
	for range 100 {
		port := 15000 + rand.IntN(17000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal(err)
	return 0
}

func TestALeaderThatMovesIsFollowed(t *testing.T) {
	broker := fake(t, kfake.NumBrokers(3), kfake.SeedTopics(1, "logs"))
	c, _ := connect(t, broker, nil)
	r := open(t, c, kafka.Earliest)
	for round := range 6 {
		produce(t, broker, round*3, 3)
		readValues(t, r, round*3, 3)
		if err := broker.MoveTopicPartition("logs", 0, (broker.LeaderFor("logs", 0)+1+int32(round%2))%3); err != nil {
			t.Fatal(err)
		}
	}
	if r.Stats().Reconnects == 0 {
		t.Error("the leader never moved: the test shows nothing")
	}
}

func TestABrokerOfTheListThatIsDownIsPassedOver(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	produce(t, broker, 0, 2)
	c, _ := connect(t, broker, func(cfg *kafka.Config) {
		cfg.Brokers = []string{fmt.Sprintf("127.0.0.1:%d", freePort(t)), broker.ListenAddrs()[0]}
	})
	readValues(t, open(t, c, kafka.Earliest), 0, 2)
}

func TestAnOffsetBelowOrAboveTheLogIsOutOfRange(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	produce(t, broker, 0, 10)
	if err := broker.DeleteRecords("logs", 0, 4); err != nil {
		t.Fatal(err)
	}
	c, _ := connect(t, broker, nil)
	for _, from := range []int64{0, 3, 11, 1 << 40, -7} {
		_, err := c.Open(t.Context(), "logs", 0, from)
		out, is := errors.AsType[*kafka.OutOfRange](err)
		if !is {
			t.Fatalf("opening at %d: error %v, want *OutOfRange", from, err)
		}
		if diff := cmp.Diff(&kafka.OutOfRange{Topic: "logs", Offset: from, First: 4, High: 10}, out); diff != "" {
			t.Error(diff)
		}
	}
	for _, from := range []int64{4, 10} {
		if r := open(t, c, from); r.Offset() != from || r.First() != 4 || r.High() != 10 {
			t.Errorf("opened at %d: offset %d of %d to %d", from, r.Offset(), r.First(), r.High())
		}
	}
}

func TestRetentionThatOvertakesAReaderIsOutOfRange(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	produce(t, broker, 0, 3)
	c, _ := connect(t, broker, nil)
	r := open(t, c, 1)
	if err := broker.DeleteRecords("logs", 0, 3); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		var got []kafka.Message
		if got, err = r.Read(t.Context(), nil, 50*time.Millisecond); len(got) > 0 {
			t.Fatalf("read %v of what is deleted", offsets(got))
		}
	}
	if out, is := errors.AsType[*kafka.OutOfRange](err); !is || out.First != 3 || out.Offset != 1 {
		t.Errorf("error %v, want *OutOfRange", err)
	}
}

func TestATopicMadeAnewShorterIsOutOfRange(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	produce(t, broker, 0, 5)
	c, _ := connect(t, broker, nil)
	r := open(t, c, 5)
	if err := broker.DeleteTopic("logs"); err != nil {
		t.Fatal(err)
	}
	if err := broker.CreateTopic("logs", 1, nil); err != nil {
		t.Fatal(err)
	}
	produce(t, broker, 0, 2)
	var err error
	for err == nil {
		_, err = r.Read(t.Context(), nil, 50*time.Millisecond)
	}
	if out, is := errors.AsType[*kafka.OutOfRange](err); !is || out.High != 2 {
		t.Errorf("error %v, want *OutOfRange", err)
	}
}

func TestReadEndsWithItsContextAndGoesOnWithTheNext(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	c, _ := connect(t, broker, nil)
	r := open(t, c, kafka.Earliest)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := r.Read(ctx, nil, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want the context's", err)
		}
		cancel()
	}
	produce(t, broker, 0, 2)
	readValues(t, r, 0, 2)
	if n := r.Stats().Reconnects; n != 0 {
		t.Errorf("%d connections given up for that", n)
	}
}

func TestOpenOfATopicThatIsNotThereWaitsForItUntilTheContextEnds(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "other"))
	c, log := connect(t, broker, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	broker.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		if asked.Add(1) == 5 {
			cancel()
		}
		return nil, nil, false
	})
	if _, err := c.Open(ctx, "logs", 0, kafka.Earliest); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if n := log.count("cannot be read"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
	if broker.TopicInfo("logs") != nil {
		t.Error("asking has created the topic")
	}
}

func TestOffsetAtFindsTheFirstRecordNotOlder(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range int64(5) {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "logs", Timestamp: time.UnixMilli(1000 * (i + 1))}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := connect(t, broker, nil)
	var got []int64
	for _, at := range []int64{0, 1000, 2500, 5000, 5001} {
		offset, err := c.OffsetAt(t.Context(), "logs", 0, time.UnixMilli(at))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, offset)
	}
	if want := []int64{0, 0, 2, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
	if first, high, err := c.Offsets(t.Context(), "logs", 0); err != nil || first != 0 || high != 5 {
		t.Errorf("%d to %d, error %v", first, high, err)
	}
}

func TestATopicMadeAnewIsTheOneThatWasOpenedNoMore(t *testing.T) {
	broker := fake(t, kfake.SeedTopics(1, "logs"))
	produce(t, broker, 0, 5)
	c, _ := connect(t, broker, nil)
	r, err := c.OpenTopic(t.Context(), "logs", "", 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	was := r.TopicID()
	if was == "" {
		t.Fatal("the topic's id is not known: the test is void")
	}
	if err := broker.DeleteTopic("logs"); err != nil {
		t.Fatal(err)
	}
	if err := broker.CreateTopic("logs", 1, nil); err != nil {
		t.Fatal(err)
	}
	produce(t, broker, 0, 9) // More than it had: the end tells nothing.
	var read []kafka.Message
	for err == nil {
		read, err = r.Read(t.Context(), read, 50*time.Millisecond)
	}
	if other, is := errors.AsType[*kafka.Replaced](err); !is || other.Was != was || len(read) > 0 {
		t.Errorf("%d records and error %v, want none and *Replaced", len(read), err)
	}
	if _, err := c.OpenTopic(t.Context(), "logs", was, 0, 5); err == nil {
		t.Error("the new topic is opened as the old one")
	} else if _, is := errors.AsType[*kafka.Replaced](err); !is {
		t.Errorf("error %v, want *Replaced", err)
	}
}

package kafka_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func TestRecordsGoToTheirPartitionsInOrderWhileLeadersMove(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 3)
		for round := range 20 {
			var records []kafka.Record
			for p := range int32(3) {
				for i := range 50 {
					records = append(records, kafka.Record{Partition: p, Value: []byte(numbers(round*50+i, round*50+i+1)[0])})
				}
			}
			if err := w.product.Produce(t.Context(), "logs", records); err != nil {
				t.Fatal(err)
			}
			w.broker.ShufflePartitionLeaders()
		}
		w.join(settings(logs))
		w.until("all records", func() bool { return w.count() == 3000 })
		want := map[string][]string{"s-0": numbers(0, 1000), "s-1": numbers(0, 1000), "s-2": numbers(0, 1000)}
		if d := cmp.Diff(want, w.values()); d != "" {
			t.Error(d)
		}
	}, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094))
}

func TestProduceAsksForAllReplicasAndTriesUntilItsContextEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		var acks atomic.Int32
		w.broker.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
			acks.Store(int32(r.(*kmsg.ProduceRequest).Acks))
			w.broker.KeepControl()
			return nil, nil, false
		})
		down := w.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.product.Produce(ctx, "logs", []kafka.Record{{Value: []byte("x")}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Produce: %v", err)
		}
		if down.Hits() < 10 {
			t.Errorf("%d attempts in a minute", down.Hits())
		}
		done := make(chan error, 1)
		go func() { done <- w.product.Produce(t.Context(), "logs", []kafka.Record{{Value: []byte("x")}}) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		down.Remove()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if high := w.broker.PartitionInfo("logs", 0).HighWatermark; high != 1 || acks.Load() != -1 {
			t.Errorf("%d records are there, acks=%d", high, acks.Load())
		}
		if n := w.diary.count("kafka does not take records"); n != 2 {
			t.Errorf("logged %d times\n%s", n, w.diary.all())
		}
	})
}

func TestARecordThatIsTooLargeIsAnErrorAndThoseBeforeItAreThere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1, "max.message.bytes", "2000")
		var records []kafka.Record
		for _, size := range []int{1000, 1000, 1000, 5000, 10} {
			records = append(records, kafka.Record{Value: make([]byte, size)})
		}
		err := w.product.Produce(t.Context(), "logs", records)
		if large, ok := errors.AsType[*kafka.TooLarge](err); !ok || large.Size < 5000 || !strings.Contains(err.Error(), "max.message.bytes") {
			t.Errorf("Produce: %v", err)
		}
		if high := w.broker.PartitionInfo("logs", 0).HighWatermark; high != 3 {
			t.Errorf("%d records are there", high)
		}
	})
}

func TestDeadLettersKeepBytesAndHeadersAndEqualKeysShareAPartition(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("dead", 5)
		var records []kafka.Record
		for range 10 {
			records = append(records, kafka.Record{Key: []byte("k"), Value: []byte{0, 1, 0xff}, Headers: []event.Header{{Key: "tocsin.reject.code", Value: []byte("json_syntax")}}})
		}
		if err := w.product.Send(t.Context(), "dead", records); err != nil {
			t.Fatal(err)
		}
		w.join(settings(kafka.SourceSettings{Name: "s", Topic: "dead"}))
		w.until("all records", func() bool { return w.count() == 10 })
		for _, r := range w.records() {
			if d := cmp.Diff(records[0].Headers, r.Headers); d != "" || string(r.Value) != "\x00\x01\xff" || r.Position.Partition != w.records()[0].Position.Partition {
				t.Errorf("%+v %s", r.Record, d)
			}
		}
	})
}

func TestTopicsAreMadeDescribedAndAltered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.connect()
		defer c.Close()
		want := []kafka.Topic{{Name: "tocsin.hits", Partitions: 4, Settings: map[string]string{"cleanup.policy": "delete", "retention.ms": "86400000"}}, {Name: "tocsin.findings", Partitions: 1}}
		for range 2 { // Again is no error.
			if err := c.Create(t.Context(), want); err != nil {
				t.Fatal(err)
			}
		}
		want[0].Partitions, want[0].Settings = 6, map[string]string{"retention.ms": "3600000", "cleanup.policy": "compact,delete"}
		if err := c.Alter(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Describe(t.Context(), []string{"tocsin.findings", "missing", "tocsin.hits"})
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Partitions != 1 || got[1].Partitions != 0 || got[1].Name != "missing" || got[2].Partitions != 6 || got[2].Replicas < 1 {
			t.Errorf("%+v", got)
		}
		if got[2].Settings["retention.ms"] != "3600000" || !got[2].Compacted() || got[0].Compacted() {
			t.Errorf("%+v", got[2].Settings)
		}
		if err := c.Alter(t.Context(), []kafka.Topic{{Name: "missing", Partitions: 1}}); err == nil {
			t.Error("a missing topic was altered")
		}
	})
}

func TestAGroupForgetsTopicsOnceNobodyReadsThem(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 2)
		w.send("logs", 0, 0, 5)
		m := w.join(settings(logs))
		w.until("that is committed", func() bool { return w.committed("logs")[0] == 5 })
		c := w.connect()
		defer c.Close()
		if err := c.Forget(t.Context(), "g", []string{"logs"}); err == nil {
			t.Error("forgotten under a member's feet")
		}
		m.leave()
		if err := c.Forget(t.Context(), "g", []string{"logs"}); err != nil {
			t.Error(err)
		}
		if n := len(w.committed("logs")); n != 0 {
			t.Errorf("%d places are still committed", n)
		}
		if err := c.Forget(t.Context(), "never", []string{"logs"}); err != nil {
			t.Error(err)
		}
	})
}

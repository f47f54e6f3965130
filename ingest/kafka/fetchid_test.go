package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

var someTopic = [16]byte{0xfb, 1, 2, 3, 15: 9}

func TestTheFetchByIDIsTheOneOfTheProtocol(t *testing.T) {
	want := kmsg.NewPtrFetchRequest()
	want.Version, want.MaxWaitMillis, want.MinBytes, want.MaxBytes, want.IsolationLevel = 13, 500, 9, 2<<20, 1
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = 3, 77, 1<<20
	want.Topics = []kmsg.FetchRequestTopic{{TopicID: someTopic, Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	whole := kmsg.NewRequestFormatter(kmsg.FormatterClientID("tocsin")).AppendRequest(nil, want, 7)
	if d := cmp.Diff(whole, kafka.FetchByID(7, "tocsin", someTopic, 3, 77, 500, 9, 1<<20)); d != "" {
		t.Error(d)
	}
}

// answerByID is a broker's answer with an aborted transaction and records.
func answerByID() []byte {
	r := kmsg.NewPtrFetchResponse()
	r.Version = 13
	part := kmsg.NewFetchResponseTopicPartition()
	part.Partition, part.HighWatermark, part.LastStableOffset, part.LogStartOffset, part.RecordBatches = 3, 9, 8, 1, []byte("records")
	part.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 44, FirstOffset: 5}}
	r.Topics = []kmsg.FetchResponseTopic{{TopicID: someTopic, Partitions: []kmsg.FetchResponseTopicPartition{part}}}
	return r.AppendTo(append(kbin.AppendInt32(nil, 7), 0)) // The number, and no tags.
}

func TestTheAnswerToAFetchByIDIsRead(t *testing.T) {
	whole := answerByID()
	got, err := kafka.ParseFetchedByID(whole, 7, someTopic, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := kafka.Answer{High: 9, Stable: 8, First: 1, Records: "records", Aborted: [][2]int64{{44, 5}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err := kafka.ParseFetchedByID(whole[:len(whole)-6], 7, someTopic, 3); err != nil || !got.Cut || got.Records != "reco" { // Three bytes of tags end it.
		t.Errorf("cut: %+v, %v", got, err)
	}
	other := someTopic
	other[3]++
	for name, err := range map[string]error{
		"number":    errOf(kafka.ParseFetchedByID(whole, 8, someTopic, 3)),
		"topic":     errOf(kafka.ParseFetchedByID(whole, 7, other, 3)),
		"partition": errOf(kafka.ParseFetchedByID(whole, 7, someTopic, 4)),
		"short":     errOf(kafka.ParseFetchedByID(whole[:40], 7, someTopic, 3)),
	} {
		if err == nil {
			t.Errorf("another %s is taken for ours", name)
		}
	}
}

func errOf(_ kafka.Answer, err error) error { return err }

func FuzzFetchedByID(f *testing.F) {
	f.Add(answerByID())
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := kafka.ParseFetchedByID(body, 7, someTopic, 3)
		if err == nil && len(out.Records)+16*len(out.Aborted) > len(body) {
			t.Fatalf("%d bytes of records and %d transactions from %d bytes", len(out.Records), len(out.Aborted), len(body))
		}
	})
}

func TestOfATopicMadeAnewThatHasGrownAtOnceNothingIsHandedOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		set := settings(logs)
		set.Discover = 1 << 62 // Nobody looks at topics meanwhile.
		m := w.join(set)
		w.until("ten records", func() bool { return w.count() == 10 })
		w.again("logs", 500)
		select {
		case <-m.gone:
		case <-time.After(time.Minute):
			t.Fatalf("it reads on: %d records of the new topic were handed out", w.count()-10)
		}
		if _, ok := errors.AsType[*kafka.Recreated](m.err); !ok || w.count() != 10 {
			t.Errorf("%d records of the new topic were handed out: %v", w.count()-10, m.err)
		}
	})
}

func TestBrokersThatFetchByNameOnlyAreRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		w.join(settings(logs))
		w.until("all records", func() bool { return w.count() == 10 })
	}, kfake.MaxVersions(kversion.V3_0_0()))
}

package integration_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

// acknowledged are the records of each partition as values() would give them, by what the Java producer was told; value makes a record's.
func acknowledged(acks []broker.Ack, partitions int, value func(index int) string) [][]string {
	out := make([][]string, partitions)
	for _, a := range acks {
		out[a.Partition] = append(out[a.Partition], fmt.Sprintf("%d \"\"=%q", a.Offset, value(a.Index)))
	}
	return out
}

// holds compares what a journal has with what the broker acknowledged, both without regard to the order in which the producer sent.
func holds(t *testing.T, j *journal, source string, want [][]string) {
	t.Helper()
	for partition := range want {
		if diff := cmp.Diff(sorted(want[partition]), sorted(j.values(source, int32(partition)))); diff != "" {
			t.Errorf("partition %d (-acknowledged +durable):\n%s", partition, diff)
		}
	}
}

func TestAConsumerHandsOutEveryRecordOnceOverKillsOfTheBroker(t *testing.T) {
	const partitions, perRound, rounds = 4, 4000, 2
	b := broker.Start(t)
	b.CreateTopic("records", partitions, nil)
	j := newJournal()
	m := join(t, connect(t, b), j, kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records"}}, Solo: true})
	p := b.Producer("records", map[string]string{"partitioner.ignore.keys": "true", "batch.size": "2000"}, nil)
	value := func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("x", 100)) }
	for round := range rounds {
		for i := range perRound {
			if i == perRound/2 {
				until(t, "the consumer to begin with the round", func() bool { return j.count() > round*perRound })
				b.Kill()
				t.Logf("killed the broker with %d records durable", j.count())
			}
			p.Send(broker.Record{Value: []byte(value(round*perRound + i))})
		}
		b.Restart()
		p.Flush()
	}
	acks := p.Close()
	until(t, "all records", func() bool { return j.count() >= perRound*rounds })
	holds(t, j, "floor", acknowledged(acks, partitions, value))
	if j.repeated != 0 {
		t.Errorf("%d records were handed out twice", j.repeated)
	}
	until(t, "all partitions to be drained", func() bool {
		for _, e := range m.Source("floor").Ends() {
			if !e.Drained {
				return false
			}
		}
		return true
	})
	if err := m.leave(t); err != nil {
		t.Errorf("Run says %v", err)
	}
	t.Logf("%d records durable once; repeated to nobody", j.count())
}

func TestMembersThatComeAndGoLoseAndRepeatNothing(t *testing.T) {
	const partitions, storm = 6, 25 * time.Second
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := broker.Start(t)
	b.CreateTopic("records", partitions, nil)
	j := newJournal()
	set := kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records"}}, From: j.tail}
	members := []*member{join(t, connect(t, b), j, set)}
	p := b.Producer("records", map[string]string{"partitioner.ignore.keys": "true", "batch.size": "1000"}, nil)
	sent, joined, left, died := 0, 1, 0, 0
	value := func(i int) string { return fmt.Sprint("record ", i) }
	for end := time.Now().Add(storm); time.Now().Before(end); {
		for range 300 {
			p.Send(broker.Record{Value: []byte(value(sent))})
			sent++
		}
		p.Flush()
		if len(members) < 4 && (len(members) == 1 || random.IntN(2) == 0) {
			members = append(members, join(t, connect(t, b), j, set))
			joined++
		} else {
			i := random.IntN(len(members))
			end := members[i].leave
			if random.IntN(3) == 0 {
				end = func(t *testing.T) error { return members[i].die(t, time.Second) }
				died++
			}
			if err := end(t); err != nil {
				t.Errorf("Run says %v", err)
			}
			members = slices.Delete(members, i, i+1)
			left++
		}
		<-time.After(time.Duration(200+random.IntN(1500)) * time.Millisecond)
	}
	acks := p.Close()
	until(t, "all records", func() bool { return j.count() >= sent })
	holds(t, j, "floor", acknowledged(acks, partitions, value))
	t.Logf("%d members came, %d went, %d of them in the middle of their work; %d records durable once; %d redelivered and dropped at the tail", joined, left, died, j.count(), j.repeated)
}

func TestAnotherMemberGoesOnWhereTheGroupStands(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	client := franz(t, b)
	set := kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records", Format: "vda5050", Site: "hall-1"}}}
	for turn := range int64(3) {
		for i := range int64(10) {
			if err := produce(t.Context(), client, "records", one(1_000+turn*10+i, 1_700_000_000_000, "k", fmt.Sprint(turn*10+i))); err != nil {
				t.Fatal(err)
			}
		}
		j := newJournal()
		m := join(t, connect(t, b), j, set)
		until(t, "the records of the turn", func() bool { return j.count() >= 10 })
		if err := m.leave(t); err != nil {
			t.Fatal(err)
		}
		got := j.records[place{"floor", 0}]
		if len(got) != 10 || got[0].Position.Offset != turn*10 {
			t.Errorf("turn %d: %d records from offset %d", turn, len(got), got[0].Position.Offset)
		}
		if got[0].Format != "vda5050" || got[0].Site != "hall-1" || string(got[0].Key) != "k" {
			t.Errorf("turn %d: the first record is %+v", turn, got[0])
		}
	}
}

func TestARecreatedTopicStopsTheConsumerUntilItIsAccepted(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	fill := func(n int64) {
		for i := range n {
			until(t, "a record to be taken", func() bool {
				return produce(t.Context(), franz(t, b), "records", one(1_000+i, 1_700_000_000_000, "k", fmt.Sprint(i))) == nil
			})
		}
	}
	fill(20)
	j := newJournal()
	set := kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records"}}, From: j.tail}
	m := join(t, connect(t, b), j, set)
	until(t, "the records", func() bool { return j.count() == 20 })
	b.DeleteTopic("records")
	b.CreateTopic("records", 1, nil)
	fill(5)
	stopped := func(err error) {
		t.Helper()
		r, is := errors.AsType[*kafka.Recreated](err)
		if !is || r.Source != "floor" || r.Known != 20 || r.High > 5 || !strings.Contains(err.Error(), "tocsin topics accept floor") {
			t.Errorf("Run says %v", err)
		}
		t.Log(err)
	}
	stopped(m.result(t))
	stopped(join(t, connect(t, b), j, set).result(t)) // A restart changes nothing.
	set.Incarnation = func(string) int { return 1 }
	join(t, connect(t, b), j, set)
	until(t, "the records of the new topic", func() bool { return len(j.values("floor#1", 0)) == 5 })
	if n := len(j.values("floor", 0)); n != 20 {
		t.Errorf("%d records are there of the old topic", n)
	}
}

func TestCompactedTopicsAreRefusedUnlessTheyAreAllowed(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("state", 1, map[string]string{"cleanup.policy": "compact"})
	b.CreateTopic("steps", 1, map[string]string{"cleanup.policy": "delete"})
	for _, topic := range []string{"state", "steps"} {
		if err := produce(t.Context(), franz(t, b), topic, one(1_000, 1_700_000_000_000, "k", "v")); err != nil {
			t.Fatal(err)
		}
	}
	j := newJournal()
	m := join(t, connect(t, b), j, kafka.ConsumerSettings{Group: "named", Sources: []kafka.SourceSettings{{Name: "a", Topic: "state"}}})
	if _, is := errors.AsType[*kafka.Compacted](m.result(t)); !is {
		t.Error("a compacted topic that is named is not refused")
	}
	join(t, connect(t, b), j, kafka.ConsumerSettings{Group: "pattern", Sources: []kafka.SourceSettings{{Name: "b", Pattern: "st.*"}}})
	until(t, "the other topic's record", func() bool { return j.count() == 1 })
	join(t, connect(t, b), j, kafka.ConsumerSettings{Group: "allowed", Sources: []kafka.SourceSettings{{Name: "c", Topic: "state", AllowCompacted: true}}})
	until(t, "the allowed topic's record", func() bool { return j.count() == 2 })
	if len(j.values("b/steps", 0)) != 1 || len(j.values("c", 0)) != 1 {
		t.Errorf("what is durable: %v", j.records)
	}
}

func TestTopicsThatAreMadeLaterAreFoundAndReadFromTheirBeginning(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("floor-1", 1, nil)
	client := franz(t, b)
	produceTo := func(topic string, producer int64) {
		t.Helper()
		until(t, "a record to be taken", func() bool {
			return produce(t.Context(), client, topic, one(producer, 1_700_000_000_000, "k", topic)) == nil
		})
	}
	produceTo("floor-1", 1)
	j := newJournal()
	source := kafka.SourceSettings{Name: "floor", Pattern: `floor-\d`, Start: kafka.Start{Latest: true}}
	m := join(t, connect(t, b), j, kafka.ConsumerSettings{Sources: []kafka.SourceSettings{source}})
	until(t, "the consumer to stand behind the first record", func() bool {
		ends := m.Source("floor").Ends()
		return len(ends) == 1 && ends[0].Drained
	})
	b.CreateTopic("floor-2", 1, nil)
	produceTo("floor-2", 2)
	produceTo("floor-1", 3)
	until(t, "the new topic's record and the old topic's new one", func() bool { return j.count() == 2 })
	if diff := cmp.Diff([]string{`1 "k"="floor-1"`, `0 "k"="floor-2"`}, append(j.values("floor/floor-1", 0), j.values("floor/floor-2", 0)...)); diff != "" {
		t.Errorf("(-want +durable):\n%s", diff)
	}
}

func TestWhatRetentionRemovedBeforeItWasReadIsCounted(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	client := franz(t, b)
	for i := range int64(10) {
		if err := produce(t.Context(), client, "records", one(1_000+i, 1_700_000_000_000, "k", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	trim(t, client.Broker(1).RetriableRequest, "records", 7)
	j := newJournal()
	j.tails[place{"floor", 0}] = 3
	m := join(t, connect(t, b), j, kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records"}}, From: j.tail})
	until(t, "what is left", func() bool { return j.count() == 3 })
	if status := m.Status(); len(status) != 1 || status[0].Lost != 4 {
		t.Errorf("the status is %+v", status)
	}
}

// trim removes the records of partition 0 before an offset.
func trim(t *testing.T, ask func(context.Context, kmsg.Request) (kmsg.Response, error), topic string, before int64) {
	t.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 10_000
	request.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: before}}}}
	until(t, "records to be deleted", func() bool {
		answer, err := ask(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return answer.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode == 0
	})
}

func TestABatchThatUnpacksBeyondTheBoundCostsOneReject(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	client := franz(t, b)
	bomb := one(2, 1_700_000_000_000, "k", strings.Repeat("\x00", 80<<20))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(bomb.Records); err != nil {
		t.Fatal(err)
	}
	w.Close()
	bomb.Attributes, bomb.Records = 1, packed.Bytes()
	for _, batch := range []kmsg.RecordBatch{one(1, 1_700_000_000_000, "k", "before"), bomb, one(3, 1_700_000_000_000, "k", "after")} {
		if err := produce(t.Context(), client, "records", batch); err != nil {
			t.Fatal(err)
		}
	}
	j := newJournal()
	join(t, connect(t, b), j, kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records"}}})
	until(t, "the three records", func() bool { return j.count() == 3 })
	got := j.records[place{"floor", 0}]
	if string(got[0].Value) != "before" || got[0].Unread != nil || string(got[2].Value) != "after" || got[2].Unread != nil {
		t.Errorf("the neighbours are %q and %q", got[0].Value, got[2].Value)
	}
	if u := got[1].Unread; u == nil || u.Code != "kafka_oversize" {
		t.Errorf("the batch that is too large is %+v", u)
	}
	t.Logf("%d bytes on the wire, 80 MiB unpacked: %+v", packed.Len(), got[1].Unread)
}

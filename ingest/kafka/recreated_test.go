package kafka_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// again deletes a topic and makes it anew, with n records in partition 0.
func (w *world) again(topic string, n int) {
	w.t.Helper()
	if err := w.broker.DeleteTopic(topic); err != nil {
		w.t.Fatal(err)
	}
	w.topic(topic, 1)
	w.send(topic, 0, 0, n)
}

// stopped waits for the end of a member that must say that the topic is another one.
func (m *member) stopped() {
	m.w.t.Helper()
	<-m.gone
	r, ok := errors.AsType[*kafka.Recreated](m.err)
	if !ok || r.Source != "s" || len(r.Was) != 22 || len(r.Is) != 22 || r.Was == r.Is {
		m.w.t.Fatalf("Run: %v", m.err)
	}
	if text := m.err.Error(); !strings.Contains(text, "its id was "+r.Was) || !strings.HasSuffix(text, "tocsin topics accept s") {
		m.w.t.Error(text)
	}
}

func TestATopicMadeAnewThatHasGrownPastTheLogsTailIsNotReadOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("ten records", func() bool { return w.count() == 10 })
		tail := m.consumer.Source("s").Ends()[0]
		m.leave()
		w.again("logs", 30)
		set := settings(logs)
		set.Group = "other" // Which knows nothing.
		set.From = func(source string, partition int32) (event.End, bool) {
			return tail, source == tail.Source && partition == tail.Partition
		}
		w.join(set).stopped()
		if w.count() != 10 {
			t.Errorf("%d records of the new topic were handed out", w.count()-10)
		}
		set.Incarnation = func(string) int { return 1 }
		w.join(set)
		w.until("the new topic from its beginning", func() bool { return w.count() == 40 })
		if d := cmp.Diff(map[string][]string{"s-0": numbers(0, 10), "s#1-0": numbers(0, 30)}, w.values()); d != "" {
			t.Error(d)
		}
	})
}

func TestATopicMadeAnewBetweenTwoFetchesStopsTheMember(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("ten records", func() bool { return w.count() == 10 })
		w.again("logs", 30)
		<-m.gone
		if r, ok := errors.AsType[*kafka.Recreated](m.err); !ok || r.Was == "" && r.High >= 10 { // Whichever is seen first: another id, or an end before where we were.
			t.Fatalf("Run: %v", m.err)
		}
	})
}

func TestACookieThatIsNoTopicsIdIsIgnored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		set := settings(logs)
		set.From = func(source string, _ int32) (event.End, bool) {
			return event.End{Offset: 4, Cookie: "d41d8cd98f00 0"}, source == "s"
		}
		m := w.join(set)
		w.until("the rest", func() bool { return w.count() == 6 })
		if c := m.consumer.Source("s").Ends()[0].Cookie; !strings.HasPrefix(c, "topic=") {
			t.Errorf("cookie %q", c)
		}
	})
}

func TestBrokersWhoseTopicsHaveNoIdsAreRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("all records are committed", func() bool { return w.count() == 10 && w.committed("logs")[0] == 10 })
		if e := m.consumer.Source("s").Ends()[0]; e.Cookie != "" {
			t.Errorf("%+v", e)
		}
	}, kfake.MaxVersions(kversion.V2_7_0()))
}

func TestTheRequestForIdsIsTheOneOfTheProtocol(t *testing.T) {
	b := kafka.IdentityRequest(7, "tocsin", "logs", "other")
	if n := int(binary.BigEndian.Uint32(b)); n != len(b)-4 {
		t.Errorf("size %d of %d", n, len(b)-4)
	}
	want := kmsg.NewPtrMetadataRequest()
	want.Version = 10
	for _, name := range []string{"logs", "other"} {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		want.Topics = append(want.Topics, topic)
	}
	whole := kmsg.NewRequestFormatter(kmsg.FormatterClientID("tocsin")).AppendRequest(nil, want, 7)
	if d := cmp.Diff(whole, b); d != "" {
		t.Error(d)
	}
}

// identities is a broker's answer with two topics, one of them without an id.
func identities() []byte {
	r := kmsg.NewPtrMetadataResponse()
	r.Version = 10
	rack, cluster, logs, other := "r1", "c", "logs", "other"
	r.ClusterID = &cluster
	r.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 1, Host: "a", Port: 9092, Rack: &rack}, {NodeID: 2, Host: "b", Port: 9092}}
	partition := kmsg.MetadataResponseTopicPartition{Leader: 1, LeaderEpoch: 3, Replicas: []int32{1, 2}, ISR: []int32{1}, OfflineReplicas: []int32{2}}
	r.Topics = []kmsg.MetadataResponseTopic{
		{Topic: &logs, TopicID: [16]byte{0xfb, 1, 2, 3, 15: 9}, Partitions: []kmsg.MetadataResponseTopicPartition{partition, partition}},
		{Topic: &other, Partitions: []kmsg.MetadataResponseTopicPartition{partition}},
	}
	// Number and no tags before it.
	return r.AppendTo(append(kbin.AppendInt32(nil, 7), 0))
}

func TestTheAnswerWithIdsIsRead(t *testing.T) {
	whole := identities()
	got, err := kafka.ParseIdentities(whole, 7)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"logs": "-wECAwAAAAAAAAAAAAAACQ"}, got); d != "" {
		t.Error(d)
	}
	for n := range whole {
		if _, err := kafka.ParseIdentities(whole[:n], 7); err == nil {
			t.Fatalf("no error for the first %d bytes of %d", n, len(whole))
		}
	}
	if _, err := kafka.ParseIdentities(whole, 8); err == nil {
		t.Error("no error for the answer to another request")
	}
}

func FuzzParseIdentities(f *testing.F) {
	f.Add(identities())
	f.Add([]byte{0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		ids, err := kafka.ParseIdentities(b, 7)
		for name, id := range ids {
			if len(id) != 22 || err != nil {
				t.Errorf("%s: %q, %v", name, id, err)
			}
		}
	})
}

func TestAMemberThatLostContactForLessThanASessionIsBackAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 2)
		set := settings(logs)
		set.Session = 20 * time.Second
		a, b := w.join(set), w.join(set)
		owned := func(m *member) (n int) {
			for _, s := range m.consumer.Status() {
				if s.Owned {
					n++
				}
			}
			return n
		}
		w.until("each has one", func() bool { return owned(a) == 1 && owned(b) == 1 })
		for _, m := range []*member{a, b} {
			m.wire.sever(true)
		}
		w.until("that is noticed", func() bool {
			return owned(a) == 0 && owned(b) == 0 && a.consumer.Trouble() != "" && b.consumer.Trouble() != ""
		})
		began := time.Now()
		for _, m := range []*member{a, b} {
			m.wire.sever(false)
		}
		w.until("each has one again", func() bool { return owned(a) == 1 && owned(b) == 1 })
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("that took %v", took)
		}
	})
}

func TestThatOffsetsCannotBeCommittedIsSaidOnceAndOnceThatTheyCan(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		m := w.join(settings(logs))
		w.send("logs", 0, 0, 5)
		w.until("the first records are committed", func() bool { return w.committed("logs")[0] == 5 })
		down := w.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Count: -1})
		for i := range 20 {
			w.send("logs", 0, 5+i, 6+i)
			time.Sleep(time.Second)
		}
		down.Remove()
		w.until("all records are committed", func() bool { return w.committed("logs")[0] == 25 })
		if bad, good := w.diary.count("offsets not committed"), w.diary.count("offsets are committed again"); bad != 1 || good != 1 {
			t.Errorf("said %d times and %d times\n%s", bad, good, w.diary.all())
		}
		m.leave()
	})
}

func TestACoordinatorThatIsNotThereYetIsNoWarning(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 5)
		tries := 0
		w.broker.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.broker.KeepControl()
			if tries++; tries > 3 {
				return nil, nil, false
			}
			answer := r.ResponseKind().(*kmsg.JoinGroupResponse)
			answer.ErrorCode = 16 // NOT_COORDINATOR
			return answer, nil, true
		})
		w.join(settings(logs))
		w.until("all records", func() bool { return w.count() == 5 })
		if w.diary.count("Not Coordinator For Group") != 1 || w.diary.count("level=WARN") != 0 {
			t.Error(w.diary.all())
		}
	})
}

// commit says in the name of the group g, which must have no members, where it stands in partition 0.
func (w *world) commit(topic string, offset int64, metadata string) {
	w.t.Helper()
	client := w.raw(kgo.MaxVersions(kversion.V3_0_0())) // Later ones name topics by their ids.
	defer client.Close()
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Offset, partition.Metadata = offset, &metadata
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{partition}}}
	answer, err := req.RequestWith(w.t.Context(), client)
	if err != nil || answer.Topics[0].Partitions[0].ErrorCode != 0 {
		w.t.Fatal(err, answer)
	}
}

func TestAGroupWhoseOffsetsAreOfATopicThatIsNoMoreStopsAndSaysSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("ten records are committed", func() bool { return w.committed("logs")[0] == 10 })
		m.leave()
		late := w.broker.GroupInfo("g").Commits["logs"][0] // As a commit says that is on its way while the topic is made anew.
		w.again("logs", 30)
		w.commit("logs", late.Offset, late.Metadata)
		w.join(settings(logs)).stopped()
		if w.count() != 10 {
			t.Errorf("%d records of the new topic were handed out", w.count()-10)
		}
		c := w.connect()
		defer c.Close()
		if err := c.Forget(t.Context(), settings(logs).Group, []string{"logs"}); err != nil {
			t.Fatal(err)
		}
		set := settings(logs)
		set.Incarnation = func(string) int { return 1 }
		w.join(set)
		w.until("the new topic from its beginning", func() bool { return w.count() == 40 })
		if d := cmp.Diff(map[string][]string{"s-0": numbers(0, 10), "s#1-0": numbers(0, 30)}, w.values()); d != "" {
			t.Error(d)
		}
	})
}

func TestWhatIsStillToBeCommittedOfATopicThatIsGoneKeepsNoOtherFromBeingCommitted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("mqtt.a", 1)
		w.topic("mqtt.b", 1)
		w.join(settings(kafka.SourceSettings{Name: "fleet", Pattern: `mqtt\..*`}))
		down := w.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Count: -1})
		w.send("mqtt.a", 0, 0, 5)
		w.send("mqtt.b", 0, 0, 5)
		w.until("all are handed out", func() bool { return w.count() == 10 })
		if err := w.broker.DeleteTopic("mqtt.a"); err != nil {
			t.Fatal(err)
		}
		down.Remove()
		w.until("the other is committed", func() bool { return w.committed("mqtt.b")[0] == 5 })
		w.until("committing is well again", func() bool {
			return w.diary.count("offsets are committed again") == w.diary.count("offsets not committed")
		})
		if got := w.committed("mqtt.a"); len(got) > 0 {
			t.Errorf("committed of a topic that is gone: %v", got)
		}
	})
}

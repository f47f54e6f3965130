package kafka_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
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

var logs = kafka.SourceSettings{Name: "s", Topic: "logs", Format: "zeek", Site: "works"}

func TestAMemberReadsAllPartitionsInOrderAndCommitsThem(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 3)
		for p := range int32(3) {
			w.send("logs", p, int(p)*1000, int(p)*1000+500)
		}
		m := w.join(settings(logs))
		w.until("all records", func() bool { return w.count() == 1500 })
		m.leave()
		want := map[string][]string{"s-0": numbers(0, 500), "s-1": numbers(1000, 1500), "s-2": numbers(2000, 2500)}
		if d := cmp.Diff(want, w.values()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[int32]int64{0: 500, 1: 500, 2: 500}, w.committed("logs")); d != "" {
			t.Error(d)
		}
	})
}

func TestRecordsComeOnceAndInOrderThroughJoinsAndLeaves(t *testing.T) {
	for range 5 {
		seed := rand.Uint64()
		inWorld(t, func(t *testing.T, w *world) {
			rng := rand.New(rand.NewPCG(seed, 1))
			const partitions = 7
			w.topic("logs", partitions)
			w.lag = 300 * time.Millisecond
			members := []*member{w.join(settings(logs))}
			sent := make([]int, partitions)
			for range 30 {
				switch {
				case len(members) < 4 && rng.IntN(3) == 0:
					members = append(members, w.join(settings(logs)))
				case len(members) > 1 && rng.IntN(3) == 0:
					i := rng.IntN(len(members))
					members[i].leave()
					members = append(members[:i], members[i+1:]...)
				}
				for p := range sent {
					n := rng.IntN(40)
					w.send("logs", int32(p), sent[p], sent[p]+n)
					sent[p] += n
				}
				time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
			}
			want, total := map[string][]string{}, 0
			for p, n := range sent {
				want[fmt.Sprint("s-", p)] = numbers(0, n)
				total += n
			}
			w.until(fmt.Sprintf("all records (seed %d)", seed), func() bool { return w.count() >= total })
			if d := cmp.Diff(want, w.values()); d != "" {
				t.Errorf("seed %d: %s", seed, d)
			}
		})
	}
}

func TestAMemberThatStoodStillPastItsSessionHandsOutAndCommitsNothingStale(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 2000)
		rarely := settings(logs)
		rarely.Commit = time.Hour                            // kafka-go holds a mutex while a commit is under way, and time does not pass here while anybody waits for one.
		a := w.joinAs(rarely, func(m *member) { m.slow(1) }) // It has most of it in memory for the next twenty seconds.
		w.until("the first records", func() bool { return w.count() > 10 })
		a.wire.freeze()
		b := w.join(settings(logs))
		w.until("the other member reads", func() bool {
			all := w.records()
			return all[len(all)-1].by == b
		})
		first := w.records()[w.count()-1].at
		a.wire.thaw()
		w.until("all records", func() bool { all := w.records(); return string(all[len(all)-1].Value) == "1999" })
		last, late := "", 0
		for _, r := range w.records() {
			if r.by == a && !r.at.Before(first) && r.at.Before(first.Add(5*time.Second)) {
				late++
				last = string(r.Value)
			}
		}
		if late > 0 {
			t.Errorf("%d records handed out after the other member had begun, the last %s", late, last)
		}
		high := int64(0)
		for range 20 {
			now := w.committed("logs")[0]
			if now < high {
				t.Fatalf("committed %d after %d", now, high)
			}
			high = now
			time.Sleep(time.Second)
		}
		if high != 2000 {
			t.Errorf("committed up to %d", high)
		}
		seen := map[string]bool{}
		for _, r := range w.records() {
			seen[string(r.Value)] = true
		}
		if len(seen) != 2000 {
			t.Errorf("%d different records", len(seen))
		}
	})
}

func TestNothingIsHandedOutByAProcessThatJustWokeFromALongStandstill(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 100)
		set := settings(logs)
		m := w.joinAs(set, func(m *member) { m.pause(true) })
		source := m.consumer.Source("s")
		w.until("records are in memory", func() bool { return m.consumer.Buffered() > 128*100 })
		m.consumer.StandStill(set.Session)
		records, err := source.Fetch(t.Context(), nil, 10, 0)
		if err != nil || len(records)+w.count() > 0 {
			t.Errorf("%d records, %v", len(records), err)
		}
		m.pause(false) // The group has waited, as it turns out.
		w.until("all records", func() bool { return w.count() == 100 })
		if d := cmp.Diff(map[string][]string{"s-0": numbers(0, 100)}, w.values()); d != "" {
			t.Error(d)
		}
	})
}

func TestKeysHeadersTombstonesAndContextComeAlong(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		records := []kafka.Record{
			{Key: []byte("k"), Value: []byte("v"), Headers: []event.Header{{Key: "h", Value: []byte("x")}, {Key: "h", Value: []byte("y")}}},
			{Key: []byte("gone")},
			{Value: []byte{}},
		}
		before := time.Now().UnixMilli() * 1000
		if err := w.product.Produce(t.Context(), "logs", records); err != nil {
			t.Fatal(err)
		}
		after := time.Now().UnixMicro()
		w.join(settings(logs))
		w.until("all records", func() bool { return w.count() == 3 })
		var got []event.Record
		for _, r := range w.records() {
			if r.Carried < before || r.Carried > after {
				t.Errorf("carried at %d, want Kafka's timestamp, from %d to %d", r.Carried, before, after)
			}
			r.Received, r.Carried = 0, 0
			got = append(got, r.Record)
		}
		at := func(offset int64) event.Position { return event.Position{Source: "s", Offset: offset} }
		want := []event.Record{
			{Key: records[0].Key, Value: records[0].Value, Headers: records[0].Headers, Position: at(0), Format: "zeek", Site: "works"},
			{Key: records[1].Key, Position: at(1), Format: "zeek", Site: "works"},
			{Value: []byte{}, Position: at(2), Format: "zeek", Site: "works"},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func TestTopicsThatMatchAPatternAreFoundLaterAndReadFromTheirBeginning(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("mqtt.a", 1)
		w.topic("other", 1)
		w.topic("__mqtt.internal", 1)
		set := settings(kafka.SourceSettings{Name: "fleet", Pattern: `(__)?mqtt\..*`, Start: kafka.Start{Latest: true}})
		w.send("mqtt.a", 0, 0, 5)
		w.send("other", 0, 0, 5)
		w.send("__mqtt.internal", 0, 0, 5)
		m := w.join(set)
		w.until("the end of what there is", func() bool { return len(m.consumer.Status()) == 1 && m.consumer.Status()[0].Next == 5 })
		w.send("mqtt.a", 0, 5, 10)
		w.until("the first topic", func() bool { return w.count() == 5 })
		w.topic("mqtt.b", 2)
		w.send("mqtt.b", 1, 0, 5)
		w.until("the second topic", func() bool { return w.count() == 10 })
		if d := cmp.Diff(map[string][]string{"fleet/mqtt.a-0": numbers(5, 10), "fleet/mqtt.b-1": numbers(0, 5)}, w.values()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[string]int32{"fleet/mqtt.a": 1, "fleet/mqtt.b": 2}, m.consumer.Partitions()); d != "" {
			t.Error(d)
		}
		if generation, ours := m.consumer.Owned("fleet/mqtt.b", 1); !ours || generation == 0 {
			t.Error("no generation for a partition we own")
		}
	})
}

func TestPartitionsThatAreAddedAreReadFromTheirBeginning(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		late := logs
		late.Start.Latest = true
		w.send("logs", 0, 0, 5)
		m := w.join(settings(late))
		w.until("the partition is ours", func() bool { return len(m.consumer.Status()) == 1 && m.consumer.Status()[0].Next == 5 })
		if err := m.cluster.Alter(t.Context(), []kafka.Topic{{Name: "logs", Partitions: 3}}); err != nil {
			t.Fatal(err)
		}
		w.send("logs", 2, 0, 5)
		w.until("the added partition", func() bool { return w.count() == 5 })
		if d := cmp.Diff(map[string][]string{"s-2": numbers(0, 5)}, w.values()); d != "" {
			t.Error(d)
		}
	})
}

func TestASourceThatNobodyFetchesHoldsNoMoreThanItsBudget(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 4)
		for p := range int32(4) {
			for range 10 {
				if err := w.product.Produce(t.Context(), "logs", []kafka.Record{{Partition: p, Value: make([]byte, 800<<10)}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		set := settings(logs)
		set.Bytes = 4 << 20
		m := w.joinAs(set, func(m *member) { m.pause(true) })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		held := m.consumer.Buffered()
		if held < set.Bytes/2 || held > set.Bytes || w.count() > 2 {
			t.Errorf("%d bytes are held of %d, %d records handed out", held, set.Bytes, w.count())
		}
		m.pause(false)
		w.until("all records", func() bool { return w.count() == 40 })
		if peak := m.consumer.Peak(); peak > set.Bytes {
			t.Errorf("%d bytes were held of %d", peak, set.Bytes)
		}
		w.until("nothing is held", func() bool { return m.consumer.Buffered() <= 4*64<<10 })
	})
}

func TestABrokerThatIsAwayIsWaitedForAndNothingIsLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 2)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("ten records", func() bool { return w.count() == 10 })
		m.wire.sever(true)
		w.send("logs", 1, 0, 10)
		w.until("that is noticed", func() bool { return m.consumer.Trouble() != "" })
		time.Sleep(time.Minute)
		for _, e := range m.consumer.Source("s").Ends() {
			if e.Drained {
				t.Errorf("%v is called drained while nobody can tell", e)
			}
		}
		m.wire.sever(false)
		w.until("the rest", func() bool { return w.count() >= 20 })
		if d := cmp.Diff(map[string][]string{"s-0": numbers(0, 10), "s-1": numbers(0, 10)}, w.values()); d != "" {
			t.Error(d)
		}
		w.until("all is well", func() bool { return m.consumer.Trouble() == "" })
	})
}

func TestWhatADeadMemberHadIsReadByTheOthersFromWhereItHadCommitted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 4)
		for p := range int32(4) {
			w.send("logs", p, 0, 300)
		}
		w.lag = 50 * time.Millisecond
		slowly := func(m *member) { m.slow(20) }
		a, b := w.joinAs(settings(logs), slowly), w.joinAs(settings(logs), slowly)
		w.until("both read", func() bool {
			by := map[*member]bool{}
			for _, r := range w.records() {
				by[r.by] = true
			}
			return by[a] && by[b]
		})
		a.wire.sever(true)
		a.pause(true)
		w.until("all partitions are read to their end", func() bool {
			return cmp.Equal(map[int32]int64{0: 300, 1: 300, 2: 300, 3: 300}, w.committed("logs"))
		})
		for p, list := range w.values() {
			seen := map[string]bool{}
			for _, v := range list {
				seen[v] = true
			}
			if len(seen) != 300 {
				t.Errorf("%s: %d different records", p, len(seen))
			}
		}
	})
}

func TestAPartitionIsNotCalledDrainedWhileItsFetchesAreNotAnswered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		drained := func() bool { ends := m.consumer.Source("s").Ends(); return len(ends) == 1 && ends[0].Drained }
		w.until("it is drained", drained)
		down := w.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.UnknownServerError, Count: -1})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if drained() || !m.consumer.Status()[0].Owned {
			t.Errorf("drained %t, %+v", drained(), m.consumer.Status()[0])
		}
		down.Remove()
		w.until("it is drained again", drained)
	})
}

func TestATopicWithCompactionIsRefusedUnlessThatIsAllowed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1, "cleanup.policy", "compact")
		w.send("logs", 0, 0, 3)
		m := w.join(settings(logs))
		<-m.gone
		if _, ok := errors.AsType[*kafka.Compacted](m.err); !ok {
			t.Fatalf("Run: %v", m.err)
		}
		allowed := logs
		allowed.AllowCompacted = true
		w.join(settings(allowed))
		w.until("its records", func() bool { return w.count() == 3 })
	})
}

func TestAlonePartitionsHoldEventTimeBackBeforeTheyAreOurs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 2)
		w.send("logs", 0, 0, 1)
		set := settings(logs)
		set.Solo = true
		c := w.connect()
		defer c.Close()
		idle, err := kafka.NewConsumer(c, set)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]event.End{{Source: "s", Offset: -1}}, idle.Source("s").Ends()); d != "" {
			t.Error(d)
		}
		m := w.join(set)
		want := []event.End{{Source: "s", Offset: 1, Drained: true}, {Source: "s", Partition: 1, Offset: 0, Drained: true}}
		ends := func() []event.End {
			list := m.consumer.Source("s").Ends()
			for i := range list {
				list[i].Cookie = ""
			}
			return list
		}
		w.until("both are read to their end", func() bool { return cmp.Equal(want, ends()) })
		m.wire.sever(true)
		w.until("they are not ours", func() bool { s := m.consumer.Status(); return !s[0].Owned && !s[1].Owned })
		want[0].Drained, want[1].Drained = false, false
		if d := cmp.Diff(want, ends()); d != "" {
			t.Error(d)
		}
		m.wire.sever(false)
	})
}

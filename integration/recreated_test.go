package integration_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

// fillWith writes n records of one batch each into partition 0.
func fillWith(t *testing.T, b *broker.Broker, topic string, n int64) {
	t.Helper()
	client := franz(t, b)
	for i := range n {
		until(t, "a record to be taken", func() bool {
			return produce(t.Context(), client, topic, one(1_000+i, 1_700_000_000_000, "k", fmt.Sprint(i))) == nil
		})
	}
}

// TestATopicMadeAnewThatHasGrownPastOurPositionIsNotReadOn holds that the topic's id tells what its offsets cannot, in a member that runs and in one
// that was away.
func TestATopicMadeAnewThatHasGrownPastOurPositionIsNotReadOn(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprintf("away=%t", away), func(t *testing.T) {
			b := broker.Start(t)
			b.CreateTopic("records", 1, nil)
			fillWith(t, b, "records", 10)
			j := newJournal()
			set := kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records"}}, From: j.tail}
			m := join(t, connect(t, b), j, set)
			until(t, "the records", func() bool { return j.count() == 10 })
			if away {
				if err := m.leave(t); err != nil {
					t.Fatal(err)
				}
			}
			b.DeleteTopic("records")
			b.CreateTopic("records", 1, nil)
			fillWith(t, b, "records", 30)
			if away {
				m = join(t, connect(t, b), j, set)
			}
			err := m.result(t)
			r, is := errors.AsType[*kafka.Recreated](err)
			if !is || r.Was == "" || r.Is == "" || r.Was == r.Is || !strings.Contains(err.Error(), "tocsin topics accept floor") {
				t.Errorf("Run says %v", err)
			}
			t.Log(err)
			set.Incarnation = func(string) int { return 1 }
			join(t, connect(t, b), j, set)
			until(t, "the records of the new topic", func() bool { return len(j.values("floor#1", 0)) == 30 })
			if n := len(j.values("floor", 0)); n != 10 {
				t.Errorf("%d records are there of the old topic", n)
			}
		})
	}
}

package integration_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

// TestMembersAreBackInTheirGroupSoonAfterTheBroker holds that members who lost their broker come back as the members they were. As new ones they would
// wait until the session of who they were has run out.
func TestMembersAreBackInTheirGroupSoonAfterTheBroker(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 2, nil)
	j := newJournal()
	set := kafka.ConsumerSettings{Sources: []kafka.SourceSettings{{Name: "floor", Topic: "records"}}, From: j.tail, Session: 40 * time.Second}
	members := []*member{join(t, connect(t, b), j, set), join(t, connect(t, b), j, set)}
	generation := int32(0) // The last one.
	owned := func() (n int) {
		for _, m := range members {
			for _, s := range m.Status() {
				if s.Owned && s.Trouble == "" && s.Generation > generation {
					n++
				}
			}
		}
		return n
	}
	client := franz(t, b)
	var were []string // The members of the group.
	for round, down := range []time.Duration{0, 8 * time.Second} {
		until(t, "both partitions to be read", func() bool { return owned() == 2 && len(members[0].Status())+len(members[1].Status()) == 4 })
		were = membersOf(t, client, "tocsin")
		for _, m := range members {
			for _, s := range m.Status() {
				generation = max(generation, s.Generation)
			}
		}
		b.Kill()
		<-time.After(down)
		b.Restart()
		began := time.Now()
		if err := produce(t.Context(), client, "records", one(1_000+int64(round), 1_700_000_000_000, "k", fmt.Sprint(round))); err != nil {
			t.Fatal(err)
		}
		until(t, "the record", func() bool { return j.count() == round+1 })
		until(t, "both partitions to be read again", func() bool { return owned() == 2 })
		t.Logf("away for %v, in its group and reading %v after the broker was ready", down, time.Since(began).Round(10*time.Millisecond))
		if diff := cmp.Diff(were, membersOf(t, client, "tocsin")); diff != "" || len(were) != 2 {
			t.Errorf("the group has other members (-before +after):\n%s", diff)
		}
	}
}

// membersOf are the ids by which the broker knows the members of a group.
func membersOf(t *testing.T, client *kgo.Client, group string) (ids []string) {
	t.Helper()
	until(t, "the members of the group to be told", func() bool {
		request := kmsg.NewPtrDescribeGroupsRequest()
		request.Groups = []string{group}
		answer, err := request.RequestWith(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		ids = nil
		for _, m := range answer.Groups[0].Members {
			ids = append(ids, m.MemberID)
		}
		return answer.Groups[0].ErrorCode == 0 && answer.Groups[0].State == "Stable"
	})
	return sorted(ids)
}

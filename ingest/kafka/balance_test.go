package kafka_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func TestTheBalanceIsEvenCompleteAndSticky(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		topics := []string{"a", "b", "c"}[:1+rng.IntN(3)]
		var partitions []string
		for _, topic := range topics {
			for i := range 1 + rng.IntN(12) {
				partitions = append(partitions, fmt.Sprint(topic, "/", i))
			}
		}
		var members []kafkago.GroupMember
		next := 0
		join := func() {
			members = append(members, kafkago.GroupMember{ID: fmt.Sprintf("m%03d", rng.IntN(900)+next*1000), Topics: topics})
			next++
		}
		join()
		before := map[string]string{}
		for generation := range int32(12) {
			left, joined := "", false
			switch {
			case generation == 0:
			case len(members) > 1 && rng.IntN(2) == 0:
				i := rng.IntN(len(members))
				left = members[i].ID
				members = slices.Delete(members, i, i+1)
			default:
				join()
				joined = true
			}
			rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			got := kafka.AssignNames(members, partitions)
			counts, owner := map[string]int{}, map[string]string{}
			for id, list := range got {
				for _, p := range list {
					if owner[p] != "" {
						t.Fatalf("seed %d: %s is given twice", seed, p)
					}
					owner[p] = id
					counts[id]++
				}
			}
			least, most, kept := len(partitions), 0, 0
			for _, m := range members {
				least, most = min(least, counts[m.ID]), max(most, counts[m.ID])
			}
			for _, p := range partitions {
				if owner[p] == "" {
					t.Fatalf("seed %d: nobody has %s", seed, p)
				}
				if owner[p] == before[p] {
					kept++
				}
			}
			if most-least > 1 {
				t.Fatalf("seed %d: from %d to %d partitions a member: %v", seed, least, most, got)
			}
			if len(topics) == 1 && left != "" { // Who stays keeps all it had.
				for p, id := range before {
					if id != left && owner[p] != id {
						t.Fatalf("seed %d: %s went from %s to %s when %s left", seed, p, id, owner[p], left)
					}
				}
			}
			if len(topics) == 1 && joined && kept < len(partitions)-(len(partitions)+len(members)-1)/len(members) {
				t.Fatalf("seed %d: %d of %d partitions stayed when one of %d members joined", seed, kept, len(partitions), len(members))
			}
			before = owner
			for i := range members {
				members[i].UserData = kafka.WishNames(generation+1, got[members[i].ID])
			}
		}
	}
}

func TestOfTwoThatHadAPartitionTheNewerKeepsIt(t *testing.T) {
	members := []kafkago.GroupMember{
		{ID: "old", Topics: []string{"a"}, UserData: kafka.WishNames(4, []string{"a/0", "a/1"})},
		{ID: "new", Topics: []string{"a"}, UserData: kafka.WishNames(5, []string{"a/0"})},
		{ID: "foreign", Topics: []string{"a"}, UserData: []byte("nonsense")},
	}
	got := kafka.AssignNames(members, []string{"a/0", "a/1", "a/2"})
	if !slices.Equal(got["new"], []string{"a/0"}) || !slices.Equal(got["old"], []string{"a/1"}) || !slices.Equal(got["foreign"], []string{"a/2"}) {
		t.Error(got)
	}
}

func TestATopicGoesOnlyToThoseWhoReadIt(t *testing.T) {
	members := []kafkago.GroupMember{{ID: "x", Topics: []string{"a"}}, {ID: "y", Topics: []string{"a", "b"}}}
	got := kafka.AssignNames(members, []string{"a/0", "b/0", "b/1", "c/0"})
	if !slices.Equal(got["x"], []string{"a/0"}) || !slices.Equal(got["y"], []string{"b/0", "b/1"}) {
		t.Error(got)
	}
}

func FuzzUserDataOfAnotherMember(f *testing.F) {
	f.Add(kafka.WishNames(3, []string{"a/0", "a/1", "b/7"}))
	f.Add([]byte{1, 0, 0, 255, 255, 255, 255, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := kafka.ReadWish(b)
		if err == nil && n > len(b) {
			t.Errorf("%d partitions in %d bytes", n, len(b))
		}
	})
}

package kafka

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// place is one partition of one topic.
type place struct {
	topic     string
	partition int32
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// sticky is the group's balancer: every member gets as many partitions as any other, give or take one, of every topic as evenly as that allows,
// and keeps what it had. kafka-go only knows rebalances in which everybody gives up everything first, so what a member had is a wish, not a
// claim: each member sends it along as user data, with the generation it comes from, and of two that name the same partition the newer is
// believed.
type sticky struct {
	seen func() view // The partitions there are, for when kafka-go could not list them because one topic is gone.

	mu         sync.Mutex // guards what follows
	generation int32
	owned      []place
}

// had notes what this member owns in a generation.
func (s *sticky) had(generation int32, owned []place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation, s.owned = generation, owned
}

// ProtocolName implements kafka.GroupBalancer.
func (s *sticky) ProtocolName() string { return "tocsin-sticky" }

// UserData implements kafka.GroupBalancer. The number of partitions we see is part of it: a member that rejoins since there are more must not
// look like one that has nothing new to say.
func (s *sticky) UserData() ([]byte, error) {
	total := 0
	for _, n := range s.seen() {
		total += int(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return appendWish(nil, s.generation, total, s.owned), nil
}

// AssignGroups implements kafka.GroupBalancer. It runs in the member that leads the group.
func (s *sticky) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	var places []place
	for _, p := range partitions {
		places = append(places, place{p.Topic, int32(p.ID)})
	}
	if len(places) == 0 {
		places = s.seen().places()
	}
	return assign(members, places)
}

// share is what one member gets.
type share struct {
	id     string
	topics map[string]bool
	kept   []place // what it had and may keep, at most
	topic  map[string]int
	count  int
	quota  int
}

// assign is the balance: a pure function of what members said and what partitions there are.
func assign(members []kafka.GroupMember, places []place) kafka.GroupMemberAssignments {
	slices.SortFunc(places, comparePlaces)
	places = slices.Compact(places)
	shares := make([]*share, len(members))
	for i, m := range members {
		shares[i] = &share{id: m.ID, topics: map[string]bool{}, topic: map[string]int{}}
		for _, t := range m.Topics {
			shares[i].topics[t] = true
		}
	}
	slices.SortFunc(shares, func(a, b *share) int { return cmp.Compare(a.id, b.id) })
	claims := wishes(members, places)
	for _, x := range shares {
		x.kept = slices.DeleteFunc(claims[x.id], func(p place) bool { return !x.topics[p.topic] })
	}
	quotas(shares, len(places))

	out := kafka.GroupMemberAssignments{}
	give := func(x *share, p place) {
		if out[x.id] == nil {
			out[x.id] = map[string][]int{}
		}
		out[x.id][p.topic] = append(out[x.id][p.topic], int(p.partition))
		x.topic[p.topic]++
		x.count++
	}
	perTopic := topicQuotas(shares, places)
	taken := map[place]bool{}
	for _, x := range shares {
		for _, p := range x.kept {
			if x.count < x.quota && x.topic[p.topic] < perTopic[p.topic] {
				give(x, p)
				taken[p] = true
			}
		}
	}
	for _, p := range places {
		if taken[p] {
			continue
		}
		if x := neediest(shares, p.topic); x != nil {
			give(x, p)
		}
	}
	return out
}

// neediest is who gets a partition of a topic that nobody keeps: who still lacks some, and of these who has fewest of the topic.
func neediest(shares []*share, topic string) *share {
	var best *share
	order := func(a, b *share) int {
		full := func(x *share) int { return min(1, max(0, x.count-x.quota+1)) }
		return cmp.Or(cmp.Compare(full(a), full(b)), cmp.Compare(a.topic[topic], b.topic[topic]), cmp.Compare(a.count, b.count), cmp.Compare(a.id, b.id))
	}
	for _, x := range shares {
		if x.topics[topic] && (best == nil || order(x, best) < 0) {
			best = x
		}
	}
	return best
}

// quotas says how many partitions each may have: the even share, and one more for those who had most.
func quotas(shares []*share, total int) {
	if len(shares) == 0 {
		return
	}
	byHeld := slices.Clone(shares)
	slices.SortStableFunc(byHeld, func(a, b *share) int { return cmp.Compare(len(b.kept), len(a.kept)) })
	for i, x := range byHeld {
		x.quota = total / len(shares)
		if i < total%len(shares) {
			x.quota++
		}
	}
}

// topicQuotas is the most partitions of each topic that a member keeps.
func topicQuotas(shares []*share, places []place) map[string]int {
	count, members := map[string]int{}, map[string]int{}
	for _, p := range places {
		count[p.topic]++
	}
	for _, x := range shares {
		for t := range x.topics {
			members[t]++
		}
	}
	for t, n := range count {
		count[t] = (n + max(1, members[t]) - 1) / max(1, members[t])
	}
	return count
}

// wishes says who had what, of the partitions that still exist: for each the member with the newest generation, the first by id among equals.
func wishes(members []kafka.GroupMember, places []place) map[string][]place {
	type holder struct {
		id         string
		generation int32
	}
	holders := map[place]holder{}
	for _, m := range members {
		generation, owned, err := readWish(m.UserData)
		if err != nil {
			continue // It had nothing, as far as we can tell.
		}
		for _, p := range owned {
			h, ok := holders[p]
			if !ok || generation > h.generation || generation == h.generation && m.ID < h.id {
				holders[p] = holder{m.ID, generation}
			}
		}
	}
	out := map[string][]place{}
	for _, p := range places { // in their order
		if h, ok := holders[p]; ok {
			out[h.id] = append(out[h.id], p)
		}
	}
	return out
}

// The user data: version 1, generation, partitions seen, then topics with their partitions.
const wishVersion = 1

var errWish = errors.New("user data of a group member is damaged or foreign")

func appendWish(b []byte, generation int32, seen int, owned []place) []byte {
	byTopic := map[string][]int32{}
	for _, p := range owned {
		byTopic[p.topic] = append(byTopic[p.topic], p.partition)
	}
	b = append(b, wishVersion)
	b = binary.AppendVarint(b, int64(generation))
	b = binary.AppendUvarint(b, uint64(seen))
	b = binary.AppendUvarint(b, uint64(len(byTopic)))
	for _, t := range slices.Sorted(maps.Keys(byTopic)) {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
		b = binary.AppendUvarint(b, uint64(len(byTopic[t])))
		for _, p := range byTopic[t] {
			b = binary.AppendUvarint(b, uint64(p))
		}
	}
	return b
}

// readWish reads user data. Counts are checked against the bytes there are, so it allocates no more than a small multiple of them.
func readWish(b []byte) (generation int32, owned []place, err error) {
	if len(b) == 0 || b[0] != wishVersion {
		return 0, nil, errWish
	}
	b = b[1:]
	g, n := binary.Varint(b)
	if n <= 0 || g != int64(int32(g)) {
		return 0, nil, errWish
	}
	b = b[n:]
	number := func() int {
		x, n := binary.Uvarint(b)
		if n <= 0 || x > 1<<31-1 {
			err = errWish
			b = nil
			return 0
		}
		b = b[n:]
		return int(x)
	}
	number()
	for range bounded(number(), b) {
		size := number()
		if size > len(b) {
			return 0, nil, errWish
		}
		topic := string(b[:size])
		b = b[size:]
		for range bounded(number(), b) {
			owned = append(owned, place{topic, int32(number())})
		}
		if err != nil {
			return 0, nil, err
		}
	}
	return int32(g), owned, err
}

// bounded is a count that b can hold; one more, so that reading fails, if it cannot.
func bounded(n int, b []byte) int { return min(n, len(b)+1) }

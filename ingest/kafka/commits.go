package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
)

// standing is what is committed: the next offset to read, and the id of the topic it is an offset of; "": not known.
type standing struct {
	offset int64
	id     string
}

// note takes an offset to commit.
func (s *session) note(c *Claim, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{c.Topic, c.Partition}
	if s.over[at] {
		return
	}
	s.next[at] = standing{offset, c.id}
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// close ends a claim: what it said so far is committed, what it says later is not.
func (s *session) close(c *Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over[place{c.Topic, c.Partition}] = true
}

// commits sends what claims said, at most as often as the settings allow, until ctx ends. It is the one place that commits, but for the last
// commit of a generation, which comes after it.
func (s *session) commits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.dirty:
		}
		if s.commit() != nil {
			select { // Again, later.
			case s.dirty <- struct{}{}:
			default:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.group.set.Commit):
		}
	}
}

// commit sends what is new since the last time, in the name of the generation: the group refuses it from anybody who is no longer part of that.
func (s *session) commit() error {
	if !s.alive() { // A heartbeat that gets through late may bring us back, and then nobody may have anything more to say.
		return errLapsed
	}
	s.mu.Lock()
	next := maps.Clone(s.next)
	maps.DeleteFunc(next, func(at place, x standing) bool { sent, ok := s.sent[at]; return ok && sent == x })
	s.mu.Unlock()
	if len(next) == 0 {
		return nil
	}
	gone, err := s.send(next)
	if err != nil {
		s.group.uncommitted(err)
		return err
	}
	s.group.committed()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.sent, next)
	for _, at := range gone { // Not to be said again of a topic that is made under the same name.
		s.over[at] = true
	}
	return nil
}

// send makes one request of offsets. What is known of them beside the number goes into their metadata. gone are places whose topic does not exist
// any more.
func (s *session) send(next map[place]standing) (gone []place, err error) {
	topics := map[string][]offsetcommit.RequestPartition{}
	for at, x := range next {
		topics[at.topic] = append(topics[at.topic], offsetcommit.RequestPartition{
			PartitionIndex: at.partition, CommittedOffset: x.offset, CommittedLeaderEpoch: -1, CommittedMetadata: cookieOf(x.id),
		})
	}
	req := &offsetcommit.Request{GroupID: s.group.set.Group, GenerationID: s.gen.ID, MemberID: s.gen.MemberID, RetentionTimeMs: -1}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		req.Topics = append(req.Topics, offsetcommit.RequestTopic{Name: topic, Partitions: topics[topic]})
	}
	ctx, enough := context.WithTimeout(context.Background(), s.group.cluster.config.RequestTimeout)
	defer enough()
	answer, err := s.desk.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, t := range answer.(*offsetcommit.Response).Topics {
		for _, p := range t.Partitions {
			switch code := kafka.Error(p.ErrorCode); {
			case code == kafka.UnknownTopicOrPartition:
				gone = append(gone, place{t.Name, p.PartitionIndex})
			case code != 0:
				s.desk.close() // It may be another coordinator's business now.
				return nil, fmt.Errorf("topic %s partition %d: %w", t.Name, p.PartitionIndex, code)
			}
		}
	}
	return gone, nil
}

// uncommitted logs that offsets could not be committed, and committed that they are again: each once, however long it takes, over generations.
func (g *group) uncommitted(err error) {
	if errors.Is(err, kafka.RebalanceInProgress) || g.behind {
		return
	}
	g.behind = true
	g.log.Warn("offsets not committed; nothing is lost by that, but more is read again should we end now", "err", err)
}

func (g *group) committed() {
	if g.behind {
		g.behind = false
		g.log.Info("offsets are committed again")
	}
}

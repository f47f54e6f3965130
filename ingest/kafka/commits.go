package kafka

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/segmentio/kafka-go"
)

// note takes an offset to commit.
func (s *session) note(c *Claim, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{c.Topic, c.Partition}
	if s.over[at] {
		return
	}
	s.next[at] = offset
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

// commit sends what is new since the last time, through the generation: the group refuses it from anybody who is no longer part of that.
func (s *session) commit() error {
	if !s.alive() { // A heartbeat that gets through late may bring us back, and then nobody may have anything more to say.
		return errLapsed
	}
	s.mu.Lock()
	next := maps.Clone(s.next)
	maps.DeleteFunc(next, func(at place, offset int64) bool { sent, ok := s.sent[at]; return ok && sent == offset })
	s.mu.Unlock()
	if len(next) == 0 {
		return nil
	}
	offsets := map[string]map[int]int64{}
	for at, offset := range next {
		if offsets[at.topic] == nil {
			offsets[at.topic] = map[int]int64{}
		}
		offsets[at.topic][int(at.partition)] = offset
	}
	if err := s.gen.CommitOffsets(offsets); err != nil {
		s.group.uncommitted(err)
		return err
	}
	s.group.committed()
	s.mu.Lock()
	maps.Copy(s.sent, next)
	s.mu.Unlock()
	return nil
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

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/rules"
)

// marksEvery is how often a member sees whether marks are owed while no batch comes.
const marksEvery = 200 * time.Millisecond

// wireIngest makes an ingest member: sources in one consumer group with the others, events to ClickHouse, hits to their partitions.
func (s *Service) wireIngest(ctx context.Context) error {
	partitions, err := s.relayTopics(ctx)
	if err != nil {
		return err
	}
	member := "ingest-" + strings.ToLower(rand.Text()[:10])
	log := s.tel.Log.With("component", "relay", "member", member)
	s.bindings = relay.NewBindings(member, relearner{s.core.Enricher}, log)
	s.lessons = &lessons{cluster: s.broker.cluster, topic: s.cfg.Relay.Bindings()}
	sender := relay.NewSender(relay.SenderSettings{
		Member: member, Epoch: epochOf(s.set.Clock()), Partitions: partitions, Bindings: s.cfg.Relay.Bindings(), MarksEvery: marksPace(partitions),
		Matcher: s.core.Engine, Rules: s.keeper.Set, Swap: s.matchBy, Rows: s.db, Ownership: owner{s}, Producer: s.broker, Slog: log,
		Sent: func(x relay.Sending) {
			s.metrics.sent(s.core, x)
			s.metrics.rules.tell(time.Now(), x.Events, s.cfg.Correlate.Tries, func() []correlate.RuleStats { return s.core.Engine.Stats().Rules })
		},
	})
	if err := s.sources(ctx, incident.Tail{}, sender, s.bindings, nil); err != nil {
		return err
	}
	s.work = func(ctx context.Context) error {
		defer s.lessons.Close()
		if err := s.bindings.Prime(ctx, s.lessons); err != nil {
			return err
		}
		read := func(ctx context.Context) error {
			err := s.pipeline.Run(ctx)
			last, enough := context.WithTimeout(context.WithoutCancel(ctx), manners)
			defer enough()
			if flushed := sender.Flush(last, s.now()); flushed != nil {
				log.Warn("the last marks were not sent; event time waits for the next record of each partition, or until it is idle", "err", flushed)
			}
			return err
		}
		return beside(ctx, func(ctx context.Context) error { return s.withConsumer(ctx, read) },
			func(ctx context.Context) error { return s.bindings.Listen(ctx, s.lessons) },
			func(ctx context.Context) error { return s.tick(ctx, sender) })
	}
	return nil
}

// matchBy makes the matcher of an ingest member go by other rules. It has no state that could be lost.
func (s *Service) matchBy(set *rules.Set) {
	s.core.Engine.Swap(set)
	s.keeper.running.Store(set)
}

// marksPace is how long marks may be held back, microseconds. A member that is killed takes those it held back with it, and event time then stands
// until the next record of each partition. With few partitions of hits every batch tells them all; with many that would be most of the traffic.
func marksPace(partitions int32) int64 {
	if partitions <= 32 {
		return 1
	}
	return marksEvery.Microseconds()
}

// epochOf is an epoch for the batches of a member: another at each start, and never one of a process that does everything.
func epochOf(now time.Time) uint64 {
	var b [1]byte
	_, _ = rand.Read(b[:])
	return uint64(now.UnixMicro())<<8 | uint64(b[0]) // Two members may start in the same microsecond.
}

// relayTopics is the number of partitions of hits, or what is wrong with the topics between the roles.
func (s *Service) relayTopics(ctx context.Context) (int32, error) {
	names := []string{s.cfg.Relay.Hits(), s.cfg.Relay.Findings(), s.cfg.Relay.Bindings()}
	for said := false; ; said = true {
		topics, err := s.broker.cluster.Describe(ctx, names)
		if err == nil {
			return checkRelay(s.cfg.Relay, topics)
		}
		if !said {
			s.tel.Log.Warn("the brokers do not answer; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func checkRelay(c RelayConfig, topics []kafka.Topic) (int32, error) {
	for i, want := range []int32{int32(c.Partitions), 1, 1} {
		t := topics[i]
		switch {
		case t.Partitions == 0:
			return 0, fmt.Errorf("topic %s does not exist: run tocsin topics apply", t.Name)
		case t.Partitions != want:
			return 0, fmt.Errorf("topic %s has %d partitions and the configuration says %d: all members must agree; set relay.partitions to what the topic has", t.Name, t.Partitions, want)
		case t.Compacted():
			return 0, fmt.Errorf("topic %s is compacted, but it is a log: set its cleanup.policy to delete (tocsin topics apply does)", t.Name)
		}
	}
	return topics[0].Partitions, nil
}

// tick lets the sender say marks that were held back.
func (s *Service) tick(ctx context.Context, sender *relay.Sender) error {
	t := time.NewTicker(marksEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := sender.Tick(ctx, s.now()); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// beside runs work, and others until it has ended. The first error ends all; where it is that of another, work's own word that it was stopped
// does not hide it.
func beside(ctx context.Context, work func(context.Context) error, others ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(others))
	var wg sync.WaitGroup
	for _, run := range others {
		wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				failed <- err
				cancel()
			}
		})
	}
	err := work(ctx)
	cancel()
	wg.Wait()
	select {
	case first := <-failed:
		if err == nil || errors.Is(err, context.Canceled) {
			return first
		}
	default:
	}
	return err
}

// relearner is the enricher as bindings of other members see it.
type relearner struct{ *Enricher }

// Relearn implements relay.Enricher.
func (r relearner) Relearn(learned []byte) error {
	return r.enricher.Bindings().Relearn(learned)
}

// owner tells the sender what is ours. The consumer is made after the sender.
type owner struct{ s *Service }

// Generation implements relay.Ownership.
func (o owner) Generation(source string, partition int32) (int32, bool) {
	return o.s.consumer.Owned(source, partition)
}

// Partitions implements relay.Ownership.
func (o owner) Partitions() []relay.Partitions {
	all := o.s.consumer.Partitions()
	out := make([]relay.Partitions, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, relay.Partitions{Source: name, Count: all[name]})
	}
	return out
}

package app

import (
	"context"
	"log/slog"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/store"
)

// wireCorrelate makes a correlate member: it owns partitions of hits and announces findings.
func (s *Service) wireCorrelate(ctx context.Context) error {
	if _, err := s.relayTopics(ctx); err != nil {
		return err
	}
	s.correlator = relay.NewCorrelator(relay.CorrelatorSettings{
		Logs: s.broker, Accepted: s.acceptedTopics, Producer: s.broker, Checkpoints: s.db.Named(), Rules: s.keeper.Set,
		Warm: s.warmPartition, Swapped: func(set *rules.Set) { s.keeper.running.Store(set) },
		RulesText: (*rules.Set).Text, RulesOf: rules.OfText,
		Engine: s.core.settings, Every: s.cfg.Correlate.Checkpoint, Clock: s.now, Slog: s.tel.Log.With("component", "relay"),
	})
	if err := s.observeRelay(); err != nil {
		return err
	}
	s.beside = append(s.beside, s.tellRules)
	s.work = func(ctx context.Context) error {
		set := s.member.of(kafka.GroupSettings{Group: s.cfg.Kafka.Group + ".correlate", Topics: []string{s.cfg.Relay.Hits()}, Session: s.cfg.Kafka.Session})
		return s.broker.cluster.Consume(ctx, set, func(ctx context.Context, c *kafka.Claim) error { return s.correlator.Own(ctx, claimOf(c)) })
	}
	return nil
}

// warmPartition fills rules that begin in a partition with those of their hits of the past that belong to it.
func (s *Service) warmPartition(ctx context.Context, p *relay.Partition) error {
	return s.filling.during(p.Waiting(), func() error {
		return s.core.warmPartition(ctx, s.db.DB, s.tel.Log, p, int32(s.cfg.Relay.Partitions), s.filling.reach)
	})
}

func (c *Core) warmPartition(ctx context.Context, db *store.DB, log *slog.Logger, p *relay.Partition, partitions int32, reach func(int)) error {
	return c.warmWith(ctx, db, log, warming{
		rules: p.Waiting(), frontier: p.Stats().Frontier, fold: p.Warm, reach: reach,
		ours: func(h *event.Hit, r *rules.Rule) bool {
			if r.Component != "" {
				return relay.ComponentPartition(r.Component, partitions) == p.Number()
			}
			return relay.HitPartition(h, partitions) == p.Number()
		},
	})
}

func claimOf(c *kafka.Claim) relay.Claim {
	return relay.Claim{Partition: c.Partition, Generation: c.Generation, Commit: c.Commit}
}

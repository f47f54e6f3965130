package app

import (
	"context"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/relay"
)

// actTime is how long an analyst waits for an act to come back through the topic.
const actTime = 15 * time.Second

// wireTriage makes a triage member. All members fold findings into incidents; the one that holds the group's claim also records and delivers.
func (s *Service) wireTriage(ctx context.Context) error {
	if _, err := s.relayTopics(ctx); err != nil {
		return err
	}
	if err := s.wireDesk(); err != nil {
		return err
	}
	if err := s.wireModel(); err != nil {
		return err
	}
	s.triage = relay.NewTriage(relay.TriageSettings{
		Logs: s.broker, Accepted: s.acceptedTopics, Producer: s.broker, Checkpoints: s.db.Named(), Records: s.db, Every: s.cfg.Correlate.Checkpoint, Clock: s.now,
		Stitcher: func() *incident.Stitcher {
			return incident.NewStitcher(s.cfg.Stitch.stitching(s.core.Live.Tables), directory{s.core.Live.Tables})
		},
		Published: s.published, Slog: s.tel.Log.With("component", "relay"),
	})
	s.analyst = remote{s.triage}
	if err := s.observeRelay(); err != nil {
		return err
	}
	s.beside = append(s.beside, s.tellFloods)
	s.begin = func(a incident.Action) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.analyst.Act(ctx, a)
			return err
		}
	}
	s.work = func(ctx context.Context) error {
		set := s.member.of(kafka.GroupSettings{Group: s.cfg.Kafka.Group + ".triage", Topics: []string{s.cfg.Relay.Findings()}, Session: s.cfg.Kafka.Session})
		return beside(ctx, s.triage.Run, func(ctx context.Context) error { return s.broker.cluster.Consume(ctx, set, s.lead) })
	}
	return nil
}

// lead records and delivers for as long as the claim is ours.
func (s *Service) lead(ctx context.Context, c *kafka.Claim) error {
	s.tel.Log.Info("leading triage", "generation", c.Generation)
	inner, cancel := context.WithCancel(ctx)
	var desk sync.WaitGroup
	desk.Go(func() { _ = s.desk.Run(inner) })
	if s.model != nil {
		desk.Go(func() { _ = s.model.Run(inner) })
	}
	err := s.triage.Lead(ctx, claimOf(c))
	cancel()
	desk.Wait()
	s.tel.Log.Info("no longer leading triage")
	return err
}

// remote sends analysts' acts through the topic, so that all members fold them.
type remote struct{ triage *relay.Triage }

// Act implements console.Analyst.
func (r remote) Act(ctx context.Context, a incident.Action) ([]incident.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, actTime)
	defer cancel()
	return r.triage.Act(ctx, a)
}

package app

import (
	"context"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// wireAll recovers the state and connects the parts of a process that does everything.
func (s *Service) wireAll(ctx context.Context) error {
	if err := s.wireDesk(); err != nil {
		return err
	}
	if err := s.wireModel(); err != nil {
		return err
	}
	s.worker = correlate.NewWorker(correlate.WorkerSettings{
		Engine: s.core.Engine, Stitcher: openStitcher{s.core.Stitcher, &s.suppressions}, State: s.core.Enricher.enricher.Bindings(), Log: s.db, Records: s.db, Checkpoints: s.db,
		Tables: func() string { return s.core.Live.Tables().Version() }, Rules: s.keeper.Set, Swapped: s.swapped,
		Every: s.cfg.Correlate.Checkpoint.Microseconds(), Published: s.published, Slog: s.tel.Log.With("component", "correlate"), Folded: s.folded,
		Warm: func(ctx context.Context) error {
			return s.filling.during(s.core.Engine.Waiting(), func() error { return s.core.warm(ctx, s.db.DB, s.tel.Log, s.filling.reach) })
		},
		RulesText: (*rules.Set).Text, RulesOf: rules.OfText,
	})
	s.analyst, s.begin = s, s.beginHere
	tail, err := s.worker.Recover(ctx)
	if err != nil {
		return err
	}
	s.health.recovered(tail)
	s.core.Enricher.mirror = newMirror(s.db.DB) // After recovery, which teaches again what is mirrored already.
	s.beside = append(s.beside, s.core.Enricher.mirror.run)
	if err := s.sources(ctx, tail, s.worker, s.core.Enricher, tailEnds(tail.Ends)); err != nil {
		return err
	}
	s.onStop("checkpoint", func(ctx context.Context) error { s.worker.Stop(ctx); return nil })
	s.work = s.read
	s.beside = append(s.beside, func(ctx context.Context) { _ = s.desk.Run(ctx) })
	if s.model != nil {
		s.beside = append(s.beside, func(ctx context.Context) { _ = s.model.Run(ctx) })
	}
	return nil
}

// swapped says what taking over new rules did.
func (s *Service) swapped(r correlate.Report) {
	s.keeper.running.Store(s.keeper.Set())
	s.tel.Log.Info("rules swapped", "kept", len(r.Kept), "warming", r.Warming, "stopped", r.Stopped)
}

// published tells everybody who waits for changes.
func (s *Service) published(changes []incident.Change) {
	s.metrics.soc.changed(changes)
	if s.set.Role == RoleAll { // elsewhere they come from the store, with those of other processes
		s.board.Publish(changes)
		s.tell(changes)
	}
	s.desk.Notify()
	if s.model != nil {
		s.model.Publish(changes)
	}
	if s.set.Published != nil {
		s.set.Published(changes)
	}
}

func (s *Service) folded(b *event.Batch, hits, findings, changes int) {
	s.metrics.batch(s.core, b, hits, findings, changes)
	var at int64
	told := s.metrics.rules.tell(time.Now(), len(b.Events), s.cfg.Correlate.Tries, func() []correlate.RuleStats {
		stats := s.core.Engine.Stats()
		at = stats.Frontier
		return stats.Rules
	})
	if told {
		s.metrics.rules.flood(s.core.Stitcher.Flooded(at))
	}
}

// read runs the pipeline: for ever, or to the end of the given inputs.
func (s *Service) read(ctx context.Context) error {
	if s.set.Inputs != nil {
		if err := s.pipeline.Replay(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		return s.worker.Settled()
	}
	return s.withConsumer(ctx, s.pipeline.Run)
}

// Act implements console.Analyst.
func (s *Service) Act(ctx context.Context, a incident.Action) ([]incident.Change, error) {
	return s.worker.Act(ctx, a, s.nudge)
}

// nudge asks for a batch soon.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// beginHere queues an action in this process, before all acts that come later.
func (s *Service) beginHere(a incident.Action) func(context.Context) error {
	wait := s.worker.Begin(a, s.nudge)
	return func(ctx context.Context) error {
		_, err := wait(ctx)
		return err
	}
}

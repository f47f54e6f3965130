package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

// summaryKind is the kind of the documents that hold model summaries. They are no part of the log: losing them loses nothing that cannot be asked again.
const summaryKind = "summary"

// summaryShelf keeps model summaries in the workspace; it implements llm.Shelf.
type summaryShelf struct {
	db  *store.DB
	now func() int64
}

// Keep implements llm.Shelf.
func (s summaryShelf) Keep(ctx context.Context, id string, body []byte) error {
	old, _, err := s.db.KeptOne(ctx, summaryKind, id)
	if err != nil {
		return err
	}
	_, err = s.db.Keep(ctx, store.Doc{Kind: summaryKind, ID: id, Body: body, By: "model", At: s.now()}, old.Revision)
	return err
}

// Kept implements llm.Shelf.
func (s summaryShelf) Kept(ctx context.Context) (map[string][]byte, error) {
	docs, err := s.db.Kept(ctx, summaryKind)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(docs))
	for _, d := range docs {
		out[d.ID] = d.Body
	}
	return out, nil
}

// wireModel makes the worker that keeps model summaries, where a model is configured.
func (s *Service) wireModel() error {
	if !s.cfg.Triage.LLM.On() {
		return nil
	}
	metrics, err := llm.NewMetrics(s.tel.Meter)
	if err != nil {
		return err
	}
	s.model, err = llm.New(s.cfg.Triage.LLM, llm.Settings{
		Now: s.set.Clock, Log: s.tel.Log.With("component", "llm"), Metrics: metrics, Shelf: summaryShelf{s.db.DB, s.now}, Ready: s.summaryReady,
	})
	return err
}

// summaryRetry is until a summary that did not reach the log is told again.
const summaryRetry = 2 * time.Second

// summaryReady takes the news that a model's summary is ready to the log, from which its deliveries follow.
func (s *Service) summaryReady(ctx context.Context, o *triage.Overlay) (*incident.Incident, error) {
	a := incident.SummaryReady(o.Incident, o.Summary(), s.now())
	for warned := false; ; warned = true {
		changes, err := s.analyst.Act(ctx, a)
		switch {
		case err == nil && len(changes) > 0:
			return changes[len(changes)-1].Incident, nil
		case err == nil || errors.Is(err, incident.ErrUnknown) || errors.Is(err, incident.ErrRefused) || errors.Is(err, incident.ErrStale):
			return nil, nil
		case ctx.Err() == nil && !warned:
			s.tel.Log.Warn("that a model's summary is ready is not in the log yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(summaryRetry):
		}
	}
}

// modelCheck is the line of the health page about the model and its budget.
func (s *Service) modelCheck() console.Check {
	st := s.model.Status()
	c := console.Check{Name: "model " + st.Model, Good: !st.Resting && st.Spent < st.Daily}
	c.Detail = fmt.Sprintf("asked by %s; %d of %d tokens of this UTC day used; %d incidents wait", st.Mode, st.Spent, st.Daily, st.Waiting)
	switch {
	case st.Resting:
		c.Detail += fmt.Sprintf("; rests after %d failures in a row: %s", st.Failures, st.Error)
	case !c.Good:
		c.Detail += "; the budget is used up: summaries are deterministic until tomorrow (triage.llm.daily_tokens)"
	case st.Error != "":
		c.Detail += "; the last question: " + st.Error
	}
	return c
}

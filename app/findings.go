package app

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Finding implements console.Findings.
func (r reader) Finding(ctx context.Context, id event.ID) (*incident.Finding, error) {
	f, found, err := r.db.Finding(ctx, id)
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no finding %s", console.ErrNotFound, event.FormatID(event.FindingPrefix, id))
	}
	return f, err
}

// Holder implements console.Findings.
func (r reader) Holder(ctx context.Context, finding event.ID) (*incident.Incident, error) {
	in, found, err := r.db.Holder(ctx, finding)
	if !found {
		return nil, err
	}
	return in, err
}

// Evidence implements console.Findings.
func (r reader) Evidence(ctx context.Context, ids []event.ID) ([]*event.Event, error) {
	return r.db.PickWhole(ctx, ids)
}

// explainer explains findings from the service's own store, by the rules in force. At most so many at once: each folds events again.
type explainer struct {
	service *Service
	turns   chan struct{}
}

// maxExplaining is how many findings are explained at once.
const maxExplaining = 2

func newExplainer(s *Service) explainer {
	return explainer{s, make(chan struct{}, maxExplaining)}
}

// Read implements console.Explainer.
func (x explainer) Read(f *incident.Finding, evidence []*event.Event) *console.Explained {
	r, foreign := ruleOf(x.service.keeper.Set(), f)
	if foreign != "" {
		return &console.Explained{Foreign: foreign}
	}
	events := make([]event.Event, len(evidence))
	taken := newTaken(lookups{x.service.core.Live.Tables})
	q := correlate.Question{Finding: f.ID, Lookups: taken}
	for i, e := range evidence {
		events[i] = *e
		q.Events = append(q.Events, e.Envelope.ID)
	}
	found := correlate.Explain(r, events, q)
	out := explained(&found)
	out.Given = taken.given(r, f)
	return out
}

// Explain implements console.Explainer.
func (x explainer) Explain(ctx context.Context, id event.ID) (*console.Explained, error) {
	select {
	case x.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-x.turns }()
	s := x.service
	core := &Core{Live: s.core.Live, Rules: s.keeper.Set()}
	found, err := core.explainFinding(ctx, &past{cfg: s.cfg, db: s.db}, id)
	if err != nil {
		return nil, err
	}
	if found.Explanation == nil || found.Foreign != "" {
		return &console.Explained{Foreign: found.Foreign}, nil
	}
	return explained(found.Explanation), nil
}

// explained is an explanation as a page shows it.
func explained(x *correlate.Explanation) *console.Explained {
	out := &console.Explained{}
	for i := range x.Steps {
		st := &x.Steps[i]
		out.Steps = append(out.Steps, console.ExplainedStep{ID: st.ID, Classes: st.Classes, Where: st.Where, Seen: st.Seen, Matched: st.Matched})
	}
	for _, v := range x.Evidence {
		e := console.ExplainedEvidence{Step: v.Step, Event: v.Ref.Event}
		for _, o := range v.Read {
			e.Read = append(e.Read, console.ExplainedValue{Text: o.Text, Value: o.Value, Known: o.Known})
		}
		out.Evidence = append(out.Evidence, e)
	}
	for _, g := range x.Guards {
		out.Guards = append(out.Guards, console.ExplainedGuard{ID: g.ID, From: g.From, To: g.To, Hits: len(g.Hits)})
	}
	return out
}

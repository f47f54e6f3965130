package incident

import (
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// Bounds of a model's summary.
const (
	MaxSummaryText = 1200 // Characters.
	MaxSummaryRefs = 20
	maxSummaries   = 8 // Revisions in a row that only say that a summary is ready.
)

// ModelSummary is what a model made of an incident, after every claim of it was proven. It decides nothing. Its text is hostile to whoever shows it.
type ModelSummary struct {
	Of    int32      // The revision it is about.
	Model string     // As its server calls it.
	Text  string     // At most MaxSummaryText characters.
	Refs  []event.ID // Events that prove it, at most MaxSummaryRefs.
}

// SummaryReady is the action that says that a model's summary is ready. The same summary of the same revision has the same id, so that it happens once.
func SummaryReady(id event.ID, m ModelSummary, at int64) Action {
	return Action{ID: event.NewID("summary", string(id[:]), fmt.Sprint(m.Of), m.Model, m.Text), Kind: ActionSummarise, Incident: id, By: "model", At: at, Summary: &m}
}

// summarise notes a model's summary. Nobody has acted and nothing has been decided: the revision makes nothing stale, and the incident counts as
// untouched if it was.
func (s *Stitcher) summarise(in *Incident, a Action) ([]Change, error) {
	m := a.Summary
	if m == nil || m.Text == "" || m.Of < 1 || m.Of > in.Revision || len(m.Refs) > MaxSummaryRefs {
		return nil, fmt.Errorf("%w: there is no summary of one of its revisions", ErrRefused)
	}
	if err := fits("the summary", m.Text, MaxSummaryText); err != nil {
		return nil, err
	}
	if err := fits("the model", m.Model, maxName); err != nil {
		return nil, err
	}
	if was := in.Summary; was != nil && (was.Of > m.Of || was.Of == m.Of && was.Text == m.Text) {
		return nil, nil
	}
	next := *in
	next.Revision++
	next.Updated, next.Summary = a.At, m
	next.Summaries = append(slices.Clone(in.Summaries[max(0, len(in.Summaries)-maxSummaries+1):]), next.Revision)
	s.incidents[next.ID] = &next
	return []Change{{Kind: ChangeSummaryReady, Fields: []string{"summary"}, Incident: &next}}, nil
}

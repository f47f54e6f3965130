package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
)

// ReplaySettings is what a replay reads and how it ends.
type ReplaySettings struct {
	Inputs   []ReplayInput
	Received int64 // Receive time of records that state no time and follow none, microseconds; 0: they are rejected.
	Drain    bool  // Run event time past every deadline at the end.
	Progress func(records int)
	Announce func(incident.Finding) // Told of every revision of a finding; nil: not.
	Changed  func(incident.Change)  // Told of every change of an incident; nil: not.
}

// ReplayInput is one source of a replay; Open is called with the replay's clock.
type ReplayInput struct {
	Name, Format, Site string
	Location           *time.Location
	Open               func(clock func() int64) (ingest.Source, error)
}

// ReplayResult is what came out: the last revision of everything, findings by (time, id), incidents by opening, without withdrawn findings
// and merged incidents.
type ReplayResult struct {
	Findings  []incident.Finding
	Incidents []*incident.Incident
	Events    int
	Rejects   []event.Reject
}

// Replay runs inputs through the live path without store and network. The same inputs, tables and rules give the same result: there is no
// clock, "now" is the newest event time seen so far.
func (c *Core) Replay(ctx context.Context, set ReplaySettings) (*ReplayResult, error) {
	h := &replayHandler{core: c, set: set, findings: map[event.ID]incident.Finding{}, now: set.Received}
	var inputs []ingest.Input
	for _, in := range set.Inputs {
		source, err := in.Open(h.clock)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, ingest.Input{Name: in.Name, Format: in.Format, Site: in.Site, Location: in.Location, Source: source, IsFile: true})
	}
	p, err := ingest.New(ingest.Settings{
		Config: ingest.DefaultConfig(), Inputs: inputs, Enricher: c.Enricher, Handler: h, Clock: h.clock, Received: set.Received, Progress: set.Progress,
	})
	if err != nil {
		return nil, err
	}
	if err := p.Replay(ctx); err != nil {
		return nil, err
	}
	if set.Drain {
		h.take(c.Engine.Drain(), nil)
	}
	return h.result(), nil
}

// replayHandler is the worker of a replay: the same steps as the live one, without a log.
type replayHandler struct {
	core     *Core
	set      ReplaySettings
	findings map[event.ID]incident.Finding
	rejects  []event.Reject
	events   int
	now      int64
	batch    event.BatchID
}

func (h *replayHandler) clock() int64 { return h.now }

// Handle implements ingest.Handler.
func (h *replayHandler) Handle(_ context.Context, b *event.Batch) error {
	h.batch.Number++
	h.events += len(b.Events)
	for _, r := range b.Rejects {
		r.Raw = slices.Clone(r.Raw)
		h.rejects = append(h.rejects, r)
	}
	for _, m := range b.Marks {
		h.now = max(h.now, m.Newest)
	}
	hits, notes := h.core.Engine.Match(b)
	h.take(h.core.Engine.Fold(hits, b.Marks), notes)
	return nil
}

func (h *replayHandler) take(findings []incident.Finding, notes []event.Note) {
	for _, f := range findings {
		h.findings[f.ID] = f
		if h.set.Announce != nil {
			h.set.Announce(f)
		}
	}
	for _, c := range h.core.Stitcher.Apply(findings, correlate.Changes(notes), h.batch, h.now) {
		if h.set.Changed != nil {
			h.set.Changed(c)
		}
	}
}

func (h *replayHandler) result() *ReplayResult {
	out := &ReplayResult{Incidents: h.core.Stitcher.Incidents(), Events: h.events, Rejects: h.rejects}
	for _, f := range h.findings {
		if f.State != incident.Withdrawn {
			out.Findings = append(out.Findings, f)
		}
	}
	slices.SortFunc(out.Findings, compareShown)
	return out
}

// compareShown orders findings by time and id as they are printed: in milliseconds, and as text, whose order is not that of the id's bytes.
func compareShown(a, b incident.Finding) int {
	return cmp.Or(
		cmp.Compare(a.Time/1000, b.Time/1000),
		cmp.Compare(event.FormatID(event.FindingPrefix, a.ID), event.FormatID(event.FindingPrefix, b.ID)),
	)
}

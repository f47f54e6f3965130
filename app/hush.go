package app

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// How far a preview of a suppression goes back, and how much it reads at most.
const (
	previewSpan      = 7 * 24 * time.Hour
	previewFindings  = 20_000
	previewIncidents = 5_000
	previewRules     = 20
)

// stitching is the stitcher's configuration with what it needs of the tables.
func (c StitchConfig) stitching(tables func() *enrich.Tables) incident.Config {
	cfg := c.config()
	cfg.Compile = suppressing(tables)
	return cfg
}

// suppressing compiles the expressions of suppressions. Zones are those of the tables at the moment at which a finding is asked about, as are
// owners. All that it compiled is for one goroutine at a time: what expressions see of a finding is made once for all of them.
func suppressing(tables func() *enrich.Tables) func(string) (func(*incident.Finding) bool, error) {
	zones := func(entity string) string { return zoneIn(tables(), entity) }
	var asked struct {
		id       event.ID
		revision int32
		subject  expression.Subject
	}
	return func(text string) (func(*incident.Finding) bool, error) {
		filter, err := expression.CompileFilter(text)
		if err != nil {
			return nil, err
		}
		return func(f *incident.Finding) bool {
			if asked.id != f.ID || asked.revision != f.Revision {
				asked.id, asked.revision, asked.subject = f.ID, f.Revision, board.SubjectOf(f, zones)
			}
			return filter.Match(&asked.subject)
		}, nil
	}
}

// zoneIn is the zone of an entity by the inventory, or that of an address by its network.
func zoneIn(tables *enrich.Tables, entity string) string {
	if a, ok := tables.Asset(entity); ok && a.Zone != "" {
		return a.Zone
	}
	if text, isIP := strings.CutPrefix(entity, "ip:"); isIP {
		if ip, err := netip.ParseAddr(text); err == nil {
			z, _ := tables.Zone(ip)
			return z.Name
		}
	}
	return ""
}

// openStitcher is a stitcher whose suppressions others may read while it works.
type openStitcher struct {
	*incident.Stitcher
	shown *atomic.Pointer[[]incident.Suppression]
}

func (s openStitcher) show() { s.shown.Store(new(s.Suppressions())) }

// Apply implements correlate.Stitcher.
func (s openStitcher) Apply(findings []incident.Finding, notes []event.Note, batch event.BatchID, now int64) []incident.Change {
	defer s.show()
	return s.Stitcher.Apply(findings, notes, batch, now)
}

// Act implements correlate.Stitcher.
func (s openStitcher) Act(a incident.Action, batch event.BatchID) ([]incident.Change, error) {
	defer s.show()
	return s.Stitcher.Act(a, batch)
}

// Restore implements correlate.Stitcher.
func (s openStitcher) Restore(b []byte) error {
	defer s.show()
	return s.Stitcher.Restore(b)
}

// hushed implements console.Suppressions.
type hushed struct{ s *Service }

// hushed is what the console reads of suppressions; nil where findings are not stitched.
func (s *Service) hushed() console.Suppressions {
	if s.analyst == nil {
		return nil
	}
	return hushed{s}
}

// Suppressions implements console.Suppressions.
func (h hushed) Suppressions() (list []incident.Suppression) {
	if h.s.triage != nil {
		return h.s.triage.Suppressions()
	}
	if shown := h.s.suppressions.Load(); shown != nil {
		list = *shown
	}
	return list
}

// Preview implements console.Suppressions.
func (h hushed) Preview(ctx context.Context, text string) (console.Impact, error) {
	match, err := suppressing(h.s.core.Live.Tables)(text)
	if err != nil {
		return console.Impact{}, fmt.Errorf("%w: %w", incident.ErrRefused, err)
	}
	x := console.Impact{Since: h.s.now() - previewSpan.Microseconds()}
	for f, err := range h.s.db.Findings(ctx, store.FindingFilter{From: x.Since, Shadow: event.False, Limit: previewFindings + 1}) {
		if err != nil {
			return x, err
		}
		if x.Looked == previewFindings {
			x.Cut = true
			break
		}
		x.Looked++
		if f.State != incident.Withdrawn && match(f) {
			addImpact(&x, f)
		}
	}
	slices.Sort(x.Rules)
	open := []incident.Status{incident.Open, incident.Acknowledged, incident.Closed}
	for in, err := range h.s.db.Incidents(ctx, store.IncidentFilter{Status: open, From: x.Since, Limit: previewIncidents}) {
		if err != nil {
			return x, err
		}
		n := 0
		for i := range in.Findings {
			if match(&in.Findings[i]) {
				n++
			}
		}
		if n > 0 {
			x.Incidents++
		}
		if n > 0 && n == len(in.Findings) {
			x.Whole++
		}
	}
	return x, nil
}

func addImpact(x *console.Impact, f *incident.Finding) {
	x.Findings++
	if f.Severity >= incident.High {
		x.Severe++
	}
	if len(x.Rules) < previewRules && !slices.Contains(x.Rules, f.Rule.ID) {
		x.Rules = append(x.Rules, f.Rule.ID)
	}
}

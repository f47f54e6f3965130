package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// ShadowRule is what one rule in shadow has found, and what would have come of it.
type ShadowRule struct {
	Rule     string         `json:"rule"`
	Version  int32          `json:"version"` // The newest that found something.
	Title    string         `json:"title"`
	Findings int            `json:"findings"`
	Days     map[string]int `json:"days"`     // Findings by UTC day.
	Top      []EntityCount  `json:"entities"` // Of the findings' variables.
	Joined   int            `json:"joined"`   // Incidents it would have been part of that live rules open anyway.
	Opened   int            `json:"opened"`   // Incidents that only rules in shadow would have opened.
}

// Shadow reads the findings of a span of event time, stitches those of rules in shadow as if they were live, and tells per rule what changes. It is
// the same stitching as that of the service, over final and provisional findings as they now stand. From is inclusive, to exclusive.
func Shadow(ctx context.Context, cfg Config, from, to int64, progress func(engine.Progress)) ([]ShadowRule, error) {
	core, err := NewCore(cfg)
	if err != nil {
		return nil, err
	}
	db, err := openKept(ctx, cfg, progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var all []incident.Finding
	for f, err := range db.Findings(ctx, store.FindingFilter{From: from, To: to}) {
		if err != nil {
			return nil, fmt.Errorf("read findings: %w", err)
		}
		if len(all) == maxBacktested {
			return nil, fmt.Errorf("more than %d findings: narrow the time with --from and --to", maxBacktested)
		}
		if f.State != incident.Withdrawn {
			all = append(all, *f)
		}
	}
	return shadowed(core.Stitcher, all), nil
}

// shadowed stitches findings in order of time and sums up what rules in shadow add.
func shadowed(stitcher *incident.Stitcher, all []incident.Finding) []ShadowRule {
	slices.SortFunc(all, func(a, b incident.Finding) int { return cmp.Or(cmp.Compare(a.Time, b.Time), a.ID.Compare(b.ID)) })
	shadow := map[event.ID]bool{}
	reports := map[string]*ShadowRule{}
	entities := map[string]map[string]int{}
	for i := range all {
		f := all[i]
		if f.Shadow {
			shadow[f.ID] = true
			r := reports[f.Rule.ID]
			if r == nil {
				r = &ShadowRule{Rule: f.Rule.ID, Days: map[string]int{}}
				reports[f.Rule.ID], entities[f.Rule.ID] = r, map[string]int{}
			}
			r.Findings++
			r.Days[stamp(f.Time)[:10]]++
			if f.Rule.Version >= r.Version {
				r.Version, r.Title = f.Rule.Version, f.Rule.Title
			}
			for _, v := range f.Vars {
				if kind, _, ok := strings.Cut(v.Value, ":"); ok && event.EntityKindOf(kind) != event.EntityNone {
					entities[f.Rule.ID][v.Value]++
				}
			}
		}
		f.Shadow = false
		stitcher.Apply([]incident.Finding{f}, nil, event.BatchID{Epoch: 1, Number: uint64(i + 1)}, f.Seen)
	}
	for _, in := range stitcher.Incidents() {
		countShadow(reports, shadow, in)
	}
	var out []ShadowRule
	for _, id := range slices.Sorted(maps.Keys(reports)) {
		reports[id].Top = topOf(entities[id])
		out = append(out, *reports[id])
	}
	return out
}

// countShadow counts an incident for each rule in shadow that is part of it.
func countShadow(reports map[string]*ShadowRule, shadow map[event.ID]bool, in *incident.Incident) {
	rules, live := map[string]bool{}, false
	for i := range in.Findings {
		m := &in.Findings[i]
		if shadow[m.ID] {
			rules[m.Rule.ID] = true
		} else {
			live = true
		}
	}
	for id := range rules {
		if live {
			reports[id].Joined++
		} else {
			reports[id].Opened++
		}
	}
}

// topOf gives the entities with the most findings, the most first.
func topOf(counts map[string]int) []EntityCount {
	top := []EntityCount{}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		top = append(top, EntityCount{name, counts[name]})
	}
	slices.SortStableFunc(top, func(a, b EntityCount) int { return cmp.Compare(b.Count, a.Count) })
	return top[:min(len(top), topEntities)]
}

// WriteShadow writes a report as text.
func WriteShadow(w io.Writer, list []ShadowRule) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no rule in shadow has found anything in that time")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tVERSION\tFINDINGS\tDAYS\tJOINED\tOPENED\tTITLE")
	for _, r := range list {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", r.Rule, r.Version, r.Findings, len(r.Days), r.Joined, r.Opened, plain(r.Title))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range list {
		var days, top []string
		for _, day := range slices.Sorted(maps.Keys(r.Days)) {
			days = append(days, fmt.Sprintf("%s %d", day, r.Days[day]))
		}
		for _, e := range r.Top {
			top = append(top, fmt.Sprintf("%s %d", plain(e.Entity), e.Count))
		}
		if _, err := fmt.Fprintf(w, "\n%s\n  per day   %s\n  entities  %s\n", r.Rule, strings.Join(days, ", "), strings.Join(top, ", ")); err != nil {
			return err
		}
	}
	return nil
}

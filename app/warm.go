package app

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/store"
)

// mostWarming bounds how far back new rules are warmed, in microseconds: a longer memory fills as time goes on, and findings say so.
const mostWarming = 7 * 24 * 3600 * 1_000_000

// warm fills rules that are new or changed since the state was saved with the events the store has, so that a window that was open when the
// rule was deployed is not missed. They stay silent about what completed before.
func (c *Core) warm(ctx context.Context, db *store.DB, log *slog.Logger) error {
	stats := c.Engine.Stats()
	waiting := c.Engine.Waiting()
	var reach int64
	for _, r := range waiting {
		reach = max(reach, r.Plan.Reach())
	}
	if len(waiting) == 0 || stats.Frontier == 0 {
		return nil
	}
	w := &warmer{core: c, matcher: correlate.NewMatcher(&rules.Set{Rules: waiting})}
	w.scratch = w.matcher.NewScratch(lookups{c.Live.Tables})
	filter := store.EventFilter{From: stats.Frontier - min(reach, mostWarming), Classes: classNames(waiting), Forward: true}
	for e, err := range db.Events(ctx, filter) {
		if err != nil {
			return err
		}
		w.batch = append(w.batch, *e)
		if len(w.batch) == warmBatch {
			w.flush()
		}
	}
	w.flush()
	log.Info("new rules warmed", "rules", len(waiting), "events", w.events, "hits", w.hits)
	return nil
}

const warmBatch = 4096

type warmer struct {
	core         *Core
	matcher      *correlate.Matcher
	scratch      *correlate.Scratch
	batch        []event.Event
	events, hits int
}

func (w *warmer) flush() {
	if len(w.batch) == 0 {
		return
	}
	b := event.Batch{Events: w.batch}
	correlate.Sort(&b)
	found := w.matcher.Match(w.scratch, &b, 0, len(b.Sorted), nil)
	newest := w.batch[b.Sorted[len(b.Sorted)-1]].Time
	w.core.Engine.Warm(found, []event.Mark{{Source: "log", Newest: newest}})
	w.events += len(w.batch)
	w.hits += len(found)
	w.batch = w.batch[:0]
}

func classNames(list []*rules.Rule) []string {
	var out []string
	for _, r := range list {
		for _, c := range classesOf(r) {
			out = append(out, c.String())
		}
	}
	slices.SortFunc(out, strings.Compare)
	return slices.Compact(out)
}

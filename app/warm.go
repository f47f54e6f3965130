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
const mostWarming = 30 * 24 * 3600 * 1_000_000

// warmingTold is after how many events it is said how far warming has come.
const warmingTold = 500_000

// warming is what is warmed, and how.
type warming struct {
	rules    []*rules.Rule
	frontier int64 // Event time, microseconds.
	fold     func([]event.Hit, []event.Mark)
	ours     func(*event.Hit, *rules.Rule) bool // nil: all hits are.
	reach    func(percent int)                  // Told how far it has come; nil: nobody.
}

// warm fills rules that are new or changed since the state was saved, or by the last swap, with the events the store has, so that a window that was
// open when the rule was deployed is not missed.
func (c *Core) warm(ctx context.Context, db *store.DB, log *slog.Logger, reach func(int)) error {
	return c.warmWith(ctx, db, log, warming{rules: c.Engine.Waiting(), frontier: c.Engine.Stats().Frontier, fold: c.Engine.Warm, reach: reach})
}

func (c *Core) warmWith(ctx context.Context, db *store.DB, log *slog.Logger, x warming) error {
	var reach int64
	for _, r := range x.rules {
		reach = max(reach, r.Plan.Reach())
	}
	if len(x.rules) == 0 || x.frontier == 0 {
		return nil
	}
	slices.SortFunc(x.rules, func(a, b *rules.Rule) int { return strings.Compare(a.ID, b.ID) })
	set := &rules.Set{Rules: x.rules}
	w := &warmer{warming: x, set: set, matcher: correlate.NewMatcher(set)}
	w.scratch = w.matcher.NewScratch(lookups{c.Live.Tables})
	filter := store.EventFilter{From: x.frontier - min(reach, mostWarming), Classes: classNames(x.rules), Forward: true}
	told := 0
	for e, err := range db.Events(ctx, filter) {
		if err != nil {
			return err
		}
		w.batch = append(w.batch, *e)
		if len(w.batch) == warmBatch {
			w.flush()
			done := int(100 * (e.Time - filter.From) / max(1, x.frontier-filter.From))
			if x.reach != nil {
				x.reach(done)
			}
			if w.events/warmingTold > told {
				told = w.events / warmingTold
				log.Info("warming new rules", "rules", len(x.rules), "events", w.events, "hits", w.hits, "percent", done)
			}
		}
	}
	w.flush()
	log.Info("new rules warmed", "rules", len(x.rules), "events", w.events, "hits", w.hits)
	return nil
}

const warmBatch = 4096

type warmer struct {
	warming
	set          *rules.Set
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
	b.Sort()
	found := w.matcher.Match(w.scratch, &b, 0, len(b.Sorted), nil)
	if w.ours != nil {
		found = slices.DeleteFunc(found, func(h event.Hit) bool { return !w.ours(&h, w.set.Rule(h.Rule)) })
	}
	newest := w.batch[b.Sorted[len(b.Sorted)-1]].Time
	w.fold(found, []event.Mark{{Source: "log", Newest: newest}})
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

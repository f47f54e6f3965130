package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// maxExplained bounds how many events an explanation reads.
const maxExplained = 500_000

// ExplainSettings says what is to be explained, over which events.
type ExplainSettings struct {
	Rule     string
	Entity   string        // Canonical id or key; "" for all.
	From, To int64         // Event time in microseconds; 0 for no bound.
	Inputs   []ReplayInput // Files; empty: the configured store.
	Received int64
	Progress func(engine.Progress)
}

// Explain folds events through one rule again and says, step by step, why it matched or not.
func (c *Core) Explain(ctx context.Context, cfg Config, set ExplainSettings) (correlate.Explanation, error) {
	r := c.Rules.Rule(set.Rule)
	if r == nil {
		var ids []string
		for _, x := range c.Rules.Rules {
			ids = append(ids, x.ID)
		}
		return correlate.Explanation{}, fmt.Errorf("there is no rule %q; %s", set.Rule, suggestion(set.Rule, ids))
	}
	keep := &keeper{classes: classesOf(r), set: set}
	var err error
	if len(set.Inputs) > 0 {
		err = c.keepFiles(ctx, set, keep)
	} else {
		err = keepStore(ctx, cfg, set, keep)
	}
	if err != nil {
		return correlate.Explanation{}, err
	}
	return correlate.Explain(r, keep.events, correlate.Question{Entity: set.Entity, Lookups: lookups{c.Live.Tables}}), nil
}

// classesOf are the classes a rule's steps, guards and untils listen to, and those of the rules it listens to.
func classesOf(r *rules.Rule) []event.ClassRef {
	var out []event.ClassRef
	for _, up := range r.Upstream {
		out = append(out, classesOf(up)...)
	}
	for _, b := range r.Plan.Branches {
		for _, s := range b.Steps {
			out = append(out, s.Classes...)
		}
		for _, g := range slices.Concat(b.Guards, b.Until) {
			out = append(out, g.Step.Classes...)
		}
	}
	return out
}

// keeper collects the events a rule could see.
type keeper struct {
	classes []event.ClassRef
	set     ExplainSettings
	events  []event.Event
}

func (k *keeper) keep(e *event.Event) error {
	if k.set.From != 0 && e.Time < k.set.From || k.set.To != 0 && e.Time >= k.set.To {
		return nil
	}
	if !slices.ContainsFunc(k.classes, func(c event.ClassRef) bool { return c.Matches(e) }) {
		return nil
	}
	if len(k.events) == maxExplained {
		return fmt.Errorf("more than %d events could concern the rule: narrow the time with --from and --to", maxExplained)
	}
	k.events = append(k.events, *e.Clone())
	return nil
}

// Handle implements ingest.Handler.
func (k *keeper) Handle(_ context.Context, b *event.Batch) error {
	for i := range b.Events {
		if err := k.keep(&b.Events[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Core) keepFiles(ctx context.Context, set ExplainSettings, k *keeper) error {
	var inputs []ingest.Input
	clock := func() int64 { return set.Received }
	for _, in := range set.Inputs {
		source, err := in.Open(clock)
		if err != nil {
			return err
		}
		inputs = append(inputs, ingest.Input{Name: in.Name, Format: in.Format, Site: in.Site, Location: in.Location, Source: source, IsFile: true})
	}
	p, err := ingest.New(ingest.Settings{Config: ingest.DefaultConfig(), Inputs: inputs, Enricher: c.Enricher, Handler: k, Clock: clock, Received: set.Received})
	if err != nil {
		return err
	}
	return p.Replay(ctx)
}

func keepStore(ctx context.Context, cfg Config, set ExplainSettings, k *keeper) error {
	db, err := OpenDatabase(ctx, cfg, slog.New(slog.DiscardHandler), nil, set.Progress)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var classes []string
	for _, c := range k.classes {
		classes = append(classes, c.String())
	}
	for e, err := range db.Events(ctx, store.EventFilter{From: set.From, To: set.To, Classes: classes, Forward: true}) {
		if err != nil {
			return err
		}
		if err := k.keep(e); err != nil {
			return err
		}
	}
	return nil
}

// WriteExplanation writes an explanation for people.
func WriteExplanation(w io.Writer, x *correlate.Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s v%d  %s\n\nSteps\n", x.Rule.ID, x.Rule.Version, plain(x.Rule.Title))
	for _, s := range x.Steps {
		fmt.Fprintf(&b, "  %-14s %d of %d events matched", s.ID, s.Matched, s.Seen)
		if s.False > 0 {
			fmt.Fprintf(&b, ", %d did not satisfy where", s.False)
		}
		if s.Unbound > 0 {
			fmt.Fprintf(&b, ", %d had no value for %s", s.Unbound, s.Variable)
		}
		if s.Failed > 0 {
			fmt.Fprintf(&b, ", %d had no result (%s)", s.Failed, s.Error)
		}
		if s.Excepted > 0 {
			fmt.Fprintf(&b, ", %d were excepted (%s)", s.Excepted, plain(strings.Join(s.Exceptions, "; ")))
		}
		fmt.Fprintf(&b, "\n    class %s\n", strings.Join(s.Classes, ", "))
		if s.Where != "" {
			fmt.Fprintf(&b, "    where %s\n", s.Where)
		}
		refs(&b, "hit ", s.Hits)
		refs(&b, "miss", s.Misses)
	}
	fmt.Fprintf(&b, "\nWhat became of them\n")
	if len(x.Fates) == 0 {
		fmt.Fprintln(&b, "  nothing: no chain was opened")
	}
	for _, f := range x.Fates {
		fmt.Fprintf(&b, "  %s  %s", stamp(f.At), plain(f.Text))
		if f.By != nil {
			fmt.Fprintf(&b, " by %s (%s)", plain(f.By.Summary), f.By.Event)
		}
		fmt.Fprintln(&b)
	}
	if x.More > 0 {
		fmt.Fprintf(&b, "  … and %d more\n", x.More)
	}
	fmt.Fprintf(&b, "\nFindings: %d\n", len(x.Findings))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	for i := range x.Findings {
		if err := WriteFinding(w, &x.Findings[i], false); err != nil {
			return err
		}
	}
	return nil
}

func refs(b *strings.Builder, what string, list []*event.Ref) {
	const most = 5
	for i, r := range list {
		if i == most {
			fmt.Fprintf(b, "    %s … and %d more\n", what, len(list)-most)
			return
		}
		fmt.Fprintf(b, "    %s %s  %s (%s)\n", what, stamp(r.Time), plain(r.Summary), r.Event)
	}
}

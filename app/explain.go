package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// mostRead bounds how far from what is asked for an explanation looks in the store, in microseconds.
const mostRead = 30 * 24 * 3600 * 1_000_000

// ExplainSettings says what is to be explained, over which events.
type ExplainSettings struct {
	Past     PastSettings
	Rule     string
	Entity   string // Canonical id or key; "" for all.
	From, To int64  // What happened then, event time in microseconds; 0 for no bound.
	At       int64  // Look around this time; 0: nowhere in particular.
	Clock    int64  // In place of At, microseconds since midnight UTC of the newest event's day, or of the day before; −1: none.
	Around   int64  // How far, microseconds.
}

// Explain folds events through one rule again and says, step by step, why it matched or not.
func (c *Core) Explain(ctx context.Context, cfg Config, set ExplainSettings) (*correlate.Explanation, error) {
	r, err := c.rule(set.Rule)
	if err != nil {
		return nil, err
	}
	p, err := openPast(ctx, cfg, set.Past)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	if err := set.place(ctx, p); err != nil {
		return nil, err
	}
	q := correlate.Question{Entity: set.Entity, From: set.From, To: set.To, At: set.At}
	list, err := c.explain(ctx, p, []*rules.Rule{r}, q, set.From, set.To)
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// place turns a time of day, and a time with what lies around it, into bounds.
func (s *ExplainSettings) place(ctx context.Context, p *past) error {
	const day = 24 * 3600 * 1_000_000
	if s.Clock >= 0 {
		newest, err := p.newest(ctx)
		if err != nil {
			return err
		}
		s.At = newest - newest%day + s.Clock
		if s.At > newest+s.Around {
			s.At -= day
		}
	}
	if s.At != 0 {
		s.From, s.To = s.At-s.Around, s.At+s.Around+1
	}
	return nil
}

func (c *Core) rule(id string) (*rules.Rule, error) {
	r := c.Rules.Rule(id)
	if r != nil {
		return r, nil
	}
	var ids []string
	for _, x := range c.Rules.Rules {
		ids = append(ids, x.ID)
	}
	guess := ""
	if near := expression.Nearest(id, ids); near != "" {
		guess = ", did you mean " + near + "?"
	}
	return nil, fmt.Errorf("%w %q%s (tocsin rules list shows them)", ErrNoRule, id, guess)
}

// ErrNoRule is what is wrong with the id of a rule that is not loaded.
var ErrNoRule = errors.New("there is no rule")

// explain takes the events that rules can see around a time past all of them.
func (c *Core) explain(ctx context.Context, p *past, list []*rules.Rule, q correlate.Question, from, to int64) ([]correlate.Explanation, error) {
	q.Lookups, q.MaxKeys = lookups{c.Live.Tables}, c.settings.MaxKeys
	var all []*correlate.Explainer
	var reach int64
	for _, r := range list {
		all = append(all, correlate.NewExplainer(r, q))
		reach = max(reach, r.Plan.Reach())
	}
	reach = min(reach, mostRead)
	s := stretch{classes: classNames(list), only: true}
	if from != 0 {
		s.from = max(1, from-reach)
	}
	if to != 0 {
		s.to = to + reach
	}
	err := p.each(ctx, s, func(b *event.Batch) error {
		for _, x := range all {
			if err := x.Add(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]correlate.Explanation, len(all))
	for i, x := range all {
		out[i] = x.End()
	}
	return out, nil
}

// EventExplanation says of one event which rules it satisfied a step of, what became of that, and why it satisfied no step of the others.
type EventExplanation struct {
	Event *event.Event
	Hit   []correlate.Explanation
	Miss  []correlate.Explanation // Rules that listen to the event's class.
	Deaf  int                     // Rules that do not.
}

// ExplainEvent explains one event.
func (c *Core) ExplainEvent(ctx context.Context, cfg Config, set ExplainSettings, id event.ID) (*EventExplanation, error) {
	p, err := openPast(ctx, cfg, set.Past)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	e, err := p.event(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &EventExplanation{Event: e}
	q := correlate.Question{Events: []event.ID{id}}
	var hit []*rules.Rule
	for _, r := range c.Rules.Rules {
		if set.Rule != "" && set.Rule != r.ID {
			continue
		}
		if !slices.ContainsFunc(classesOf(r), func(x event.ClassRef) bool { return x.Matches(e) }) {
			out.Deaf++
			continue
		}
		q.Lookups, q.MaxKeys = lookups{c.Live.Tables}, c.settings.MaxKeys
		x := correlate.Explain(r, []event.Event{*e}, q)
		if slices.ContainsFunc(x.Steps, func(s correlate.ExplainedStep) bool { return s.Matched > 0 }) {
			hit = append(hit, r)
		} else {
			out.Miss = append(out.Miss, x)
		}
	}
	if len(hit) > 0 {
		out.Hit, err = c.explain(ctx, p, hit, q, e.Time, e.Time+1)
	}
	return out, err
}

// FindingExplanation says of one finding how it came about.
type FindingExplanation struct {
	Finding *incident.Finding
	*correlate.Explanation
	Foreign string // Why the rules that are loaded cannot explain it; "" if they can. The explanation is then missing.
}

// ExplainFinding explains one finding by folding what its rule saw around it again.
func (c *Core) ExplainFinding(ctx context.Context, cfg Config, set ExplainSettings, id event.ID) (*FindingExplanation, error) {
	p, err := openPast(ctx, cfg, set.Past)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	return c.explainFinding(ctx, p, id)
}

func (c *Core) explainFinding(ctx context.Context, p *past, id event.ID) (out *FindingExplanation, err error) {
	out = &FindingExplanation{}
	if out.Finding, err = c.finding(ctx, p, id); err != nil {
		return nil, err
	}
	f := out.Finding
	var r *rules.Rule
	if r, out.Foreign = ruleOf(c.Rules, f); out.Foreign != "" {
		return out, nil
	}
	q := correlate.Question{Finding: f.ID}
	for _, e := range f.Evidence {
		q.Events = append(q.Events, e.Event.Event)
	}
	list, err := c.explain(ctx, p, []*rules.Rule{r}, q, f.First, max(f.Time, f.LastRepeat)+1)
	if err != nil {
		return nil, err
	}
	out.Explanation = &list[0]
	if len(out.Findings) == 0 {
		out.Foreign = "folding again what the store still has does not find it: events or tables have changed since"
	}
	return out, nil
}

// ruleOf is the rule that found a finding, or why it is not there.
func ruleOf(set *rules.Set, f *incident.Finding) (*rules.Rule, string) {
	r := set.Rule(f.Rule.ID)
	switch {
	case r == nil:
		return nil, "the rule " + f.Rule.ID + " is not loaded"
	case r.Version != f.Rule.Version:
		return nil, fmt.Sprintf("it was found by version %d of the rule, and version %d is loaded", f.Rule.Version, r.Version)
	}
	return r, ""
}

// finding finds a finding in the store, or by replaying files.
func (c *Core) finding(ctx context.Context, p *past, id event.ID) (*incident.Finding, error) {
	name := event.FormatID(event.FindingPrefix, id)
	if p.db != nil {
		f, found, err := p.db.Finding(ctx, id)
		if err == nil && !found {
			err = fmt.Errorf("the store has no finding %s", name)
		}
		return f, err
	}
	var all []incident.Finding
	if err := p.files(ctx, func(b *event.Batch) error {
		hits, _ := c.Engine.Match(b)
		all = append(all, c.Engine.Fold(hits, b.Marks)...)
		return nil
	}); err != nil {
		return nil, err
	}
	for _, f := range correlate.Finals(append(all, c.Engine.Drain()...)) {
		if f.ID == id {
			return &f, nil
		}
	}
	return nil, fmt.Errorf("the input has no finding %s", name)
}

// NearSettings says whose near misses are wanted.
type NearSettings struct {
	Past     PastSettings
	Rule     string // "" for all.
	Entity   string
	Last     int64 // How far back from the newest event, microseconds; 0: From and To.
	From, To int64
}

// Near lists what came close: chains that reached all but the last step, counts that lacked one, matches that a guard spoke against. Rules
// without any are left out.
func (c *Core) Near(ctx context.Context, cfg Config, set NearSettings) ([]correlate.Explanation, error) {
	list := c.Rules.Rules
	if set.Rule != "" {
		r, err := c.rule(set.Rule)
		if err != nil {
			return nil, err
		}
		list = []*rules.Rule{r}
	}
	p, err := openPast(ctx, cfg, set.Past)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	if set.Last > 0 {
		newest, err := p.newest(ctx)
		if err != nil {
			return nil, err
		}
		set.From, set.To = newest-set.Last, newest+1
	}
	all, err := c.explain(ctx, p, list, correlate.Question{Entity: set.Entity, From: set.From, To: set.To}, set.From, set.To)
	if err != nil {
		return nil, err
	}
	var out []correlate.Explanation
	for _, x := range all {
		x.Fates = slices.DeleteFunc(x.Fates, func(f correlate.Fate) bool { return !f.Near })
		if len(x.Fates) > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

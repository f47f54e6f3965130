package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// Bounds of a backtest: findings it remembers, and how often the cost of rules is measured.
const (
	maxBacktested = 1_000_000
	sampleEvery   = 16   // Batches.
	leastMeasured = 1000 // Events, below which nothing is said of cost.
	topEntities   = 5
)

// BacktestSettings says which rules are run over which part of the past.
type BacktestSettings struct {
	Past     PastSettings
	From, To int64      // Findings that complete then, event time in microseconds; 0 for no bound. Events before From fill the windows.
	Rules    []string   // Ids; empty: all.
	Deployed *rules.Set // Compare with these; nil: do not.
	Drain    bool       // Run event time past every deadline at the end.
	Announce func(incident.Finding)
}

// wants reports whether a rule was asked for, and is not merely listened to by one.
func (s *BacktestSettings) wants(rule string) bool {
	return len(s.Rules) == 0 || slices.Contains(s.Rules, rule)
}

// Backtested is a finding as a backtest remembers it.
type Backtested struct {
	ID       event.ID
	Time     int64
	Rule     string
	State    incident.State
	Severity incident.Severity
	Score    int
	Vars     []incident.Var
	at       event.ID // The completing event.
	key      string
}

// BacktestReport is what rules would have found.
type BacktestReport struct {
	Rules    []RuleReport // By id.
	Events   int
	First    int64 // Time of the earliest event read, microseconds,
	Newest   int64 // and of the newest.
	Cut      bool  // More findings than are remembered came.
	Compared bool
	Diff     []Difference // By time.
}

// RuleReport is what one rule would have found, and what that costs.
type RuleReport struct {
	Rule      *rules.Rule
	Findings  int            // That stand.
	Pending   int            // That more time would decide, or could still change.
	Withdrawn int            // Announced, and then not so.
	Late      int64          // Hits that came after the watermark.
	Errors    int64          // Expressions without a result.
	Days      map[string]int // Findings by UTC day.
	Top       []EntityCount  // Of the entities in the findings' variables.
	Tried     int            // Events of the rule's classes.
	Hits      int64
	PerEvent  float64 // Nanoseconds that matching takes for an event of any class, measured now and then; 0 if too few came to tell.
	Fold      float64 // And folding.
	Had, Want int64   // History before the first time asked for, and how far the rule looks back, microseconds.
}

// EntityCount is an entity with the number of its findings.
type EntityCount struct {
	Entity string `json:"entity"`
	Count  int    `json:"count"`
}

// Difference is a finding that one set of rules has, or both.
type Difference struct {
	In  string // new, deployed or both.
	New *Backtested
	Old *Backtested
}

// Finding is the finding, as the new rules have it if they do.
func (d *Difference) Finding() *Backtested { return cmp.Or(d.New, d.Old) }

// Backtest runs the rules of the core over the past with the code that runs live: the same batches in the same order with the same marks.
func (c *Core) Backtest(ctx context.Context, cfg Config, set BacktestSettings) (*BacktestReport, error) {
	chosen, err := c.chosen(set.Rules)
	if err != nil {
		return nil, err
	}
	p, err := openPast(ctx, cfg, set.Past)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	b := &backtest{set: set, classes: map[event.ClassRef]int{}}
	b.runs = append(b.runs, newTrial(chosen, c.settings))
	all := chosen.Rules
	if set.Deployed != nil {
		old := selected(set.Deployed, set.Rules)
		b.runs = append(b.runs, newTrial(old, c.settings))
		all = slices.Concat(all, old.Rules)
	}
	asked := slices.DeleteFunc(slices.Clone(chosen.Rules), func(r *rules.Rule) bool { return !set.wants(r.ID) })
	b.meters = newMeters(asked, c.settings)
	s := stretch{from: set.From, to: set.To, classes: classNames(all)}
	var reach, after int64
	for _, r := range all {
		reach, after = max(reach, r.Plan.Reach()), max(after, r.Plan.Lateness+r.Plan.Reach())
	}
	if s.from != 0 {
		s.from = max(1, s.from-reach)
	}
	if s.to != 0 {
		s.to += min(after, mostRead)
	}
	if err := p.each(ctx, s, b.batch); err != nil {
		return nil, err
	}
	return b.report(asked), ctx.Err()
}

// chosen are the rules of the core that are to be run, switched on.
func (c *Core) chosen(ids []string) (*rules.Set, error) {
	for _, id := range ids {
		if _, err := c.rule(id); err != nil {
			return nil, err
		}
	}
	return selected(c.Rules, ids), nil
}

// selected are rules with some ids, or all, and those they listen to; shadow rules run as they do, and rules that are off do if they are named.
func selected(set *rules.Set, ids []string) *rules.Set {
	out := &rules.Set{Hash: set.Hash}
	for _, r := range set.Rules {
		named := slices.Contains(ids, r.ID)
		switch {
		case named && r.Status == rules.Off:
			on := *r
			on.Status = rules.Shadow
			out.Rules = append(out.Rules, on.WithUpstream()...)
		case named || len(ids) == 0 && r.Status != rules.Off:
			out.Rules = append(out.Rules, r.WithUpstream()...)
		}
	}
	slices.SortFunc(out.Rules, func(a, b *rules.Rule) int { return cmp.Compare(a.ID, b.ID) })
	out.Rules = slices.CompactFunc(out.Rules, func(a, b *rules.Rule) bool { return a.ID == b.ID })
	return out
}

// backtest is one on its way.
type backtest struct {
	set     BacktestSettings
	runs    []*trial // The new rules; then the deployed ones, if these are compared.
	meters  []meter
	classes map[event.ClassRef]int // Events by class and activity.
	batches int
	out     BacktestReport
}

// trial is an engine with what it has found.
type trial struct {
	set      *rules.Set
	settings correlate.Settings
	engine   *correlate.Engine
	found    map[event.ID]*Backtested
	cut      bool
}

func newTrial(set *rules.Set, s correlate.Settings) *trial {
	return &trial{set: set, settings: s, engine: correlate.New(set, s), found: map[event.ID]*Backtested{}}
}

func (b *backtest) batch(x *event.Batch) error {
	for i := range x.Events {
		e := &x.Events[i]
		b.classes[event.ClassRef{UID: e.ClassUID, Activity: e.ActivityID}]++
		b.out.First, b.out.Newest = min(cmp.Or(b.out.First, e.Time), e.Time), max(b.out.Newest, e.Time)
	}
	b.out.Events += len(x.Events)
	for i, t := range b.runs {
		t.take(&b.set, t.engine.Fold(t.engine.Hits(x), x.Marks), i == 0)
	}
	if b.batches%sampleEvery == 0 && len(x.Events) > 0 {
		for i := range b.meters {
			b.meters[i].measure(x)
		}
	}
	b.batches++
	return nil
}

// take remembers findings that complete in the time asked for.
func (t *trial) take(set *BacktestSettings, list []incident.Finding, tell bool) {
	for i := range list {
		f := &list[i]
		if f.Time < set.From || set.To != 0 && f.Time >= set.To || !set.wants(f.Rule.ID) {
			continue
		}
		if tell && set.Announce != nil {
			set.Announce(*f)
		}
		o := t.found[f.ID]
		if o == nil {
			if len(t.found) >= maxBacktested {
				t.cut = true
				continue
			}
			o = &Backtested{ID: f.ID, Rule: f.Rule.ID, key: f.Key}
			t.found[f.ID] = o
		}
		o.Time, o.State, o.Severity, o.Score, o.Vars = f.Time, f.State, f.Severity, f.Score, f.Vars
		for _, e := range f.Evidence {
			if e.Event.Time == f.Time {
				o.at = e.Event.Event
			}
		}
	}
}

// pending counts, by rule, findings that are not decided yet, by letting a copy of the engine run to the end of time.
func (t *trial) pending(set *BacktestSettings) map[string]int {
	out := map[string]int{}
	end := newTrial(t.set, t.settings)
	if err := end.engine.Restore(t.engine.Snapshot(nil)); err != nil {
		return out // The same rules wrote it: it is not refused.
	}
	end.take(set, end.engine.Drain(), false)
	for id, f := range end.found {
		if o := t.found[id]; f.State == incident.Final && (o == nil || o.State == incident.Provisional) {
			out[f.Rule]++
		}
	}
	return out
}

func (b *backtest) report(list []*rules.Rule) *BacktestReport {
	pending := map[string]int{}
	for i, t := range b.runs {
		if b.set.Drain {
			t.take(&b.set, t.engine.Drain(), i == 0)
		} else if i == 0 {
			pending = t.pending(&b.set)
		}
		b.out.Cut = b.out.Cut || t.cut
	}
	stats := map[string]correlate.RuleStats{}
	for _, s := range b.runs[0].engine.Stats().Rules {
		stats[s.Rule] = s
	}
	for i, r := range list {
		s := stats[r.ID]
		out := RuleReport{
			Rule: r, Pending: pending[r.ID], Late: s.Late, Errors: s.Errors, Hits: s.Hits, Days: map[string]int{}, Tried: b.tried(r), PerEvent: b.meters[i].perEvent(),
			Want: r.Plan.Reach() - r.Plan.Lateness,
		}
		if b.out.Events >= leastMeasured {
			out.Fold = float64(s.FoldTime) / float64(b.out.Events)
		}
		out.Had = out.Want
		if begin := cmp.Or(b.set.From, b.out.First); begin-b.out.First < out.Want {
			out.Had = max(0, begin-b.out.First)
		}
		out.count(b.runs[0].found)
		b.out.Rules = append(b.out.Rules, out)
	}
	if b.set.Deployed != nil {
		b.out.Compared, b.out.Diff = true, compareFound(b.runs[0].found, b.runs[1].found)
	}
	return &b.out
}

func (b *backtest) tried(r *rules.Rule) (n int) {
	list := classesOf(r)
	for class, count := range b.classes {
		if slices.ContainsFunc(list, func(c event.ClassRef) bool { return c.UID == class.UID && (c.Any || c.Activity == class.Activity) }) {
			n += count
		}
	}
	return n
}

// count adds up the findings of a rule.
func (r *RuleReport) count(found map[event.ID]*Backtested) {
	entities := map[string]int{}
	for _, f := range found {
		if f.Rule != r.Rule.ID {
			continue
		}
		if f.State == incident.Withdrawn {
			r.Withdrawn++
			continue
		}
		r.Findings++
		r.Days[stamp(f.Time)[:10]]++
		for _, v := range f.Vars {
			i := slices.IndexFunc(r.Rule.Plan.Vars, func(x rules.Var) bool { return x.Name == v.Name })
			if i >= 0 && r.Rule.Plan.Vars[i].Kind != event.EntityNone {
				entities[v.Value]++
			}
		}
	}
	r.Top = topOf(entities)
}

// compareFound sorts findings into those of the new rules, of the deployed ones, and of both: the same rule, completed by the same event under the
// same key or, where the key changed, under another.
func compareFound(fresh, old map[event.ID]*Backtested) []Difference {
	type place struct {
		rule string
		at   event.ID
	}
	rest := map[place][]*Backtested{}
	for _, f := range sortedFound(old) {
		rest[place{f.Rule, f.at}] = append(rest[place{f.Rule, f.at}], f)
	}
	var out []Difference
	for _, f := range sortedFound(fresh) {
		k := place{f.Rule, f.at}
		list := rest[k]
		i := slices.IndexFunc(list, func(o *Backtested) bool { return o.key == f.key })
		if i < 0 {
			i = min(0, len(list)-1)
		}
		if i < 0 {
			out = append(out, Difference{In: "new", New: f})
			continue
		}
		out = append(out, Difference{In: "both", New: f, Old: list[i]})
		rest[k] = slices.Delete(slices.Clone(list), i, i+1)
	}
	for _, list := range rest {
		for _, f := range list {
			out = append(out, Difference{In: "deployed", Old: f})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return compareBacktested(a.Finding(), b.Finding()) })
	return out
}

func sortedFound(found map[event.ID]*Backtested) []*Backtested {
	var out []*Backtested
	for _, f := range found {
		if f.State != incident.Withdrawn {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, compareBacktested)
	return out
}

func compareBacktested(a, b *Backtested) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Rule, b.Rule), a.ID.Compare(b.ID))
}

// meter measures what matching costs one rule, on its own.
type meter struct {
	matcher *correlate.Matcher
	scratch *correlate.Scratch
	hits    []event.Hit
	took    time.Duration
	events  int
}

func newMeters(list []*rules.Rule, s correlate.Settings) []meter {
	out := make([]meter, len(list))
	for i, r := range list {
		out[i].matcher = correlate.NewMatcher(&rules.Set{Rules: []*rules.Rule{r}})
		out[i].scratch = out[i].matcher.NewScratch(s.Lookups)
	}
	return out
}

func (m *meter) measure(b *event.Batch) {
	start := time.Now()
	m.hits = m.matcher.Match(m.scratch, b, 0, len(b.Sorted), m.hits[:0])
	m.took += time.Since(start)
	m.events += len(b.Events)
	clear(m.hits)
}

func (m *meter) perEvent() float64 {
	if m.events < leastMeasured {
		return 0
	}
	return float64(m.took.Nanoseconds()) / float64(m.events)
}

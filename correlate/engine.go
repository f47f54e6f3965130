// Package correlate is the engine: it matches events against rules (Matcher), folds the hits into findings (Engine) and, in worker.go, gives the
// guarantee that every accepted record is in the log once and every published change follows from the log.
//
// Matching looks at one event at a time and is pure. Folding is a function of hits and marks alone: per rule and key the hits lie in a buffer
// sorted by (time, tie key) and are scanned once from left to right, so findings do not depend on the order of arrival (law N5 of
// docs/rules.md). There is no clock in here, nothing is read from outside, and no goroutine outlives a call; worker.go alone does I/O, through
// three interfaces.
package correlate

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// Settings are the bounds of an engine and what is injected into it. Zero values take the defaults.
type Settings struct {
	Lookups     expression.Lookups // Tables that expressions read at match time; nil: all empty.
	Workers     int                // Goroutines of the match phase; default 1.
	MaxKeys     int                // Keys per rule; default 1,000,000.
	MaxHits     int                // Hits in one buffer or window; default 65,536.
	MaxBytes    int64              // Estimated memory of all folds; default 512 MiB.
	MaxEvidence int                // Events kept as evidence of one finding; default 100.
	MaxWatched  int                // Entities and attributes in the register of changes; default 200,000.
	Stopwatch   func() int64       // Nanoseconds since some moment, read for the times in Stats and for nothing else, by several goroutines; nil: they stay 0.

	observe    func(trace) // Told of every step of the fold; nil but for Explain.
	stateEvery int         // Less than usual in tests.
	plain      bool        // Nothing is shelved, absorbed or thinned out; for comparison in tests.
	restAbove  int         // Up to so many keys of a rule none rests; negative: all may.
	press      *press      // One for all rules.
	pileAbove  int         // Hits in a record before they are piled up; fewer than usual in tests.
}

func (s Settings) withDefaults() Settings {
	s.Workers = cmp.Or(s.Workers, 1)
	s.MaxKeys = cmp.Or(s.MaxKeys, 1_000_000)
	s.MaxHits = cmp.Or(s.MaxHits, 1<<16)
	s.MaxBytes = cmp.Or(s.MaxBytes, 512<<20)
	s.MaxEvidence = cmp.Or(s.MaxEvidence, 100)
	s.MaxWatched = cmp.Or(s.MaxWatched, 200_000)
	s.press = &press{short: s.stateEvery > 0 || s.pileAbove > 0}
	s.restAbove = max(0, cmp.Or(s.restAbove, restAbove))
	return s
}

// Engine matches and folds for one set of rules. It is not safe for concurrent use.
type Engine struct {
	settings Settings
	set      *rules.Set
	matcher  *Matcher
	scratch  []*Scratch
	said     statements
	watch    *watchlist
	fold     *fold
	hits     []event.Hit
	former   []event.Hit // What Match gave before.
	ready    []ahead     // By hit, what was prepared of its fold.
	prepare  []preparer  // One for each worker.
	made     []origin
	thinner  thinner
	observed []event.Note
	matching int64
	folding  int64
}

// New makes an engine without state. Rules that are off are left out.
func New(set *rules.Set, s Settings) *Engine {
	s = s.withDefaults()
	e := &Engine{settings: s, watch: newWatchlist(s.MaxWatched), fold: newFold(s)}
	e.load(set)
	return e
}

func (e *Engine) load(set *rules.Set) {
	e.set = set
	e.matcher = NewMatcher(set)
	e.scratch, e.ready, e.prepare = nil, nil, nil
	e.scratchpads(e.settings.Workers)
	old := e.fold.byID
	e.fold.byID, e.fold.rules = map[string]*ruleState{}, nil
	for _, r := range set.Rules {
		if r.Status == rules.Off {
			continue
		}
		s := old[r.ID]
		if s == nil || s.rule.Hash != r.Hash || s.rule.Version != r.Version {
			s = newRuleState(r, e.settings)
		} else {
			s.adopt(r)
		}
		e.fold.byID[r.ID] = s
		e.fold.rules = append(e.fold.rules, s)
	}
	slices.SortFunc(e.fold.rules, func(a, b *ruleState) int { return cmp.Compare(a.rule.ID, b.rule.ID) })
	e.fold.fresh = true
	clear(e.fold.work)
	e.fold.connect()
}

// adopt takes over what a new text of the same rule changes beside the matching: title, severity, status and the like.
func (r *ruleState) adopt(rule *rules.Rule) {
	counts := r.exceptionCounts()
	r.program = compile(rule)
	r.carryExceptions(counts)
}

func (e *Engine) scratchpads(n int) {
	for len(e.scratch) < n {
		s := e.matcher.NewScratch(e.settings.Lookups)
		s.watch.clock = e.settings.Stopwatch
		e.scratch = append(e.scratch, s)
	}
}

// Match gives the hits of a batch (Hits), and what changed in watched entities, in the order of the events: what Notice makes of Observations.
// Both results are valid until the call after the next, so that one batch can be matched while another is written; hits and notes share nothing with b.
func (e *Engine) Match(b *event.Batch) ([]event.Hit, []event.Note) {
	e.hits, e.former = e.former, e.hits
	hits := e.Hits(b)
	notes := e.watch.judge(e.said.read(b))
	e.said.reset()
	return hits, notes
}

// Hits gives the hits of a batch, ordered by event (as in b.Sorted), rule, branch and step. It depends on the batch, the rules and the tables
// alone, and not on the number of workers. The result is valid until the next call; hits share nothing with b.
func (e *Engine) Hits(b *event.Batch) []event.Hit {
	began := e.now()
	n := max(1, min(e.settings.Workers, 1+len(b.Sorted)/256))
	e.parallel(b, n)
	if e.settings.observe == nil { // Who asks what became of an event wants to hear of each.
		e.thinner.thin(e.matcher, b, e.hits, e.made)
		e.compact()
	}
	e.refer(b, n)
	for _, s := range e.scratch {
		e.fold.count(s, e.set.Rules)
	}
	e.matching += e.now() - began
	return e.hits
}

// Observations gives what the events of a batch say of watched entities, in their order: values of attributes (Stated), of which a run of equal
// ones is given by its first and its last, and acts that are changes by themselves. It depends on the batch alone. The result is valid until
// the next call and shares nothing with b.
func (e *Engine) Observations(b *event.Batch) []event.Note {
	clear(e.observed)
	e.observed = e.observed[:0]
	var refs lastRef
	list := e.said.read(b)
	for i := range list {
		s := &list[i]
		n := s.note(&refs, s.what, s.prev, s.value)
		n.Stated = s.stated
		e.observed = append(e.observed, n)
	}
	e.said.reset()
	return e.observed
}

// Notice takes observations into the register of changes and gives the notes that Match gives for their batch. The result is valid until the
// next call.
func (e *Engine) Notice(observed []event.Note) []event.Note {
	notes := e.watch.judge(e.said.observed(observed))
	e.said.reset()
	return notes
}

func (e *Engine) parallel(b *event.Batch, n int) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			s := e.scratch[i]
			s.hits = e.matcher.bare(s, b, i*len(b.Sorted)/n, (i+1)*len(b.Sorted)/n, s.hits[:0])
		})
	}
	wg.Wait()
	e.hits, e.made = e.hits[:0], e.made[:0]
	for _, s := range e.scratch[:n] {
		e.hits, e.made = append(e.hits, s.hits...), append(e.made, s.made...)
		clear(s.hits)
	}
}

// compact takes out the hits that were marked to be left out.
func (e *Engine) compact() {
	n := 0
	for i := range e.hits {
		if e.made[i].event >= 0 {
			e.hits[n], e.made[n] = e.hits[i], e.made[i]
			n++
		}
	}
	clear(e.hits[n:])
	e.hits, e.made = e.hits[:n], e.made[:n]
}

// Fold takes in the hits of one batch, then moves W to where the marks after the batch allow, and returns revisions of findings in order of
// their time. Hits may come in any order; they are copied. Those that Match or Hits gave last are cheaper as they were given, and must not have been
// exchanged for other ones of their events. The result is valid until the next call.
func (e *Engine) Fold(hits []event.Hit, marks []event.Mark) []incident.Finding {
	began := e.now()
	frontier, ok := event.Frontier(marks)
	for i := range marks {
		e.fold.newest = max(e.fold.newest, marks[i].Newest)
	}
	out := e.fold.add(hits, e.prepared(hits), frontier, ok)
	e.folding += e.now() - began
	return out
}

// Learn brings the register of changes up to date with logged notes, as Match or Notice did when they were made.
func (e *Engine) Learn(notes []event.Note) { e.watch.learn(notes) }

// Drain runs event time past every deadline, as at the end of a test: absences are decided and every finding becomes final. The result is
// valid until the next call. Hits folded afterwards are late.
func (e *Engine) Drain() []incident.Finding { return e.fold.add(nil, nil, forever, true) }

// Report says what a swap of rules did, by rule id.
type Report struct {
	Kept    []string // Same matching part: state goes on.
	Warming []string // New or changed: starts without state; see handover.go on what it announces.
	Stopped []string // Gone, off or replaced; what they had found so far stands.
}

// Swap goes on with other rules, between two batches. Rules whose matching part is unchanged keep their state.
func (e *Engine) Swap(set *rules.Set) Report {
	var out Report
	before := e.fold.byID
	e.load(set)
	for _, r := range e.fold.rules {
		if before[r.rule.ID] != nil && before[r.rule.ID] == r {
			out.Kept = append(out.Kept, r.rule.ID)
			continue
		}
		r.swap, r.from = e.fold.started(), handover{cut: e.fold.frontier}
		if old := before[r.rule.ID]; old != nil {
			r.from = old.handover()
		}
		out.Warming = append(out.Warming, r.rule.ID)
	}
	for _, r := range e.fold.rules {
		r.reserved = nil
	}
	for id := range before {
		if e.fold.byID[id] != before[id] {
			out.Stopped = append(out.Stopped, id)
		}
	}
	slices.Sort(out.Stopped)
	for _, id := range out.Stopped {
		e.fold.stop(before[id])
	}
	return out
}

// Warm folds earlier hits into the rules that started with the last swap, so that their windows are filled. Other rules are not touched, and
// nothing is announced before the next Fold. Batches must come in the order of the log, and before the first Fold after the swap.
func (e *Engine) Warm(hits []event.Hit, marks []event.Mark) {
	frontier, ok := event.Frontier(marks)
	e.fold.warm(hits, frontier, ok)
}

// RuleStats counts what one rule has done since the engine started.
type RuleStats struct {
	Rule      string
	Version   int32
	Hits      int64 // Hits folded.
	Errors    int64 // Expressions without a result.
	Tried     int64 // Candidates: how often an event was tried at one of its steps. The cost of matching.
	MatchTime int64 // About how many nanoseconds that took, and
	FoldTime  int64 // about how many its hits; 0 without Settings.Stopwatch.
	Nulls     int64 // Events that satisfied a step but had no value for one of its variables.
	Wide      int64 // Events with more than eight values for a variable.
	Late      int64 // Hits older than W.
	Repeated  int64 // Hits seen before.
	Evicted   int64 // Hits for which there was no room.
	Shed      int64 // Keys and registers given up.
	Misfits   int64 // Hits that do not fit the rule.
	Findings  int64
	Withdrawn int64
	Keys      int
	Registers int   // Of modifiers with memory: one for each set of per values.
	Bytes     int64 // Estimate of what partitions and registers hold.
	Waiting   bool  // Silent since the last swap until W has passed it.
	Degraded  bool
	Excepted  []ExceptionCount
	NullOf    string // The variable that was last unknown.
	LastError string
}

// Stats is a copy of the engine's counters, by rule id.
type Stats struct {
	Frontier  int64 // Microseconds; 0 before the first.
	Watched   int   // Entries of the register of changes.
	Unwatched int64 // Values for which the register had no room.
	Rules     []RuleStats
}

// Spent is how long Hits and Fold took, all rules and all calls together; 0 without Settings.Stopwatch.
func (e *Engine) Spent() (matching, folding time.Duration) {
	return time.Duration(e.matching), time.Duration(e.folding)
}

// Stats copies the counters.
func (e *Engine) Stats() Stats {
	out := Stats{Frontier: max(0, e.fold.frontier), Watched: len(e.watch.seen), Unwatched: e.watch.dropped}
	for _, r := range e.fold.rules {
		s := r.stats
		s.Keys, s.Bytes, s.Degraded, s.Waiting = r.keys(), r.held(), r.degraded, r.silentYet()
		for _, g := range r.gates {
			n, _ := g.size()
			s.Registers += n
		}
		s.Excepted = r.exceptionCounts()
		out.Rules = append(out.Rules, s)
	}
	return out
}

// Waiting lists the rules whose hits of the past Warm wants: those that started with a swap since the last Fold, or that the restored state does not
// know, and those they listen to.
func (e *Engine) Waiting() []*rules.Rule {
	var out []*rules.Rule
	for _, r := range e.fold.rules {
		if !r.waiting() {
			continue
		}
		for _, x := range r.rule.WithUpstream() {
			if !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

package correlate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Fate is what became of a hit, chain, window or match, and why.
type Fate struct {
	At     int64  // Event time, microseconds.
	Kind   string // reached, counts, complete; expired, killed, refused, quiet, gated, throttled, excepted, late, evicted, replaced, consumed; waiting.
	Text   string
	Key    string
	Events []*event.Ref // What it is about, oldest first.
	By     *event.Ref   // The event that caused it; nil if time did.
	Near   bool         // All but the last step was reached, or a guard spoke against the whole match.
	into   event.ID     // The finding that the throttle counted it into.
}

// partial is a chain that is open.
type partial struct {
	branch int
	link   *link
	events []*event.Ref
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// add notes a fate if it is about what is asked for.
func (x *Explainer) add(f Fate) {
	slices.SortFunc(f.Events, compareRefs)
	if len(f.Events) == 0 || !x.within(f.At) && !slices.ContainsFunc(f.Events, func(r *event.Ref) bool { return x.within(r.Time) }) {
		return
	}
	if !slices.ContainsFunc(f.Events, x.about) && (f.By == nil || !x.about(f.By)) && (f.into.IsZero() || f.into != x.question.Finding) {
		return
	}
	key := fmt.Sprint(f.At, f.Text, f.Key, f.Events[0].Event, len(f.Events))
	if x.told[key] {
		return
	}
	x.told[key] = true
	if len(x.out.Fates) >= maxExplainedFates {
		x.out.More++
		return
	}
	x.out.Fates = append(x.out.Fates, f)
}

// observe turns traces of the fold into fates.
func (x *Explainer) observe(t trace) {
	if t.Rule != x.rule {
		return
	}
	f := Fate{At: t.At}
	who := ""
	if t.Cell != nil {
		f.At, f.Key, f.By = t.Cell.time(), t.Cell.Key, t.Cell.Ref
		who = nameOf(t.Rule.Plan, int(t.Cell.Branch), int(t.Cell.Step))
	}
	switch t.Kind {
	case traceReached:
		if t.Link == nil {
			return
		}
		x.reached(t)
		f.Kind, f.Text, f.Events, f.By = "reached", "reached step "+x.stepOf(t.Branch, t.Link.step), linkRefs(t.Link), nil
	case traceCounted:
		at := t.Rule.Plan.Branches[t.Branch].AtLeast
		f.Kind, f.Text, f.Events, f.By = "counts", fmt.Sprintf("counts %d of %d", t.Count, at), []*event.Ref{t.Cell.Ref}, nil
		if t.Count == at-1 {
			near := f
			near.Near = true
			x.counting[f.Key] = near
			return
		}
	case traceComplete:
		x.completed(t)
		f.Kind, f.Text, f.Events = "complete", "complete", matchRefs(t.Match)
	case traceExpired:
		x.close(t.Link)
		f = x.expired(t.Branch, t.Link, t.Link.hits[0].Key)
	case traceKilled:
		x.close(t.Link)
		f.Kind, f.Text = "killed", "killed through "+who
		f.Events, f.Near = about(t), t.Match != nil || x.nearlyDone(t.Branch, t.Link)
	case traceRefused:
		f.Kind, f.Text, f.At = "refused", "refused through "+who+": it came before", t.Other.time()
		f.Events, f.Near = about(t), t.Match != nil || x.nearlyDone(t.Branch, t.Link)
	case traceBlocked:
		f.Kind, f.Text, f.Events, f.By = "quiet", "ignored: an until keeps the rule quiet", []*event.Ref{t.Cell.Ref}, t.Other.Ref
	case traceGated:
		why := cmp.Or(t.Why, "its memory did not let it pass")
		f.Kind, f.Text, f.Events, f.By = "gated", "passed over at step "+who+": "+why, []*event.Ref{t.Cell.Ref}, nil
	case traceThrottled:
		f.Kind, f.Text, f.Events, f.By = "throttled", "throttled: counted into the finding at "+clock(t.At), matchRefs(t.Match), nil
		f.into = t.Of
	case traceHeard:
		x.heard(who, t.Cell.Ref)
		return
	case traceExcepted:
		f.Kind, f.Text, f.Events, f.By = "excepted", "no finding: "+t.Why, matchRefs(t.Match), nil
	case traceLate:
		f.Kind, f.Text, f.Events, f.By = "late", "late: it arrived after the rule had passed its time", []*event.Ref{t.Cell.Ref}, nil
	case traceEvicted:
		f.Kind, f.Text, f.Events, f.By = "evicted", "evicted: the rule's memory was full", []*event.Ref{t.Cell.Ref}, nil
	default:
		return
	}
	x.add(f)
}

// heard counts a finding of another rule at the step that listens to it.
func (x *Explainer) heard(step string, ref *event.Ref) {
	for i := range x.out.Steps {
		s := &x.out.Steps[i]
		if s.ID != step || !x.within(ref.Time) || !x.about(ref) {
			continue
		}
		s.Seen++
		s.Matched++
		if len(s.Hits) < maxExplainedHits {
			s.Hits = append(s.Hits, ref)
		}
	}
}

func (x *Explainer) stepOf(branch, step int) string {
	if steps := x.rule.Plan.Branches[branch].Steps; step < len(steps) {
		return steps[step].ID
	}
	return "?"
}

// nearlyDone reports whether a chain has all but the last step.
func (x *Explainer) nearlyDone(branch int, l *link) bool {
	return l != nil && l.step == len(x.rule.Plan.Branches[branch].Steps)-2
}

// reached follows the chains of a key: one went on, or took the place of another.
func (x *Explainer) reached(t trace) {
	key := t.Cell.Key
	events := linkRefs(t.Link)
	first := x.rule.Plan.Branches[t.Branch].SelectFirst
	open := slices.DeleteFunc(x.partials[key], func(p partial) bool {
		switch {
		case p.branch != t.Branch:
			return false
		case p.link.step < t.Link.step && holdsAll(events, p.events):
			return true // It is the same chain, and further.
		case p.link.step == t.Link.step && !first && slices.Equal(p.link.vars, t.Link.vars):
			x.add(Fate{At: t.Cell.time(), Kind: "replaced", Text: "replaced: a newer hit of step " + x.stepOf(t.Branch, t.Link.step) + " took its place", Key: key, Events: slices.Clone(p.events), By: t.Cell.Ref})
			return true
		}
		return false
	})
	x.partials[key] = append(open, partial{t.Branch, t.Link, events})
}

// completed closes the chains that a match has used.
func (x *Explainer) completed(t trace) {
	key := t.Cell.Key
	events := matchRefs(t.Match)
	if c, ok := x.counting[key]; ok && t.Cell.time()-c.At <= x.rule.Plan.Branches[max(0, t.Match.branch)].Within {
		delete(x.counting, key)
	}
	x.partials[key] = slices.DeleteFunc(x.partials[key], func(p partial) bool {
		used := slices.ContainsFunc(p.events, func(r *event.Ref) bool { return holdsAll(events, []*event.Ref{r}) })
		if used && !holdsAll(events, p.events) {
			x.add(Fate{At: t.Cell.time(), Kind: "consumed", Text: "consumed: one of its events is evidence of a match", Key: key, Events: slices.Clone(p.events), By: t.Cell.Ref})
		}
		return used
	})
}

// close forgets a chain whose end is told otherwise.
func (x *Explainer) close(l *link) {
	if l == nil {
		return
	}
	key := l.hits[0].Key
	x.partials[key] = slices.DeleteFunc(x.partials[key], func(p partial) bool { return p.link == l })
}

// holdsAll reports whether all of some events are among others.
func holdsAll(events, of []*event.Ref) bool {
	return !slices.ContainsFunc(of, func(r *event.Ref) bool {
		return !slices.ContainsFunc(events, func(o *event.Ref) bool { return o.Event == r.Event })
	})
}

// expired is the fate of a chain whose time has passed.
func (x *Explainer) expired(branch int, l *link, key string) Fate {
	deadline := l.first + x.rule.Plan.Branches[branch].Within
	return Fate{
		At: deadline, Kind: "expired", Text: "expired: step " + x.stepOf(branch, l.step+1) + " did not come until " + clock(deadline), Key: key, Events: linkRefs(l),
		Near: x.nearlyDone(branch, l),
	}
}

// about is what a guard spoke against.
func about(t trace) []*event.Ref {
	switch {
	case t.Match != nil:
		return matchRefs(t.Match)
	case t.Link != nil:
		return linkRefs(t.Link)
	default:
		return []*event.Ref{t.Other.Ref}
	}
}

// open tells of what is still waiting when the events end.
func (x *Explainer) open(r *ruleState) {
	for _, key := range sortedKeys(r.parts) {
		k := r.parts[key]
		for i := range k.head.branches {
			b, st := &r.branches[i], &k.head.branches[i]
			for j := range st.slots {
				for _, l := range st.slots[j] {
					x.waits(i, l, key)
				}
			}
			for j := range st.pools {
				for _, w := range st.pools[j] {
					x.lacks(w.time()+b.Within, key, "more for step "+b.Steps[j].ID+", or what comes before it", w.Ref)
				}
			}
			for _, g := range st.groups {
				if n := len(g.cells); n > 0 {
					x.lacks(g.cells[n-1].time()+b.Within, key, fmt.Sprintf("more: it counts %d of %d", n, b.AtLeast), refsOf(g.cells)...)
				}
			}
			x.nearlyAll(b, key)
		}
		for _, m := range k.matches {
			if m.deadline > m.time() && m.killer == nil && m.deadline >= x.out.Newest {
				x.add(Fate{At: m.time(), Kind: "waiting", Key: key, Events: matchRefs(m.match), Text: "waits until " + clock(m.deadline) + " for a guard to speak"})
			}
		}
	}
}

// waits tells of a chain that is open at the end.
func (x *Explainer) waits(branch int, l *link, key string) {
	f := x.expired(branch, l, key)
	if f.At >= x.out.Newest {
		f.Kind, f.Text, f.At = "waiting", "waits for step "+x.stepOf(branch, l.step+1)+" until "+clock(f.At), x.out.Newest
	}
	x.add(f)
}

// lacks tells of hits that wait for others.
func (x *Explainer) lacks(until int64, key, what string, events ...*event.Ref) {
	f := Fate{At: until, Kind: "expired", Key: key, Events: events, Text: "waited for " + what + " until " + clock(until) + ", in vain"}
	if until >= x.out.Newest {
		f.At, f.Kind, f.Text = x.out.Newest, "waiting", "waits for "+what+" until "+clock(until)
	}
	x.add(f)
}

// nearlyAll finds the stretch of an unordered pattern in which all but one of the steps it needs were hit; the newest such stretch of a key
// without a match in it.
func (x *Explainer) nearlyAll(b *branch, key string) {
	if b.Kind != rules.All {
		return
	}
	need := cmp.Or(b.AtLeast, len(b.Steps))
	var list []*event.Hit
	for i := range x.hits {
		if h := &x.hits[i]; h.Rule == x.rule.ID && h.Key == key && int(h.Branch) == b.index && int(h.Step) < len(b.Steps) {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *event.Hit) int { return compareRefs(a.Ref, b.Ref) })
	for i := len(list) - 1; i >= 0; i-- {
		steps := map[uint8]*event.Ref{}
		for j := i; j >= 0 && list[i].Ref.Time-list[j].Ref.Time <= b.Within; j-- {
			if steps[list[j].Step] == nil {
				steps[list[j].Step] = list[j].Ref
			}
		}
		if len(steps) != need-1 || need < 2 {
			continue
		}
		var events []*event.Ref
		for _, step := range slices.Sorted(maps.Keys(steps)) {
			events = append(events, steps[step])
		}
		if slices.ContainsFunc(x.out.Fates, func(f Fate) bool {
			return f.Kind == "complete" && slices.ContainsFunc(events, func(r *event.Ref) bool { return holdsAll(f.Events, []*event.Ref{r}) })
		}) {
			continue
		}
		at := list[i].Ref.Time
		x.add(Fate{At: at, Kind: "expired", Text: fmt.Sprintf("%d of %d steps within %s", need-1, need, span(b.Within)), Key: key, Events: events, Near: true})
		return
	}
}

func linkRefs(l *link) []*event.Ref {
	var out []*event.Ref
	for ; l != nil; l = l.prev {
		out = append(out, refsOf(l.hits)...)
	}
	return out
}

func matchRefs(m *match) []*event.Ref {
	var out []*event.Ref
	for _, e := range m.steps {
		out = append(out, refsOf(e.hits)...)
	}
	return out
}

func refsOf(cells []*cell) []*event.Ref {
	out := make([]*event.Ref, len(cells))
	for i, c := range cells {
		out[i] = c.Ref
	}
	return out
}

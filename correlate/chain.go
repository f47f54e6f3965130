package correlate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// A rule that listens to others is folded after them in every batch: what they announce, revise and withdraw becomes, changes and takes back
// hits of its own. These hits are never logged: they follow. Its W stands behind theirs (rules.Plan.Lateness), so that what it decides rests
// on findings that are final, and law N5 holds for it as for any other rule. Steps follow provisional findings; guards, untils and steps
// with memory, whose past cannot be taken back, hear of findings when they are final.

// chains is what the fold keeps for rules that listen to others.
type chains struct {
	to     map[string][]listener // By the rule listened to.
	levels int                   // The greatest depth of a rule.
	passed []passed              // Of this batch, in order.
	heard  []int                 // How many of passed each level has heard.
	found  map[event.ID]*found
	swept  int // Length of found after the last sweep.
	made   *Scratch
}

// listener is a step, guard or until that listens to a rule.
type listener struct {
	rule         string
	branch, step int
	patient      bool // Hears of final findings only.
	*rules.Step
}

// passed is what became of a finding.
type passed struct {
	rule      string
	finding   *incident.Finding
	at        *event.Ref // The completing event.
	anew      bool       // The finding is new, or its evidence is another.
	final     bool
	withdrawn bool
}

// found is a finding that hits of listening rules stand for.
type found struct {
	finding *incident.Finding
	at      *event.Ref
}

// heardKey names what a listener made of a provisional finding.
type heardKey struct {
	finding      event.ID
	branch, step int
}

// connect learns who listens to whom. Findings passed on so far stay known.
func (f *fold) connect() {
	c := &f.chains
	c.to, c.levels, c.passed = nil, 0, nil
	for _, r := range f.rules {
		for i := range r.branches {
			for j := range r.branches[i].parts {
				f.listen(r, i, j)
			}
		}
		if len(r.rule.Upstream) > 0 {
			c.levels = max(c.levels, r.rule.Depth)
		}
	}
	c.heard = make([]int, c.levels+1)
	if c.found == nil {
		c.found = map[event.ID]*found{}
	}
	if c.levels > 0 && c.made == nil {
		c.made = (&Matcher{rules: 1}).NewScratch(f.settings.Lookups)
	}
}

func (f *fold) listen(r *ruleState, branch, step int) {
	x := &r.branches[branch].parts[step]
	for _, up := range x.Listens {
		if f.chains.to == nil {
			f.chains.to = map[string][]listener{}
		}
		l := listener{rule: r.rule.ID, branch: branch, step: step, Step: x.Step}
		l.patient = x.guard != nil || x.Gated()
		f.chains.to[up.ID] = append(f.chains.to[up.ID], l)
	}
}

// level is the turn of a rule within a batch: after all it listens to.
func (r *ruleState) level() int {
	if len(r.rule.Upstream) == 0 {
		return 0
	}
	return r.rule.Depth
}

// pass tells listeners of a finding, before the record of what was told is brought up to date.
func (f *fold) pass(r *ruleState, o *known, now *match, state incident.State) {
	if f.chains.to[r.rule.ID] == nil || f.byID[r.rule.ID] != r || f.replayed {
		return
	}
	p := passed{rule: r.rule.ID, at: o.match.at.Ref, final: state == final, withdrawn: state == incident.Withdrawn}
	alive := o.state == incident.Provisional || o.state == final
	switch {
	case p.withdrawn && !alive, !p.withdrawn && o.state == final:
		return // Nobody has it, or only its repeats changed.
	case !p.withdrawn:
		p.anew = !alive || !sameMatch(o.told.match, now)
	}
	body := *o.body
	body.ID, body.State = o.id, state
	p.finding = &body
	f.chains.passed = append(f.chains.passed, p)
}

// unheard reports whether something was passed on after the last level heard.
func (f *fold) unheard() bool {
	c := &f.chains
	return c.levels > 0 && slices.ContainsFunc(c.heard[1:], func(n int) bool { return n < len(c.passed) })
}

// hear takes in what was passed on to the rules of a level since it last heard.
func (f *fold) hear(level int) {
	c := &f.chains
	news := c.passed[c.heard[level]:]
	c.heard[level] = len(c.passed)
	for i := range news {
		for _, l := range c.to[news[i].rule] {
			if r := f.byID[l.rule]; r.level() == level && (!f.warming || r.waiting()) {
				f.hearOne(r, &l, &news[i])
			}
		}
	}
}

func (f *fold) hearOne(r *ruleState, l *listener, p *passed) {
	k := heardKey{p.finding.ID, l.branch, l.step}
	cells, known := r.heard[k]
	if p.withdrawn || known && p.anew {
		for _, c := range cells {
			f.takeBack(r, c)
		}
		delete(r.heard, k)
		known = false
	}
	if p.withdrawn || l.patient && !p.final {
		return
	}
	if !known {
		cells = f.derive(r, l, p)
		for _, c := range cells {
			f.take(r, &c.Hit, c)
		}
	}
	if p.final {
		delete(r.heard, k)
		return
	}
	if r.heard == nil {
		r.heard = map[heardKey][]*cell{}
	}
	r.heard[k] = cells
}

// takeBack removes a hit whose finding is no more, or is another.
func (f *fold) takeBack(r *ruleState, c *cell) {
	if k := f.working(r, c.Key); k != nil && k.remove(c) {
		f.touch(k)
	}
}

// derive makes the hits of a finding at a step that listens to its rule.
func (f *fold) derive(r *ruleState, l *listener, p *passed) []*cell {
	c := &f.chains
	e := findingEvent(p)
	s := c.made
	t := target{rule: r.rule, branch: uint8(l.branch), step: uint8(l.step), Step: l.Step}
	s.finding = p.finding
	var hits []event.Hit
	if f.suits(s, &t, e) {
		ref := event.RefOf(e)
		ref.Sequence, ref.Domain, ref.Source = p.at.Sequence, p.at.Domain, "rule:"+p.rule
		ref.Summary = "finding of " + p.rule + ": " + p.finding.Rule.Title
		hits = s.hit(&t, e, nil)
		for i := range hits {
			hits[i].Ref = ref
		}
	}
	f.tally(r, &s.counts[0])
	cells := make([]*cell, len(hits))
	for i := range hits {
		cells[i] = &cell{Hit: hits[i]}
	}
	if len(cells) > 0 {
		c.found[p.finding.ID] = &found{p.finding, p.at}
		f.trace(trace{Kind: traceHeard, Rule: r.rule, Cell: cells[0], Branch: l.branch})
	}
	return cells
}

// suits asks the step's condition and exceptions.
func (f *fold) suits(s *Scratch, t *target, e *event.Event) bool {
	if t.Where != nil {
		ok, err := t.Where.Match(s.machine, e)
		if err != nil {
			s.counts[0].errors++
			s.counts[0].err = err
		}
		if !ok {
			return false
		}
	}
	return t.Excepted == nil || s.excepted(t, e) < 0
}

// maxEntities bounds the entities of a finding as an event.
const maxEntities = 256

// findingEvent is a finding as the event that steps of other rules see: an OCSF Detection Finding at the time of the completing event. The
// rule's own variables come before the other entities of its evidence.
func findingEvent(p *passed) *event.Event {
	x := p.finding
	e := &event.Event{ClassUID: event.ClassDetection, ActivityID: 1, SeverityID: uint8(x.Severity), Time: x.Time, Count: x.Repeats + 1}
	e.RiskScore = event.Int{V: int64(x.Score), Known: true}
	e.Finding = &event.Finding{
		UID: event.FormatID(event.FindingPrefix, x.ID), Title: x.Rule.Title, AnalyticUID: x.Rule.ID, AnalyticName: x.Rule.Title, AnalyticType: 1, CreatedAt: x.Time,
	}
	e.Envelope = event.Envelope{ID: x.ID, Received: x.Seen, Position: event.Position{Source: "rule:" + x.Rule.ID}}
	seen := map[event.EntityRef]bool{}
	add := func(ref event.EntityRef) {
		ref.Object = 0
		if !seen[ref] && len(e.Entities) < maxEntities {
			seen[ref] = true
			e.Entities = append(e.Entities, ref)
		}
	}
	for _, v := range x.Vars {
		for _, ev := range x.Evidence {
			for _, ref := range ev.Event.Entities {
				if ref.ID == v.Value && ref.Role < event.RoleReporter {
					ref.Role = event.RoleActor
					add(ref)
				}
			}
		}
	}
	for _, ev := range x.Evidence {
		for _, ref := range ev.Event.Entities {
			add(ref)
		}
	}
	return e
}

// variable is the value of a variable of the finding at hand; "" if it has none.
func (s *Scratch) variable(name string) string {
	if s.finding == nil {
		return ""
	}
	for _, v := range s.finding.Vars {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// behind adds the evidence of the finding a hit stands for: every event of it, at the path of steps that leads to it.
func (f *fold) behind(step string, c *cell, out *incident.Finding) bool {
	x := f.chains.found[c.Ref.Event]
	if x == nil {
		return false
	}
	for _, e := range x.finding.Evidence {
		e = incident.Evidence{Step: step + "/" + e.Step, Event: e.Event}
		had := slices.ContainsFunc(out.Evidence, func(x incident.Evidence) bool { return x.Step == e.Step && x.Event.Event == e.Event.Event })
		if !had {
			out.Evidence = append(out.Evidence, e)
		}
	}
	out.First = min(out.First, x.finding.First)
	out.Truncated += x.finding.Truncated
	out.Upstream = append(out.Upstream, incident.Upstream{Step: step, Finding: x.finding.ID, Rule: x.finding.Rule.ID, Version: x.finding.Rule.Version})
	for _, up := range x.finding.Upstream {
		up.Step = step + "/" + up.Step
		out.Upstream = append(out.Upstream, up)
	}
	return true
}

// sweepFound forgets findings that no hit can stand for any more.
func (f *fold) sweepFound() {
	c := &f.chains
	c.passed = c.passed[:0]
	clear(c.heard)
	if len(c.found) < 64 || len(c.found) < 2*c.swept {
		return
	}
	for id, x := range c.found {
		used := slices.ContainsFunc(c.to[x.finding.Rule.ID], func(l listener) bool {
			r := f.byID[l.rule]
			return x.finding.Time+r.program.lasting() > r.w
		})
		if !used {
			delete(c.found, id)
		}
	}
	c.swept = len(c.found)
}

// lasting is for how long after its time a hit can matter to a rule.
func (p *program) lasting() int64 {
	t := p.plan.Throttle.For + p.plan.Within + p.after
	var longest int64
	for i := range p.branches {
		b := &p.branches[i]
		longest = max(longest, b.memory)
		for j := range b.parts {
			longest = max(longest, b.parts[j].keep+b.memory)
		}
	}
	return t + longest
}

// companions are rules that keep their state while one that listens to them starts: they are folded once more beside it to warm it up.
func (f *fold) companions() []*ruleState {
	var out []*ruleState
	for _, r := range f.rules {
		if !r.waiting() {
			continue
		}
		for _, up := range r.rule.WithUpstream() {
			s := f.byID[up.ID]
			if s == nil || s.waiting() || slices.ContainsFunc(out, func(x *ruleState) bool { return x.rule == s.rule }) {
				continue
			}
			x := newRuleState(s.rule, f.settings)
			x.swap, x.from.cut = forever-1, forever
			out = append(out, x)
		}
	}
	return out
}

// sortedFound are the findings that hits stand for, by id.
func (c *chains) sortedFound() []event.ID {
	return slices.SortedFunc(maps.Keys(c.found), event.ID.Compare)
}

func sortedHeard(m map[heardKey][]*cell) []heardKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b heardKey) int {
		return cmp.Or(a.finding.Compare(b.finding), cmp.Compare(a.branch, b.branch), cmp.Compare(a.step, b.step))
	})
}

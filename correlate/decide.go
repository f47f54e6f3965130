package correlate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// forever is later than every event, never earlier; both leave room for a length to be added or taken away.
const (
	forever = 1<<62 - 1
	never   = -1 << 62
)

// final is short for the state most code asks for.
const final = incident.Final

// candidate is a match with what is known of its fate.
type candidate struct {
	*match
	deadline int64    // W at which it becomes final.
	killer   *cell    // The hit of an after-guard that killed it.
	id       event.ID // Of its finding; zero before it was needed.
	per      string   // The throttle's values.
	judged   *program // Whose exceptions were asked; nil before.
	excepted *rules.Exception
}

// window is an open stretch of the throttle: a finding and the values it was thrown with.
type window struct {
	per  string
	time int64
	of   *known
}

// known is a finding as the partition remembers it.
type known struct {
	id       event.ID
	match    *match
	revision int32          // Of the last announcement; 0 before the first.
	state    incident.State // Announced last.
	told     told           // The rest of what was announced last.

	repeats int32 // Of final matches.
	last    int64 // Completing time of the last of them.
	body    *incident.Finding

	// The outcome of the pass over the candidates that is going on.
	seen, final bool
	held        bool // Its match is there, and waits for a guard: what was told stands until then.
	open        bool // The throttle still counts into it.
	fresh       *match
	extra       int32 // Repeats of matches that are not final.
	extraLast   int64
	excepted    *rules.Exception // Its match makes no finding any more.
}

// told is what makes an announcement worth repeating.
type told struct {
	match   *match
	repeats int32
	last    int64
	notes   string
}

// decide settles what can be settled at W, works out the findings of a partition (N3, N4) and announces what differs from what was told.
func (f *fold) decide(r *ruleState, k *partition) {
	for _, o := range k.known {
		o.seen, o.held, o.extra, o.extraLast, o.excepted = false, false, 0, 0, nil
	}
	open := slices.Clone(k.throttle)
	var undecided []window
	settled := true // Every match so far is final.
	done := 0
	for _, m := range k.matches {
		if m.killer == nil && r.after > 0 {
			m.killer = f.scan.with(r, k).followed(m.match)
		}
		settled = settled && (m.deadline <= r.w || m.killer != nil && m.time() <= r.w)
		if settled {
			done++
			k.done = m.at
		}
		if m.killer != nil {
			f.trace(trace{Kind: traceKilled, Rule: r.rule, Cell: m.killer, Match: m.match, Branch: m.branch})
			continue
		}
		if x := f.excepted(r, m); x != nil {
			f.except(r, k, m, x, settled)
			continue
		}
		if m.id.IsZero() {
			m.id, m.per = findingID(r, k.key, m.match), r.per(m.match)
		}
		per := m.per
		i := r.throttles(open, per, m.time())
		if m.deadline > r.w && m.deadline > m.time() || r.throttles(undecided, per, m.time()) >= 0 {
			undecided = append(undecided, window{per: per, time: m.time()})
			if o := k.byID[m.id]; o != nil {
				o.held = true
			}
			continue
		}
		if i >= 0 {
			open[i].of.repeat(m.time(), settled)
			f.trace(trace{Kind: traceThrottled, Rule: r.rule, Cell: m.at, Match: m.match, At: open[i].time, Of: open[i].of.id})
			continue
		}
		o := k.finding(m.id)
		if o.seen {
			o.repeat(m.time(), settled) // Another branch completed by the same event.
			continue
		}
		o.seen, o.final, o.fresh = true, settled, m.match
		open = opened(open, window{per: per, time: m.time(), of: o})
		if settled {
			k.throttle = opened(k.throttle, window{per: per, time: m.time(), of: o})
		}
	}
	k.matches = slices.Delete(k.matches, 0, done)
	f.announce(r, k)
	f.forget(r, k)
}

// throttles gives the window that a match at t falls into, −1 if none.
func (r *ruleState) throttles(open []window, per string, t int64) int {
	if r.plan.Throttle.For == 0 {
		return -1
	}
	return slices.IndexFunc(open, func(w window) bool { return w.per == per && t-w.time <= r.plan.Throttle.For })
}

// opened puts w in the place of the window with the same values.
func opened(open []window, w window) []window {
	open = slices.DeleteFunc(open, func(o window) bool { return o.per == w.per })
	return append(open, w)
}

func (o *known) repeat(t int64, final bool) {
	if final {
		o.repeats++
		o.last = t
		return
	}
	o.extra++
	o.extraLast = t
}

// finding is the record of a finding, made if it is new. A match that was final before is not looked at again, so an id met twice is the
// same finding.
func (k *partition) finding(id event.ID) *known {
	if o := k.byID[id]; o != nil {
		return o
	}
	o := &known{id: id}
	k.learn(o)
	return o
}

func (k *partition) learn(o *known) {
	if k.byID == nil {
		k.byID = map[event.ID]*known{}
	}
	k.byID[o.id] = o
	k.known = append(k.known, o)
}

// findingID is the identity of N4.
func findingID(r *ruleState, key string, m *match) event.ID {
	return event.NewID("finding", r.rule.ID, strconv.Itoa(int(r.rule.Version)), key, string(m.at.Ref.Event[:]))
}

// per is the values of the throttle's variables.
func (r *ruleState) per(m *match) string {
	if r.plan.Throttle.For == 0 {
		return ""
	}
	vars := r.values(m)
	var b strings.Builder
	for _, v := range r.plan.Throttle.Per {
		b.WriteString(vars[v])
		b.WriteByte(0x1f)
	}
	return b.String()
}

// announce compares the outcome with what was told.
func (f *fold) announce(r *ruleState, k *partition) {
	for _, o := range k.known {
		if o.seen {
			o.match = o.fresh
		}
	}
	for _, o := range k.known {
		switch {
		case o.seen:
			f.tell(r, k, o, o.final)
		case o.state == final:
			f.tell(r, k, o, true)
		case o.state == incident.Provisional && !o.held:
			f.withdraw(r, k, o)
		}
	}
}

// tell announces a finding if anything about it is news.
func (f *fold) tell(r *ruleState, k *partition, o *known, isFinal bool) {
	if f.warming && !isFinal && !r.silent(o.match) {
		return // It is for after the swap to announce.
	}
	state := incident.Provisional
	if isFinal {
		state = final
	}
	now := told{match: o.match, repeats: o.repeats + o.extra, last: max(o.last, o.extraLast), notes: strings.Join(r.notes(k, o.match), "\n")}
	if o.state == state && o.told.repeats == now.repeats && o.told.last == now.last && o.told.notes == now.notes && sameMatch(o.told.match, now.match) {
		return
	}
	if o.body == nil || !sameMatch(o.told.match, now.match) {
		o.body = f.build(r, k, o.match)
	}
	f.pass(r, o, now.match, state)
	o.told, o.state = now, state
	if r.silent(o.match) {
		return
	}
	if o.revision == 0 {
		r.stats.Findings++
	}
	o.revision++
	out := *o.body
	out.ID, out.Revision, out.State = o.id, o.revision, state
	out.Repeats, out.LastRepeat = now.repeats, now.last
	out.Notes = r.notes(k, o.match)
	f.out = append(f.out, out)
}

// withdraw announces that a finding is no more, and which one has its evidence now.
func (f *fold) withdraw(r *ruleState, k *partition, o *known) {
	f.pass(r, o, nil, incident.Withdrawn)
	o.state = incident.Withdrawn
	if r.silent(o.match) {
		return
	}
	o.revision++
	out := *o.body
	out.ID, out.Revision, out.State = o.id, o.revision, incident.Withdrawn
	out.Reason = "an event that arrived out of order undid the match"
	for _, other := range k.known {
		if other != o && other.seen && other.match.shares(o.match) {
			out.SupersededBy = other.id
			out.Reason = "events that arrived out of order make it a different match"
		}
	}
	if out.SupersededBy.IsZero() {
		per := r.per(o.match)
		for _, m := range k.matches {
			if sameMatch(m.match, o.match) {
				out.Reason = "it repeats an earlier finding"
				if i := slices.IndexFunc(k.known, func(other *known) bool {
					return other.seen && r.per(other.match) == per && other.match.time() <= o.match.time()
				}); i >= 0 {
					out.SupersededBy = k.known[i].id
				}
			}
		}
	}
	if o.excepted != nil {
		out.Reason, out.SupersededBy = exceptionWords(o.excepted), event.ID{}
	}
	r.stats.Withdrawn++
	f.out = append(f.out, out)
}

// forget drops findings and windows that can no longer change.
func (f *fold) forget(r *ruleState, k *partition) {
	oldest := r.w
	if len(k.matches) > 0 {
		oldest = min(oldest, k.matches[0].time())
	}
	k.throttle = slices.DeleteFunc(k.throttle, func(w window) bool { return w.time+r.plan.Throttle.For < oldest })
	for _, w := range k.throttle {
		w.of.open = true
	}
	k.known = slices.DeleteFunc(k.known, func(o *known) bool {
		keep := o.state == incident.Provisional || o.seen && o.state == 0
		switch o.state {
		case final:
			keep = o.open || r.keepsFinal(o)
		case incident.Withdrawn:
			keep = o.match.time() > r.w || o.held
		}
		if o.open = false; !keep {
			delete(k.byID, o.id)
		}
		return !keep
	})
}

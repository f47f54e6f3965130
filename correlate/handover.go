package correlate

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// When a rule gives way to another version of itself, nothing it could have found may fall between the two and nothing may be found twice. What
// the old one has announced stands. The new one is warmed from the past and announces every match that completes after what the old one had
// decided (cut), but for those whose completing event the old one has announced (told). So a match that waited for a guard, or whose last
// event arrives late, is found by the new one; a rule that was not there before has no such past, and is silent about what completes before it.

// handover is what a rule leaves to the next version of itself.
type handover struct {
	cut  int64             // Matches completing at or before this are the old one's,
	told map[event.ID]bool // and so are those completed by these events,
	last int64             // of which this is the latest time.
}

// silent reports whether a match is not for this version of the rule to announce.
func (r *ruleState) silent(m *match) bool {
	return m.time() <= r.from.cut || r.from.told[m.at.Ref.Event]
}

// handover is what a version that starts now has to know.
func (r *ruleState) handover() handover {
	h := handover{cut: max(r.from.cut, r.decided())}
	if r.reserved != nil {
		h.cut = *r.reserved
	}
	h.told, h.last = maps.Clone(r.from.told), r.from.last
	for _, k := range r.parts {
		for _, o := range k.known {
			if o.revision > 0 && o.state != incident.Withdrawn && o.match.time() > h.cut {
				if h.told == nil {
					h.told = map[event.ID]bool{}
				}
				h.told[o.match.at.Ref.Event] = true
				h.last = max(h.last, o.match.time())
			}
		}
	}
	return h
}

// decided is the time up to which matches are final or killed.
func (r *ruleState) decided() int64 {
	if r.w == never {
		return never
	}
	return r.w - r.after
}

// started is the frontier as rules that start now remember it: there may be none yet.
func (f *fold) started() int64 { return max(f.frontier, never+1) }

// Reserve makes the handover of every rule begin now, for a swap that comes later: what completes after what is decided now is the next
// version's, but for what this one announces until the swap. A second call changes nothing before the swap.
func (e *Engine) Reserve() {
	for _, r := range e.fold.rules {
		if r.reserved == nil {
			r.reserved = new(max(r.from.cut, r.decided()))
		}
	}
}

// Renew begins rules that wait since Restore anew, silent about what completes before the frontier, where batches were folded since that they
// did not see: what other versions of them announced in these is not known.
func (e *Engine) Renew(ids []string) {
	for i, r := range e.fold.rules {
		if !slices.Contains(ids, r.rule.ID) {
			continue
		}
		s := newRuleState(r.rule, e.settings)
		s.swap = e.fold.started()
		s.from = handover{cut: e.fold.frontier}
		e.fold.rules[i], e.fold.byID[r.rule.ID] = s, s
	}
	e.fold.fresh = true
	clear(e.fold.work)
	e.fold.connect()
}

// keepsFinal reports whether a final finding must be remembered for a handover.
func (r *ruleState) keepsFinal(o *known) bool {
	t := r.decided()
	if r.reserved != nil {
		t = min(t, *r.reserved)
	}
	return o.match.time() > t && (r.after > 0 || r.reserved != nil)
}

func (w *writer) from(h handover) {
	w.int(h.cut)
	w.int(h.last)
	w.uint(uint64(len(h.told)))
	for _, id := range slices.SortedFunc(maps.Keys(h.told), event.ID.Compare) {
		w.id(id)
	}
}

func (r *reader) from() handover {
	h := handover{cut: r.time(), last: r.time()}
	for range r.count(16) {
		if h.told == nil {
			h.told = map[event.ID]bool{}
		}
		h.told[r.id()] = true
	}
	return h
}

// pending writes findings that wait for the next batch.
func (w *writer) pending(list []incident.Finding) {
	doc, err := json.Marshal(list)
	if err != nil {
		doc = nil
	}
	w.uint(uint64(len(doc)))
	w.b = append(w.b, doc...)
}

func (r *reader) pending() []incident.Finding {
	var list []incident.Finding
	if err := json.Unmarshal(r.take(r.uint()), &list); err != nil {
		r.fail()
	}
	for i := range list {
		if slices.ContainsFunc(list[i].Evidence, func(e incident.Evidence) bool { return e.Event == nil }) {
			r.fail()
			return nil
		}
	}
	return list
}

// prune forgets events that no match can be completed by any more, and whose findings count no repeats.
func (r *ruleState) prune() {
	if len(r.from.told) > 0 && r.decided()-r.plan.Throttle.For > r.from.last {
		r.from.told = nil
	}
}

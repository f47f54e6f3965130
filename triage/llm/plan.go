package llm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Bounds of the plan.
const (
	maxWaiting   = 4096            // incidents that wait to be asked about
	maxPatience  = 5 * time.Minute // after which an incident that keeps changing is asked about anyway
	maxKnown     = 20_000          // incidents whose last question is remembered
	breakAfter   = 5               // failures in a row that open the circuit breaker
	breakFor     = time.Minute     // how long it stays open before one question tries again
	budgetPeriod = 24 * time.Hour
)

// plan decides which incident is asked about next, and when. It has no clock and no goroutine; times are given.
type plan struct {
	debounce time.Duration
	perHour  int
	daily    int
	least    incident.Severity

	waiting  map[event.ID]*wait
	known    map[event.ID]*asked
	failures int       // in a row
	rest     time.Time // the breaker is open until then
	day      time.Time // which the budget is of
	spent    int       // tokens of that day
}

// wait is an incident that waits.
type wait struct {
	in         *incident.Incident
	first, due time.Time
}

// asked is what is remembered of an incident's questions.
type asked struct {
	signature string
	at        []time.Time // of the last hour
	last      time.Time
}

func newPlan(debounce time.Duration, perHour, daily int, least incident.Severity) *plan {
	return &plan{debounce: debounce, perHour: perHour, daily: daily, least: least, waiting: map[event.ID]*wait{}, known: map[event.ID]*asked{}}
}

// signature is what makes two revisions of an incident materially the same: rules, entities, classes of events, verdict.
func signature(in *incident.Incident) string {
	var parts []string
	for i := range in.Findings {
		f := &in.Findings[i]
		parts = append(parts, "rule "+f.Rule.ID)
		for _, ev := range f.Evidence {
			if ev.Event != nil {
				parts = append(parts, "class "+keyOf(ev.Event))
			}
		}
	}
	for _, m := range in.Entities {
		parts = append(parts, "entity "+m.ID)
	}
	for _, n := range in.Changed {
		parts = append(parts, "change "+n.What+" "+n.Entity)
	}
	slices.Sort(parts)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q|%s", slices.Compact(parts), in.Verdict))
	return hex.EncodeToString(sum[:])
}

// note takes a revision of an incident; it reports whether the incident now waits.
func (p *plan) note(in *incident.Incident, now time.Time) bool {
	if in.Status == incident.Merged || in.Severity < p.least || len(in.Findings) == 0 {
		delete(p.waiting, in.ID)
		return false
	}
	if a := p.known[in.ID]; a != nil && a.signature == signature(in) {
		if w := p.waiting[in.ID]; w != nil {
			w.in = in
		}
		return p.waiting[in.ID] != nil
	}
	w := p.waiting[in.ID]
	if w == nil {
		if len(p.waiting) >= maxWaiting && !p.drop(in.Severity) {
			return false
		}
		w = &wait{first: now}
		p.waiting[in.ID] = w
	}
	w.in = in
	w.due = now.Add(p.debounce)
	if last := w.first.Add(maxPatience); w.due.After(last) {
		w.due = last
	}
	return true
}

// drop makes room by forgetting an incident of less severity; false if there is none.
func (p *plan) drop(than incident.Severity) bool {
	var worst *wait
	for _, w := range p.waiting {
		if w.in.Severity < than && (worst == nil || order(w, worst) > 0) {
			worst = w
		}
	}
	if worst == nil {
		return false
	}
	delete(p.waiting, worst.in.ID)
	return true
}

// order is the order of the queue: the most severe first, then who waits longest.
func order(a, b *wait) int {
	return cmp.Or(cmp.Compare(b.in.Severity, a.in.Severity), a.due.Compare(b.due), a.in.ID.Compare(b.in.ID))
}

// next takes the incident to ask about now; nil if there is none, with how long to wait before asking again.
func (p *plan) next(now time.Time) (*incident.Incident, time.Duration) {
	if now.Before(p.rest) {
		return nil, p.rest.Sub(now)
	}
	var best *wait
	pause := time.Hour
	for _, w := range p.waiting {
		if at := w.due; now.Before(at) {
			pause = min(pause, at.Sub(now))
			continue
		}
		if free := p.free(w.in.ID, now); now.Before(free) {
			pause = min(pause, free.Sub(now))
			continue
		}
		if best == nil || order(w, best) < 0 {
			best = w
		}
	}
	if best == nil {
		return nil, pause
	}
	delete(p.waiting, best.in.ID)
	a := p.known[best.in.ID]
	if a == nil {
		p.forget()
		a = &asked{}
		p.known[best.in.ID] = a
	}
	a.signature, a.last = signature(best.in), now
	a.at = append(slices.DeleteFunc(a.at, func(t time.Time) bool { return now.Sub(t) >= time.Hour }), now)
	return best.in, 0
}

// free is when an incident may be asked about again.
func (p *plan) free(id event.ID, now time.Time) time.Time {
	a := p.known[id]
	if a == nil {
		return now
	}
	recent := slices.DeleteFunc(slices.Clone(a.at), func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	if len(recent) < p.perHour {
		return now
	}
	return recent[len(recent)-p.perHour].Add(time.Hour)
}

// forget makes room among what is remembered: what was asked longest ago goes.
func (p *plan) forget() {
	if len(p.known) < maxKnown {
		return
	}
	var oldest event.ID
	var at time.Time
	for id, a := range p.known {
		if at.IsZero() || a.last.Before(at) || a.last.Equal(at) && id.Compare(oldest) < 0 {
			oldest, at = id, a.last
		}
	}
	delete(p.known, oldest)
}

// left is how many tokens the day has left.
func (p *plan) left(now time.Time) int {
	if d := now.UTC().Truncate(budgetPeriod); !d.Equal(p.day) {
		p.day, p.spent = d, 0
	}
	return max(0, p.daily-p.spent)
}

// spend counts tokens of the day.
func (p *plan) spend(tokens int, now time.Time) {
	p.left(now)
	p.spent += tokens
}

// ended counts how a question went; opened is true when the breaker opens with it. A refusal or an answer that could not be proven is a working
// server.
func (p *plan) ended(f Failure, wait time.Duration, now time.Time) (opened bool) {
	switch f {
	case FailTimeout, FailBusy, FailServer, FailEmpty:
		p.failures++
	default:
		p.failures = 0
		return false
	}
	if p.failures >= breakAfter {
		p.rest = now.Add(max(breakFor, min(wait, time.Hour)))
	} else if wait > 0 {
		p.rest = now.Add(min(wait, time.Hour))
	}
	return p.failures == breakAfter
}

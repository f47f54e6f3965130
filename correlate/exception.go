package correlate

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Exceptions of steps are asked when an event is matched: their outcome is in the log, as a hit or as none. Exceptions of matches are asked
// when a match is decided, so that state goes on when one is added, and a provisional finding it speaks about is withdrawn. Either compares its
// end with event time. An excepted match consumes its evidence like any other, but neither makes a finding nor is it counted into one.

// ExceptionCount is what one exception kept away since the engine started.
type ExceptionCount struct {
	ID    string
	Count int64 // Events that were invisible to a step, or final matches that made no finding.
}

// excepted gives the exception that makes an event invisible to a target, and counts it; −1 if none does.
func (s *Scratch) excepted(t *target, e *event.Event) int {
	for _, i := range t.Excepted {
		x := &t.rule.Exceptions[i]
		if e.Time >= x.Expires {
			continue
		}
		c := &s.counts[t.index]
		ok, err := x.Event.Match(s.machine, e)
		if err != nil {
			c.errors++
			c.err = err
		}
		if ok {
			c.excepted = counted(c.excepted, len(t.rule.Exceptions), i, 1)
			return i
		}
	}
	return -1
}

// counted adds n to one of several counters, which are made with the first.
func counted(list []int64, of, i int, n int64) []int64 {
	if list == nil {
		list = make([]int64, of)
	}
	list[i] += n
	return list
}

// excepted gives the exception that keeps a match from making a finding; nil if none does. The answer is kept until the rule's text changes.
func (f *fold) excepted(r *ruleState, m *candidate) *rules.Exception {
	if len(r.plan.Excepted) == 0 {
		return nil
	}
	if m.judged == r.program {
		return m.excepted
	}
	m.judged, m.excepted = r.program, nil
	in := f.eval.match(r.program, m.steps, r.values(m.match))
	for _, i := range r.plan.Excepted {
		x := &r.rule.Exceptions[i]
		if m.time() < x.Expires && f.ask(r).bool(x.Match, in, nil, nil) {
			m.excepted = x
			break
		}
	}
	return m.excepted
}

// except notes that a match makes no finding, and why one that was made is withdrawn.
func (f *fold) except(r *ruleState, k *partition, m *candidate, x *rules.Exception, settled bool) {
	f.trace(trace{Kind: traceExcepted, Rule: r.rule, Cell: m.at, Match: m.match, Why: exceptionWords(x)})
	if settled {
		r.excepted = counted(r.excepted, len(r.rule.Exceptions), r.exceptionIndex(x), 1)
	}
	if o := k.byID[findingID(r, k.key, m.match)]; o != nil {
		o.excepted = x
	}
}

func (r *ruleState) exceptionIndex(x *rules.Exception) int {
	for i := range r.rule.Exceptions {
		if &r.rule.Exceptions[i] == x {
			return i
		}
	}
	return 0
}

// exceptionWords names an exception for people.
func exceptionWords(x *rules.Exception) string {
	return "exception " + x.ID + " of " + x.Owner + ": " + x.Reason
}

// exceptionCounts are the counters of a rule's exceptions, by name.
func (r *ruleState) exceptionCounts() []ExceptionCount {
	if len(r.rule.Exceptions) == 0 {
		return nil
	}
	out := make([]ExceptionCount, len(r.rule.Exceptions))
	for i := range out {
		out[i].ID = r.rule.Exceptions[i].ID
		if r.excepted != nil {
			out[i].Count = r.excepted[i]
		}
	}
	return out
}

// carryExceptions takes counters over to the exceptions of a new text, by name.
func (r *ruleState) carryExceptions(old []ExceptionCount) {
	r.excepted = nil
	for i := range r.rule.Exceptions {
		for _, c := range old {
			if c.ID == r.rule.Exceptions[i].ID && c.Count > 0 {
				r.excepted = counted(r.excepted, len(r.rule.Exceptions), i, c.Count)
			}
		}
	}
}

// ask gives the evaluator, with the rule's counter of errors.
func (f *fold) ask(r *ruleState) *evaluator {
	f.eval.errors = func(error) { r.stats.Errors++ }
	return f.eval
}

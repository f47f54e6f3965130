package rules

import (
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/expression"
)

// maxExceptions bounds the exceptions of one rule.
const maxExceptions = 256

// Exception keeps what is known to be harmless from making findings, for a while, in somebody's name. It is immutable.
type Exception struct {
	ID      string
	Step    string            // The step the event is invisible to; "" where whole matches are excepted.
	Event   *expression.Event // Of a step: condition over the event, asked after the step's own where.
	Match   *expression.Fold  // Of a match: condition over the match.
	Owner   string            // Who answers for it.
	Reason  string            // Why it is harmless.
	Expires int64             // Event time, microseconds: what happens then or later is not excepted.
	Beside  bool              // It stands in a document of exceptions and not in the rule.
	File    string
	Line    int
}

// beside is an exception that stands outside of its rule.
type beside struct {
	doc     *document
	node    *yaml.Node // The entry.
	rule    *yaml.Node // The rule's id.
	claimed bool
}

// isExceptions tells a document of exceptions from a rule, which has an id or a match.
func isExceptions(n *yaml.Node) bool {
	return child(n, "exceptions") != nil && child(n, "id") == nil && child(n, "match") == nil
}

// exceptions takes in a document of exceptions. Its entries are read with their rules.
func (l *loader) exceptions(d *document, n *yaml.Node) {
	f := d.mapping(n, "a document of exceptions", false, InExceptions)
	if f == nil {
		return
	}
	for _, entry := range f.items("exceptions") {
		rule := child(entry, "rule")
		if rule == nil || rule.Kind != yaml.ScalarNode || rule.Value == "" {
			d.problem(entry, codeException, "an exception outside of its rule needs rule", "as in rule: rb-0010")
			continue
		}
		l.beside[rule.Value] = append(l.beside[rule.Value], &beside{doc: d, node: entry, rule: rule})
	}
}

// unclaimed reports exceptions of rules that do not exist.
func (l *loader) unclaimed() {
	ids := l.ids()
	for _, list := range l.beside {
		for _, x := range list {
			if !x.claimed {
				x.doc.problem(x.rule, codeExceptionRule, "no rule "+x.rule.Value+" is loaded", nearestHint(x.rule.Value, ids))
			}
		}
	}
}

func nearestHint(name string, candidates []string) string {
	if near := expression.Nearest(name, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// exceptions reads those of the rule and those that stand beside it.
func (b *builder) exceptions(f *fields, l *loader) {
	for _, n := range f.items("exceptions") {
		b.exception(b.doc, n, InException)
	}
	for _, x := range l.beside[b.rule.ID] {
		x.claimed = true
		b.exception(x.doc, x.node, InException, InBeside)
	}
	if len(b.rule.Exceptions) > maxExceptions {
		b.doc.problem(f.node, codeSpan, "more than "+strconv.Itoa(maxExceptions)+" exceptions", "a list that where asks with inList holds any number")
	}
}

func (b *builder) exception(d *document, n *yaml.Node, places ...Place) {
	f := d.mapping(n, "an exception", false, places...)
	if f == nil {
		return
	}
	x := Exception{ID: f.text("id"), Owner: f.text("owner"), Reason: f.text("reason"), File: d.file, Line: n.Line, Beside: len(places) > 1}
	for _, key := range []string{"id", "owner", "reason", "expires"} {
		if v := f.get(key); v == nil || v.Value == "" {
			d.problem(n, codeException, "an exception needs "+key, exceptionHints[key])
		}
	}
	if slices.ContainsFunc(b.rule.Exceptions, func(y Exception) bool { return y.ID == x.ID }) {
		d.problem(f.get("id"), codeException, "rule "+b.rule.ID+" has two exceptions "+x.ID, "")
	}
	x.Expires = d.expiry(f.get("expires"))
	x.Step = b.appliesTo(d, f.get("applies_to"))
	if when := f.get("when"); when == nil {
		d.problem(n, codeException, "an exception needs when", exceptionHints["when"])
	} else if x.Step != "" {
		x.Event = d.condition(f, "when")
	} else {
		x.Match = b.overMatch(d, when, flow(f), expression.Condition)
	}
	b.rule.Exceptions = append(b.rule.Exceptions, x)
}

var exceptionHints = map[string]string{
	"id":      "a name to find it by, as in jump-host",
	"owner":   "the team or person who answers for it",
	"reason":  "why it is harmless",
	"expires": "a date or time, as in 2027-03-01: exceptions are looked at again",
	"when":    "a condition over the match, or with applies_to: step:<id> over the event",
}

// expiry reads a date, which is its beginning in UTC, or a time of RFC 3339.
func (d *document) expiry(n *yaml.Node) int64 {
	text := d.scalar(n, "expires")
	if text == "" {
		return 0
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UnixMicro()
		}
	}
	d.problem(n, codeException, "expires is not a date or time of RFC 3339", "as in 2027-03-01 or 2027-03-01T18:00:00Z")
	return 0
}

// appliesTo gives the step an exception is for; "" for the match.
func (b *builder) appliesTo(d *document, n *yaml.Node) string {
	text := d.scalar(n, "applies_to")
	if text == "" || text == "match" {
		return ""
	}
	var ids []string
	for _, br := range b.branches {
		for _, s := range br.steps {
			ids = append(ids, "step:"+s.step.ID)
		}
	}
	if slices.Contains(ids, text) {
		return text[len("step:"):]
	}
	d.problem(n, codeException, "applies_to is not "+strconv.Quote(text), nearestHint(text, append(ids, "match")))
	return ""
}

// bindExceptions tells the steps of their exceptions.
func (r *Rule) bindExceptions() {
	for i := range r.Exceptions {
		x := &r.Exceptions[i]
		if x.Step == "" {
			r.Plan.Excepted = append(r.Plan.Excepted, i)
			continue
		}
		for j := range r.Plan.Branches {
			for k := range r.Plan.Branches[j].Steps {
				if s := &r.Plan.Branches[j].Steps[k]; s.ID == x.Step {
					s.Excepted = append(s.Excepted, i)
				}
			}
		}
	}
}

// CheckExceptions warns of exceptions that have expired at a time, in microseconds.
func (s *Set) CheckExceptions(now int64) []Problem {
	var out []Problem
	for _, r := range s.Rules {
		for i := range r.Exceptions {
			if x := &r.Exceptions[i]; x.Expires <= now {
				out = append(out, Problem{
					File: x.File, Line: x.Line, Column: 1, Code: codeExpired, Severity: weightOf(codeExpired),
					Message: r.ID + ": exception " + x.ID + " of " + x.Owner + " expired on " + time.UnixMicro(x.Expires).UTC().Format(time.DateOnly),
					Hint:    "take it out, or look at it again and give it a new date",
				})
			}
		}
	}
	sortProblems(out)
	return out
}

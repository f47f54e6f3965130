package correlate

import (
	"fmt"
	"slices"
)

// Exhaustive is a matcher without indexes: it tries every target of an event's class. It finds the same hits and counts the same errors, which
// tests hold the indexes to, at a cost that grows with the number of rules.
func (m *Matcher) Exhaustive() *Matcher {
	all := *m
	all.routes = make(map[classKey]*index, len(m.routes))
	for k, x := range m.routes {
		all.routes[k] = newIndex(x.targets, make([]witness, len(m.targets)))
	}
	return &all
}

// Interpreted is an exhaustive matcher whose conditions run in the machine of the expression library instead of as closures. It too finds the
// same, and is slower still.
func (m *Matcher) Interpreted() (*Matcher, error) {
	slow := m.Exhaustive()
	slow.targets = slices.Clone(m.targets)
	for i := range slow.targets {
		t := &slow.targets[i]
		if t.Where == nil {
			continue
		}
		where, issues := t.Where.Interpreted()
		if where == nil {
			return nil, fmt.Errorf("%s: %w", t.rule.ID, issues[0])
		}
		step := *t.Step
		step.Where = where
		t.Step = &step
	}
	return slow, nil
}

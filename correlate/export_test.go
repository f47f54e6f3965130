package correlate

import (
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

// StateEvery makes the fold store states more often, so that short tests meet them.
func (s Settings) StateEvery(n int) Settings {
	s.stateEvery = n
	return s
}

// Seed gives the histories that a rule's test takes as given.
func (e *Engine) Seed(t *rules.Test) { e.seed(t) }

// NewMachine is a machine without tables.
func NewMachine() *expression.Machine { return expression.NewMachine(nil) }

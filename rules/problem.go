package rules

import (
	"strconv"
)

// Weight says whether a problem keeps rules from being used.
type Weight uint8

// The weights of a problem.
const (
	Error Weight = iota
	Warning
)

// String is the weight as reports write it.
func (w Weight) String() string {
	if w == Warning {
		return "warning"
	}
	return "error"
}

// Problem is something wrong with a rule file. Line and Column count from 1.
type Problem struct {
	File     string
	Line     int
	Column   int
	Code     string // See Codes.
	Severity Weight
	Message  string
	Hint     string // How to put it right; "" if there is no good guess.
}

// String is the problem as one line: file:line:column: code message (hint).
func (p Problem) String() string {
	s := p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column) + ": " + p.Code + " "
	if p.Severity == Warning {
		s += "warning: "
	}
	s += p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// HasErrors reports whether any of the problems is an error.
func HasErrors(problems []Problem) bool {
	for _, p := range problems {
		if p.Severity == Error {
			return true
		}
	}
	return false
}

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

// MarshalText writes the weight as reports do.
func (w Weight) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Problem is something wrong with a rule file. Line and Column count from 1.
type Problem struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Code     string `json:"code"` // See Codes.
	Severity Weight `json:"severity"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"` // How to put it right; "" if there is no good guess.
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

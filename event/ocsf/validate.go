package ocsf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a document. They hold against hostile input, not as rules of OCSF.
const (
	maxSize     = 16 << 20
	maxDepth    = 64
	maxProblems = 100
)

// A Validator checks whole events against the tables. The zero value is ready
// for use. It keeps scratch memory between calls and must not be used from two
// goroutines at once.
//
// The checks and their severities are those of the OCSF server's validator.
// Tocsin is stricter in five places: a typed object must not be empty, id 99
// needs its sibling caption, a null counts as absent in constraints, an event
// of an extension class must name the extension in metadata.extensions, and
// duplicate names and bad UTF-8 are refused.
type Validator struct {
	cursor   cursor
	class    *Class
	profiles uint16
	path     []step
	values   []value
	problems []Problem
	scratch  []byte
	patterns [len(patterns)]*regexp.Regexp
}

// step is one element of the path to the value at hand.
type step struct {
	name  string
	index int // of an array element, or -1
}

// value remembers a member that takes part in an enumeration check, until the
// end of its object.
type value struct {
	span     span
	id       int64
	position int
}

// Validate checks one event, a JSON object, and returns what is wrong with it:
// nil for a clean event. It does not keep doc and does not write to it; the
// problems belong to the caller.
func (v *Validator) Validate(doc []byte) []Problem {
	v.problems, v.path, v.values = nil, v.path[:0], v.values[:0]
	v.cursor = cursor{doc: doc}
	defer func() { v.cursor.doc = nil }()
	if len(doc) > maxSize {
		v.report(Error, CodeTooLarge, fmt.Sprintf("the event has %d bytes, more than %d", len(doc), maxSize))
		return v.problems
	}
	if !jsontext.Value(doc).IsValid() {
		v.report(Error, CodeInvalidJSON, invalidJSON(doc))
		return v.problems
	}
	if v.cursor.kind() != '{' {
		v.report(Error, CodeInvalidJSON, "an event is a JSON object")
		return v.problems
	}
	env := v.readEnvelope()
	if !v.findClass(env) {
		return v.problems
	}
	v.checkProfiles(env)
	v.cursor.pos = 0
	v.cursor.kind()
	v.object(&structures[v.class.structure])
	v.checkEnvelope(env)
	v.checkObservables(env)
	return v.problems
}

// invalidJSON reads the document again for the parser's own words.
func invalidJSON(doc []byte) string {
	decoder := jsontext.NewDecoder(bytes.NewReader(doc))
	err := decoder.SkipValue()
	if err == nil {
		_, err = decoder.ReadToken()
	}
	if err == nil || errors.Is(err, io.EOF) && decoder.InputOffset() == 0 {
		return "not one JSON value"
	}
	return err.Error()
}

// report adds a problem at the current path.
func (v *Validator) report(severity Severity, code, message string) {
	v.reportAt(v.pathText(), severity, code, message)
}

// reportMember adds a problem at a member of the object at the current path.
func (v *Validator) reportMember(name string, severity Severity, code, message string) {
	v.path = append(v.path, step{name: name, index: -1})
	v.report(severity, code, message)
	v.path = v.path[:len(v.path)-1]
}

func (v *Validator) reportAt(path string, severity Severity, code, message string) {
	switch {
	case len(v.problems) < maxProblems:
		v.problems = append(v.problems, Problem{Path: path, Code: code, Message: message, Severity: severity})
	case len(v.problems) == maxProblems:
		v.problems = append(v.problems, Problem{Code: CodeTooManyProblems, Message: fmt.Sprintf("more than %d problems; the rest is left out", maxProblems)})
	}
}

func (v *Validator) pathText() string {
	var text []byte
	for _, s := range v.path {
		if s.index >= 0 {
			text = append(text, '[')
			text = strconv.AppendInt(text, int64(s.index), 10)
			text = append(text, ']')
			continue
		}
		if len(text) > 0 {
			text = append(text, '.')
		}
		text = append(text, s.name...)
	}
	return string(text)
}

// unescaped returns a string's content. The bytes are valid until the next
// call.
func (v *Validator) unescaped(s span) []byte {
	if !s.escaped {
		return v.cursor.text(s)
	}
	quoted := v.cursor.doc[s.start-1 : s.end+1]
	text, err := jsontext.AppendUnquote(v.scratch[:0], quoted)
	if err != nil {
		return v.cursor.text(s)
	}
	v.scratch = text
	return text
}

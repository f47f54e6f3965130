// Package expression compiles the expressions that rules, routes and filters are written in: over one event (Event) and over the hits of a
// match (Fold). It is the only importer of github.com/expr-lang/expr, whose parser and type checker decide what an expression is. What they
// accept is compiled to Go closures over the typed getters of package event; what the closure compiler does not know runs in expr's own
// machine, which a differential test holds equal to the closures.
//
// Values are plain strings, integers, floats, booleans and lists of strings. Unknown reads as the zero value ("", 0, false, empty list);
// known(path) tells it apart. Times are integers in milliseconds since the Unix epoch, UTC. There is no clock, no I/O and no iteration over a map.
package expression

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
)

// Bounds on the text of an expression.
const (
	MaxSource = 262144 // Bytes: rules for known drivers hold lists of some thousand hashes.
	MaxNodes  = 5000   // Nodes of the syntax tree; a constant is one.
)

// Codes of issues. They are stable.
const (
	CodeSyntax   = "syntax"   // Not an expression.
	CodeName     = "name"     // A field, step, variable or function that does not exist.
	CodeType     = "type"     // Operands or result of the wrong type.
	CodeCaption  = "caption"  // A word that the enumeration compared with does not have.
	CodeConstant = "constant" // An argument that must be a valid constant is not: a regular expression, a network, a duration.
	CodeRefused  = "refused"  // Part of expr's language that rules do not have.
	CodeSize     = "size"     // Longer than the bounds.
)

// Issue says what is wrong with an expression, and where. Line and Column count from 1, columns in characters.
type Issue struct {
	Line    int
	Column  int
	Code    string
	Message string
	Hint    string // What to write instead; "" if there is no good guess.
}

// Error implements error.
func (i *Issue) Error() string {
	s := strconv.Itoa(i.Line) + ":" + strconv.Itoa(i.Column) + ": " + i.Message
	if i.Hint != "" {
		s += " (" + i.Hint + ")"
	}
	return s
}

// Lookups are the tables that inList, window and asset read. Implementations are immutable: an expression's result is fixed by the event and
// the version of the tables. Methods may be called concurrently and must not block.
type Lookups interface {
	// InList reports whether the named list holds value.
	InList(list, value string) bool
	// InWindow reports whether a window of that kind is open for the entity (a canonical id) at a time in milliseconds since the Unix epoch.
	InWindow(kind, entity string, at int64) bool
	// AssetField is one attribute of the inventory's entry for an id (AssetFields lists them); the zero value if there is none.
	AssetField(id, field string) event.FieldValue
}

// RunError says why an expression had no result for one event. It is made when the expression is compiled, so that returning it costs nothing.
type RunError struct {
	Source string // The expression.
	Column int    // Where in it, in characters from 1.
	Reason string
}

// Error implements error.
func (e *RunError) Error() string {
	return e.Reason + " at column " + strconv.Itoa(e.Column) + " of " + strconv.Quote(e.Source)
}

// position turns an offset in characters into line and column.
func position(source string, offset int) (line, column int) {
	line, column = 1, 1
	for _, r := range source {
		if offset == 0 {
			break
		}
		offset--
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}

// oversize is the issue of a text that is too long to look at.
func oversize(source string) *Issue {
	if len(source) <= MaxSource && utf8.ValidString(source) && !strings.ContainsRune(source, 0) {
		return nil
	}
	return &Issue{
		Line: 1, Column: 1, Code: CodeSize, Message: "expression is longer than " + strconv.Itoa(MaxSource) + " bytes or not text",
		Hint: "split it, or move values to a list and use inList",
	}
}

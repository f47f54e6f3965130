package jsonscan

import "strconv"

// Code classifies a refusal. It is an error, so errors.Is(err, ErrDuplicateKey) works, and its text is
// the reject code.
type Code string

const (
	ErrSyntax       Code = "json_syntax"        // not JSON
	ErrDuplicateKey Code = "json_duplicate_key" // the same key twice in one object
	ErrUTF8         Code = "json_utf8"          // invalid UTF-8, or a lone surrogate escape
	ErrDepth        Code = "json_depth"         // nested deeper than the limit
	ErrSize         Code = "json_size"          // larger than the limit
	ErrTrailing     Code = "json_trailing"      // something follows the document
)

// Error returns the reject code itself.
func (c Code) Error() string { return string(c) }

// Error is why a document was refused, and where. All errors of Scan, ScanString and Parse have this type.
type Error struct {
	Code   Code
	Offset int // bytes from the start of the document
	Reason string
}

// Error reads "json_syntax at byte 17: number with a leading zero".
func (e *Error) Error() string {
	return string(e.Code) + " at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// Unwrap returns the code.
func (e *Error) Unwrap() error { return e.Code }

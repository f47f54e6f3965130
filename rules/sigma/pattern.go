package sigma

import (
	"regexp"
	"strings"
)

// pattern is a Sigma string with its wildcards: anyRun and anyOne stand for * and ?, everything else for itself.
type pattern []rune

const (
	anyRun rune = -1
	anyOne rune = -2
)

// parsePattern reads a value of a rule (Sigma specification, "Wildcards" and "Escaping"): * and ? are wildcards; \* \? \\ stand for the second
// character; any other backslash is one.
func parsePattern(s string) pattern {
	out := make(pattern, 0, len(s))
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			if r != '*' && r != '?' && r != '\\' {
				out = append(out, '\\')
			}
			out, escaped = append(out, r), false
		case r == '\\':
			escaped = true
		case r == '*':
			out = append(out, anyRun)
		case r == '?':
			out = append(out, anyOne)
		default:
			out = append(out, r)
		}
	}
	if escaped {
		out = append(out, '\\')
	}
	return out
}

// plain is the text without wildcards; ok is false if there are any.
func (p pattern) plain() (text string, ok bool) {
	var b strings.Builder
	for _, r := range p {
		if r < 0 {
			return "", false
		}
		b.WriteRune(r)
	}
	return b.String(), true
}

// like is the pattern as ilike reads it, with every literal wildcard and backslash escaped.
func (p pattern) like() string {
	var b strings.Builder
	for _, r := range p {
		switch r {
		case anyRun:
			b.WriteByte('*')
		case anyOne:
			b.WriteByte('?')
		case '*', '?', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// open makes the pattern match anywhere at its start, its end or both, as startswith, endswith and contains do.
func (p pattern) open(start, end bool) pattern {
	out := make(pattern, 0, len(p)+2)
	if start && (len(p) == 0 || p[0] != anyRun) {
		out = append(out, anyRun)
	}
	out = append(out, p...)
	if end && (len(out) == 0 || out[len(out)-1] != anyRun) {
		out = append(out, anyRun)
	}
	return out
}

// shape is the cheapest question that a pattern asks.
type shape uint8

const (
	asAny      shape = iota // Any value that is there.
	asEqual                 // The whole text.
	asStart                 // text*
	asEnd                   // *text
	asContains              // *text*
	asLike                  // Wildcards elsewhere.
)

// shape tells how the pattern can be asked, and with what text.
func (p pattern) shape() (shape, string) {
	head, tail := 0, len(p)
	for head < tail && p[head] == anyRun {
		head++
	}
	for tail > head && p[tail-1] == anyRun {
		tail--
	}
	text, ok := p[head:tail].plain()
	switch {
	case !ok:
		return asLike, p.like()
	case text == "" && head > 0:
		return asAny, ""
	case head > 0 && tail < len(p):
		return asContains, text
	case head > 0:
		return asEnd, text
	case tail < len(p):
		return asStart, text
	}
	return asEqual, text
}

// regex is the pattern as a regular expression over the whole text, with regard to case.
func (p pattern) regex() string {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for _, r := range p {
		switch r {
		case anyRun:
			b.WriteString(".*")
		case anyOne:
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String() + `\z`
}

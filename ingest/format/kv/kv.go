// Package kv reads the small textual conventions that many log formats share: key=value lists,
// hardware and network addresses, placeholders for "nothing", and time stamps.
//
// Strings yielded alias the input unless they had escapes. Everything is pure and safe for concurrent
// use; every function takes time linear in its input.
package kv

import (
	"iter"
	"strings"
)

// ISE yields the attributes of a Cisco ISE message body, "Key=Value, Key=Value,". A comma ends an
// attribute unless a backslash precedes it; the first '=' ends the key, so values may hold '='; keys may
// hold spaces and repeat; backslash escapes of ',', ';', '=', '{', '}' and '\' are undone. A piece without '=' yields with an
// empty key: the message text before the first attribute, and the continuation of a cut one. Line ends
// written "#015" and "#012" by relays are dropped from the end.
//
// Source: Cisco ISE Syslogs, "ISE Messages" format: attributes are separated by commas.
func ISE(s string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		s = trimLineEnd(s)
		for s != "" {
			piece, rest := cutUnescaped(s, ',')
			s = rest
			if piece = strings.TrimSpace(piece); piece == "" {
				continue
			}
			key, value, found := strings.Cut(piece, "=")
			if !found {
				key, value = "", piece
			}
			if !yield(strings.TrimSpace(key), unescape(value, `,;={}\`)) {
				return
			}
		}
	}
}

// ISENested yields the pairs inside the value of an ISE attribute that is itself a list, such as
// Step or StepData ("Response={Key=Value; Key=Value; }"): pairs are separated by semicolons.
func ISENested(s string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		s = strings.TrimSpace(s)
		s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
		for s != "" {
			piece, rest := cutUnescaped(s, ';')
			s = rest
			key, value, found := strings.Cut(strings.TrimSpace(piece), "=")
			if found && !yield(strings.TrimSpace(key), unescape(value, `,;={}\`)) {
				return
			}
		}
	}
}

// trimLineEnd drops trailing line ends, also those a relay wrote as octal escapes.
func trimLineEnd(s string) string {
	for {
		t := strings.TrimRight(s, "\r\n\x00 ")
		t = strings.TrimSuffix(strings.TrimSuffix(t, "#015"), "#012")
		if t == s {
			return s
		}
		s = t
	}
}

// cutUnescaped cuts s at the first sep that no backslash escapes.
func cutUnescaped(s string, sep byte) (before, after string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unescape removes the backslash before each of the given characters; other backslashes stay.
func unescape(s, special string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(special, s[i+1]) >= 0 {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// Radius yields the attributes of a RADIUS packet as servers write it: one per line, indented,
// `Name = "value"`, `Name = value` or with the operators += and :=. Lines without an assignment, such
// as the date line of an accounting record, are skipped. Quotes are removed and \" \\ \n \r \t undone.
//
// Source: the FreeRADIUS detail file format.
func Radius(s string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(s) {
			key, value, found := strings.Cut(line, "=")
			key = strings.TrimSpace(strings.TrimRight(key, "+:"))
			if !found || key == "" || strings.ContainsAny(key, " \t\"") {
				continue
			}
			if !yield(key, unquote(strings.TrimSpace(value))) {
				return
			}
		}
	}
}

// unquote removes a pair of double or single quotes around s and undoes escapes inside double ones.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	inner := s[1 : len(s)-1]
	if s[0] == '\'' {
		return inner
	}
	return undoEscapes(inner, true)
}

// undoEscapes undoes \" \' and \\, and with controls \n \r \t as well; other backslashes stay.
func undoEscapes(s string, controls bool) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\'':
			b = append(b, c)
		case c == 'n' && controls:
			b = append(b, '\n')
		case c == 'r' && controls:
			b = append(b, '\r')
		case c == 't' && controls:
			b = append(b, '\t')
		default:
			b = append(b, '\\', c)
		}
	}
	return string(b)
}

// Quoted yields pairs such as k=v k2="v w", k3='x': separated by spaces, commas or semicolons. Inside
// double quotes \" \' and \\ are undone, other backslashes stay, since most senders write Windows paths as
// they are; an unquoted value ends at white space, or at a comma or
// semicolon that is followed by white space or the end. Words without '=' are skipped. A quote that is
// never closed ends with the input.
func Quoted(s string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := 0; i < len(s); {
			if isSeparator(s[i]) {
				i++
				continue
			}
			start := i
			for i < len(s) && s[i] != '=' && !isSpace(s[i]) {
				i++
			}
			if i == len(s) || s[i] != '=' {
				continue
			}
			key := strings.TrimLeft(s[start:i], `,;"'(`)
			var value string
			value, i = quotedValue(s, i+1)
			if key != "" && !yield(key, value) {
				return
			}
		}
	}
}

func quotedValue(s string, i int) (value string, next int) {
	if i < len(s) && (s[i] == '"' || s[i] == '\'') {
		quote, start := s[i], i+1
		for i = start; i < len(s) && s[i] != quote; i++ {
			if s[i] == '\\' && quote == '"' && i+1 < len(s) {
				i++
			}
		}
		if quote == '"' {
			return undoEscapes(s[start:i], false), i + 1
		}
		return s[start:i], i + 1
	}
	start := i
	for i < len(s) && !isSpace(s[i]) {
		if (s[i] == ',' || s[i] == ';') && (i+1 == len(s) || isSpace(s[i+1])) {
			break
		}
		i++
	}
	return s[start:i], i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isSeparator(c byte) bool { return isSpace(c) || c == ',' || c == ';' }

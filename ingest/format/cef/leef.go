package cef

import (
	"strconv"
	"strings"
)

// leef reads LEEF 1.0 and 2.0: header fields, in 2.0 the delimiter, then attributes between delimiters.
// Attribute values are not escaped.
//
// Source: IBM QRadar, Log Event Extended Format, "LEEF event components".
func (p *Parser) leef(s string, e *Event) bool {
	h := &e.Header
	fields := [...]*string{&h.Version, &h.Vendor, &h.Product, &h.Release, &h.EventID}
	s, ok := e.header(s, fields[:])
	if !ok {
		return false
	}
	delimiter := "\t"
	if strings.HasPrefix(h.Version, "2") {
		delimiter, s = cutDelimiter(s)
	}
	switch {
	case delimiter != "\t" || strings.Contains(s, "\t"):
		e.attributes(s, delimiter)
	case strings.Contains(s, escapedTab):
		e.Quality |= Recovered
		e.attributes(s, escapedTab)
	default:
		p.words(s, e) // a relay has turned the tabs into spaces, or there is only one attribute
		if len(e.fields) > 1 {
			e.Quality |= Recovered
		}
	}
	h.Severity = e.Str("sev")
	return true
}

// escapedTab is how relays write a tab they do not let pass.
const escapedTab = "#011"

// cutDelimiter takes the delimiter field of LEEF 2.0 off s: one character, or x and two to four hex digits.
// Without one the delimiter is a tab.
func cutDelimiter(s string) (delimiter, rest string) {
	const tab = "\t"
	if strings.HasPrefix(s, "||") {
		return "|", s[2:]
	}
	name, rest, found := strings.Cut(s, "|")
	if !found || len(name) > len("0x0009") {
		return tab, s
	}
	if name == "" {
		return tab, rest
	}
	digits, isHex := strings.CutPrefix(strings.TrimPrefix(name, "0"), "x")
	if n, err := strconv.ParseUint(digits, 16, 16); isHex && err == nil && n > 0 {
		return string(rune(n)), rest
	}
	if len(name) == 1 || name == `\t` {
		return strings.Replace(name, `\t`, tab, 1), rest
	}
	return tab, s
}

// attributes reads key=value pieces. A piece without a key belongs to the value before it, which then
// held the delimiter.
func (e *Event) attributes(s, delimiter string) {
	s = strings.TrimRight(s, "\r\n")
	key, start, end := "", 0, 0 // the attribute being read, and its value's place in s
	for at := 0; at <= len(s); {
		stop := len(s)
		if i := strings.Index(s[at:], delimiter); i >= 0 {
			stop = at + i
		}
		piece := s[at:stop]
		name, _, found := strings.Cut(piece, "=")
		trimmed := strings.TrimSpace(name)
		switch {
		case strings.TrimSpace(piece) == "":
		case found && isAttribute(trimmed) && !e.full():
			e.closeRaw(key, s[start:end])
			key, start, end = trimmed, at+len(name)+1, stop
		case e.full():
			e.Quality |= Truncated
			end = stop
		default:
			e.Quality |= Recovered
			if end = stop; key == "" {
				start = end
			}
		}
		at = stop + len(delimiter)
	}
	e.closeRaw(key, s[start:end])
}

func (e *Event) closeRaw(key, value string) {
	if key != "" {
		e.fields = append(e.fields, field{key, strings.TrimSpace(value)})
	}
}

// isAttribute reports whether a word can be the key of an attribute; some senders put spaces in theirs.
func isAttribute(word string) bool {
	if word == "" || len(word) > 128 {
		return false
	}
	for i := range len(word) {
		if !isKeyByte(word[i]) && word[i] != ' ' && word[i] != '/' && word[i] != ':' {
			return false
		}
	}
	return true
}

package syslog

import (
	"cmp"
	"strings"
)

// maxTag bounds the length of a tag; RFC 3164 says 32, programs exceed it.
const maxTag = 64

// rfc3164 reads the headers of RFC 3164 and its relatives after the PRI and reports whether it found one.
func (m *Message) rfc3164(s string, hasPRI bool, ctx Context) bool {
	start := s
	if hasPRI {
		s = strings.TrimPrefix(strings.TrimLeft(s, " "), ": ")
		s = strings.TrimPrefix(s, "1 ") // the version of RFC 5424 before a stamp it does not allow
	}
	sequence, s := cutSequence(s)
	host := ""
	st, rest, ok := readStamp(s, hasPRI)
	if !ok {
		host, rest = cutHostColon(s)
		if inner, after := cutSequence(rest); inner != "" {
			sequence, rest = inner, after
		}
		if st, rest, ok = readStamp(rest, hasPRI); host == "" || !ok || !hasPRI {
			return hasPRI && m.tagOnly(start)
		}
	}
	if !hasPRI && st.form == formISO && !isHost(firstWord(afterStamp(rest))) {
		return false
	}
	m.setTime(st, ctx)
	m.Sequence, m.Hostname = sequence, host
	m.fields(afterStamp(rest), ctx)
	return true
}

// afterStamp drops what separates a stamp from the next field.
func afterStamp(s string) string {
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, ": ") || s == ":" {
		s = strings.TrimLeft(s[1:], " ")
	}
	return s
}

// fields reads host, the header of the device behind a relay, and tag.
func (m *Message) fields(s string, ctx Context) {
	if m.Hostname == "" && !strings.HasPrefix(s, "%") {
		s = m.host(s)
	}
	sequence, inner := cutSequence(s)
	if st, rest, ok := readStamp(inner, true); ok && st.form != formEpoch && endsWithColon(rest) {
		m.setTime(st, ctx)
		m.Sequence = cmp.Or(sequence, m.Sequence)
		s = afterStamp(rest)
	}
	m.tag(s)
}

// endsWithColon reports whether a stamp is followed by a colon: only then is it a device's own header
// inside a relay's, and not part of the text.
func endsWithColon(s string) bool { return strings.HasPrefix(strings.TrimLeft(s, " "), ": ") }

// host takes the host name off s, unless the first word is a tag.
func (m *Message) host(s string) string {
	word := firstWord(s)
	rest := strings.TrimLeft(s[len(word):], " ")
	if name, found := strings.CutSuffix(word, ":"); found {
		if !strings.HasPrefix(rest, "%") || !isHost(name) {
			return s
		}
		m.Hostname = name
		return rest
	}
	if !isHost(word) {
		return s
	}
	m.Hostname = word
	return afterStamp(rest)
}

// tag takes "app[pid]:" or "app:" off s and makes the rest the body.
func (m *Message) tag(s string) {
	if app, pid, rest, ok := cutTag(s); ok {
		m.App, m.ProcID, s = app, pid, rest
	}
	m.Body = bytesOf(strings.TrimPrefix(s, bom))
}

// tagOnly is for lines whose PRI is followed by a tag, without stamp and host.
func (m *Message) tagOnly(s string) bool {
	if _, _, _, ok := cutTag(s); !ok {
		return false
	}
	m.tag(s)
	return true
}

// cutTag reads a tag. The colon must be followed by a space or the end, so that "CEF:0|" is none; a tag
// beginning with '%' is Cisco's message code and belongs to the body.
func cutTag(s string) (app, pid, rest string, ok bool) {
	n := 0
	for n < len(s) && n <= maxTag && isTagByte(s[n]) {
		n++
	}
	if n == 0 || n > maxTag || s[0] == '%' || n == len(s) {
		return "", "", s, false
	}
	app, rest = s[:n], s[n:]
	bracket := false
	if rest[0] == '[' {
		if pid, rest, bracket = strings.Cut(rest[1:], "]"); !bracket || len(pid) > maxTag || strings.ContainsAny(pid, "= \t") {
			return "", "", s, false
		}
	}
	switch {
	case rest == ":" || strings.HasPrefix(rest, ": "):
		return app, pid, strings.TrimPrefix(rest[1:], " "), true
	case bracket && strings.HasPrefix(rest, " "):
		return app, pid, rest[1:], true
	}
	return "", "", s, false
}

func isTagByte(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("_-./@()%+#", c) >= 0
}

// cutSequence takes a counter such as "000123: " off s.
func cutSequence(s string) (sequence, rest string) {
	n := countDigits(s)
	if n == 0 || n > 10 || !strings.HasPrefix(s[n:], ": ") {
		return "", s
	}
	return s[:n], strings.TrimLeft(s[n+1:], " ")
}

// cutHostColon takes "router1: " off s.
func cutHostColon(s string) (host, rest string) {
	word := firstWord(s)
	name, found := strings.CutSuffix(word, ":")
	if !found || !isHost(name) {
		return "", s
	}
	return name, strings.TrimLeft(s[len(word):], " ")
}

func firstWord(s string) string {
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i]
	}
	return s
}

// isHost reports whether a word can be a host name or an address.
func isHost(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte("-._:/%", c) < 0 {
			return false
		}
	}
	return s[len(s)-1] != ':' && s[0] != ':' || strings.Contains(s, "::")
}

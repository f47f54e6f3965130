package syslog

import (
	"iter"
	"strings"
)

const bom = "\xef\xbb\xbf"

// rfc5424 reads the header of RFC 5424 section 6 after the PRI and reports whether it is one. The version
// may be missing, as relays write it to files, where the fields up to the structured data leave no doubt.
func (m *Message) rfc5424(s string, hasPRI bool) bool {
	versioned := false
	if n := countDigits(s); n >= 1 && n <= 3 && s[0] != '0' && n < len(s) && s[n] == ' ' {
		s, versioned = s[n+1:], true
	}
	var st stamp
	rest, ok := strings.CutPrefix(s, "- ")
	switch {
	case ok && (!versioned || !hasPRI):
		return false
	case !ok:
		if rest, ok = st.iso(s, false); !ok || !st.zoned || rest == "" || rest[0] != ' ' {
			return false
		}
		rest = rest[1:]
	}
	var fields [4]string // host, app, process id, message id
	for i := range fields {
		fields[i], rest, _ = strings.Cut(rest, " ")
	}
	sd, body, sdOK := cutStructured(rest)
	if !versioned && (!sdOK || !unversioned(fields)) {
		return false
	}
	if st.day != 0 {
		m.Timestamp, m.TimeSource = st.instant(), TimeParsed
	}
	m.Hostname, m.App, m.ProcID, m.MsgID = unNil(fields[0]), unNil(fields[1]), unNil(fields[2]), unNil(fields[3])
	m.Structured = Structured{sd}
	m.Body = bytesOf(strings.TrimPrefix(body, bom))
	return true
}

// unversioned reports whether four fields between a stamp and structured data are those of RFC 5424, and not
// the beginning of a text.
func unversioned(fields [4]string) bool {
	proc := fields[2]
	return isHost(fields[0]) && fields[1] != "" && !strings.ContainsAny(fields[1], ":=[\"") &&
		(proc == "-" || proc != "" && countDigits(proc) == len(proc)) && fields[3] != ""
}

func unNil(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// cutStructured separates structured data from the message. Where it is malformed, ok is false and all of
// it is message.
func cutStructured(s string) (sd, body string, ok bool) {
	if s == "-" {
		return "", "", true
	}
	if strings.HasPrefix(s, "- ") {
		return "", s[2:], true
	}
	i := 0
	for i < len(s) && s[i] == '[' {
		next, ok := elementEnd(s, i)
		if !ok {
			return "", s, false
		}
		i = next
	}
	if i == 0 || i < len(s) && s[i] != ' ' {
		return "", s, false
	}
	return s[:i], strings.TrimPrefix(s[i:], " "), true
}

// elementEnd checks the element [id name="value" …] at i and returns the index after it.
func elementEnd(s string, i int) (int, bool) {
	start := i + 1
	if i = nameEnd(s, start); i == start {
		return 0, false
	}
	for i < len(s) && s[i] == ' ' {
		start = i + 1
		if i = nameEnd(s, start); i == start || !strings.HasPrefix(s[i:], `="`) {
			return 0, false
		}
		if i = valueEnd(s, i+2); i == len(s) {
			return 0, false
		}
		i++
	}
	if i == len(s) || s[i] != ']' {
		return 0, false
	}
	return i + 1, true
}

// nameEnd is the end of an SD-NAME: printable ASCII without '=', ']', '"' and space.
func nameEnd(s string, i int) int {
	for i < len(s) && s[i] > ' ' && s[i] < 0x7f && s[i] != '=' && s[i] != ']' && s[i] != '"' {
		i++
	}
	return i
}

// valueEnd is the index of the closing quote, or len(s).
func valueEnd(s string, i int) int {
	for i < len(s) && s[i] != '"' {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		i++
	}
	return i
}

// Param is one parameter of RFC 5424 structured data: of the element ID, unescaped.
type Param struct{ ID, Name, Value string }

// Structured is the checked structured data of a message. The zero value is empty.
type Structured struct{ raw string }

// Raw returns the structured data as it was written, "" where there is none.
func (s Structured) Raw() string { return s.raw }

// Params yields all parameters in order; elements without parameters yield nothing.
func (s Structured) Params() iter.Seq[Param] {
	return func(yield func(Param) bool) {
		raw, id := s.raw, ""
		for i := 0; i < len(raw); {
			switch raw[i] {
			case '[':
				end := nameEnd(raw, i+1)
				id, i = raw[i+1:end], end
			case ' ':
				name := nameEnd(raw, i+1)
				value := valueEnd(raw, name+2)
				if !yield(Param{id, raw[i+1 : name], unescapeParam(raw[name+2 : value])}) {
					return
				}
				i = value + 1
			default:
				i++
			}
		}
	}
}

// Get returns the first parameter of that name of an element with that id.
func (s Structured) Get(id, name string) (string, bool) {
	for p := range s.Params() {
		if p.ID == id && p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// unescapeParam undoes \" \\ and \]; another backslash stands for itself. RFC 5424 section 6.3.3.
func unescapeParam(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\' || s[i+1] == ']') {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

package cef

import (
	"bytes"
	"strconv"
	"strings"
	"unsafe"
)

// Dialect describes the keys a sender uses, so that text inside values is not taken for keys. The zero
// Dialect takes any word for a key.
type Dialect struct {
	Keys     []string // keys beyond the CEF and LEEF dictionaries
	Prefixes []string // every word that begins so is a key ("PanOS", "FTNTFGT", "device_")
	Closed   bool     // only dictionary, Keys and Prefixes are keys; anything else is text
}

// Parser reads events of one dialect.
type Parser struct {
	keys     map[string]struct{} // nil: any word is a key
	prefixes []string
}

// NewParser prepares a parser for a dialect. Keys and Prefixes matter to a closed dialect only.
func NewParser(d Dialect) *Parser {
	if !d.Closed {
		return &Parser{}
	}
	p := &Parser{keys: make(map[string]struct{}, len(dictionary)+len(d.Keys)), prefixes: d.Prefixes}
	for _, list := range [...][]string{dictionary[:], d.Keys} {
		for _, key := range list {
			p.keys[key] = struct{}{}
		}
	}
	return p
}

// Parse reads one event with no knowledge of the sender: whatever looks like a key is one.
func Parse(msg []byte) (Event, error) {
	var e Event
	err := (&Parser{}).ParseInto(msg, &e)
	return e, err
}

// Parse reads one event. Errors are ErrHeader and ErrSize.
func (p *Parser) Parse(msg []byte) (Event, error) {
	var e Event
	err := p.ParseInto(msg, &e)
	return e, err
}

// ParseInto is Parse, reusing the memory of e. After an error e is empty.
func (p *Parser) ParseInto(msg []byte, e *Event) error {
	*e = Event{fields: e.fields[:0]}
	if len(msg) > MaxBytes {
		return ErrSize
	}
	start, format := find(msg)
	if start < 0 {
		return ErrHeader
	}
	if start > 0 {
		e.Prefix = msg[:start:start]
	}
	e.Header.Format = format
	s := unsafe.String(unsafe.SliceData(msg), len(msg))[start+len(format)+1:]
	ok := false
	if format == "LEEF" {
		ok = p.leef(s, e)
	} else {
		ok = p.cef(s, e)
	}
	if !ok {
		*e = Event{fields: e.fields[:0]}
		return ErrHeader
	}
	e.noteRepeats()
	return nil
}

// find returns where "CEF:" or "LEEF:" begins: at the start or after a character that ends a word, and
// before a version number.
func find(msg []byte) (start int, format string) {
	for from := 0; ; {
		i := bytes.Index(msg[from:], []byte("EF:"))
		if i < 0 {
			return -1, ""
		}
		i += from
		from = i + 3
		if from == len(msg) || msg[from]-'0' > 9 {
			continue
		}
		if i >= 1 && msg[i-1] == 'C' && endsWord(msg, i-2) {
			return i - 1, "CEF"
		}
		if i >= 2 && string(msg[i-2:i]) == "LE" && endsWord(msg, i-3) {
			return i - 2, "LEEF"
		}
	}
}

func endsWord(msg []byte, i int) bool { return i < 0 || !isWord(msg[i]) }

func isWord(c byte) bool { return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

// cutHeader takes a header field off s, up to the next '|' that no backslash escapes.
func cutHeader(s string) (value, rest string, found bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '|':
			return unescapeHeader(s[:i]), s[i+1:], true
		}
	}
	return unescapeHeader(s), "", false
}

func unescapeHeader(s string) string {
	s = strings.TrimSpace(s)
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '|') {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// minHeader is how many header fields must be there: version, vendor and product.
const minHeader = 3

func (p *Parser) cef(s string, e *Event) bool {
	h := &e.Header
	fields := [...]*string{&h.Version, &h.Vendor, &h.Product, &h.Release, &h.EventID, &h.Name, &h.Severity}
	s, ok := e.header(s, fields[:])
	if !ok {
		return false
	}
	if !validSeverity(h.Severity) {
		s = e.widenName(s)
	}
	p.words(s, e)
	return true
}

// header fills the fields and returns what follows them.
func (e *Event) header(s string, fields []*string) (rest string, ok bool) {
	for i, f := range fields {
		found := false
		*f, s, found = cutHeader(s)
		if !found && i < len(fields)-1 {
			e.Quality |= Truncated
			return "", i+1 >= minHeader
		}
	}
	return s, true
}

// widenName repairs a name with an unescaped '|': the severity is the next field that can be one.
func (e *Event) widenName(s string) string {
	const most = 4
	h, rest := &e.Header, s
	name := h.Name + "|" + h.Severity
	for range most {
		value, after, found := cutHeader(rest)
		if !found {
			return s
		}
		if rest = after; validSeverity(value) {
			h.Name, h.Severity = name, value
			e.Quality |= Recovered
			return rest
		}
		name += "|" + value
	}
	return s
}

func validSeverity(s string) bool {
	_, ok := severityNumber(s)
	return ok || strings.EqualFold(s, "Unknown")
}

// SeverityNumber returns the severity from 0 to 10; the words of CEF stand for the upper end of their
// range (Low 3, Medium 6, High 8, Very-High 10). ok is false for anything else.
func (h *Header) SeverityNumber() (n int, ok bool) { return severityNumber(h.Severity) }

func severityNumber(s string) (int, bool) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return int(n), n <= 10
	}
	for _, w := range [...]struct {
		word   string
		number int
	}{{"Low", 3}, {"Medium", 6}, {"High", 8}, {"Very-High", 10}, {"Very High", 10}} {
		if strings.EqualFold(s, w.word) {
			return w.number, true
		}
	}
	return 0, false
}

// words reads an extension whose fields are separated by white space: a field begins at a word that is
// preceded by white space, followed by '=' and may be a key.
func (p *Parser) words(s string, e *Event) {
	key, start := "", 0 // the field being read: its key, and where its value begins
	word := -1          // where the word being read begins, -1 outside
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
			word = -1
		case c == '=' && word >= 0 && p.isKey(s[word:i]) && !e.full():
			e.close(key, s[start:word])
			key, start, word = s[word:i], i+1, -1
		case c == '=':
			if key != "" {
				e.Quality |= Recovered
			}
			if e.full() {
				e.Quality |= Truncated
			}
			word = -1
		case isKeyByte(c):
			if i == 0 || isSpace(s[i-1]) {
				word = i
			}
		default:
			word = -1
		}
	}
	e.close(key, s[start:])
}

// close adds the field that has been read. Text before the first key has none, and is lost to the fields.
func (e *Event) close(key, value string) {
	if key != "" {
		e.fields = append(e.fields, field{key, unescape(strings.TrimSpace(value))})
		return
	}
	if strings.TrimSpace(value) != "" {
		e.Quality |= Recovered
	}
}

// full reports whether the field being read is the last one there may be.
func (e *Event) full() bool { return len(e.fields) >= MaxFields-1 }

func (p *Parser) isKey(word string) bool {
	if word == "" || word[0]-'0' <= 9 || word[0] == '-' || word[0] == '.' {
		return false
	}
	if p.keys == nil {
		return true
	}
	if _, ok := p.keys[word]; ok {
		return true
	}
	if base, isLabel := strings.CutSuffix(word, labelSuffix); isLabel {
		if _, ok := p.keys[base]; ok {
			return true
		}
	}
	for _, prefix := range p.prefixes {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return false
}

func isKeyByte(c byte) bool { return isWord(c) || c == '.' || c == '-' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// unescape undoes \= \\ \| \n \r. A value that holds any other backslash, or looks like a path or a
// user name written without escaping, comes from a sender that does not escape, and stays as it is.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 || !escapes(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// escapes reports whether the backslashes of a value are escapes. \n and \r are, only in text of several
// words ("CORP\nancy" is a name), and not in what begins like a drive or a share.
func escapes(s string) bool {
	text := strings.IndexByte(s, ' ') >= 0 && !isBarePath(s)
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i++; i == len(s) {
			return false
		}
		switch s[i] {
		case '\\', '=', '|':
		case 'n', 'r':
			if !text {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// isBarePath reports whether s has a drive ("C:\x") or begins with a share ("\\host") that is not escaped.
func isBarePath(s string) bool {
	if i := strings.Index(s, `:\`); i > 0 && !strings.HasPrefix(s[i+1:], `\\`) && isWord(s[i-1]) {
		return true
	}
	return strings.HasPrefix(s, `\\`) && !strings.HasPrefix(s, `\\\`)
}

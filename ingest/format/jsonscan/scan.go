package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// Scan reads one document and fills dst with the values at the plan's paths. It allocates nothing once
// dst has been used for documents of the same size.
//
// On an error, which is always an *Error, all slots of dst are missing. A wanted path that the document
// does not have, or that leads through a value of another kind, leaves its slot missing: what to make
// of that is the format's business.
func (p *Plan) Scan(doc []byte, dst *Result) error {
	dst.reset(p, doc)
	if err := dst.scan(p, true); err != nil {
		dst.reset(p, nil)
		return err
	}
	return nil
}

// ScanString is Scan for a document inside a string, such as JSON carried in a JSON string.
func (p *Plan) ScanString(doc string, dst *Result) error {
	return p.Scan(unsafe.Slice(unsafe.StringData(doc), len(doc)), dst)
}

// ScanValue fills dst from a value that was already read and checked, such as one element of an array
// of objects; it cannot fail, and spares the checks. A missing value leaves all slots missing.
func (p *Plan) ScanValue(v Value, dst *Result) {
	dst.reset(p, v.raw)
	if v.kind == Missing {
		return
	}
	if err := dst.scan(p, false); err != nil {
		dst.reset(p, nil)
	}
}

// scanner walks one document. Its methods take the index of a value's first byte and return the index
// after its last, or -1 after fail.
type scanner struct {
	doc      []byte
	res      *Result
	checked  bool // false: the text was read before, skip the search for repeated keys
	maxDepth int
	escaped  bool // The string read last has escapes.
	err      Error
}

func (r *Result) scan(p *Plan, check bool) error {
	doc := r.doc
	if check && len(doc) > p.limits.MaxBytes {
		return &Error{ErrSize, p.limits.MaxBytes, "document of " + strconv.Itoa(len(doc)) +
			" bytes, the limit is " + strconv.Itoa(p.limits.MaxBytes)}
	}
	if check && !utf8.Valid(doc) {
		return &Error{ErrUTF8, invalidUTF8At(doc), "invalid UTF-8"}
	}
	maxDepth := p.limits.MaxDepth
	if !check {
		maxDepth = len(doc)
	}
	s := scanner{doc: doc, res: r, checked: check, maxDepth: maxDepth}
	r.keys.reset(doc)
	i := s.space(0)
	if i = s.value(i, p.root, 0); i < 0 {
		err := s.err
		return &err
	}
	if i = s.space(i); i < len(doc) {
		return &Error{ErrTrailing, i, "text after the document"}
	}
	return nil
}

func invalidUTF8At(doc []byte) int {
	for i := 0; i < len(doc); {
		c, n := utf8.DecodeRune(doc[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(doc)
}

func (s *scanner) fail(code Code, at int, reason string) int {
	if code == ErrSyntax && at >= len(s.doc) {
		reason = "unexpected end of the document"
	}
	s.err = Error{code, at, reason}
	return -1
}

func (s *scanner) space(i int) int {
	for i < len(s.doc) && s.doc[i] <= ' ' {
		switch s.doc[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

func (s *scanner) value(i int, n *node, depth int) int {
	if i >= len(s.doc) {
		return s.fail(ErrSyntax, i, "")
	}
	var end int
	var kind Kind
	escaped := false
	switch s.doc[i] {
	case '"':
		kind = String
		if end, escaped = s.text(i + 1); end >= 0 {
			end++
		}
		s.escaped = escaped
	case '{':
		kind, end = Object, s.object(i, n, depth+1)
	case '[':
		kind, end = Array, s.array(i, n, depth+1)
	case 't':
		kind, end = Bool, s.literal(i, "true")
	case 'f':
		kind, end = Bool, s.literal(i, "false")
	case 'n':
		kind, end = Null, s.literal(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		kind, end = Number, s.number(i)
	default:
		return s.fail(ErrSyntax, i, "expected a value")
	}
	if end >= 0 && n != nil && len(n.slots) > 0 {
		s.res.put(n.slots, slot{start: uint32(i), end: uint32(end), kind: kind, escaped: escaped})
	}
	return end
}

func (s *scanner) object(i int, n *node, depth int) int {
	if depth > s.maxDepth {
		return s.fail(ErrDepth, i, "nested deeper than "+strconv.Itoa(s.maxDepth))
	}
	doc := s.doc
	i = s.space(i + 1)
	if i < len(doc) && doc[i] == '}' {
		return i + 1
	}
	keys := &s.res.keys
	lv := keys.open()
	hint := 0
	for {
		if i >= len(doc) || doc[i] != '"' {
			return s.fail(ErrSyntax, i, "expected a key in quotes")
		}
		start := i + 1
		end, escaped := s.text(start)
		if end < 0 {
			return -1
		}
		ref := keyRef{start: uint32(start), end: uint32(end)}
		if escaped {
			ref = keys.unescape(start, end)
		} else {
			ref.fp = fingerprintAt(doc, start, end)
		}
		if s.checked && !keys.add(&lv, ref) {
			return s.fail(ErrDuplicateKey, i, "repeated key "+clip(keys.key(ref)))
		}
		if i = s.space(end + 1); i >= len(doc) || doc[i] != ':' {
			return s.fail(ErrSyntax, i, "expected ':' after a key")
		}
		var member *node
		if n != nil {
			member = n.find(ref.fp, keys.key(ref), &hint)
		}
		from := s.space(i + 1)
		if i = s.value(from, member, depth); i < 0 {
			return -1
		}
		if n != nil && n.members != 0 {
			s.capture(n.members-1, ref, from, i)
		}
		i = s.space(i)
		if i < len(doc) && doc[i] == ',' {
			i = s.space(i + 1)
			continue
		}
		if i < len(doc) && doc[i] == '}' {
			keys.close(&lv)
			return i + 1
		}
		return s.fail(ErrSyntax, i, "expected ',' or '}' after a member")
	}
}

// capture notes a member of an object that the plan wants all members of.
func (s *scanner) capture(of int32, key keyRef, start, end int) {
	name := s.res.keys.key(key)
	if key.escaped {
		name = bytes.Clone(name)
	}
	v := slot{start: uint32(start), end: uint32(end), kind: kindAt(s.doc[start])}
	v.escaped = v.kind == String && s.escaped
	s.res.members = append(s.res.members, member{of: of, name: bytesAsString(name), value: v})
}

// kindAt is the kind of the value whose first byte is c.
func kindAt(c byte) Kind {
	switch c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

func (s *scanner) array(i int, n *node, depth int) int {
	if depth > s.maxDepth {
		return s.fail(ErrDepth, i, "nested deeper than "+strconv.Itoa(s.maxDepth))
	}
	doc := s.doc
	i = s.space(i + 1)
	if i < len(doc) && doc[i] == ']' {
		return i + 1
	}
	for index := 0; ; index++ {
		var element *node
		if n != nil {
			element = n.at(index)
		}
		if i = s.value(i, element, depth); i < 0 {
			return -1
		}
		i = s.space(i)
		if i < len(doc) && doc[i] == ',' {
			i = s.space(i + 1)
			continue
		}
		if i < len(doc) && doc[i] == ']' {
			return i + 1
		}
		return s.fail(ErrSyntax, i, "expected ',' or ']' after an element")
	}
}

func (s *scanner) literal(i int, want string) int {
	end := i + len(want)
	if end > len(s.doc) || string(s.doc[i:end]) != want {
		return s.fail(ErrSyntax, i, "expected "+want)
	}
	return end
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text reads to the closing quote of a string whose first byte is at i, and returns the index of that quote.
func (s *scanner) text(i int) (end int, escaped bool) {
	doc := s.doc
	for {
		// Eight bytes at a time: a quote, a backslash or a control character sets the high bit of its byte.
		// Bytes above the first one found may be wrong, the first one never is.
		for i+8 <= len(doc) {
			w := binary.LittleEndian.Uint64(doc[i:])
			q, b := w^(ones*'"'), w^(ones*'\\')
			m := ((q-ones)&^q | (b-ones)&^b | (w-ones*0x20)&^w) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		for i < len(doc) && doc[i] != '"' && doc[i] != '\\' && doc[i] >= 0x20 {
			i++
		}
		if i >= len(doc) {
			return s.fail(ErrSyntax, i, ""), false
		}
		switch doc[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			if i+1 < len(doc) && unescaped[doc[i+1]] != 0 {
				i += 2
				continue
			}
			if i = s.unicode(i); i < 0 {
				return -1, false
			}
		default:
			return s.fail(ErrSyntax, i, "control character in a string"), false
		}
	}
}

// unicode reads an escape that is none of the short ones: one of four hex digits, or two of those for a surrogate pair.
func (s *scanner) unicode(i int) int {
	if i+1 >= len(s.doc) {
		return s.fail(ErrSyntax, i+1, "")
	}
	if s.doc[i+1] != 'u' {
		return s.fail(ErrSyntax, i, "unknown escape in a string")
	}
	c, ok := hex4(s.doc, i+2)
	if !ok {
		return s.fail(ErrSyntax, i, `\u without four hex digits`)
	}
	if c < 0xD800 || c > 0xDFFF {
		return i + 6
	}
	low, ok := lowSurrogate(s.doc, i+6)
	if c >= 0xDC00 || !ok || low < 0xDC00 || low > 0xDFFF {
		return s.fail(ErrUTF8, i, "lone surrogate escape")
	}
	return i + 12
}

func lowSurrogate(b []byte, i int) (rune, bool) {
	if i+1 >= len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return 0, false
	}
	return hex4(b, i+2)
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (s *scanner) number(i int) int {
	doc := s.doc
	if doc[i] == '-' {
		i++
	}
	start := i
	if i = digits(doc, i); i == start {
		return s.fail(ErrSyntax, i, "minus sign without a number")
	}
	if doc[start] == '0' && i > start+1 {
		return s.fail(ErrSyntax, start, "number with a leading zero")
	}
	if i < len(doc) && doc[i] == '.' {
		start = i + 1
		if i = digits(doc, start); i == start {
			return s.fail(ErrSyntax, i, "expected digits after the decimal point")
		}
	}
	if i < len(doc) && (doc[i] == 'e' || doc[i] == 'E') {
		i++
		if i < len(doc) && (doc[i] == '+' || doc[i] == '-') {
			i++
		}
		start = i
		if i = digits(doc, start); i == start {
			return s.fail(ErrSyntax, i, "expected digits in the exponent")
		}
	}
	return i
}

func digits(doc []byte, i int) int {
	for i < len(doc) && doc[i]-'0' <= 9 {
		i++
	}
	return i
}

// clip quotes a key for an error, at a bounded length.
func clip(key []byte) string {
	const most = 64
	if len(key) <= most {
		return strconv.Quote(string(key))
	}
	return strconv.Quote(string(key[:most])) + "…"
}

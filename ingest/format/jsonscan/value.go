package jsonscan

import (
	"iter"
	"math"
	"strconv"
	"strings"
)

// Kind is the kind of a JSON value.
type Kind uint8

const (
	Missing Kind = iota // not in the document
	Null
	Bool
	Number
	String
	Object
	Array
)

var kindNames = [...]string{"missing", "null", "bool", "number", "string", "object", "array"}

// String returns the JSON name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "invalid"
}

// Value is one value of a checked document: its place, not a copy. The zero Value is missing, and every
// accessor of it answers with nothing, so that lookups can be chained.
type Value struct {
	raw     []byte
	kind    Kind
	escaped bool
}

// Parse checks a whole document, with the default limits, and returns its root. It is meant for cold
// paths; walking a Value reads its text again.
func Parse(doc []byte) (Value, error) { return Limits{}.Parse(doc) }

// Parse is the package's Parse with other limits.
func (l Limits) Parse(doc []byte) (Value, error) {
	var r Result
	p := Plan{root: &node{slots: []int32{0}}, paths: []string{""}, multi: []bool{false}, limits: l.orDefaults()}
	if err := p.Scan(doc, &r); err != nil {
		return Value{}, err
	}
	return r.Value(0), nil
}

// whole has one slot, the document itself.
var whole = Plan{root: &node{slots: []int32{0}}, paths: []string{""}, multi: []bool{false}, limits: Limits{}.orDefaults()}

// ParseInto is Parse with the memory of r, whose earlier results are gone. The value is a place in doc and outlives the next use of r.
func ParseInto(doc []byte, r *Result) (Value, error) {
	if err := whole.Scan(doc, r); err != nil {
		return Value{}, err
	}
	return r.Value(0), nil
}

// Kind returns the value's kind.
func (v Value) Kind() Kind { return v.kind }

// Exists reports whether there is a value, be it null.
func (v Value) Exists() bool { return v.kind != Missing }

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Raw returns the value's bytes as they stand in the document.
func (v Value) Raw() []byte { return v.raw }

// Str returns the text of a string, unescaped (which allocates); "" for anything else.
func (v Value) Str() string {
	if v.kind != String {
		return ""
	}
	body := v.raw[1 : len(v.raw)-1]
	if !v.escaped {
		return bytesAsString(body)
	}
	return bytesAsString(appendUnescaped(make([]byte, 0, len(body)), body))
}

// Text returns a string's text, or the literal of a number or boolean; "" for anything else.
func (v Value) Text() string {
	switch v.kind {
	case String:
		return v.Str()
	case Number, Bool:
		return bytesAsString(v.raw)
	}
	return ""
}

// TextIn is Text whose unescaped text goes to the end of arena, which the result shares and which grows by chunks that are never moved.
func (v Value) TextIn(arena *[]byte) string {
	if v.kind != String || !v.escaped {
		return v.Text()
	}
	body := v.raw[1 : len(v.raw)-1]
	if cap(*arena)-len(*arena) < len(body) {
		*arena = make([]byte, 0, max(arenaChunk, len(body)))
	}
	from := len(*arena)
	*arena = appendUnescaped(*arena, body)
	return bytesAsString((*arena)[from:])
}

// Int64 returns an integer. Integer literals are exact; a literal with fraction or exponent counts if it
// is a whole number below 2^53. ok is false for anything else and out of range.
func (v Value) Int64() (int64, bool) {
	if v.kind != Number {
		return 0, false
	}
	return parseInt(bytesAsString(v.raw))
}

// LooseInt64 is Int64 that also reads an integer written as a string.
func (v Value) LooseInt64() (int64, bool) {
	if v.kind == String {
		return parseInt(bytesAsString(v.raw[1 : len(v.raw)-1]))
	}
	return v.Int64()
}

func parseInt(s string) (int64, bool) {
	if n, ok := plainInt(s); ok {
		return n, true
	}
	if len(s) == 0 || len(s) > 32 || s[0] == '+' || strings.IndexByte(s, '_') >= 0 {
		return 0, false
	}
	if !strings.ContainsAny(s, ".eE") {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// plainDigits is how many digits always fit into an int64.
const plainDigits = 18

// plainInt reads what nearly all integers are: a few digits and nothing else.
func plainInt(s string) (n int64, ok bool) {
	if len(s) == 0 || len(s) > plainDigits {
		return 0, false
	}
	for i := range len(s) {
		digit := s[i] - '0'
		if digit > 9 {
			return 0, false
		}
		n = n*10 + int64(digit)
	}
	return n, true
}

// Uint64 returns an unsigned integer literal, exact.
func (v Value) Uint64() (uint64, bool) {
	if v.kind != Number {
		return 0, false
	}
	n, err := strconv.ParseUint(bytesAsString(v.raw), 10, 64)
	return n, err == nil
}

// Float returns a number; false for anything else, and for numbers beyond a float64.
func (v Value) Float() (float64, bool) {
	if v.kind != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(bytesAsString(v.raw), 64)
	return f, err == nil
}

// LooseFloat is Float that also reads a number, by the rules of JSON, written as a string.
func (v Value) LooseFloat() (float64, bool) {
	if v.kind != String {
		return v.Float()
	}
	body := v.raw[1 : len(v.raw)-1]
	if len(body) == 0 || body[0] != '-' && body[0]-'0' > 9 {
		return 0, false
	}
	s := scanner{doc: body}
	if s.number(0) != len(body) {
		return 0, false
	}
	f, err := strconv.ParseFloat(bytesAsString(body), 64)
	return f, err == nil
}

// Bool returns a boolean; ok is false for anything else.
func (v Value) Bool() (b, ok bool) {
	if v.kind != Bool {
		return false, false
	}
	return v.raw[0] == 't', true
}

// LooseBool is Bool that also reads "true" and "false" written as strings, in any case.
func (v Value) LooseBool() (b, ok bool) {
	if v.kind != String {
		return v.Bool()
	}
	switch s := bytesAsString(v.raw[1 : len(v.raw)-1]); {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// Get follows object keys from the value; a missing Value where one is absent.
func (v Value) Get(keys ...string) Value {
	for _, want := range keys {
		found := Value{}
		for key, member := range v.Members() {
			if key == want {
				found = member
				break
			}
		}
		v = found
	}
	return v
}

// Members yields the members of an object in their order; nothing for any other kind.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kind != Object {
			return
		}
		for i := skipSpace(v.raw, 1); v.raw[i] != '}'; {
			key, next := valueAt(v.raw, i)
			i = skipSpace(v.raw, next)
			member, next := valueAt(v.raw, skipSpace(v.raw, i+1))
			if !yield(key.Str(), member) {
				return
			}
			i = skipComma(v.raw, next)
		}
	}
}

// Elements yields the elements of an array; nothing for any other kind.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.kind != Array {
			return
		}
		for i := skipSpace(v.raw, 1); v.raw[i] != ']'; {
			element, next := valueAt(v.raw, i)
			if !yield(element) {
				return
			}
			i = skipComma(v.raw, next)
		}
	}
}

func skipSpace(raw []byte, i int) int {
	for raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r' {
		i++
	}
	return i
}

func skipComma(raw []byte, i int) int {
	if i = skipSpace(raw, i); raw[i] == ',' {
		i = skipSpace(raw, i+1)
	}
	return i
}

// valueAt returns the value that begins at i in checked text, and the index after it. The text is part
// of a container, so it cannot end inside.
func valueAt(raw []byte, i int) (Value, int) {
	end, escaped := i, false
	var kind Kind
	switch raw[i] {
	case '"':
		kind = String
		end, escaped = skipText(raw, i)
	case '{', '[':
		kind = Array
		if raw[i] == '{' {
			kind = Object
		}
		end = skipContainer(raw, i)
	case 't', 'n':
		kind, end = Null, i+4
		if raw[i] == 't' {
			kind = Bool
		}
	case 'f':
		kind, end = Bool, i+5
	default:
		kind = Number
		for end < len(raw) && raw[end] > ' ' && raw[end] != ',' && raw[end] != '}' && raw[end] != ']' {
			end++
		}
	}
	return Value{raw: raw[i:end:end], kind: kind, escaped: escaped}, end
}

func skipText(raw []byte, i int) (end int, escaped bool) {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			escaped = true
			i++
		}
	}
	return i + 1, escaped
}

func skipContainer(raw []byte, i int) int {
	for depth := 0; ; {
		switch raw[i] {
		case '"':
			i, _ = skipText(raw, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

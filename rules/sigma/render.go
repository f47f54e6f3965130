package sigma

import (
	"regexp"
	"strconv"
	"strings"
)

// access is one way to read a field from the events of a log source.
type access struct {
	text  string // The expression of its text.
	known string // The expression that tells whether it is there.
}

// How strongly the parts of an expression hold together.
const (
	bindOr = iota
	bindAnd
	bindCompare
	bindCall
)

// piece is an expression and how strongly it holds together.
type piece struct {
	text string
	bind int
}

// in is the text for a place that needs at least that binding.
func (p piece) in(bind int) string {
	if p.bind < bind {
		return "(" + p.text + ")"
	}
	return p.text
}

// chain joins pieces with and or or.
func chain(o op, list []piece) piece {
	if len(list) == 1 {
		return list[0]
	}
	word, bind := " and ", bindAnd
	if o == opOr {
		word, bind = " or ", bindOr
	}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.in(bind)
	}
	return piece{strings.Join(texts, word), bind}
}

// lineWidth is how long a condition may be before each of its parts gets a line of its own.
const lineWidth = 120

// render writes a condition over the fields of a log source as an expression, the log source's own constraint first.
func render(s *source, t *tree) piece {
	var list []piece
	if s.where != "" {
		list = append(list, piece{s.where, bindAnd})
	}
	switch t.op {
	case opTrue:
	case opAnd:
		for _, k := range t.kids {
			list = append(list, s.piece(k))
		}
	default:
		list = append(list, s.piece(t))
	}
	p := chain(opAnd, list)
	if len(list) < 2 || len(p.text) <= lineWidth {
		return p
	}
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = x.in(bindAnd)
	}
	return piece{strings.Join(texts, "\nand "), bindAnd}
}

func (s *source) piece(t *tree) piece {
	switch t.op {
	case opTrue:
		return piece{"true", bindCall}
	case opNot:
		return piece{"not " + s.piece(t.kids[0]).in(bindCall), bindCompare}
	case opLeaf:
		return s.leaves([]*leaf{t.leaf})
	case opAnd:
		var list []piece
		for _, k := range t.kids {
			list = append(list, s.piece(k))
		}
		return chain(opAnd, list)
	}
	return s.either(t.kids)
}

// either writes the operands of an or. Those that ask the same of the same field become one call, where the first of them stands.
func (s *source) either(kids []*tree) piece {
	var order []question
	by := map[question][]*tree{}
	for i, k := range kids {
		q := question{single: i + 1}
		if k.op == opLeaf {
			q = k.leaf.question(i)
		}
		if by[q] == nil {
			order = append(order, q)
		}
		by[q] = append(by[q], k)
	}
	var list []piece
	for _, q := range order {
		group := by[q]
		if q.single > 0 {
			list = append(list, s.piece(group[0]))
			continue
		}
		leaves := make([]*leaf, len(group))
		for i, k := range group {
			leaves[i] = k.leaf
		}
		list = append(list, s.leaves(leaves))
	}
	return chain(opOr, list)
}

// question is what leaves must share to become one call with several constants.
type question struct {
	field  string
	test   test
	shape  shape
	cased  bool
	single int // Not 0 for what stands alone.
}

func (l *leaf) question(i int) question {
	q := question{field: l.field, test: l.test, cased: l.cased}
	text := ""
	switch l.test {
	case testPattern:
		q.shape, text = l.pattern.shape()
		if q.shape != asAny && text != "" && (!l.cased || q.shape == asLike) {
			return q
		}
	case testCIDR:
		return q
	case testRegex:
		if !matchesNothing(l.text) {
			return q
		}
	}
	return question{single: i + 1}
}

// matchesNothing reports whether a regular expression matches the empty text, as which a field reads that is not there.
func matchesNothing(text string) bool {
	re, err := regexp.Compile(text)
	return err == nil && re.MatchString("")
}

// leaves writes leaves that ask the same question.
func (s *source) leaves(list []*leaf) piece {
	var parts []piece
	for _, a := range s.access(list[0].field) {
		parts = append(parts, s.call(list, a))
	}
	if list[0].test == testNull {
		return chain(opAnd, parts)
	}
	return chain(opOr, parts)
}

// The functions that ask for a shape without regard to case, and the operators that do so with regard to it.
var (
	shapeFunctions = map[shape]string{asEqual: "iequals", asStart: "istarts", asEnd: "iends", asContains: "icontains", asLike: "ilike"}
	shapeOperators = map[shape]string{asEqual: " == ", asStart: " startsWith ", asEnd: " endsWith ", asContains: " contains "}
)

// decimal is the form of a text that float can read.
const decimal = `^[-+]?[0-9]{1,300}([.][0-9]{1,300})?$`

func (s *source) call(list []*leaf, a access) piece {
	l := list[0]
	known := piece{a.known, bindCall}
	switch l.test {
	case testNull:
		return piece{"not " + a.known, bindCompare}
	case testExists:
		return known
	case testCIDR:
		return call("cidr", a.text, list, func(l *leaf) string { return l.text })
	case testRegex:
		p := call("imatches", a.text, list, func(l *leaf) string { return l.text })
		if matchesNothing(l.text) {
			return chain(opAnd, []piece{known, p})
		}
		return p
	case testField:
		return s.reference(l, a)
	case testCompare:
		number := call("imatches", a.text, list, func(*leaf) string { return decimal })
		return chain(opAnd, []piece{number, {"float(" + a.text + ") " + l.compare + " " + l.text, bindCompare}})
	}
	shape, text := l.pattern.shape()
	switch {
	case shape == asAny:
		return known
	case text == "":
		return chain(opAnd, []piece{known, {a.text + ` == ""`, bindCompare}})
	case l.cased && shape == asLike:
		return call("imatches", a.text, list, func(l *leaf) string { return l.pattern.regex() })
	case l.cased:
		return piece{a.text + shapeOperators[shape] + quote(text), bindCompare}
	}
	return call(shapeFunctions[shape], a.text, list, func(l *leaf) string { _, text := l.pattern.shape(); return text })
}

func call(name, of string, list []*leaf, constant func(*leaf) string) piece {
	var b strings.Builder
	b.WriteString(name + "(" + of)
	seen := map[string]bool{}
	for _, l := range list {
		if c := quote(constant(l)); !seen[c] {
			seen[c] = true
			b.WriteString(", " + c)
		}
	}
	return piece{b.String() + ")", bindCall}
}

// reference compares two fields of one event, without regard to case unless the rule says so.
func (s *source) reference(l *leaf, a access) piece {
	operator := " == "
	switch {
	case l.start && l.end:
		operator = " contains "
	case l.start:
		operator = " startsWith "
	case l.end:
		operator = " endsWith "
	}
	var parts []piece
	for _, other := range s.access(l.text) {
		left, right := "lower("+a.text+")", "lower("+other.text+")"
		if l.cased {
			left, right = a.text, other.text
		}
		parts = append(parts, chain(opAnd, []piece{{a.known, bindCall}, {other.known, bindCall}, {left + operator + right, bindCompare}}))
	}
	return chain(opOr, parts)
}

// quote writes a constant: between backquotes, where backslashes need no escape, if it has any.
func quote(s string) string {
	if strings.Contains(s, `\`) && !strings.ContainsAny(s, "`\r\n\t") && printable(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

func printable(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

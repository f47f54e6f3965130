package expression

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

func (c *compiler) binary(n *ast.BinaryNode) (code, bool) {
	switch n.Operator {
	case "and", "&&":
		return c.conjunction(n)
	case "or", "||":
		return c.disjunction(n)
	case "in":
		return c.in(n)
	}
	a, ok1 := c.node(n.Left)
	b, ok2 := c.node(n.Right)
	if !ok1 || !ok2 {
		return code{}, false
	}
	out, ok := c.operator(n, a, b)
	if !ok {
		return code{}, false
	}
	out = settle(out, a, b)
	if !out.constant {
		out.need = comparisonNeed(n.Operator, a, b)
	}
	return out, true
}

func (c *compiler) operator(n *ast.BinaryNode, a, b code) (code, bool) {
	switch n.Operator {
	case "==":
		return equal(a, b)
	case "!=":
		eq, ok := equal(a, b)
		if !ok {
			return code{}, false
		}
		return boolCode(func(f *frame) bool { return !eq.b(f) }), true
	case "<", ">", "<=", ">=":
		return compare(n.Operator, a, b)
	case "+", "-", "*":
		return arithmetic(n.Operator, a, b)
	case "/":
		return quotient(a, b)
	case "%":
		return c.remainder(n, a, b)
	case "**", "^":
		if !a.isNumber() || !b.isNumber() {
			return code{}, false
		}
		x, y := a.number(), b.number()
		return floatCode(func(f *frame) float64 { return math.Pow(x(f), y(f)) }), true
	case "contains", "startsWith", "endsWith":
		return textTest(n.Operator, a, b)
	case "matches":
		return matches(a, b)
	}
	return code{}, false
}

// captionID is the enumerated field behind a caption, and the id a word stands for; nil if a is not a caption compared with a word it has.
func captionID(a code, word string) (*event.Field, int64) {
	if a.field == nil || a.field.Flags&event.IsCaption == 0 || word == "" {
		return nil, 0
	}
	id := event.CaptionID(a.field.Object, a.field.Attr, word)
	fd := event.FieldByPath(a.field.Path + "_id")
	if id == 0 || fd == nil || fd.Num == nil || event.Caption(a.field.Object, a.field.Attr, id) != word {
		return nil, 0
	}
	return fd, int64(id)
}

func equal(a, b code) (code, bool) {
	if a.constant && !b.constant {
		a, b = b, a
	}
	switch {
	case a.isString() && b.isString() && b.constant:
		return equalWord(a, b.val.Str), true
	case a.isString() && b.isString():
		x, y := a.s, b.s
		return boolCode(func(f *frame) bool { return x(f) == y(f) }), true
	case a.isInt() && b.isInt() && b.constant && a.field != nil:
		get, v := a.field.Num, b.val.Num
		return boolCode(func(f *frame) bool { n, _ := get(f.event); return n == v }), true
	case a.isInt() && b.isInt():
		x, y := a.i, b.i
		return boolCode(func(f *frame) bool { return x(f) == y(f) }), true
	case a.isNumber() && b.isNumber():
		x, y := a.number(), b.number()
		return boolCode(func(f *frame) bool { return x(f) == y(f) }), true
	case a.isBool() && b.isBool():
		x, y := a.b, b.b
		return boolCode(func(f *frame) bool { return x(f) == y(f) }), true
	}
	return code{}, false
}

func equalWord(a code, word string) code {
	if fd, id := captionID(a, word); fd != nil {
		get := fd.Num
		return boolCode(func(f *frame) bool { n, _ := get(f.event); return n == id })
	}
	if a.field != nil {
		get := a.field.Str
		return boolCode(func(f *frame) bool { return get(f.event) == word })
	}
	x := a.s
	return boolCode(func(f *frame) bool { return x(f) == word })
}

func compare(op string, a, b code) (code, bool) {
	switch {
	case a.isInt() && b.isInt():
		return boolCode(comparison(op, a.i, b.i)), true
	case a.isNumber() && b.isNumber():
		return boolCode(comparison(op, a.number(), b.number())), true
	case a.isString() && b.isString():
		return boolCode(comparison(op, a.s, b.s)), true
	}
	return code{}, false
}

func comparison[T cmp.Ordered](op string, x, y func(*frame) T) func(*frame) bool {
	switch op {
	case "<":
		return func(f *frame) bool { return x(f) < y(f) }
	case ">":
		return func(f *frame) bool { return x(f) > y(f) }
	case "<=":
		return func(f *frame) bool { return x(f) <= y(f) }
	default:
		return func(f *frame) bool { return x(f) >= y(f) }
	}
}

func arithmetic(op string, a, b code) (code, bool) {
	switch {
	case op == "+" && a.isString() && b.isString():
		return join(append(a.parts(), b.parts()...)), true
	case a.isInt() && b.isInt():
		return intCode(calculate(op, a.i, b.i)), true
	case a.isNumber() && b.isNumber():
		return floatCode(calculate(op, a.number(), b.number())), true
	}
	return code{}, false
}

// parts are the texts that a text is joined from, in a list of their own.
func (c *code) parts() []func(*frame) string {
	if c.joined != nil {
		return slices.Clone(c.joined)
	}
	return []func(*frame) string{c.s}
}

// join puts texts one behind the other, with one piece of memory for the usual few.
func join(parts []func(*frame) string) code {
	var c code
	switch len(parts) {
	case 2:
		a, b := parts[0], parts[1]
		c = stringCode(func(f *frame) string { return a(f) + b(f) })
	case 3:
		a, b, d := parts[0], parts[1], parts[2]
		c = stringCode(func(f *frame) string { return a(f) + b(f) + d(f) })
	default:
		c = stringCode(func(f *frame) string {
			var room [8]string
			texts := room[:0]
			for _, part := range parts {
				texts = append(texts, part(f))
			}
			return strings.Join(texts, "")
		})
	}
	c.joined = parts
	return c
}

func calculate[T int64 | float64](op string, x, y func(*frame) T) func(*frame) T {
	switch op {
	case "+":
		return func(f *frame) T { return x(f) + y(f) }
	case "-":
		return func(f *frame) T { return x(f) - y(f) }
	default:
		return func(f *frame) T { return x(f) * y(f) }
	}
}

// quotient is a float even of integers; division by zero gives an infinity, as in expr.
func quotient(a, b code) (code, bool) {
	if !a.isNumber() || !b.isNumber() {
		return code{}, false
	}
	x, y := a.number(), b.number()
	return floatCode(func(f *frame) float64 { return x(f) / y(f) }), true
}

func (c *compiler) remainder(n *ast.BinaryNode, a, b code) (code, bool) {
	if !a.isInt() || !b.isInt() {
		return code{}, false
	}
	x, y, fault := a.i, b.i, c.fault(n, "remainder of a division by zero")
	return intCode(func(f *frame) int64 {
		l, r := x(f), y(f)
		if r == 0 {
			f.fail(fault)
			return 0
		}
		return l % r
	}), true
}

func textTest(op string, a, b code) (code, bool) {
	if !a.isString() || !b.isString() {
		return code{}, false
	}
	test := strings.Contains
	switch op {
	case "startsWith":
		test = strings.HasPrefix
	case "endsWith":
		test = strings.HasSuffix
	}
	x, y := a.s, b.s
	if !b.constant {
		return boolCode(func(f *frame) bool { return test(x(f), y(f)) }), true
	}
	word := b.val.Str
	if a.field == nil {
		return boolCode(func(f *frame) bool { return test(x(f), word) }), true
	}
	get := a.field.Str
	return boolCode(func(f *frame) bool { return test(get(f.event), word) }), true
}

func matches(a, b code) (code, bool) {
	if !a.isString() || !b.isString() || !b.constant {
		return code{}, false
	}
	re, err := regexp.Compile(b.val.Str)
	if err != nil {
		return code{}, false // the checker has refused it
	}
	x := a.s
	if word := caseLiteral(b.val.Str, 1); word != "" {
		return boolCode(func(f *frame) bool { v := x(f); return strings.Contains(v, word) && re.MatchString(v) }), true
	}
	return boolCode(func(f *frame) bool { return re.MatchString(x(f)) }), true
}

// in compiles membership: of a constant list, of a list of the event, or of a list written out with values that are not constant.
func (c *compiler) in(n *ast.BinaryNode) (code, bool) {
	x, ok := c.node(n.Left)
	if !ok {
		return code{}, false
	}
	if list, ok := n.Right.(*ast.ArrayNode); ok {
		return c.inWritten(x, list)
	}
	l, ok := c.node(n.Right)
	if !ok || !l.isStrings() || !x.isString() {
		return code{}, false
	}
	s, list := x.s, l.l
	out := settle(boolCode(func(f *frame) bool { v := s(f); return slices.Contains(list(f), v) }), x, l)
	if x.constant && !l.fails && !out.constant {
		out.need = l.from.textNeed(Equal, x.val.Str)
	}
	return out, true
}

func (c *compiler) inWritten(x code, n *ast.ArrayNode) (code, bool) {
	elems := make([]code, len(n.Nodes))
	allConstant := true
	for i, e := range n.Nodes {
		var ok bool
		if elems[i], ok = c.node(e); !ok {
			return code{}, false
		}
		allConstant = allConstant && elems[i].constant
	}
	out, ok := code{}, false
	switch {
	case len(elems) == 0:
		return code{}, false
	case allConstant && x.isString() && !slices.ContainsFunc(elems, func(e code) bool { return !e.isString() }):
		out, ok = settle(inWords(x, elems), x), true
	case allConstant && x.isInt() && !slices.ContainsFunc(elems, func(e code) bool { return !e.isInt() }):
		out, ok = settle(inNumbers(x, elems), x), true
	default:
		out, ok = c.inAny(x, elems)
	}
	if ok && !out.constant {
		out.need = memberNeed(x, elems)
	}
	return out, ok
}

func inWords(x code, elems []code) code {
	words := make([]string, len(elems))
	var ids []int64
	var enum *event.Field
	for i, e := range elems {
		words[i] = e.val.Str
		if fd, id := captionID(x, e.val.Str); fd != nil {
			enum, ids = fd, append(ids, id)
		}
	}
	if enum != nil && len(ids) == len(words) {
		get := enum.Num
		return boolCode(func(f *frame) bool { v, _ := get(f.event); return slices.Contains(ids, v) })
	}
	s := x.s
	if len(words) <= 8 {
		return boolCode(func(f *frame) bool { return slices.Contains(words, s(f)) })
	}
	set := make(map[string]struct{}, len(words))
	for _, w := range words {
		set[w] = struct{}{}
	}
	return boolCode(func(f *frame) bool { _, ok := set[s(f)]; return ok })
}

func inNumbers(x code, elems []code) code {
	set := make([]int64, len(elems))
	for i, e := range elems {
		set[i] = e.val.Num
	}
	slices.Sort(set)
	set = slices.Compact(set)
	i := x.i
	if len(set) <= 8 {
		return boolCode(func(f *frame) bool { return slices.Contains(set, i(f)) })
	}
	return boolCode(func(f *frame) bool { _, ok := slices.BinarySearch(set, i(f)); return ok })
}

// inAny compares with one element after the other. All elements are evaluated, as in expr, so that one that fails always fails.
func (c *compiler) inAny(x code, elems []code) (code, bool) {
	tests := make([]func(*frame) bool, len(elems))
	for i, e := range elems {
		eq, ok := equal(x, e)
		if !ok {
			return code{}, false
		}
		tests[i] = eq.b
	}
	return boolCode(func(f *frame) bool {
		found := false
		for _, t := range tests {
			if t(f) {
				found = true
			}
		}
		return found
	}), true
}

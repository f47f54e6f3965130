package expression

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// builtin compiles the functions of expr that are worth a closure; the others run in its machine.
func (c *compiler) builtin(n *ast.BuiltinNode) (code, bool) {
	switch n.Name {
	case "any", "all", "none", "one", "count", "filter", "map":
		return c.predicate(n)
	}
	args := make([]code, len(n.Arguments))
	for i, a := range n.Arguments {
		var ok bool
		if args[i], ok = c.node(a); !ok {
			return code{}, false
		}
	}
	out, ok := c.text(n, args)
	if !ok {
		out, ok = lists(n.Name, args)
	}
	if !ok {
		out, ok = c.arithmeticFunction(n, args)
	}
	if !ok {
		return code{}, false
	}
	if out = settle(out, args...); !out.constant && len(args) > 0 {
		out.need, out.from = builtinNeed(n.Name, args, out.from)
	}
	return out, true
}

// text compiles the functions over strings.
func (c *compiler) text(n *ast.BuiltinNode, args []code) (code, bool) {
	switch {
	case n.Name == "len" && args[0].isString():
		s := args[0].s
		return intCode(func(f *frame) int64 { return int64(utf8.RuneCountInString(s(f))) }), true
	case n.Name == "len" && args[0].isStrings():
		l := args[0].l
		return intCode(func(f *frame) int64 { return int64(len(l(f))) }), true
	case n.Name == "string" && args[0].isString():
		return stringCode(args[0].s), true
	case n.Name == "string" && args[0].isInt():
		i := args[0].i
		return stringCode(func(f *frame) string { return strconv.FormatInt(i(f), 10) }), true
	case n.Name == "string" && args[0].isBool():
		b := args[0].b
		return stringCode(func(f *frame) string { return strconv.FormatBool(b(f)) }), true
	case n.Name == "string" && args[0].isNumber():
		v := args[0].f
		return stringCode(func(f *frame) string { return fmt.Sprint(v(f)) }), true
	}
	for _, a := range args {
		if !a.isString() {
			return code{}, false
		}
	}
	if len(args) == 1 {
		return oneText(n.Name, args[0].s)
	}
	if len(args) == 2 {
		return twoTexts(n.Name, args[0].s, args[1].s)
	}
	return code{}, false
}

func oneText(name string, s func(*frame) string) (code, bool) {
	change := map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper, "trim": strings.TrimSpace}[name]
	if change == nil {
		return code{}, false
	}
	return stringCode(func(f *frame) string { return change(s(f)) }), true
}

func twoTexts(name string, a, b func(*frame) string) (code, bool) {
	switch name {
	case "trim":
		return stringCode(func(f *frame) string { return strings.Trim(a(f), b(f)) }), true
	case "trimPrefix":
		return stringCode(func(f *frame) string { return strings.TrimPrefix(a(f), b(f)) }), true
	case "trimSuffix":
		return stringCode(func(f *frame) string { return strings.TrimSuffix(a(f), b(f)) }), true
	case "hasPrefix":
		return boolCode(func(f *frame) bool { return strings.HasPrefix(a(f), b(f)) }), true
	case "hasSuffix":
		return boolCode(func(f *frame) bool { return strings.HasSuffix(a(f), b(f)) }), true
	case "indexOf":
		return intCode(func(f *frame) int64 { return int64(strings.Index(a(f), b(f))) }), true
	case "lastIndexOf":
		return intCode(func(f *frame) int64 { return int64(strings.LastIndex(a(f), b(f))) }), true
	}
	return code{}, false
}

// arithmeticFunction compiles the functions over numbers, and the conversions to numbers.
func (c *compiler) arithmeticFunction(n *ast.BuiltinNode, args []code) (code, bool) {
	switch n.Name {
	case "int":
		return c.toInt(n, args[0])
	case "float":
		return c.toFloat(n, args[0])
	case "min", "max":
		return c.extreme(n, args)
	}
	if len(args) != 1 || !args[0].isNumber() {
		return code{}, false
	}
	switch {
	case n.Name == "abs" && args[0].isInt():
		i := args[0].i
		return intCode(func(f *frame) int64 {
			v := i(f)
			if v < 0 {
				return -v
			}
			return v
		}), true
	case n.Name == "abs":
		v := args[0].f
		return floatCode(func(f *frame) float64 {
			x := v(f)
			if x < 0 {
				return -x
			}
			return x
		}), true
	}
	change := map[string]func(float64) float64{"ceil": math.Ceil, "floor": math.Floor, "round": math.Round}[n.Name]
	if change == nil {
		return code{}, false
	}
	v := args[0].number()
	return floatCode(func(f *frame) float64 { return change(v(f)) }), true
}

func (c *compiler) toInt(n ast.Node, x code) (code, bool) {
	switch {
	case x.isInt():
		return intCode(x.i), true
	case x.kind == event.KindFloat:
		v := x.f
		return intCode(func(f *frame) int64 { return int64(v(f)) }), true
	case x.isString():
		s, fault := x.s, c.fault(n, "not an integer")
		return intCode(func(f *frame) int64 {
			v, err := strconv.Atoi(s(f))
			if err != nil {
				f.fail(fault)
				return 0
			}
			return int64(v)
		}), true
	}
	return code{}, false
}

func (c *compiler) toFloat(n ast.Node, x code) (code, bool) {
	switch {
	case x.isNumber():
		return floatCode(x.number()), true
	case x.isString():
		s, fault := x.s, c.fault(n, "not a number")
		return floatCode(func(f *frame) float64 {
			v, err := strconv.ParseFloat(s(f), 64)
			if err != nil {
				f.fail(fault)
				return 0
			}
			return v
		}), true
	}
	return code{}, false
}

// extreme compiles min and max of numbers of one kind. Mixed kinds are refused, since their type would depend on their values.
func (c *compiler) extreme(n *ast.BuiltinNode, args []code) (code, bool) {
	allInt := true
	for _, a := range args {
		if !a.isNumber() {
			return code{}, false
		}
		allInt = allInt && a.isInt()
	}
	if !allInt {
		for _, a := range args {
			if a.isInt() {
				c.at = n
				c.refuse(n.Name + " takes numbers of one kind; float(x) makes a float of an integer")
				break
			}
		}
	}
	less := n.Name == "min"
	if allInt {
		list := make([]func(*frame) int64, len(args))
		for i := range args {
			list[i] = args[i].i
		}
		return intCode(extremeOf(less, list)), true
	}
	list := make([]func(*frame) float64, len(args))
	for i := range args {
		list[i] = args[i].number()
	}
	return floatCode(extremeOf(less, list)), true
}

func extremeOf[T int64 | float64](less bool, list []func(*frame) T) func(*frame) T {
	return func(f *frame) T {
		best := list[0](f)
		for _, x := range list[1:] {
			if v := x(f); less && best > v || !less && best < v {
				best = v
			}
		}
		return best
	}
}

// predicate compiles any, all, none, one, count and filter over a list of strings, and all but filter over the hits of a step.
func (c *compiler) predicate(n *ast.BuiltinNode) (code, bool) {
	body, ok := n.Arguments[1].(*ast.PredicateNode)
	if !ok {
		return code{}, false
	}
	if id, ok := n.Arguments[0].(*ast.IdentifierNode); ok && strings.HasPrefix(id.Value, "[") {
		return c.overHits(n, id.Value, body)
	}
	list, ok := c.node(n.Arguments[0])
	if !ok || !list.isStrings() {
		return code{}, false
	}
	c.depth++
	test, ok := c.node(body.Node)
	c.depth--
	if ok && n.Name == "map" {
		return c.mapped(list, test)
	}
	if !ok || !test.isBool() {
		return code{}, false
	}
	c.cost += 3 * test.cost // for more than one element
	if n.Name == "filter" {
		out := filterCode(list.l, test.b)
		out.from = list.from
		return out, true
	}
	count := func(f *frame, enough int64, want bool) int64 {
		outer := f.elem
		var n int64
		for _, f.elem = range list.l(f) {
			if test.b(f) == want {
				if n++; n >= enough {
					break
				}
			}
		}
		f.elem = outer
		return n
	}
	out, ok := counted(n.Name, count)
	if (n.Name == "any" || n.Name == "one") && !list.fails {
		out.need = test.need.of(list.from)
	}
	return out, ok
}

// counted expresses the quantifiers by a count that may stop early.
func counted(name string, count func(f *frame, enough int64, want bool) int64) (code, bool) {
	switch name {
	case "any":
		return boolCode(func(f *frame) bool { return count(f, 1, true) > 0 }), true
	case "all":
		return boolCode(func(f *frame) bool { return count(f, 1, false) == 0 }), true
	case "none":
		return boolCode(func(f *frame) bool { return count(f, 1, true) == 0 }), true
	case "one":
		return boolCode(func(f *frame) bool { return count(f, math.MaxInt64, true) == 1 }), true
	case "count":
		return intCode(func(f *frame) int64 { return count(f, math.MaxInt64, true) }), true
	}
	return code{}, false
}

func filterCode(list func(*frame) []string, test func(*frame) bool) code {
	return stringsCode(func(f *frame) []string {
		outer := f.elem
		var out []string
		for _, f.elem = range list(f) {
			if test(f) {
				out = append(out, f.elem)
			}
		}
		f.elem = outer
		return out
	})
}

// overHits compiles a quantifier over the hits of the step whose slot the identifier names.
func (c *compiler) overHits(n *ast.BuiltinNode, id string, body *ast.PredicateNode) (code, bool) {
	slot, err := strconv.Atoi(strings.Trim(id, "[]"))
	if err != nil {
		return code{}, false
	}
	test, ok := c.node(body.Node)
	if !ok || !test.isBool() {
		return code{}, false
	}
	return counted(n.Name, func(f *frame, enough int64, want bool) int64 {
		outer := f.hit
		var n int64
		for _, f.hit = range hitsAt(f, slot) {
			if test.b(f) == want {
				if n++; n >= enough {
					break
				}
			}
		}
		f.hit = outer
		return n
	})
}

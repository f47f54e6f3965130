package expression

import (
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// element compiles list[i]. A negative index counts from the end; one that is out of range is an error.
func (c *compiler) element(n *ast.MemberNode) (code, bool) {
	list, ok1 := c.node(n.Node)
	at, ok2 := c.node(n.Property)
	if !ok1 || !ok2 || n.Optional || !list.isStrings() || !at.isInt() {
		return code{}, false
	}
	l, i, fault := list.l, at.i, c.fault(n, "index out of range")
	out := stringCode(func(f *frame) string {
		values, k := l(f), i(f)
		if k < 0 {
			k += int64(len(values))
		}
		if k < 0 || k >= int64(len(values)) {
			f.fail(fault)
			return ""
		}
		return values[k]
	})
	out.from = list.from
	return out, true
}

// slice compiles text[from:to], in bytes, and list[from:to]. Bounds beyond the ends are the ends; negative ones count from
// the end.
func (c *compiler) slice(n *ast.SliceNode) (code, bool) {
	x, ok := c.node(n.Node)
	if !ok || !x.isString() && !x.isStrings() {
		return code{}, false
	}
	from := constantCode(event.FieldValue{Kind: event.KindInt})
	if n.From != nil {
		if from, ok = c.node(n.From); !ok || !from.isInt() {
			return code{}, false
		}
	}
	to := code{}
	if n.To != nil {
		if to, ok = c.node(n.To); !ok || !to.isInt() {
			return code{}, false
		}
	}
	var out code
	if x.isString() {
		s, a, b := x.s, from.i, to.i
		if b == nil {
			b = func(f *frame) int64 { return int64(len(s(f))) }
		}
		out = stringCode(func(f *frame) string {
			v := s(f)
			i, j := sliceBounds(len(v), a(f), b(f))
			return v[i:j]
		})
	} else {
		l, a, b := x.l, from.i, to.i
		if b == nil {
			b = func(f *frame) int64 { return int64(len(l(f))) }
		}
		out = stringsCode(func(f *frame) []string {
			v := l(f)
			i, j := sliceBounds(len(v), a(f), b(f))
			return v[i:j]
		})
	}
	out.from = x.from
	if x.isString() {
		out.from = x.from.as(part)
	}
	return out, true
}

func sliceBounds(n int, from, to int64) (int, int) {
	length := int64(n)
	if from < 0 {
		from += length
	}
	if to < 0 {
		to += length
	}
	to = min(max(to, 0), length)
	return int(min(max(from, 0), to)), int(to)
}

// mapped compiles map(list, text): all elements are evaluated, so that one that fails always fails.
func (c *compiler) mapped(list, body code) (code, bool) {
	if !body.isString() {
		return code{}, false
	}
	l, of := list.l, body.s
	out := stringsCode(func(f *frame) []string {
		outer := f.elem
		values := l(f)
		made := make([]string, 0, len(values))
		for _, f.elem = range values {
			made = append(made, of(f))
		}
		f.elem = outer
		return made
	})
	switch {
	case body.from == nil:
	case body.from.elem:
		out.from = list.from.as(body.from.how)
	default:
		out.from = body.from
	}
	return out, true
}

// lists compiles the functions that make lists of texts, or one text of a list.
func lists(name string, args []code) (code, bool) {
	switch {
	case name == "split" && len(args) == 2 && args[0].isString() && args[1].isString():
		s, at := args[0].s, args[1].s
		out := stringsCode(func(f *frame) []string { return strings.Split(s(f), at(f)) })
		out.from = args[0].from.as(part)
		return out, true
	case name == "join" && args[0].isStrings() && (len(args) == 1 || args[1].isString()):
		l, glue := args[0].l, func(*frame) string { return "" }
		if len(args) == 2 {
			glue = args[1].s
		}
		return stringCode(func(f *frame) string { return strings.Join(l(f), glue(f)) }), true
	}
	return code{}, false
}

// maxLets is how many lets may be around one another.
const maxLets = 4

// let compiles let name = value; body. The value is evaluated once, whether the body reads it or not.
func (c *compiler) let(n *ast.VariableDeclaratorNode) (code, bool) {
	value, ok := c.node(n.Value)
	if !ok || c.lets >= maxLets {
		return code{}, false
	}
	slot := c.lets
	outer, shadowed := c.codes[n.Name]
	c.codes[n.Name] = stored(value, slot)
	c.lets++
	body, ok := c.node(n.Expr)
	c.lets--
	delete(c.codes, n.Name)
	if shadowed {
		c.codes[n.Name] = outer
	}
	if !ok {
		return code{}, false
	}
	if value.constant {
		return body, true
	}
	out := body
	out.constant, out.field = false, nil
	set := func(f *frame) { f.lets[slot] = value.value(f) }
	switch {
	case body.isBool():
		out.b = after(set, body.b)
	case body.isInt():
		out.i = after(set, body.i)
	case body.isNumber():
		out.f = after(set, body.f)
	case body.isString():
		out.s, out.joined = after(set, body.s), nil
	default:
		out.l = after(set, body.l)
	}
	if value.fails {
		out.need = nil
	}
	return out, true
}

// after evaluates once something is done.
func after[T any](do func(*frame), x func(*frame) T) func(*frame) T {
	return func(f *frame) T {
		do(f)
		return x(f)
	}
}

// stored is the code that reads a value where let put it. Constants and fields are read as they are.
func stored(value code, slot int) code {
	if value.constant || value.field != nil {
		return value
	}
	out := carriedCode(value.kind, func(f *frame) *event.FieldValue { return &f.lets[slot] })
	out.from, out.need = value.from, value.need
	return out
}

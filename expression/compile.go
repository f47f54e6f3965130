package expression

import (
	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// compiler turns a checked tree into closures.
type compiler struct {
	source  string
	codes   map[string]code // What identifiers read.
	depth   int             // Predicates over lists around the node.
	lets    int             // Lets around the node.
	refused string          // Why the expression cannot be, where the checker did not see it.
	at      ast.Node        // The node refused.
	faults  int             // Places met so far where an error can arise,
	cost    int             // and what running the nodes met so far costs.
}

func (c *compiler) refuse(why string) {
	if c.refused == "" {
		c.refused = why
	}
}

// fault makes the error that the closure of a node reports.
func (c *compiler) fault(n ast.Node, reason string) *RunError {
	c.faults++
	return &RunError{Source: c.source, Column: n.Location().From + 1, Reason: reason}
}

// node compiles a node and notes what running it costs and whether it can fail. ok is false for what the closures do not know, which then runs
// in expr's machine; the code then carries the need alone.
func (c *compiler) node(n ast.Node) (out code, ok bool) {
	faults, cost := c.faults, c.cost
	out, ok = c.compile(n)
	switch {
	case !ok:
		c.faults++
		return code{need: out.need}, false
	case out.constant:
		c.faults, c.cost = faults, cost
	default:
		c.cost += costOf(n)
	}
	out.fails, out.cost = c.faults > faults, c.cost-cost
	return out, true
}

func (c *compiler) compile(n ast.Node) (out code, ok bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constantCode(event.FieldValue{Kind: event.KindInt, Num: int64(n.Value)}), true
	case *ast.FloatNode:
		return constantCode(event.FieldValue{Kind: event.KindFloat, Flt: n.Value}), true
	case *ast.StringNode:
		return constantCode(event.FieldValue{Kind: event.KindString, Str: n.Value}), true
	case *ast.BoolNode:
		return constantCode(event.FieldValue{Kind: event.KindBool, Num: number(n.Value)}), true
	case *ast.IdentifierNode:
		out, ok = c.codes[n.Value]
		return out, ok
	case *ast.PointerNode:
		out = stringCode(func(f *frame) string { return f.elem })
		out.from = &origin{elem: true}
		return out, n.Name == "" && c.depth > 0
	case *ast.ArrayNode:
		out, ok = c.array(n)
	case *ast.UnaryNode:
		out, ok = c.unary(n)
	case *ast.BinaryNode:
		out, ok = c.binary(n)
	case *ast.ConditionalNode:
		out, ok = c.conditional(n)
	case *ast.BuiltinNode:
		out, ok = c.builtin(n)
	case *ast.CallNode:
		out, ok = c.call(n)
	case *ast.MemberNode:
		out, ok = c.element(n)
	case *ast.SliceNode:
		out, ok = c.slice(n)
	case *ast.VariableDeclaratorNode:
		out, ok = c.let(n)
	}
	return out, ok
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// settle evaluates a code whose inputs are constants; one that fails is left to fail when it runs.
func settle(out code, inputs ...code) code {
	for _, in := range inputs {
		if !in.constant {
			return out
		}
	}
	f := frame{look: noLookups{}}
	v := out.value(&f)
	if f.err != nil {
		return out
	}
	return constantCode(v)
}

// array is a list of constant strings; other lists stand only right of in.
func (c *compiler) array(n *ast.ArrayNode) (code, bool) {
	list := make([]string, 0, len(n.Nodes))
	for _, e := range n.Nodes {
		s, ok := e.(*ast.StringNode)
		if !ok {
			return code{}, false
		}
		list = append(list, s.Value)
	}
	if len(list) == 0 {
		return code{}, false
	}
	return constantCode(event.FieldValue{Kind: event.KindStrings, Lst: list}), true
}

func (c *compiler) unary(n *ast.UnaryNode) (code, bool) {
	x, ok := c.node(n.Node)
	if !ok {
		return code{}, false
	}
	switch {
	case (n.Operator == "not" || n.Operator == "!") && x.isBool():
		b := x.b
		return settle(boolCode(func(f *frame) bool { return !b(f) }), x), true
	case n.Operator == "-" && x.isInt():
		i := x.i
		return settle(intCode(func(f *frame) int64 { return -i(f) }), x), true
	case n.Operator == "-" && x.isNumber():
		v := x.f
		return settle(floatCode(func(f *frame) float64 { return -v(f) }), x), true
	case n.Operator == "+" && x.isNumber():
		x.field = nil
		return x, true
	}
	return code{}, false
}

func (c *compiler) conditional(n *ast.ConditionalNode) (code, bool) {
	cond, ok1 := c.node(n.Cond)
	a, ok2 := c.node(n.Exp1)
	b, ok3 := c.node(n.Exp2)
	if !ok1 || !ok2 || !ok3 || !cond.isBool() {
		return code{}, false
	}
	if a.isInt() && b.isInt() {
		a.kind, b.kind = event.KindInt, event.KindInt
	}
	if a.kind != b.kind {
		return code{}, false
	}
	if cond.constant {
		if cond.val.Num != 0 {
			return a, true
		}
		return b, true
	}
	test := cond.b
	switch a.kind {
	case event.KindBool:
		out := boolCode(choose(test, a.b, b.b))
		out.need = conditionNeed(cond, a, b)
		return out, true
	case event.KindInt:
		return intCode(choose(test, a.i, b.i)), true
	case event.KindFloat:
		return floatCode(choose(test, a.f, b.f)), true
	case event.KindString:
		return stringCode(choose(test, a.s, b.s)), true
	default:
		return stringsCode(choose(test, a.l, b.l)), true
	}
}

func choose[T any](test func(*frame) bool, a, b func(*frame) T) func(*frame) T {
	return func(f *frame) T {
		if test(f) {
			return a(f)
		}
		return b(f)
	}
}

// call compiles a call of one of our own functions.
func (c *compiler) call(n *ast.CallNode) (code, bool) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return code{}, false
	}
	if list, written := writtenTexts(id.Value, n); written {
		return c.textTestOfEach(id.Value, list, n.Arguments[1:])
	}
	args, ok := c.all(n.Arguments)
	if !ok {
		return code{}, false
	}
	for _, f := range assetFields {
		if id.Value == "asset."+f.name {
			return assetCode(args[0], f.name, f.kind), true
		}
	}
	fn := functionNamed(id.Value)
	if fn == nil {
		return code{}, false
	}
	if fn.doc.Name == "clamp" {
		c.at = n
	}
	out := fn.compile(c, args)
	if !fn.lookup && !fn.raw {
		out = settle(out, args...)
	}
	if !out.constant {
		out.need, out.from = callNeed(fn.doc.Name, args)
	}
	return out, true
}

func (c *compiler) all(nodes []ast.Node) ([]code, bool) {
	out := make([]code, len(nodes))
	for i, n := range nodes {
		var ok bool
		if out[i], ok = c.node(n); !ok {
			return nil, false
		}
	}
	return out, true
}

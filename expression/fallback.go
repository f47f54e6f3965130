package expression

import (
	"math"
	"strings"

	"github.com/expr-lang/expr/ast"
	vmcompiler "github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/tocsin-siem/tocsin/event"
)

// fallback runs an expression in expr's own machine, for what the closures do not know. It is slower by one to two orders of magnitude.
type fallback struct {
	program *vm.Program
	kind    event.Kind
	names   []string        // Identifiers the program reads: fields and known(field).
	codes   map[string]code // How each is read.
	calls   []string        // Functions of ours the program calls.
	fault   *RunError
}

// newFallback compiles a checked tree. expr's optimiser stays off: it moves and drops evaluations, and with them errors.
func newFallback(tree *parser.Tree, config *conf.Config, source string, kind event.Kind, codes map[string]code) (*fallback, *Issue) {
	p, err := vmcompiler.Compile(tree, config)
	if err != nil {
		return nil, issueOf(source, CodeType, err)
	}
	x := &fallback{program: p, kind: kind, codes: codes, fault: &RunError{Source: source, Column: 1, Reason: "no result"}}
	walk(tree.Node, func(n ast.Node) {
		id, ok := n.(*ast.IdentifierNode)
		switch {
		case !ok:
		case functionNamed(id.Value) != nil || strings.HasPrefix(id.Value, "asset."):
			x.calls = append(x.calls, id.Value)
		default:
			if _, ok := codes[id.Value]; ok {
				x.names = append(x.names, id.Value)
			}
		}
	})
	return x, nil
}

type visitor func(ast.Node)

// Visit implements ast.Visitor.
func (v visitor) Visit(n *ast.Node) { v(*n) }

func walk(n ast.Node, visit func(ast.Node)) { ast.Walk(&n, visitor(visit)) }

// run evaluates over the machine's current event. A failure is noted in the frame, as closures do.
func (x *fallback) run(m *Machine) (v event.FieldValue) {
	env := make(map[string]any, len(x.names)+len(x.calls))
	for _, name := range x.names {
		c := x.codes[name]
		env[name] = boxed(&c, &m.frame)
	}
	for _, name := range x.calls {
		env[name] = m.function(name)
	}
	out, err := m.vm.Run(x.program, env)
	if err != nil {
		m.frame.fail(x.fault)
		return v
	}
	v, ok := unboxed(x.kind, out)
	if !ok {
		m.frame.fail(x.fault)
	}
	return v
}

// function is one of our functions bound to the machine, made when first asked for.
func (m *Machine) function(name string) any {
	if f, ok := m.funcs[name]; ok {
		return f
	}
	if m.funcs == nil {
		m.funcs = map[string]any{}
	}
	var bound any
	if fn := functionNamed(name); fn != nil {
		bound = fn.bind(m)
	} else {
		for _, f := range assetFields {
			if name == "asset."+f.name {
				bound = assetFunction(m, f.name, f.kind)
			}
		}
	}
	m.funcs[name] = bound
	return bound
}

// boxed is the value of a code as expr's machine wants it.
func boxed(c *code, f *frame) any {
	switch c.kind {
	case event.KindBool:
		return c.b(f)
	case event.KindInt, event.KindTime:
		return int(c.i(f))
	case event.KindFloat:
		return c.f(f)
	case event.KindString:
		return c.s(f)
	default:
		return c.l(f)
	}
}

// unboxed reads a result of expr's machine; ok is false if it is not of the kind.
func unboxed(kind event.Kind, out any) (v event.FieldValue, ok bool) {
	v = event.FieldValue{Kind: kind, Known: true}
	switch kind {
	case event.KindBool:
		b, ok := out.(bool)
		v.Num = number(b)
		return v, ok
	case event.KindInt, event.KindTime:
		n, ok := out.(int)
		v.Num = int64(n)
		return v, ok
	case event.KindFloat:
		v.Flt, ok = out.(float64)
		return v, ok
	case event.KindString:
		v.Str, ok = out.(string)
		return v, ok
	}
	switch l := out.(type) {
	case []string:
		v.Lst = l
		return v, true
	case []any:
		for _, e := range l {
			s, ok := e.(string)
			if !ok {
				return v, false
			}
			v.Lst = append(v.Lst, s)
		}
		return v, true
	}
	return v, false
}

// integerOf rounds a number of expr's machine; 0 for what is none.
func integerOf(x any) int64 {
	switch x := x.(type) {
	case int:
		return int64(x)
	case float64:
		return int64(math.Round(x))
	}
	return 0
}

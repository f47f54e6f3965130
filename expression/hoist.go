package expression

import (
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// atMatch moves a lookup from the fold to match time: all of its arguments must come from one hit. The event the hit was made of is asked
// then, with the tables of that moment, and the answer travels in the hit. So a finding does not change when a table does.
func (r *names) atMatch(n ast.Node) (ast.Node, bool) {
	if r.scope == nil {
		return nil, false
	}
	m := mover{names: r}
	stripped := m.strip(n)
	if m.failed || m.at.step == nil {
		return nil, false
	}
	text := stripped.String()
	x, issues := CompileValue(text)
	if len(issues) > 0 {
		for _, i := range issues {
			r.issue(n, i.Code, i.Message, i.Hint)
		}
		return n, true
	}
	r.lists = append(r.lists, x.lists...)
	step, hit, i := m.at.step, m.at.hit, m.at.step.NeedValue(x)
	get := func(f *frame) *event.FieldValue { return carriedAt(hit(f), len(step.Fields)+i) }
	return r.name(n, m.at.prefix+"value("+text+")", carriedCode(x.kind, get)), true
}

// notAtMatch refuses a lookup whose arguments do not come from one event: there would be no moment whose tables it could read.
func (r *names) notAtMatch(n ast.Node) ast.Node {
	return r.issue(n, CodeRefused, "a lookup over a match must read the fields of one step", "write step.path in place of vars or an aggregate, as in asset(step.entities.robot)")
}

// mover copies a tree with its paths cut down to those of the event, noting the one hit they all start at.
type mover struct {
	names  *names
	at     root
	failed bool
}

func (m *mover) strip(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
		return n
	case *ast.UnaryNode:
		return &ast.UnaryNode{Operator: n.Operator, Node: m.strip(n.Node)}
	case *ast.BinaryNode:
		return &ast.BinaryNode{Operator: n.Operator, Left: m.strip(n.Left), Right: m.strip(n.Right)}
	case *ast.ConditionalNode:
		return &ast.ConditionalNode{Ternary: true, Cond: m.strip(n.Cond), Exp1: m.strip(n.Exp1), Exp2: m.strip(n.Exp2)}
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			if fn := functionNamed(id.Value); id.Value == "raw" || fn != nil && fn.raw {
				break // it would not say of which event
			}
		}
		return &ast.CallNode{Callee: n.Callee, Arguments: m.stripAll(n.Arguments)}
	case *ast.MemberNode:
		if call, ok := n.Node.(*ast.CallNode); ok {
			return &ast.MemberNode{Node: m.strip(call), Property: n.Property}
		}
		return m.stripPath(n)
	case *ast.BuiltinNode:
		if n.Name == "lower" || n.Name == "upper" || n.Name == "trim" || n.Name == "trimPrefix" || n.Name == "trimSuffix" || n.Name == "string" {
			return &ast.BuiltinNode{Name: n.Name, Arguments: m.stripAll(n.Arguments)}
		}
	case *ast.IdentifierNode, *ast.ChainNode:
		return m.stripPath(n)
	}
	m.failed = true
	return n
}

func (m *mover) stripAll(list []ast.Node) []ast.Node {
	out := make([]ast.Node, len(list))
	for i, n := range list {
		out[i] = m.strip(n)
	}
	return out
}

func (m *mover) stripPath(n ast.Node) ast.Node {
	parts, base, ok := chain(n)
	if !ok || base == nil && parts[0] == "vars" {
		m.failed = true
		return n
	}
	at, path, ok := m.names.rootOf(n, false)
	if !ok || len(path) == 0 || at.before || m.at.step != nil && m.at.prefix != at.prefix {
		m.failed = true
		return n
	}
	m.at = at
	return &ast.IdentifierNode{Value: strings.Join(path, ".")} // prints as the path it is
}

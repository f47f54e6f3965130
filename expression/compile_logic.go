package expression

import (
	"cmp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// conjunction compiles the operands of a chain of ands. One that fails is reached only if all before it are true, so what may be a witness, or
// may change places, ends with the first that can fail.
func (c *compiler) conjunction(n *ast.BinaryNode) (code, bool) {
	var list []code
	var needs []*need
	native, sure := true, true
	for _, x := range operands(n, "and", "&&") {
		x, ok := c.node(x)
		if sure {
			needs = append(needs, x.need)
		}
		sure = sure && ok && !x.fails
		if !ok || !x.isBool() {
			native = false
			continue
		}
		if x.constant && x.val.Num != 0 {
			continue
		}
		list = append(list, x)
		if x.constant {
			break // false: what follows is never reached
		}
	}
	if !native {
		return code{need: needOne(needs...)}, false
	}
	if len(list) == 0 {
		return constantCode(event.FieldValue{Kind: event.KindBool, Num: 1}), true
	}
	out := boolCode(whileTrue(ordered(list)))
	if len(list) == 1 {
		out = list[0]
	}
	out.need = needOne(needs...)
	return out, true
}

// disjunction compiles the operands of a chain of ors.
func (c *compiler) disjunction(n *ast.BinaryNode) (code, bool) {
	var list []code
	var needs []*need
	native := true
	for _, x := range operands(n, "or", "||") {
		x, ok := c.node(x)
		if !ok || !x.isBool() {
			native = false
			needs = append(needs, x.need)
			continue
		}
		if x.constant && x.val.Num == 0 {
			continue
		}
		list, needs = append(list, x), append(needs, x.need)
		if x.constant {
			break // true: what follows is never reached
		}
	}
	if !native {
		return code{need: needAny(needs...)}, false
	}
	if len(list) == 0 {
		return constantCode(event.FieldValue{Kind: event.KindBool}), true
	}
	out := boolCode(untilTrue(ordered(list)))
	if len(list) == 1 {
		out = list[0]
	}
	out.need = needAny(needs...)
	return out, true
}

// ordered puts cheap operands before dear ones. They have no effects, so only errors tell their order: an operand that can fail stays where it
// is, and none passes it.
func ordered(list []code) []func(*frame) bool {
	for from := 0; from < len(list); {
		to := from
		for to < len(list) && !list[to].fails && !list[to].constant {
			to++
		}
		slices.SortStableFunc(list[from:to], func(a, b code) int { return cmp.Compare(a.cost, b.cost) })
		from = to + 1
	}
	out := make([]func(*frame) bool, len(list))
	for i := range list {
		out[i] = list[i].b
	}
	return out
}

func whileTrue(list []func(*frame) bool) func(*frame) bool {
	switch len(list) {
	case 1:
		return list[0]
	case 2:
		a, b := list[0], list[1]
		return func(f *frame) bool { return a(f) && b(f) }
	case 3:
		a, b, d := list[0], list[1], list[2]
		return func(f *frame) bool { return a(f) && b(f) && d(f) }
	}
	return func(f *frame) bool {
		for _, x := range list {
			if !x(f) {
				return false
			}
		}
		return true
	}
}

func untilTrue(list []func(*frame) bool) func(*frame) bool {
	switch len(list) {
	case 1:
		return list[0]
	case 2:
		a, b := list[0], list[1]
		return func(f *frame) bool { return a(f) || b(f) }
	}
	return func(f *frame) bool {
		for _, x := range list {
			if x(f) {
				return true
			}
		}
		return false
	}
}

// operands lists the operands of a chain of the same operator in the order they are written.
func operands(n ast.Node, names ...string) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && slices.Contains(names, b.Operator) {
		return append(operands(b.Left, names...), operands(b.Right, names...)...)
	}
	return []ast.Node{n}
}

// costOf is what a node adds to the cost of its operands.
func costOf(n ast.Node) int {
	switch n := n.(type) {
	case *ast.BinaryNode:
		return operatorCost[n.Operator]
	case *ast.BuiltinNode:
		return functionCost[n.Name]
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			return cmp.Or(functionCost[id.Value], 30) * max(1, len(n.Arguments)-1)
		}
	case *ast.IdentifierNode:
		if strings.HasPrefix(n.Value, "raw.") {
			return 25
		}
	}
	return 2
}

var operatorCost = map[string]int{
	"==": 3, "!=": 3, "<": 2, ">": 2, "<=": 2, ">=": 2, "in": 5, "startsWith": 4, "endsWith": 4, "contains": 15, "matches": 300, "+": 10, "**": 20, "^": 20,
}

var functionCost = map[string]int{
	"any": 10, "all": 10, "none": 10, "one": 10, "count": 10, "filter": 60, "map": 60, "find": 10, "split": 80, "join": 60, "lower": 20, "upper": 20,
	"trim": 5, "trimPrefix": 4, "trimSuffix": 4, "string": 20, "int": 10, "float": 20, "len": 3,
	"cidr": 30, "private": 25, "inList": 30, "window": 40, "hour": 15, "weekday": 15, "clamp": 5, "domainOf": 300,
	"iequals": 8, "istarts": 8, "iends": 8, "icontains": 20, "ilike": 40, "imatches": 300, "raws": 40, "rawKnown": 15,
}

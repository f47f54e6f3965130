package expression

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// factsOf derives what must hold for a condition to be true: of a conjunction what either side needs, of a disjunction what both sides
// need of the same field. The list is sorted by path and each field stands once.
func factsOf(n ast.Node, codes map[string]code) []Equality {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return nil
	}
	switch b.Operator {
	case "and", "&&":
		return both(factsOf(b.Left, codes), factsOf(b.Right, codes))
	case "or", "||":
		return either(factsOf(b.Left, codes), factsOf(b.Right, codes))
	case "==":
		if eq, ok := equality(b.Left, []ast.Node{b.Right}, codes); ok {
			return []Equality{eq}
		}
		if eq, ok := equality(b.Right, []ast.Node{b.Left}, codes); ok {
			return []Equality{eq}
		}
	case "in":
		if list, ok := b.Right.(*ast.ArrayNode); ok && len(list.Nodes) > 0 {
			if eq, ok := equality(b.Left, list.Nodes, codes); ok {
				return []Equality{eq}
			}
		}
	}
	return nil
}

// equality is the fact that a field equals one of constant values.
func equality(of ast.Node, values []ast.Node, codes map[string]code) (Equality, bool) {
	id, ok := of.(*ast.IdentifierNode)
	if !ok {
		return Equality{}, false
	}
	c, ok := codes[id.Value]
	if !ok || c.field == nil {
		return Equality{}, false
	}
	eq := Equality{Field: c.field}
	for _, v := range values {
		switch v := v.(type) {
		case *ast.StringNode:
			if fd, n := captionID(c, v.Value); fd != nil {
				eq.Field, eq.Ints = fd, append(eq.Ints, n)
			} else {
				eq.Strs = append(eq.Strs, v.Value)
			}
		case *ast.IntegerNode:
			eq.Ints = append(eq.Ints, int64(v.Value))
		default:
			return Equality{}, false
		}
	}
	isInt := eq.Field.Kind == event.KindInt || eq.Field.Kind == event.KindTime
	if isInt && len(eq.Strs) > 0 || !isInt && len(eq.Ints) > 0 || !isInt && eq.Field.Kind != event.KindString {
		return Equality{}, false
	}
	slices.Sort(eq.Strs)
	slices.Sort(eq.Ints)
	eq.Strs, eq.Ints = slices.Compact(eq.Strs), slices.Compact(eq.Ints)
	return eq, true
}

func both(a, b []Equality) []Equality {
	out := slices.Clone(a)
	for _, y := range b {
		if i := slices.IndexFunc(out, func(x Equality) bool { return x.Field == y.Field }); i >= 0 {
			out[i].Strs = slices.DeleteFunc(slices.Clone(out[i].Strs), func(s string) bool { return !slices.Contains(y.Strs, s) })
			out[i].Ints = slices.DeleteFunc(slices.Clone(out[i].Ints), func(n int64) bool { return !slices.Contains(y.Ints, n) })
			continue
		}
		out = append(out, y)
	}
	slices.SortFunc(out, func(x, y Equality) int { return strings.Compare(x.Field.Path, y.Field.Path) })
	return out
}

func either(a, b []Equality) []Equality {
	var out []Equality
	for _, x := range a {
		for _, y := range b {
			if x.Field != y.Field {
				continue
			}
			eq := Equality{Field: x.Field, Strs: slices.Concat(x.Strs, y.Strs), Ints: slices.Concat(x.Ints, y.Ints)}
			slices.Sort(eq.Strs)
			slices.Sort(eq.Ints)
			eq.Strs, eq.Ints = slices.Compact(eq.Strs), slices.Compact(eq.Ints)
			out = append(out, eq)
		}
	}
	return out
}

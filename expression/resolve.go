package expression

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// resolve gives the tree with every path replaced by an identifier, every function known, and what rules do not have refused.
func (r *names) resolve(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
		return n
	case *ast.IdentifierNode:
		if _, done := r.env[n.Value]; done || slices.Contains(r.locals, n.Value) {
			return n // a let, or a node that a chained comparison shares with the one before
		}
		return r.path(n)
	case *ast.ChainNode:
		return r.resolve(n.Node)
	case *ast.MemberNode:
		return r.member(n)
	case *ast.PointerNode:
		return r.pointer(n)
	case *ast.UnaryNode:
		n.Node = r.resolve(n.Node)
		return n
	case *ast.BinaryNode:
		return r.binary(n)
	case *ast.ConditionalNode:
		n.Cond, n.Exp1, n.Exp2 = r.resolve(n.Cond), r.resolve(n.Exp1), r.resolve(n.Exp2)
		return n
	case *ast.BuiltinNode:
		return r.builtin(n)
	case *ast.CallNode:
		return r.call(n)
	case *ast.ArrayNode:
		for i := range n.Nodes {
			n.Nodes[i] = r.resolve(n.Nodes[i])
		}
		return n
	case *ast.PredicateNode:
		n.Node = r.resolve(n.Node)
		return n
	case *ast.SliceNode:
		return r.slice(n)
	case *ast.VariableDeclaratorNode:
		return r.let(n)
	case *ast.NilNode:
		return r.issue(n, CodeRefused, "there is no nil: what is unknown reads as \"\", 0, false or an empty list", "known(path) tells whether a field has a value")
	}
	return r.issue(n, CodeRefused, "this construct is not part of rule expressions", "")
}

// path resolves a whole path that starts with a name.
func (r *names) path(n ast.Node) ast.Node {
	if r.filter {
		return r.subjectName(n)
	}
	parts, base, _ := chain(n)
	if base == nil && r.scope != nil && parts[0] == "vars" {
		return r.variable(n, parts[1:])
	}
	at, path, ok := r.rootOf(n, true)
	if !ok {
		return n
	}
	fd := r.fieldAt(n, at, path)
	if fd == nil {
		return n
	}
	return r.read(n, at, fd)
}

func (r *names) variable(n ast.Node, parts []string) ast.Node {
	name := strings.Join(parts, ".")
	var all []string
	for i, v := range r.scope.Vars {
		if v.Name == name {
			return r.name(n, "vars."+name, stringCode(func(f *frame) string {
				if i < len(f.match.Vars) {
					return f.match.Vars[i]
				}
				return ""
			}))
		}
		all = append(all, v.Name)
	}
	hint := "the rule binds " + strings.Join(all, ", ")
	if near := Nearest(name, all); near != "" {
		hint = "did you mean vars." + near + "?"
	}
	return r.issue(n, CodeName, "the rule has no variable "+name, hint)
}

func (r *names) member(n *ast.MemberNode) ast.Node {
	if n.Method {
		return r.issue(n, CodeRefused, "values have no methods", "")
	}
	if _, isName := n.Property.(*ast.StringNode); !isName {
		n.Node, n.Property = r.resolve(n.Node), r.resolve(n.Property)
		return n
	}
	parts, base, ok := chain(n)
	if call, isCall := base.(*ast.CallNode); ok && isCall {
		return r.asset(n, call, parts)
	}
	if ok && base == nil && !slices.Contains(r.locals, parts[0]) {
		return r.path(n)
	}
	if at, path, ok := r.rootOf(n, true); ok {
		if fd := r.fieldAt(n, at, path); fd != nil {
			return r.read(n, at, fd)
		}
		return n
	}
	return r.issue(n, CodeRefused, "only events, steps, variables and asset(id) have fields", "")
}

func (r *names) pointer(n *ast.PointerNode) ast.Node {
	if n.Name != "" || r.over != nil {
		return r.issue(n, CodeRefused, "inside a predicate over a step, write the path of a field after a dot", `as in count(step, .status == "Success")`)
	}
	return n
}

func (r *names) slice(n *ast.SliceNode) ast.Node {
	n.Node = r.resolve(n.Node)
	if n.From != nil {
		n.From = r.resolve(n.From)
	}
	if n.To != nil {
		n.To = r.resolve(n.To)
	}
	return n
}

func (r *names) let(n *ast.VariableDeclaratorNode) ast.Node {
	switch {
	case r.filter:
		return r.issue(n, CodeRefused, "let is not available in filters", "")
	case r.scope != nil:
		return r.issue(n, CodeRefused, "let is not available over a match", "")
	}
	for _, fd := range event.Fields() {
		if fd.Path == n.Name || strings.HasPrefix(fd.Path, n.Name+".") {
			return r.issue(n, CodeName, "let "+n.Name+" hides the event's "+n.Name, "choose another name")
		}
	}
	n.Value = r.resolve(n.Value)
	r.locals = append(r.locals, n.Name)
	n.Expr = r.resolve(n.Expr)
	r.locals = r.locals[:len(r.locals)-1]
	return n
}

func (r *names) binary(n *ast.BinaryNode) ast.Node {
	switch n.Operator {
	case "??":
		return r.otherwise(n)
	case "..":
		return r.issue(n, CodeRefused, "a range stands only right of in, with constant ends", "x >= 1 and x <= 9 says the same")
	case "in":
		if rg, ok := n.Right.(*ast.BinaryNode); ok && rg.Operator == ".." {
			return r.inRange(n, rg)
		}
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			return r.issue(n.Right, CodeConstant, "the regular expression right of matches must be a constant", "contains, startsWith and endsWith take any string")
		}
	}
	n.Left, n.Right = r.resolve(n.Left), r.resolve(n.Right)
	words := r.caption
	if r.filter {
		words = r.wording
	}
	switch n.Operator {
	case "==", "!=":
		words(n.Left, n.Right)
		words(n.Right, n.Left)
	case "in":
		words(n.Left, n.Right)
	}
	return n
}

// inRange writes x in a..b as two comparisons, so that no list of numbers is ever made.
func (r *names) inRange(n, rg *ast.BinaryNode) ast.Node {
	from, ok1 := constantInt(rg.Left)
	to, ok2 := constantInt(rg.Right)
	if !ok1 || !ok2 {
		return r.issue(rg, CodeRefused, "the ends of a range must be constant integers", "x >= a and x <= b says the same")
	}
	x := r.resolve(n.Left)
	at := func(b ast.Node) ast.Node { b.SetLocation(n.Location()); return b }
	return at(&ast.BinaryNode{
		Operator: "and",
		Left:     at(&ast.BinaryNode{Operator: ">=", Left: x, Right: at(&ast.IntegerNode{Value: from})}),
		Right:    at(&ast.BinaryNode{Operator: "<=", Left: x, Right: at(&ast.IntegerNode{Value: to})}),
	})
}

func constantInt(n ast.Node) (int, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.UnaryNode:
		v, ok := constantInt(n.Node)
		if n.Operator == "-" {
			return -v, ok
		}
	}
	return 0, false
}

// otherwise writes a ?? b as known(a) ? a : b, because here values are never nil.
func (r *names) otherwise(n *ast.BinaryNode) ast.Node {
	at, path, ok := r.rootOf(n.Left, false)
	if r.filter {
		return r.issue(n, CodeRefused, "filters have no ??", "")
	}
	if !ok {
		return r.issue(n, CodeRefused, "?? needs a field on its left", "")
	}
	fd := r.fieldAt(n.Left, at, path)
	if fd == nil {
		return n
	}
	c := &ast.ConditionalNode{Cond: r.known(n.Left, at, fd), Exp1: r.read(n.Left, at, fd), Exp2: r.resolve(n.Right)}
	c.SetLocation(n.Location())
	return c
}

// caption checks the words that a caption is compared with, and gives them their right spelling.
func (r *names) caption(of, words ast.Node) {
	id, ok := of.(*ast.IdentifierNode)
	if !ok {
		return
	}
	fd := event.FieldNamed(id.Value)
	if r.scope != nil {
		fd = r.fieldBehind(id.Value)
	}
	if fd == nil || fd.Flags&event.IsCaption == 0 {
		return
	}
	list := []ast.Node{words}
	if a, ok := words.(*ast.ArrayNode); ok {
		list = a.Nodes
	}
	for _, w := range list {
		if s, ok := w.(*ast.StringNode); ok {
			r.captionWord(fd, s)
		}
	}
}

func (r *names) captionWord(fd *event.Field, w *ast.StringNode) {
	captions := event.Captions(fd.Object, fd.Attr)
	if len(captions) == 0 || w.Value == "" {
		return
	}
	known := captions[:0:0]
	for _, c := range captions {
		if event.CaptionID(fd.Object, fd.Attr, c) != 0 {
			known = append(known, c)
		}
		if strings.EqualFold(c, w.Value) {
			if event.CaptionID(fd.Object, fd.Attr, c) == 0 {
				r.issue(w, CodeCaption, fd.Path+` reads as "" while it is unknown`, "write not known("+fd.Path+")")
			}
			w.Value = c
			return
		}
	}
	hint := "it has " + strings.Join(known, ", ")
	if near := Nearest(w.Value, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	r.issue(w, CodeCaption, fd.Path+" is never "+w.Value, hint)
}

// fieldBehind is the field that an identifier of a match reads; nil if it is not one field.
func (r *names) fieldBehind(id string) *event.Field {
	for _, st := range append(r.scope.Steps[:len(r.scope.Steps):len(r.scope.Steps)], r.scope.Own) {
		if st == nil {
			continue
		}
		for _, prefix := range []string{st.ID + ".", "#" + st.ID + ".", "first(" + st.ID + ").", "prev.", ""} {
			if rest, ok := strings.CutPrefix(id, prefix); ok {
				if st.Prev != nil {
					rest = strings.TrimPrefix(rest, "prev.")
				}
				if fd := event.FieldNamed(rest); fd != nil {
					return fd
				}
			}
		}
	}
	return nil
}

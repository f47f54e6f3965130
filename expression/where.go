package expression

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// CompileWhere compiles a condition over an event, and gives the part of it that a table of columns can decide: wherever the condition is
// true, where holds with each of its holes (event.WhereUndecided) taken as whatever makes it hold. Without a hole the two agree on every event,
// whether a field is known or not.
func CompileWhere(source string) (x *Event, where *event.Where, issues []*Issue) {
	if x, issues = CompileEvent(source); x == nil {
		return nil, nil, issues
	}
	tree, issue := parse(source) // Anew: a tree that was compiled is no longer what was written.
	if issue != nil {
		return nil, nil, []*Issue{issue}
	}
	names := newNames(source, nil)
	tree.Node = names.resolve(tree.Node)
	if _, issue := check(tree, source, names.env); issue != nil {
		return nil, nil, []*Issue{issue}
	}
	s := sifter{compiler{source: source, codes: names.codes}}
	return x, s.where(tree.Node, maxSifted), nil
}

// maxSifted bounds how deep a condition is looked into.
const maxSifted = 60

// sifter reads off a checked tree what columns can decide.
type sifter struct{ c compiler }

var (
	undecided = &event.Where{}
	always    = &event.Where{Op: event.WhereAll}
	nowhere   = &event.Where{Op: event.WhereAny}
)

func (s *sifter) where(n ast.Node, depth int) *event.Where {
	if depth == 0 {
		return undecided
	}
	switch n := n.(type) {
	case *ast.BoolNode:
		if n.Value {
			return always
		}
		return nowhere
	case *ast.IdentifierNode:
		return s.truth(n)
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return negated(s.where(n.Node, depth-1))
		}
	case *ast.ConditionalNode:
		test := s.where(n.Cond, depth-1)
		return &event.Where{Op: event.WhereAny, Of: []*event.Where{
			{Op: event.WhereAll, Of: []*event.Where{test, s.where(n.Exp1, depth-1)}},
			{Op: event.WhereAll, Of: []*event.Where{negated(test), s.where(n.Exp2, depth-1)}},
		}}
	case *ast.BinaryNode:
		return s.binary(n, depth)
	case *ast.BuiltinNode:
		if op, ok := affixes[n.Name]; ok && len(n.Arguments) == 2 {
			return s.text(op, n.Arguments[0], n.Arguments[1])
		}
	case *ast.CallNode:
		return s.call(n)
	}
	return undecided
}

var affixes = map[string]event.WhereOp{
	"hasPrefix": event.WherePrefix, "startsWith": event.WherePrefix, "hasSuffix": event.WhereSuffix, "endsWith": event.WhereSuffix, "contains": event.WhereContains,
}

func negated(w *event.Where) *event.Where {
	return &event.Where{Op: event.WhereNot, Of: []*event.Where{w}}
}

// truth is a boolean field, or known(path), which stands as an identifier of that name.
func (s *sifter) truth(n *ast.IdentifierNode) *event.Where {
	if path, ok := strings.CutPrefix(n.Value, "known("); ok {
		if fd := event.FieldNamed(strings.TrimSuffix(path, ")")); fd != nil {
			return &event.Where{Op: event.WhereKnown, Field: fd}
		}
		return undecided
	}
	if c := s.c.codes[n.Value]; c.field != nil && c.isBool() {
		return &event.Where{Op: event.WhereEqual, Field: c.field}
	}
	return undecided
}

func (s *sifter) binary(n *ast.BinaryNode, depth int) *event.Where {
	switch n.Operator {
	case "and", "&&":
		return s.chain(event.WhereAll, operands(n, "and", "&&"), depth)
	case "or", "||":
		return s.chain(event.WhereAny, operands(n, "or", "||"), depth)
	case "==", "!=":
		w := s.equal(n.Left, n.Right, depth)
		if n.Operator == "!=" {
			return negated(w)
		}
		return w
	case "<", ">", "<=", ">=":
		return s.compare(n)
	case "contains", "startsWith", "endsWith":
		return s.text(affixes[n.Operator], n.Left, n.Right)
	case "matches":
		return s.matches(n)
	case "in":
		if list, ok := n.Right.(*ast.ArrayNode); ok && len(list.Nodes) > 0 {
			return s.oneOf(n.Left, list.Nodes)
		}
	}
	return undecided
}

func (s *sifter) chain(op event.WhereOp, list []ast.Node, depth int) *event.Where {
	w := &event.Where{Op: op}
	for _, n := range list {
		w.Of = append(w.Of, s.where(n, depth-1))
	}
	return w
}

// operand is one side of a comparison: a field or a part of one, or a constant.
type operand struct {
	code
	part event.WherePart
}

var timeParts = map[string]event.WherePart{"hour": event.HourOf, "weekday": event.WeekdayOf}

func (s *sifter) operand(n ast.Node) (operand, bool) {
	if call, ok := n.(*ast.CallNode); ok && len(call.Arguments) == 1 {
		id, _ := call.Callee.(*ast.IdentifierNode)
		if id == nil || timeParts[id.Value] == event.WholeField {
			return operand{}, false
		}
		of, ok := s.operand(call.Arguments[0])
		of.part = timeParts[id.Value]
		return of, ok && of.field != nil && of.field.Kind == event.KindTime
	}
	c, ok := s.c.node(n)
	return operand{code: c}, ok && (c.constant || c.field != nil)
}

// pair gives a field and a constant, in this order; turned says that they stood the other way round.
func (s *sifter) pair(left, right ast.Node) (of operand, v event.FieldValue, turned, ok bool) {
	a, ok1 := s.operand(left)
	b, ok2 := s.operand(right)
	if !ok1 || !ok2 {
		return of, v, false, false
	}
	if a.constant {
		a, b, turned = b, a, true
	}
	return a, b.val, turned, a.field != nil && !a.constant && b.constant
}

func (s *sifter) equal(left, right ast.Node, depth int) *event.Where {
	of, v, turned, ok := s.pair(left, right)
	if !ok {
		return s.sameTruth(left, right, depth)
	}
	if of.isBool() {
		if turned {
			left, right = right, left
		}
		return s.sameTruth(left, right, depth)
	}
	return member(of, []event.FieldValue{v})
}

// sameTruth is a condition compared with true or false.
func (s *sifter) sameTruth(left, right ast.Node, depth int) *event.Where {
	b, ok := right.(*ast.BoolNode)
	if !ok {
		return undecided
	}
	w := s.where(left, depth-1)
	if b.Value {
		return w
	}
	return negated(w)
}

func (s *sifter) oneOf(left ast.Node, list []ast.Node) *event.Where {
	of, ok := s.operand(left)
	if !ok || of.field == nil {
		return undecided
	}
	var values []event.FieldValue
	for _, n := range list {
		x, ok := s.operand(n)
		if !ok || !x.constant {
			return undecided
		}
		values = append(values, x.val)
	}
	return member(of, values)
}

// member is a field that equals one of the values. Captions become the numbers they stand for, names of classes theirs.
func member(of operand, values []event.FieldValue) *event.Where {
	w := &event.Where{Op: event.WhereEqual, Field: of.field, Part: of.part}
	for _, v := range values {
		switch {
		case of.isInt() && (v.Kind == event.KindInt || v.Kind == event.KindTime):
			w.Nums = append(w.Nums, v.Num)
		case !of.isString() || v.Kind != event.KindString:
			return undecided
		default:
			w.Strs = append(w.Strs, v.Str)
		}
	}
	if of.field.Flags&event.IsCaption != 0 {
		return captions(of.code, w.Strs)
	}
	if of.field.Path == "class_name" {
		return classes(w.Strs)
	}
	return w
}

func captions(of code, words []string) *event.Where {
	w := &event.Where{Op: event.WhereEqual}
	for _, word := range words {
		fd, id := captionID(of, word)
		if fd == nil {
			return undecided
		}
		w.Field, w.Nums = fd, append(w.Nums, id)
	}
	return w
}

func classes(names []string) *event.Where {
	w := &event.Where{Op: event.WhereEqual, Field: event.FieldByPath("class_uid")}
	for _, name := range names {
		c, err := event.ParseClass(name)
		if err != nil || !c.Any || c.UID == 0 || event.ClassName(c.UID) != name {
			return undecided
		}
		w.Nums = append(w.Nums, int64(c.UID))
	}
	return w
}

func (s *sifter) compare(n *ast.BinaryNode) *event.Where {
	of, v, turned, ok := s.pair(n.Left, n.Right)
	if !ok || !of.isInt() || v.Kind != event.KindInt && v.Kind != event.KindTime {
		return undecided
	}
	op := n.Operator
	if turned {
		op = mirrored[op]
	}
	w := &event.Where{Field: of.field, Part: of.part, Nums: []int64{v.Num}}
	switch op {
	case "<", ">=":
		w.Op = event.WhereLess
	default:
		w.Op = event.WhereAtMost
	}
	if op == ">" || op == ">=" {
		return negated(w)
	}
	return w
}

// text is a test of a field for a constant.
func (s *sifter) text(op event.WhereOp, left, right ast.Node) *event.Where {
	of, v, turned, ok := s.pair(left, right)
	if !ok || turned || !of.isString() || of.field.Flags&event.IsCaption != 0 || v.Kind != event.KindString {
		return undecided
	}
	return &event.Where{Op: op, Field: of.field, Strs: []string{v.Str}}
}

// matches is decided by the expression; what every match must hold narrows it down.
func (s *sifter) matches(n *ast.BinaryNode) *event.Where {
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		return undecided
	}
	word := caseLiteral(pattern.Value, 3)
	if word == "" {
		return undecided
	}
	holds := s.text(event.WhereContains, n.Left, &ast.StringNode{Value: word})
	return &event.Where{Op: event.WhereAll, Of: []*event.Where{holds, undecided}}
}

var caseless = map[string]event.WhereOp{
	"iequals": event.WhereEqualFold, "icontains": event.WhereContainsFold, "istarts": event.WherePrefixFold, "iends": event.WhereSuffixFold,
}

// privateNetworks are those of private().
var privateNetworks = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"}

// call is a test of one of our own functions.
func (s *sifter) call(n *ast.CallNode) *event.Where {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) == 0 {
		return undecided
	}
	of, ok := s.operand(n.Arguments[0])
	if !ok || of.field == nil || !of.isString() || of.field.Flags&event.IsCaption != 0 {
		return undecided
	}
	var words []string
	for _, a := range n.Arguments[1:] {
		word, ok := a.(*ast.StringNode)
		if !ok {
			return undecided
		}
		words = append(words, word.Value)
	}
	switch id.Value {
	case "private":
		return &event.Where{Op: event.WhereWithin, Field: of.field, Strs: privateNetworks}
	case "cidr":
		return &event.Where{Op: event.WhereWithin, Field: of.field, Strs: words}
	}
	op, ok := caseless[id.Value]
	if !ok || slices.ContainsFunc(words, notASCII) {
		return undecided
	}
	return &event.Where{Op: op, Field: of.field, Strs: words}
}

// notASCII reports a word that a store may fold otherwise than expressions do.
func notASCII(s string) bool {
	return s == "" || strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

package expression

import (
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/tocsin-siem/tocsin/event"
)

// Bounds on the text of a filter. Filters come from people at the console and from programs, not from files that somebody reviewed.
const (
	MaxFilter      = 4096 // Bytes.
	MaxFilterNodes = 400  // Nodes of the syntax tree; a constant is one.
	maxPatterns    = 2000 // Instructions of all regular expressions, about.
)

// Filter is a condition over an incident, a finding or a change of one. It is immutable and safe for concurrent use.
//
// What one Match costs is bounded: there is no construct that makes text or lists longer than the subject's own, a predicate looks at one list,
// regular expressions take time in proportion to the text, and nothing runs in expr's own machine. So it is at most the nodes of the filter times
// the bytes of the subject.
type Filter struct {
	source string
	open   bool
	code   code
	frames sync.Pool // of *frame
}

// CompileFilter compiles a filter. The error is an *Issue, with the column of what is wrong.
func CompileFilter(source string) (*Filter, error) {
	tree, issue := parseFilter(source)
	if issue != nil {
		return nil, issue
	}
	if issue := patterns(source, tree.Node); issue != nil {
		return nil, issue
	}
	open := onlyOpen(tree.Node)
	names := newFilterNames(source)
	tree.Node = names.resolve(tree.Node)
	if len(names.issues) > 0 {
		return nil, names.issues[0]
	}
	if _, issue := check(tree, source, names.env); issue != nil {
		return nil, issue
	}
	kind, ok := kindOf(tree.Node)
	if issue := wrongResult(source, tree.Node, kind, ok, true); issue != nil {
		return nil, issue
	}
	if issue := builds(source, tree.Node); issue != nil {
		return nil, issue
	}
	c := &compiler{source: source, codes: names.codes}
	compiled, native := c.node(tree.Node)
	switch {
	case c.refused != "":
		return nil, issueAt(source, c.at, CodeType, c.refused)
	case !native:
		return nil, issueAt(source, tree.Node, CodeRefused, "filters do not have part of this, such as a conversion between text and numbers")
	}
	x := &Filter{source: source, open: open, code: compiled}
	x.frames.New = func() any { return &frame{look: noLookups{}} }
	return x, nil
}

func parseFilter(source string) (*parser.Tree, *Issue) {
	if i := oversize(source); i != nil || len(source) > MaxFilter {
		return nil, &Issue{Line: 1, Column: 1, Code: CodeSize, Message: "filter is longer than " + strconv.Itoa(MaxFilter) + " bytes or not text"}
	}
	if strings.TrimSpace(source) == "" {
		return nil, &Issue{Line: 1, Column: 1, Code: CodeSyntax, Message: "filter is empty"}
	}
	c := settings()
	c.MaxNodes = MaxFilterNodes
	tree, err := parser.ParseWithConfig(source, c)
	if err == nil {
		return tree, nil
	}
	i := issueOf(source, CodeSyntax, err)
	if i.Code == CodeSize {
		i.Message, i.Hint = "filter has more than "+strconv.Itoa(MaxFilterNodes)+" parts", "shorten it"
	}
	return nil, i
}

// builds is the issue of + between texts, the one operator that could make a text longer.
func builds(source string, root ast.Node) (issue *Issue) {
	walk(root, func(n ast.Node) {
		b, ok := n.(*ast.BinaryNode)
		if !ok || b.Operator != "+" || issue != nil {
			return
		}
		if kind, ok := kindOf(b); !ok || kind == event.KindString {
			issue = issueAt(source, b, CodeRefused, "filters look at text and do not build it")
		}
	})
	return issue
}

// patterns is the issue of regular expressions that are so large that looking for them would take long; before anything compiles them.
func patterns(source string, root ast.Node) (issue *Issue) {
	total := 0
	add := func(n ast.Node) {
		s, ok := n.(*ast.StringNode)
		if !ok || issue != nil {
			return
		}
		re, err := syntax.Parse(s.Value, syntax.Perl)
		if err != nil {
			return // the checker says it
		}
		if total += patternSize(re); total > maxPatterns {
			issue = issueAt(source, n, CodeSize, "the regular expressions are too large for a filter")
			issue.Hint = "ask for fewer repetitions"
		}
	}
	walk(root, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.BinaryNode:
			if n.Operator == "matches" {
				add(n.Right)
			}
		case *ast.CallNode:
			if id, ok := n.Callee.(*ast.IdentifierNode); ok && id.Value == "imatches" && len(n.Arguments) > 0 {
				for _, a := range n.Arguments[1:] {
					add(a)
				}
			}
		}
	})
	return issue
}

// patternSize is about how many instructions a regular expression compiles to, and no more than a little over maxPatterns.
func patternSize(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n = min(n+patternSize(sub), 2*maxPatterns)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max) + 1
	}
	return min(n, 2*maxPatterns)
}

// String is the source text.
func (x *Filter) String() string { return x.source }

// OnlyOpen reports whether nothing passes but what is open: it is then of no use to ask about what is closed. False where that cannot be seen.
func (x *Filter) OnlyOpen() bool { return x.open }

// onlyOpen is OnlyOpen for a part of a filter as it was written.
func onlyOpen(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value == "open"
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return onlyOpen(n.Left) || onlyOpen(n.Right)
		case "or", "||":
			return onlyOpen(n.Left) && onlyOpen(n.Right)
		case "==":
			return isStatus(n.Left) && isOpen(n.Right) || isStatus(n.Right) && isOpen(n.Left)
		case "in":
			list, ok := n.Right.(*ast.ArrayNode)
			return ok && isStatus(n.Left) && !slices.ContainsFunc(list.Nodes, func(x ast.Node) bool { return !isOpen(x) })
		}
	}
	return false
}

func isStatus(n ast.Node) bool {
	id, ok := n.(*ast.IdentifierNode)
	return ok && id.Value == "status"
}

// isOpen reports whether a constant is a status in which somebody has to look at an incident.
func isOpen(n ast.Node) bool {
	s, ok := n.(*ast.StringNode)
	return ok && (s.Value == "open" || s.Value == "acknowledged")
}

// Match reports whether a subject passes. What has no result for it, such as the third element of two, does not pass.
func (x *Filter) Match(s *Subject) bool {
	f := x.frames.Get().(*frame)
	f.subject, f.err = s, nil
	pass := x.code.b(f) && f.err == nil
	f.subject, f.elem = nil, ""
	x.frames.Put(f)
	return pass
}

// filterFunctions are the functions filters have.
var filterFunctions = []string{
	"all", "any", "none", "one", "count", "filter", "len", "lower", "upper", "trim", "trimPrefix", "trimSuffix", "hasPrefix", "hasSuffix", "indexOf",
	"lastIndexOf", "abs", "ceil", "floor", "round", "min", "max", "clamp", "cidr", "private", "domainOf", "iequals", "icontains", "istarts", "iends",
	"ilike", "imatches", "duration",
}

// FilterFunctions lists the functions filters have, for the reference. duration gives seconds there.
func FilterFunctions() []Function {
	var out []Function
	for _, f := range Functions() {
		if slices.Contains(filterFunctions, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

func newFilterNames(source string) *names {
	r := newNames(source, nil)
	r.filter = true
	for name := range r.env {
		if !slices.Contains(filterFunctions, name) { // hour and weekday are names here
			delete(r.env, name)
		}
	}
	return r
}

// subjectName resolves a name of a filter.
func (r *names) subjectName(n ast.Node) ast.Node {
	parts, _, _ := chain(n)
	name := strings.Join(parts, ".")
	for i := range filterNames {
		x := &filterNames[i]
		if x.Name != name {
			continue
		}
		if x.Kind == event.KindStrings && r.inside {
			return r.issue(n, CodeRefused, "a predicate looks at the values of one list; it cannot look at "+name+" too", "join two predicates with and or or")
		}
		return r.name(n, name, x.code())
	}
	for i, severity := range severities {
		if severity == name {
			return r.name(n, name, constantCode(event.FieldValue{Kind: event.KindInt, Num: int64(i + 1)}))
		}
	}
	all := slices.Clone(severities)
	for i := range filterNames {
		all = append(all, filterNames[i].Name)
	}
	hint := `in quotes if it is a value; to search titles write icontains(title, ` + strconv.Quote(name) + ")"
	if near := Nearest(name, all); near != "" {
		hint = "did you mean " + near + "?"
	}
	return r.issue(n, CodeName, "unknown name "+name, hint)
}

// filterCall resolves a call in a filter that is not handled as in rules; ok is false for one that is.
func (r *names) filterCall(n ast.Node, name string) (out ast.Node, ok bool) {
	if slices.Contains(filterFunctions, name) {
		return nil, false
	}
	if name == "known" {
		return r.issue(n, CodeRefused, "filters have no known: what is unknown reads as \"\", 0 or an empty list", `as in assignee == ""`), true
	}
	if i := slices.IndexFunc(filterNames, func(x FilterName) bool { return x.Name == name }); i >= 0 {
		return r.issue(n, CodeName, name+" is a name here, not a function", "write it without brackets"), true
	}
	for _, f := range Functions() {
		if f.Name == name {
			return r.issue(n, CodeRefused, "filters do not have "+name, ""), true
		}
	}
	hint := ""
	if near := Nearest(name, filterFunctions); near != "" {
		hint = "did you mean " + near + "?"
	}
	return r.issue(n, CodeName, "there is no function "+name, hint), true
}

// wording checks the constants that a name is compared with, where its values are known.
func (r *names) wording(of, words ast.Node) {
	id, ok := of.(*ast.IdentifierNode)
	if !ok {
		return
	}
	list := []ast.Node{words}
	if a, ok := words.(*ast.ArrayNode); ok {
		list = a.Nodes
	}
	i := slices.IndexFunc(filterNames, func(x FilterName) bool { return x.Name == id.Value })
	for _, w := range list {
		s, ok := w.(*ast.StringNode)
		switch {
		case !ok || i < 0:
		case id.Value == "severity":
			r.issue(w, CodeType, "severity compares with a word without quotes", "as in severity >= high; the words are "+strings.Join(severities, ", "))
		case filterNames[i].Words != nil && s.Value != "" && !slices.Contains(filterNames[i].Words, s.Value):
			hint := "it has " + strings.Join(filterNames[i].Words, ", ")
			if near := Nearest(s.Value, filterNames[i].Words); near != "" {
				hint = "did you mean " + near + "?"
			}
			r.issue(w, CodeCaption, id.Value+" is never "+s.Value, hint)
		}
	}
}

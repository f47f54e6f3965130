package expression

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/tocsin-siem/tocsin/event"
)

// Event is an expression over one event. It is immutable and may be used by several goroutines, each with its own Machine.
type Event struct {
	source   string
	kind     event.Kind
	fields   []*event.Field
	facts    []Equality
	need     *need
	lists    []string
	raws     []string
	allRaw   bool
	code     code
	fallback *fallback // nil where the closures cover the whole expression.
}

// Equality is a necessary condition of an expression: it can only be true while the field reads as one of the values. An unknown field reads
// as "" or 0, and these may be among the values. Comparisons with captions are given as ids of the enumeration. With no value at all the
// expression is never true.
type Equality struct {
	Field *event.Field
	Strs  []string // Values of a string field, sorted.
	Ints  []int64  // Values of an integer field, sorted.
}

// CompileEvent compiles a condition over an event. The expression is nil if there is any issue.
func CompileEvent(source string) (*Event, []*Issue) {
	tree, issue := parse(source)
	if issue != nil {
		return nil, []*Issue{issue}
	}
	return compileEvent(source, tree, true)
}

// CompileValue compiles an expression over an event with a result of any kind.
func CompileValue(source string) (*Event, []*Issue) {
	tree, issue := parse(source)
	if issue != nil {
		return nil, []*Issue{issue}
	}
	return compileEvent(source, tree, false)
}

func compileEvent(source string, tree *parser.Tree, condition bool) (*Event, []*Issue) {
	return compileTree(source, tree, condition, false)
}

// compileTree compiles a parsed expression; with slow it always runs in expr's machine, for comparison in tests.
func compileTree(source string, tree *parser.Tree, condition, slow bool) (*Event, []*Issue) {
	names := newNames(source, nil)
	tree.Node = names.resolve(tree.Node)
	if len(names.issues) > 0 {
		return nil, names.issues
	}
	config, issue := check(tree, source, names.env)
	if issue != nil {
		return nil, []*Issue{issue}
	}
	kind, ok := kindOf(tree.Node)
	if issue := wrongResult(source, tree.Node, kind, ok, condition); issue != nil {
		return nil, []*Issue{issue}
	}
	x := &Event{source: source, kind: kind, fields: fieldList(names.reads), lists: sorted(names.lists), raws: sorted(names.raws), allRaw: names.allRaw}
	c := &compiler{source: source, codes: names.codes}
	compiled, native := c.node(tree.Node)
	if c.refused != "" {
		return nil, []*Issue{issueAt(source, c.at, CodeType, c.refused)}
	}
	if condition {
		x.facts, x.need = factsOf(tree.Node, names.codes), compiled.need
	}
	if native && !slow {
		x.code = compiled
		return x, nil
	}
	if x.fallback, issue = newFallback(tree, config, source, kind, names.codes); issue != nil {
		return nil, []*Issue{issue}
	}
	return x, nil
}

// wrongResult is the issue of an expression whose result is not what its place needs.
func wrongResult(source string, n ast.Node, kind event.Kind, ok, condition bool) *Issue {
	switch {
	case !ok:
		i := issueAt(source, n, CodeType, "the type of the result is not certain")
		i.Hint = "give both sides of ?: and all values of a list the same type"
		return i
	case condition && kind != event.KindBool:
		i := issueAt(source, n, CodeType, "a condition must be true or false, and this is "+kind.String())
		i.Hint = "compare it with something"
		return i
	}
	return nil
}

func issueAt(source string, n ast.Node, code, message string) *Issue {
	i := &Issue{Line: 1, Column: 1, Code: code, Message: message}
	if n != nil {
		i.Line, i.Column = position(source, n.Location().From)
	}
	return i
}

func fieldList(reads map[string]*event.Field) []*event.Field {
	out := make([]*event.Field, 0, len(reads))
	for _, fd := range reads {
		out = append(out, fd)
	}
	slices.SortFunc(out, func(a, b *event.Field) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// String is the source text.
func (x *Event) String() string { return x.source }

// Kind is the kind of the result.
func (x *Event) Kind() event.Kind { return x.kind }

// Fields lists every field the expression reads, by path. The slice is shared: do not change it.
func (x *Event) Fields() []*event.Field { return x.fields }

// Equalities lists the facts that must hold for a condition to be true, for indexing; by path. The slice is shared: do not change it.
func (x *Event) Equalities() []Equality { return x.facts }

// Lists names the lists that inList is asked for, sorted.
func (x *Event) Lists() []string { return x.lists }

// Interpreted is the same expression run by expr's own machine, which is what the closures are compared with in tests and measurements.
func (x *Event) Interpreted() (*Event, []*Issue) {
	tree, issue := parse(x.source)
	if issue != nil {
		return nil, []*Issue{issue}
	}
	return compileTree(x.source, tree, x.kind == event.KindBool, true)
}

// Native reports whether the expression runs as closures only.
func (x *Event) Native() bool { return x.fallback == nil }

// Match evaluates a condition. On an error, which is a *RunError and costs no allocation, the result is false.
func (x *Event) Match(m *Machine, e *event.Event) (bool, error) {
	f := &m.frame
	f.event, f.err = e, nil
	var v bool
	if x.fallback != nil {
		v = x.fallback.run(m).Num != 0
	} else {
		v = x.code.b(f)
	}
	f.event = nil
	if f.err != nil {
		return false, f.err
	}
	return v, nil
}

// Value evaluates an expression of any kind. On an error the result is unknown. Strings of the result may alias the event's.
func (x *Event) Value(m *Machine, e *event.Event) (event.FieldValue, error) {
	f := &m.frame
	f.event, f.err = e, nil
	var v event.FieldValue
	if x.fallback != nil {
		v = x.fallback.run(m)
	} else {
		v = x.code.value(f)
		if x.allRaw {
			v.Lst = slices.Clone(v.Lst) // it may be the frame's
		}
	}
	f.event = nil
	if f.err != nil {
		return event.FieldValue{}, f.err
	}
	return v, nil
}

// Never reports whether a condition cannot be true of any event, as with status == "Success" and status == "Failure".
func (x *Event) Never() bool {
	if x.kind == event.KindBool && x.code.constant && x.code.val.Num == 0 {
		return true
	}
	return slices.ContainsFunc(x.facts, func(eq Equality) bool { return len(eq.Strs) == 0 && len(eq.Ints) == 0 })
}

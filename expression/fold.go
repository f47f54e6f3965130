package expression

import (
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/tocsin-siem/tocsin/event"
)

// Scope says which names a fold-side expression may use, and gathers what hits must carry for it: compiling appends to Fields and Values of
// its steps. One Scope serves all expressions of a rule; it is not safe for concurrent use.
type Scope struct {
	Steps []*StepScope // The steps of a match; a step's index is its slot in Match.Hits.
	Vars  []Var        // The rule's variables; the index is that into Match.Vars.
	Own   *StepScope   // What plain event paths mean: the layout of Match.Own. Nil: plain paths are refused.
	Prev  bool         // prev.<path> is allowed: Match.Prev, with the layout of Own.
}

// Var is a variable of a rule as fold-side expressions see it: vars.<name>, a string.
type Var struct{ Name string }

// StepScope is what hits of a step carry: the values of Fields, then those of Values.
type StepScope struct {
	ID      string
	Fields  []*event.Field
	Values  []*Event
	Outputs []Output     // What <step>.<name> reads beside: the hits that the fold gives have them after Fields, Values and the value of Prev.
	Prev    *event.Field // What <step>.prev is the earlier value of: the hits that the fold gives have it after Fields and Values. Nil: there is none.
}

// Output is a value that the fold adds to hits of a step.
type Output struct {
	Name string
	Kind event.Kind
}

// Match is what a fold-side expression is evaluated over. Missing hits and variables read as unknown.
type Match struct {
	Hits [][]*event.Hit // By slot, in event-time order: the evidence of each step.
	Own  *event.Hit     // The guard's hit, or the later one of a consecutive pair.
	Prev *event.Hit     // The earlier one of a consecutive pair.
	Vars []string       // By the plan's variable order; "" is unbound.
}

// Fold is an expression over the hits of a match. It is immutable and may be used by several goroutines, each with its own Machine.
type Fold struct {
	source string
	kind   event.Kind
	code   code
	needs  map[*StepScope][]*event.Field
	lists  []string
}

// Result is what a fold-side expression must give.
type Result uint8

// The results of fold-side expressions.
const (
	Condition Result = iota
	Number
)

// CompileFold compiles an expression over a match. The expression is nil if there is any issue. Besides the names of the scope it may use
// count, distinct, sum, min, max, first and last over a step. Lookups whose arguments come from one hit are made when that hit is, and
// travel in it; others read the tables that are current when the match is decided. Either way the result is fixed by the hits and the
// version of the tables.
func CompileFold(source string, scope *Scope, want Result) (*Fold, []*Issue) {
	tree, issue := parse(source)
	if issue != nil {
		return nil, []*Issue{issue}
	}
	return compileFold(source, tree, scope, want)
}

func compileFold(source string, tree *parser.Tree, scope *Scope, want Result) (*Fold, []*Issue) {
	names := newNames(source, scope)
	tree.Node = names.resolve(tree.Node)
	if len(names.issues) > 0 {
		return nil, names.issues
	}
	if _, issue := check(tree, source, names.env); issue != nil {
		return nil, []*Issue{issue}
	}
	kind, ok := kindOf(tree.Node)
	if issue := wrongResult(source, tree.Node, kind, ok, want == Condition); issue != nil {
		return nil, []*Issue{issue}
	}
	if want == Number && kind != event.KindInt && kind != event.KindFloat {
		return nil, []*Issue{issueAt(source, tree.Node, CodeType, "a number is needed, and this is "+kind.String())}
	}
	c := &compiler{source: source, codes: names.codes}
	compiled, ok := c.node(tree.Node)
	if c.refused != "" {
		return nil, []*Issue{issueAt(source, c.at, CodeType, c.refused)}
	}
	if !ok {
		return nil, []*Issue{issueAt(source, tree.Node, CodeRefused, "this expression is too rich for one over a match")}
	}
	return &Fold{source: source, kind: kind, code: compiled, needs: names.needs, lists: sorted(names.lists)}, nil
}

// CompileGuard compiles the condition of a guard, which may cite steps of the match beside the guard's own event (scope.Own). What can be
// decided from the event alone goes into the first result, the rest into the second; either is nil if there is nothing for it. The text of a
// result is that of its part.
func CompileGuard(source string, scope *Scope) (*Event, *Fold, []*Issue) {
	tree, issue := parse(source)
	if issue != nil {
		return nil, nil, []*Issue{issue}
	}
	var alone, citing ast.Node
	for _, n := range operands(tree.Node, "and", "&&") {
		if cites(n, scope) {
			citing = conjoin(citing, n)
		} else {
			alone = conjoin(alone, n)
		}
	}
	var x *Event
	var f *Fold
	var issues []*Issue
	if alone != nil {
		text := alone.String() // before resolving rewrites the tree
		var more []*Issue
		if x, more = compileEvent(source, &parser.Tree{Node: alone, Source: tree.Source}, true); x != nil {
			x.source = text
		}
		issues = append(issues, more...)
	}
	if citing != nil {
		text := citing.String()
		var more []*Issue
		if f, more = compileFold(source, &parser.Tree{Node: citing, Source: tree.Source}, scope, Condition); f != nil {
			f.source = text
		}
		issues = append(issues, more...)
	}
	if len(issues) > 0 {
		return nil, nil, issues
	}
	return x, f, nil
}

func conjoin(a, b ast.Node) ast.Node {
	if a == nil {
		return b
	}
	n := &ast.BinaryNode{Operator: "and", Left: a, Right: b}
	n.SetLocation(b.Location())
	return n
}

// cites reports whether an expression names a step, a variable or the hit before.
func cites(n ast.Node, scope *Scope) bool {
	found := false
	walk(n, func(n ast.Node) {
		id, ok := n.(*ast.IdentifierNode)
		if !ok {
			return
		}
		found = found || id.Value == "vars" || id.Value == "prev" && scope.Prev
		for _, st := range scope.Steps {
			found = found || st != nil && st.ID == id.Value
		}
	})
	return found
}

// String is the source text.
func (x *Fold) String() string { return x.source }

// Kind is the kind of the result.
func (x *Fold) Kind() event.Kind { return x.kind }

// Needs lists the fields that hits of a step carry for this expression.
func (x *Fold) Needs(step *StepScope) []*event.Field { return x.needs[step] }

// Lists names the lists that inList is asked for, sorted.
func (x *Fold) Lists() []string { return x.lists }

// Bool evaluates a condition. On an error the result is false.
func (x *Fold) Bool(m *Machine, in *Match) (bool, error) {
	m.frame.match, m.frame.err = in, nil
	v := x.code.b(&m.frame)
	m.frame.match = nil
	if m.frame.err != nil {
		return false, m.frame.err
	}
	return v, nil
}

// Int evaluates a number, rounded to the nearest integer, halves away from zero. On an error the result is 0.
func (x *Fold) Int(m *Machine, in *Match) (int64, error) {
	m.frame.match, m.frame.err = in, nil
	v := x.code.integer(&m.frame)
	m.frame.match = nil
	if m.frame.err != nil {
		return 0, m.frame.err
	}
	return v, nil
}

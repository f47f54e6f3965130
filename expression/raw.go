package expression

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// The functions over the raw fields of an event. raw("Image") is another spelling of the path raw.Image, for any name; the others read the event itself, so over a match they stand only for the guard's own event, whose hit
// then carries the result.

func compileRawKnown(_ *compiler, args []code) code {
	name := args[0].val.Str
	return boolCode(func(f *frame) bool { _, ok := f.event.RawValue(name); return ok })
}

// compileRaws gathers the values in a list that the frame keeps: it is overwritten with the same when it is asked for again over one event.
func compileRaws(*compiler, []code) code {
	return stringsCode(func(f *frame) []string {
		f.raws = f.raws[:0]
		for i := range f.event.Raw {
			f.raws = append(f.raws, f.event.Raw[i].Value)
		}
		return f.raws
	})
}

func bindRawKnown(m *Machine) any {
	return func(name string) bool { _, ok := m.frame.event.RawValue(name); return ok }
}

func bindRaws(m *Machine) any {
	return func() []string {
		out := make([]string, 0, len(m.frame.event.Raw))
		for i := range m.frame.event.Raw {
			out = append(out, m.frame.event.Raw[i].Value)
		}
		return out
	}
}

// rawCall resolves raw("name") to the field.
func (r *names) rawCall(n *ast.CallNode) ast.Node {
	name := ""
	if len(n.Arguments) == 1 {
		if s, ok := n.Arguments[0].(*ast.StringNode); ok {
			name = s.Value
		}
	}
	fd := event.FieldNamed("raw." + name)
	switch {
	case fd == nil:
		return r.issue(n, CodeConstant, "raw takes the name of one field as a constant", `as in raw("Image")`)
	case r.scope == nil:
		return r.read(n, root{}, fd)
	case r.scope.Own != nil:
		return r.read(n, root{step: r.scope.Own, hit: func(f *frame) *event.Hit { return f.match.Own }}, fd)
	}
	return r.issue(n, CodeRefused, "raw reads one event, and this expression is over the whole match", "name the step: step.raw."+name)
}

// rawAtMatch resolves a function over raw fields in an expression over a match: its result for the guard's own event travels in the hit.
func (r *names) rawAtMatch(n *ast.CallNode) ast.Node {
	own := r.scope.Own
	if own == nil {
		return r.issue(n, CodeRefused, n.Callee.String()+" reads one event, and this expression is over the whole match", "ask for it in the step's where")
	}
	text := n.String()
	x, issues := CompileValue(text)
	if len(issues) > 0 {
		return r.issue(n, issues[0].Code, issues[0].Message, issues[0].Hint)
	}
	i := own.NeedValue(x)
	return r.name(n, "value("+text+")", carriedCode(x.kind, func(f *frame) *event.FieldValue { return carriedAt(f.match.Own, len(own.Fields)+i) }))
}

// Raws names the raw fields the expression reads by name, sorted; all reports that it reads the values of every one of them.
func (x *Event) Raws() (names []string, all bool) {
	names = slices.Clone(x.raws)
	for _, fd := range x.fields {
		if name, ok := fd.RawName(); ok {
			names = append(names, name)
		}
	}
	return sorted(names), x.allRaw
}

package expression

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// maxOperands bounds what is shown beside one part of a condition.
const maxOperands = 8

// Why is a condition taken apart, so that each part can be asked for its own value. It is immutable and may be used by several goroutines,
// each with its own Machine.
type Why struct {
	op    string // and, or, not; "" for what is not taken apart.
	whole *Event
	text  string
	parts []*Why
	sides []*Event // Of what is not taken apart: operands that are computed.
}

// Reason is what a condition, or a part of it, came to for one event.
type Reason struct {
	Text     string
	Held     bool
	Error    string    // Why it had no result; it then counts as false.
	Operands []Operand // What it read; of a leaf only.
	op       string
	parts    []Reason
}

// Operand is a value that a condition read.
type Operand struct {
	Text  string // The path, or the expression.
	Value string
	Known bool
}

// Why takes the condition apart. It compiles every part anew, which is not for the hot path.
func (x *Event) Why() *Why {
	tree, issue := parse(x.source)
	if issue != nil {
		return &Why{whole: x, text: x.source}
	}
	return takeApart(tree.Node, x)
}

// takeApart follows ands, ors and nots down to what is a condition by itself. A part that cannot stand alone stays whole.
func takeApart(n ast.Node, whole *Event) *Why {
	w := &Why{whole: whole, text: whole.source}
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			w.split("not", []ast.Node{n.Node})
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			w.split("and", operands(n, "and", "&&"))
		case "or", "||":
			w.split("or", operands(n, "or", "||"))
		}
	}
	if w.op == "" {
		w.sides = sidesOf(n)
	}
	return w
}

func (w *Why) split(op string, nodes []ast.Node) {
	var parts []*Why
	for _, n := range nodes {
		x := alone(n)
		if x == nil || x.kind != event.KindBool {
			return
		}
		parts = append(parts, takeApart(n, x))
	}
	w.op, w.parts = op, parts
}

// alone compiles a node as an expression of its own; nil if it is none.
func alone(n ast.Node) *Event {
	x, issues := CompileValue(n.String())
	if len(issues) > 0 {
		return nil
	}
	return x
}

// sidesOf are the operands of a comparison, or the arguments of a call, that compute something; plain fields are read anyway.
func sidesOf(n ast.Node) []*Event {
	var list []ast.Node
	switch n := n.(type) {
	case *ast.BinaryNode:
		list = []ast.Node{n.Left, n.Right}
	case *ast.CallNode:
		list = n.Arguments
	case *ast.BuiltinNode:
		list = n.Arguments
	}
	var out []*Event
	for _, side := range list {
		switch side.(type) {
		case *ast.CallNode, *ast.BuiltinNode, *ast.BinaryNode, *ast.ConditionalNode, *ast.MemberNode:
			x := alone(side)
			if x == nil || len(x.fields) == 1 && x.fields[0].Path == x.source {
				continue
			}
			out = append(out, x)
		}
	}
	return out
}

// Of says what the condition comes to for an event, part by part. Parts are evaluated even where the condition as a whole would not get to them.
func (w *Why) Of(m *Machine, e *event.Event) Reason {
	r := Reason{Text: w.text, op: w.op}
	held, err := w.whole.Match(m, e)
	if r.Held = held; err != nil {
		r.Error = err.Error()
	}
	for _, p := range w.parts {
		r.parts = append(r.parts, p.Of(m, e))
	}
	if w.op != "" {
		return r
	}
	for _, x := range w.sides {
		if v, err := x.Value(m, e); err == nil && !x.code.constant {
			r.Operands = append(r.Operands, Operand{Text: x.source, Value: valueText(v), Known: v.Known})
		}
	}
	for _, fd := range w.whole.fields {
		o := Operand{Text: fd.Path, Value: fd.Text(e), Known: fd.Known(e)}
		if fd.Kind == event.KindTime && o.Known {
			t, _ := fd.Num(e)
			o.Value += " (" + time.UnixMilli(t).UTC().Format("2006-01-02T15:04:05.000Z") + ")"
		}
		r.Operands = append(r.Operands, o)
	}
	r.Operands = r.Operands[:min(len(r.Operands), maxOperands)]
	return r
}

// Against are the parts that made the condition false, or without a result: those that were false, and where it says not, those that were true.
// Empty if the condition held.
func (r *Reason) Against() []Reason {
	if r.Held {
		return nil
	}
	return r.blame(true)
}

// blame finds the parts that are not as wanted and would have to be.
func (r *Reason) blame(want bool) []Reason {
	if r.op == "not" {
		want = !want
	}
	var out []Reason
	for i := range r.parts {
		if p := &r.parts[i]; r.op == "not" || p.Held != want {
			out = append(out, p.blame(want)...)
		}
	}
	if r.op == "" || len(out) == 0 {
		return []Reason{*r}
	}
	return out
}

// Read lists what the parts of the condition read, each once.
func (r *Reason) Read() []Operand {
	var out []Operand
	for _, o := range r.Operands {
		if !slices.ContainsFunc(out, func(x Operand) bool { return x.Text == o.Text }) {
			out = append(out, o)
		}
	}
	for i := range r.parts {
		for _, o := range r.parts[i].Read() {
			if !slices.ContainsFunc(out, func(x Operand) bool { return x.Text == o.Text }) {
				out = append(out, o)
			}
		}
	}
	return out
}

// String is the part in words, as in: status == "Success" is false: status is "Failure".
func (r *Reason) String() string {
	s := r.Text + " is " + strconv.FormatBool(r.Held)
	if r.Error != "" {
		s = r.Text + " has no result: " + r.Error
	}
	for i, o := range r.Operands {
		switch {
		case i == 0:
			s += ": "
		default:
			s += ", "
		}
		if o.Known {
			s += o.Text + " is " + strconv.Quote(o.Value)
		} else {
			s += o.Text + " is unknown"
		}
	}
	return s
}

// valueText writes a result for people.
func valueText(v event.FieldValue) string {
	switch v.Kind {
	case event.KindString:
		return v.Str
	case event.KindStrings:
		return strings.Join(v.Lst, ",")
	case event.KindFloat:
		return strconv.FormatFloat(v.Flt, 'g', -1, 64)
	case event.KindBool:
		return strconv.FormatBool(v.Num != 0)
	}
	return strconv.FormatInt(v.Num, 10)
}

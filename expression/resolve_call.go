package expression

import (
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"github.com/tocsin-siem/tocsin/event"
)

// builtin resolves a call of one of expr's functions.
func (r *names) builtin(n *ast.BuiltinNode) ast.Node {
	if r.filter {
		if out, handled := r.filterCall(n, n.Name); handled {
			return out
		}
	}
	if !builtins[n.Name] {
		return r.unknownFunction(n, n.Name)
	}
	if st, slot := r.stepArgument(n.Arguments); st != nil {
		return r.aggregate(n, n.Name, st, slot, n.Arguments[1:])
	}
	switch n.Name {
	case "sum", "first", "last":
		return r.issue(n, CodeRefused, n.Name+" works on the hits of a step only", "")
	case "all", "none", "any", "one", "filter", "map", "find", "count":
		n.Arguments[0] = r.resolve(n.Arguments[0])
		if len(n.Arguments) == 1 {
			return r.issue(n, CodeRefused, n.Name+" needs a predicate over a list", "len(list) counts its values")
		}
		over, inside := r.over, r.inside
		r.over, r.inside = nil, true
		n.Arguments[1] = r.resolve(n.Arguments[1])
		r.over, r.inside = over, inside
		return n
	}
	for i := range n.Arguments {
		n.Arguments[i] = r.resolve(n.Arguments[i])
	}
	return n
}

// stepArgument is the step that a call's first argument names; nil if it names none.
func (r *names) stepArgument(args []ast.Node) (*StepScope, int) {
	if r.scope == nil || len(args) == 0 {
		return nil, -1
	}
	id, ok := args[0].(*ast.IdentifierNode)
	if !ok {
		return nil, -1
	}
	return r.stepOf(id.Value)
}

// aggregate resolves a function over the hits of a step.
func (r *names) aggregate(n ast.Node, name string, st *StepScope, slot int, args []ast.Node) ast.Node {
	switch name {
	case "count", "any", "all", "none", "one":
		if len(args) == 0 && name == "count" {
			return r.name(n, "count("+st.ID+")", intCode(func(f *frame) int64 { return int64(len(hitsAt(f, slot))) }))
		}
		return r.overHits(n, st, slot, args)
	case "distinct", "sum", "min", "max":
		if len(args) != 1 {
			break
		}
		fd := r.aggregated(args[0])
		if fd == nil {
			return n
		}
		c, ok := aggregateCode(name, fd.Kind, slot, r.carriedIndex(st, fd))
		if !ok {
			return r.issue(n, CodeType, name+" needs a number, and "+fd.Path+" is "+fd.Kind.String(), "")
		}
		return r.name(n, name+"("+st.ID+")."+fd.Path, c)
	case "first", "last":
		return r.issue(n, CodeName, name+"("+st.ID+") is not a value", "name one of its fields, such as "+name+"("+st.ID+").time")
	}
	return r.issue(n, CodeRefused, name+" does not work on the hits of a step so", `as in count(step, .path == "x"), distinct(step, "path"), sum(step, "path")`)
}

func (r *names) carriedIndex(st *StepScope, fd *event.Field) int {
	if !slices.Contains(r.needs[st], fd) {
		r.needs[st] = append(r.needs[st], fd)
	}
	return st.Need(fd)
}

// aggregated is the field that the second argument of an aggregate names, as a string or as .path.
func (r *names) aggregated(arg ast.Node) *event.Field {
	if p, ok := arg.(*ast.PredicateNode); ok {
		arg = p.Node
	}
	if s, ok := arg.(*ast.StringNode); ok {
		return r.field(s, strings.Split(strings.TrimPrefix(s.Value, "."), "."))
	}
	if parts, base, ok := chain(arg); ok && len(parts) > 0 {
		if _, isPointer := base.(*ast.PointerNode); isPointer {
			return r.field(arg, parts)
		}
	}
	r.issue(arg, CodeConstant, "the second argument is the path of a field, in quotes", `as in distinct(step, "src_endpoint.mac")`)
	return nil
}

// overHits resolves the predicate of count(step, …) and its like. The checker sees a list of booleans in place of the step.
func (r *names) overHits(n ast.Node, st *StepScope, slot int, args []ast.Node) ast.Node {
	b, ok := n.(*ast.BuiltinNode)
	if !ok || len(args) != 1 {
		return r.issue(n, CodeRefused, "one predicate is needed", `as in count(step, .status == "Success")`)
	}
	over := r.over
	r.over = st
	b.Arguments[1] = r.resolve(args[0])
	r.over = over
	id := "[" + strconv.Itoa(slot) + "]"
	list := &ast.IdentifierNode{Value: id}
	list.SetLocation(b.Arguments[0].Location())
	r.env[id] = types.TypeOf([]bool(nil))
	b.Arguments[0] = list
	return b
}

// call resolves a call of one of our own functions.
func (r *names) call(n *ast.CallNode) ast.Node {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return r.issue(n, CodeRefused, "values have no methods", "")
	}
	if r.filter {
		if out, handled := r.filterCall(n, id.Value); handled {
			return out
		}
	}
	switch id.Value {
	case "known":
		return r.knownCall(n)
	case "duration":
		return r.durationCall(n)
	case "raw":
		return r.rawCall(n)
	case "asset":
		return r.issue(n, CodeName, "asset(id) is not a value", "name one of its fields: asset(id)."+assetFields[0].name)
	case "distinct":
		if st, slot := r.stepArgument(n.Arguments); st != nil {
			return r.aggregate(n, id.Value, st, slot, n.Arguments[1:])
		}
		return r.issue(n, CodeRefused, "distinct works on the hits of a step only", "")
	}
	fn := functionNamed(id.Value)
	if fn == nil {
		return r.unknownFunction(n, id.Value)
	}
	if fn.lookup && r.scope != nil {
		if out, ok := r.atMatch(n); ok {
			return out
		}
		return r.notAtMatch(n)
	}
	if fn.raw {
		r.constants(n, fn)
		if r.scope != nil {
			return r.rawAtMatch(n)
		}
		if len(n.Arguments) == 0 {
			r.allRaw = true
		} else if s, ok := n.Arguments[0].(*ast.StringNode); ok {
			r.raws = append(r.raws, s.Value)
		}
		return n
	}
	if len(n.Arguments) < fn.arity {
		return r.issue(n, CodeConstant, id.Value+" needs something to compare with", fn.doc.Signature)
	}
	if id.Value == "clamp" && len(n.Arguments) == 1 {
		n.Arguments = append(n.Arguments, &ast.IntegerNode{Value: 0}, &ast.IntegerNode{Value: 100})
	}
	for i := range n.Arguments {
		n.Arguments[i] = r.resolve(n.Arguments[i])
	}
	r.constants(n, fn)
	return n
}

func (r *names) unknownFunction(n ast.Node, name string) ast.Node {
	var all []string
	for _, f := range Functions() {
		all = append(all, f.Name)
	}
	hint := ""
	if near := Nearest(name, all); near != "" {
		hint = "did you mean " + near + "?"
	}
	switch name {
	case "now", "date":
		hint = "expressions have no clock; time is the event's time"
	}
	return r.issue(n, CodeName, "there is no function "+name, hint)
}

// knownCall resolves known(path).
func (r *names) knownCall(n *ast.CallNode) ast.Node {
	if len(n.Arguments) == 1 {
		if at, path, ok := r.rootOf(n.Arguments[0], false); ok {
			fd := r.fieldAt(n.Arguments[0], at, path)
			if fd == nil {
				return n
			}
			return r.known(n, at, fd)
		}
	}
	return r.issue(n, CodeName, "known takes the path of one field", "as in known(is_mfa)")
}

// durationCall resolves duration("30m") to its milliseconds.
func (r *names) durationCall(n *ast.CallNode) ast.Node {
	if len(n.Arguments) == 1 {
		if s, ok := n.Arguments[0].(*ast.StringNode); ok {
			us, err := ParseDuration(s.Value)
			if err != nil {
				return r.issue(s, CodeConstant, err.Error(), "units are ms, s, m, h, d and w, as in 1h30m")
			}
			out := &ast.IntegerNode{Value: int(us / 1000)}
			if r.filter { // their times are in seconds
				out.Value /= 1000
			}
			out.SetLocation(n.Location())
			return out
		}
	}
	return r.issue(n, CodeConstant, "duration takes one constant string", `as in duration("30m")`)
}

// asset resolves asset(id).field to a call of a function of the field's own type.
func (r *names) asset(n ast.Node, call *ast.CallNode, parts []string) ast.Node {
	id, _ := call.Callee.(*ast.IdentifierNode)
	if id == nil || id.Value != "asset" || len(call.Arguments) != 1 || len(parts) != 1 {
		return r.issue(n, CodeRefused, "only events, steps, variables and asset(id) have fields", "")
	}
	var all []string
	for _, f := range assetFields {
		if f.name == parts[0] {
			if r.scope != nil {
				if out, ok := r.atMatch(n); ok {
					return out
				}
				return r.notAtMatch(n)
			}
			out := &ast.CallNode{Callee: &ast.IdentifierNode{Value: "asset." + f.name}, Arguments: []ast.Node{r.resolve(call.Arguments[0])}}
			out.SetLocation(n.Location())
			return out
		}
		all = append(all, f.name)
	}
	hint := "it has " + strings.Join(all, ", ")
	if near := Nearest(parts[0], all); near != "" {
		hint = "did you mean asset(id)." + near + "?"
	}
	return r.issue(n, CodeName, "assets have no "+parts[0], hint)
}

// constants checks the arguments that a function wants constant, and notes the lists that are asked for.
func (r *names) constants(n *ast.CallNode, fn *function) {
	for i, arg := range n.Arguments {
		if fn.constant == nil || !fn.constant(i) {
			continue
		}
		s, ok := arg.(*ast.StringNode)
		if !ok {
			r.issue(arg, CodeConstant, "argument "+strconv.Itoa(i+1)+" of "+fn.doc.Name+" must be a constant string", "")
			continue
		}
		if fn.check == nil {
			continue
		}
		if err := fn.check(s.Value); err != "" {
			r.issue(arg, CodeConstant, err, fn.doc.Signature)
		}
	}
	if fn.doc.Name == "inList" && len(n.Arguments) > 0 {
		if s, ok := n.Arguments[0].(*ast.StringNode); ok && !slices.Contains(r.lists, s.Value) {
			r.lists = append(r.lists, s.Value)
		}
	}
}

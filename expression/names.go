package expression

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"github.com/tocsin-siem/tocsin/event"
)

// names turns the paths of an expression into single identifiers, each with the code that reads it, so that the checker sees plain typed
// names and nothing that the event does not have. It rewrites the syntax tree; see resolve.
type names struct {
	source string
	scope  *Scope // Nil over one event.
	codes  map[string]code
	env    types.Map
	reads  map[string]*event.Field
	needs  map[*StepScope][]*event.Field
	lists  []string
	raws   []string // Raw fields that rawKnown asks for.
	allRaw bool
	locals []string   // Names of let.
	filter bool       // Over a Subject.
	inside bool       // Inside a predicate over a list of a filter.
	over   *StepScope // Inside a predicate over the hits of this step.
	issues []*Issue
}

func newNames(source string, scope *Scope) *names {
	return &names{
		source: source, scope: scope, codes: map[string]code{}, env: functionTypes(), reads: map[string]*event.Field{},
		needs: map[*StepScope][]*event.Field{},
	}
}

// issue notes a problem at a node and gives a node to go on with.
func (r *names) issue(n ast.Node, code, message, hint string) ast.Node {
	line, column := position(r.source, startOf(n).Location().From)
	r.issues = append(r.issues, &Issue{Line: line, Column: column, Code: code, Message: message, Hint: hint})
	return n
}

// startOf is where a path begins; expr places a path at its last name.
func startOf(n ast.Node) ast.Node {
	for {
		switch x := n.(type) {
		case *ast.MemberNode:
			n = x.Node
		case *ast.ChainNode:
			n = x.Node
		default:
			return n
		}
	}
}

// name makes an identifier read by c, in the place of n.
func (r *names) name(n ast.Node, id string, c code) ast.Node {
	if _, ok := r.codes[id]; !ok {
		r.codes[id] = c
		r.env[id] = typeOf(c.kind)
	}
	out := &ast.IdentifierNode{Value: id}
	out.SetLocation(startOf(n).Location())
	return out
}

// root is where a path starts: which hit it reads and in what layout. A nil layout means the event itself.
type root struct {
	prefix string // Distinguishes identifiers of different roots.
	step   *StepScope
	before bool // The value before the change, in place of the field's own.
	output int  // One more than the index of an output of the step, in place of a field; 0: a field.
	hit    func(*frame) *event.Hit
}

// chain takes a path apart: parts are its names, base what they hang on (an identifier is the first part and base is nil).
func chain(n ast.Node) (parts []string, base ast.Node, ok bool) {
	switch n := n.(type) {
	case *ast.ChainNode:
		return chain(n.Node)
	case *ast.IdentifierNode:
		return []string{n.Value}, nil, true
	case *ast.MemberNode:
		p, isName := n.Property.(*ast.StringNode)
		if !isName {
			return nil, n, false
		}
		parts, base, ok = chain(n.Node)
		return append(parts, p.Value), base, ok
	case *ast.PointerNode, *ast.BuiltinNode, *ast.CallNode:
		return nil, n, true
	}
	return nil, n, false
}

// rootOf finds where a path starts and what is left of it. ok is false where nothing can be read there; the issue is noted if report is set.
func (r *names) rootOf(n ast.Node, report bool) (at root, path []string, ok bool) {
	at, path, ok = r.hitOf(n, report)
	if ok && at.step != nil && at.step.Prev != nil && len(path) == 1 && path[0] == "prev" {
		at.before, at.prefix = true, at.prefix+"prev."
		path = strings.Split(at.step.Prev.Path, ".")
	}
	if ok && at.step != nil && len(path) == 1 {
		at.output = 1 + slices.IndexFunc(at.step.Outputs, func(o Output) bool { return o.Name == path[0] })
	}
	return at, path, ok
}

// fieldAt finds what a path reads at its root: a field, or an output, which has a field's name and kind and nothing else of it.
func (r *names) fieldAt(n ast.Node, at root, path []string) *event.Field {
	if at.output > 0 {
		o := at.step.Outputs[at.output-1]
		return &event.Field{Path: o.Name, Kind: o.Kind}
	}
	return r.field(n, path)
}

// hitOf is rootOf without the value before a change.
func (r *names) hitOf(n ast.Node, report bool) (at root, path []string, ok bool) {
	parts, base, ok := chain(n)
	if !ok {
		return at, nil, false
	}
	if base != nil {
		return r.baseOf(base, parts, report)
	}
	if r.scope == nil {
		return at, parts, true
	}
	if st, slot := r.stepOf(parts[0]); st != nil {
		return root{prefix: st.ID + ".", step: st, hit: lastOf(slot)}, parts[1:], true
	}
	if parts[0] == "prev" && r.scope.Prev {
		return root{prefix: "prev.", step: r.scope.Own, hit: func(f *frame) *event.Hit { return f.match.Prev }}, parts[1:], true
	}
	if r.scope.Own != nil {
		return root{step: r.scope.Own, hit: func(f *frame) *event.Hit { return f.match.Own }}, parts, true
	}
	if report {
		r.unknownInMatch(n, parts)
	}
	return at, nil, false
}

// baseOf is hitOf for paths that hang on .path, first(step) or last(step).
func (r *names) baseOf(base ast.Node, parts []string, report bool) (at root, path []string, ok bool) {
	switch b := base.(type) {
	case *ast.PointerNode:
		if r.over != nil && b.Name == "" && len(parts) > 0 {
			return root{prefix: "#" + r.over.ID + ".", step: r.over, hit: func(f *frame) *event.Hit { return f.hit }}, parts, true
		}
	case *ast.BuiltinNode:
		if (b.Name != "first" && b.Name != "last") || len(b.Arguments) != 1 || len(parts) == 0 {
			break
		}
		id, _ := b.Arguments[0].(*ast.IdentifierNode)
		if id == nil || r.scope == nil {
			break
		}
		st, slot := r.stepOf(id.Value)
		if st == nil {
			break
		}
		if b.Name == "last" {
			return root{prefix: st.ID + ".", step: st, hit: lastOf(slot)}, parts, true
		}
		return root{prefix: "first(" + st.ID + ").", step: st, hit: firstOf(slot)}, parts, true
	}
	return at, nil, false
}

func (r *names) stepOf(id string) (*StepScope, int) {
	for i, st := range r.scope.Steps {
		if st != nil && st.ID == id {
			return st, i
		}
	}
	return nil, -1
}

func lastOf(slot int) func(*frame) *event.Hit {
	return func(f *frame) *event.Hit {
		if slot >= len(f.match.Hits) || len(f.match.Hits[slot]) == 0 {
			return nil
		}
		return f.match.Hits[slot][len(f.match.Hits[slot])-1]
	}
}

func firstOf(slot int) func(*frame) *event.Hit {
	return func(f *frame) *event.Hit {
		if slot >= len(f.match.Hits) || len(f.match.Hits[slot]) == 0 {
			return nil
		}
		return f.match.Hits[slot][0]
	}
}

// unknownInMatch explains a name that an expression over a match cannot read.
func (r *names) unknownInMatch(n ast.Node, parts []string) {
	var ids []string
	for _, st := range r.scope.Steps {
		if st != nil {
			ids = append(ids, st.ID)
		}
	}
	path := strings.Join(parts, ".")
	hint := "steps here: " + strings.Join(ids, ", ")
	switch {
	case event.FieldNamed(path) != nil && len(ids) > 0:
		hint = "this expression is over the whole match; name the step: " + ids[0] + "." + path
	case Nearest(parts[0], append(ids, "vars")) != "":
		hint = "did you mean " + Nearest(parts[0], append(ids, "vars")) + "?"
	}
	r.issue(n, CodeName, "no step named "+parts[0], hint)
}

// field finds the field of a path or notes that there is none.
func (r *names) field(n ast.Node, path []string) *event.Field {
	p := strings.Join(path, ".")
	if fd := event.FieldNamed(p); fd != nil {
		return fd
	}
	if len(path) == 0 {
		r.issue(n, CodeName, "a step is not a value", "name one of its fields")
		return nil
	}
	for _, fd := range event.Fields() {
		if strings.HasPrefix(fd.Path, p+".") {
			r.issue(n, CodeName, p+" is not a value but has fields", "did you mean "+fd.Path+"?")
			return nil
		}
	}
	hint := ""
	if near := NearestField(p); near != "" {
		hint = "did you mean " + near + "?"
	}
	if path[len(path)-1] == "prev" {
		hint = "a step with changed has prev, the value before the change"
		if r.scope == nil {
			hint = "prev is known only once the change is decided: use it, as step.prev, in score, severity_if or a guard"
		}
	}
	r.issue(n, CodeName, "unknown field "+p, hint)
	return nil
}

// read gives the identifier that reads a field at a root.
func (r *names) read(n ast.Node, at root, fd *event.Field) ast.Node {
	if at.step == nil {
		r.reads[fd.Path] = fd
		return r.name(n, fd.Path, fieldCode(fd))
	}
	return r.name(n, at.prefix+fd.Path, carriedCode(fd.Kind, r.carried(at, fd)))
}

// known gives the identifier that tells whether a field at a root has a value.
func (r *names) known(n ast.Node, at root, fd *event.Field) ast.Node {
	id := "known(" + at.prefix + fd.Path + ")"
	if at.step == nil {
		r.reads[fd.Path] = fd
		c := boolCode(func(f *frame) bool { return fd.Known(f.event) })
		c.need = knownNeed(fd)
		return r.name(n, id, c)
	}
	get := r.carried(at, fd)
	return r.name(n, id, boolCode(func(f *frame) bool { v := get(f); return v != nil && v.Known }))
}

// carried makes hits of the root's step carry a field and gives its reader.
func (r *names) carried(at root, fd *event.Field) func(*frame) *event.FieldValue {
	if at.output > 0 {
		step, hit, output := at.step, at.hit, at.output-1
		return func(f *frame) *event.FieldValue {
			i := len(step.Fields) + len(step.Values) + output
			if step.Prev != nil {
				i++
			}
			return carriedAt(hit(f), i)
		}
	}
	i := at.step.Need(fd)
	if !slices.Contains(r.needs[at.step], fd) {
		r.needs[at.step] = append(r.needs[at.step], fd)
	}
	step, hit := at.step, at.hit
	if at.before {
		return func(f *frame) *event.FieldValue { return carriedAt(hit(f), len(step.Fields)+len(step.Values)) }
	}
	return func(f *frame) *event.FieldValue { return carriedAt(hit(f), i) }
}

func carriedAt(h *event.Hit, i int) *event.FieldValue {
	if h == nil || i >= len(h.Fields) {
		return nil
	}
	return &h.Fields[i]
}

// Need makes hits of the step carry a field and gives its index into Hit.Fields.
func (s *StepScope) Need(fd *event.Field) int {
	if i := slices.Index(s.Fields, fd); i >= 0 {
		return i
	}
	s.Fields = append(s.Fields, fd)
	return len(s.Fields) - 1
}

// NeedValue makes hits of the step carry the result of an expression and gives its index among the values: in Hit.Fields they follow the
// fields, so the final index is that plus the final number of Fields.
func (s *StepScope) NeedValue(x *Event) int {
	for i, v := range s.Values {
		if v.source == x.source {
			return i
		}
	}
	s.Values = append(s.Values, x)
	return len(s.Values) - 1
}

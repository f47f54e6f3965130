package rules

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// Bounds on what a rule may ask for, in microseconds. They keep the state of a key finite and the answers in reach of an analyst.
const (
	second = int64(1000_000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	maxWithin    = 30 * day
	maxBefore    = 90 * day
	maxAfter     = 7 * day
	maxLateness  = day
	maxTolerance = 5 * minute
	maxHistory   = 400 * day
	maxQuiet     = 7 * day
	maxThrottle  = 30 * day
	maxCount     = 1_000_000
	exactCount   = 4096 // Counts above are kept in buckets (docs/rules.md, N6).
	maxSteps     = 16
	maxGuards    = 16
	maxCollect   = 1000

	// DefaultLateness is the lateness of a rule that states none: enough for the domains whose logs arrive through a collector.
	DefaultLateness = 5 * minute
)

// builder reads one rule's document and lowers it to a plan.
type builder struct {
	doc       *document
	rule      *Rule
	plan      *Plan
	scope     *expression.Scope
	branches  []*branchSpec
	bound     map[string]*yaml.Node // Where each variable first stands.
	load      *loader
	listening []*Rule  // Of the step at work: the rules it listens to.
	texts     []string // Expressions over the match, to see which variables they use.
}

// branchSpec is a branch while it is read.
type branchSpec struct {
	branch Branch
	node   *yaml.Node
	fields *fields
	steps  []*stepSpec
	guards []*guardSpec // unless, then until
}

// stepSpec is a step, or the event of a guard, while it is read.
type stepSpec struct {
	node     *yaml.Node
	fields   *fields
	step     Step
	scope    *expression.StepScope
	computed []*int // Indexes of values that modifiers with memory compute; the number of fields is added to them when it is known.
}

type guardSpec struct {
	stepSpec
	guard Guard
	until bool
}

// binds reports whether the step joins on a variable, by bind or by bind_any.
func (s *stepSpec) binds(v int) bool { return s.mustBind(v) || s.mayBind(v) }

func (s *stepSpec) mustBind(v int) bool {
	return slices.ContainsFunc(s.step.Bind, func(b Binding) bool { return b.Var == v })
}

func (s *stepSpec) mayBind(v int) bool {
	for _, group := range s.step.BindAny {
		if slices.ContainsFunc(group, func(b Binding) bool { return b.Var == v }) {
			return true
		}
	}
	return false
}

// step reads what steps of all kinds have in common. Expressions over one event are compiled at once, since they need nothing else.
func (b *builder) step(n *yaml.Node, what string, places ...Place) *stepSpec {
	f := b.doc.mapping(n, what, false, places...)
	s := &stepSpec{node: n, fields: f, scope: &expression.StepScope{}}
	s.step = Step{AtLeast: 1, Distinct: -1, Slot: -1}
	if f == nil {
		return s
	}
	if slices.Contains(places, InStep) || slices.Contains(places, InCount) || slices.Contains(places, InConsecutive) {
		s.step.ID = b.stepID(f, what)
		s.scope.ID = s.step.ID
	}
	s.step.Listens = b.listens(f.list("class"))
	b.listening = s.step.Listens
	s.step.Classes = b.classes(f, what)
	s.step.Bind = b.bindings(f.get("bind"), "bind")
	for _, group := range f.items("bind_any") {
		if bindings := b.bindings(group, "bind_any"); len(bindings) > 0 {
			s.step.BindAny = append(s.step.BindAny, bindings)
		}
	}
	s.step.Emit = b.bindings(f.get("emit"), "emit")
	s.step.Collect = b.collect(f, s.scope)
	return s
}

func (b *builder) stepID(f *fields, what string) string {
	n := f.need("id", what)
	id := b.doc.scalar(n, "id")
	if id == "" {
		return ""
	}
	if why := badName(id); why != "" {
		b.doc.problem(n, codeStepID, "step id "+id+" "+why, "choose a word of lower-case letters, digits and _, such as "+safeName(id))
	}
	for _, br := range b.branches {
		for _, s := range br.steps {
			if s.step.ID == id {
				b.doc.problem(n, codeDuplicateStep, "step id "+id+" stands twice", "")
			}
		}
	}
	return id
}

// badName says why a step or variable cannot have a name; "" if it can.
func badName(id string) string {
	for i, r := range id {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return "is not a word"
		}
	}
	switch id {
	case "vars", "prev", "and", "or", "not", "in", "let", "if", "else", "true", "false", "nil", "matches", "contains":
		return "is a word of the expression language"
	}
	for _, fd := range event.Fields() {
		if root, _, _ := strings.Cut(fd.Path, "."); root == id {
			return "hides the event field " + fd.Path
		}
	}
	for _, fn := range expression.Functions() {
		if fn.Name == id {
			return "is the name of a function"
		}
	}
	return ""
}

func safeName(id string) string {
	var out strings.Builder
	for _, r := range strings.ToLower(id) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' && out.Len() > 0 {
			out.WriteRune(r)
		} else if out.Len() > 0 {
			out.WriteByte('_')
		}
	}
	s := strings.TrimRight(out.String(), "_")
	if s == "" || badName(s) != "" {
		return strings.TrimLeft(s+"_step", "_")
	}
	return s
}

func (b *builder) classes(f *fields, what string) []event.ClassRef {
	f.need("class", what)
	var out []event.ClassRef
	for _, n := range f.list("class") {
		if strings.HasPrefix(n.Value, rulePrefix) {
			continue
		}
		ref, ok := b.doc.class(n)
		if ok && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out
}

func (d *document) class(n *yaml.Node) (event.ClassRef, bool) {
	ref, err := event.ParseClass(n.Value)
	if err == nil {
		return ref, true
	}
	hint := ""
	if ce, ok := errors.AsType[*event.ClassError](err); ok {
		if near := expression.Nearest(n.Value, ce.Candidates()); near != "" {
			hint = "did you mean " + near + "?"
		} else if ce.Of != "" {
			hint = "it has " + strings.Join(ce.Candidates(), ", ")
		}
	}
	d.problem(n, codeClass, err.Error(), hint)
	return ref, false
}

// bindings reads a mapping of variables to their sources, in the order written.
func (b *builder) bindings(n *yaml.Node, what string) []Binding {
	if n == nil || b.doc.mapping(n, what, true) == nil {
		return nil
	}
	var out []Binding
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if why := badVariable(k.Value); why != "" {
			b.doc.problem(k, codeBind, "variable "+k.Value+" "+why, "choose a word of lower-case letters, digits and _")
			continue
		}
		source := b.doc.scalar(v, "the source of a variable")
		if source == "" {
			continue
		}
		bind, ok := b.source(v, source)
		if !ok {
			continue
		}
		bind.Var = b.variable(k, bind.Kind)
		out = append(out, bind)
	}
	return out
}

func badVariable(name string) string {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return "is not a word"
		}
	}
	return ""
}

// joinable are the kinds of entity that a variable may take; the others are context that never joins.
var joinable = []event.EntityKind{event.EntityUser, event.EntityRobot, event.EntityDevice, event.EntityIP, event.EntitySession, event.EntityMAC}

// source reads where a variable comes from: an entity kind, role.kind, or a field.
func (b *builder) source(n *yaml.Node, s string) (Binding, bool) {
	if name, ok := strings.CutPrefix(s, "vars."); ok {
		return b.upstreamVariable(n, name)
	}
	role, kind := event.RoleNone, event.EntityKindOf(s)
	if head, tail, ok := strings.Cut(s, "."); ok && event.RoleOf(head) != event.RoleNone {
		role, kind = event.RoleOf(head), event.EntityKindOf(tail)
	}
	switch {
	case slices.Contains(joinable, kind) && role < event.RoleReporter:
		return Binding{Kind: kind, Role: role}, true
	case kind != event.EntityNone:
		b.doc.problem(n, codeBind, s+" never joins", "bind a field of the event, or one of the kinds user, robot, device, ip, session, mac")
		return Binding{}, false
	}
	if fd := event.FieldNamed(s); fd != nil {
		return Binding{Field: fd}, true
	}
	entities := Sources()
	hint := "an entity kind (user, robot, device, ip, session, mac), role.kind such as target.user, or the path of a field"
	if near := cmp.Or(expression.Nearest(s, entities), expression.NearestField(s)); near != "" {
		hint = "did you mean " + near + "?"
	}
	b.doc.problem(n, codeBind, s+" is no source of a variable", hint)
	return Binding{}, false
}

// variable is the index of a variable, declared where it first stands.
func (b *builder) variable(n *yaml.Node, kind event.EntityKind) int {
	for i, v := range b.plan.Vars {
		if v.Name != n.Value {
			continue
		}
		if v.Kind != kind {
			b.doc.problem(n, codeBind, "variable "+v.Name+" is "+kindWords(v.Kind)+" elsewhere and "+kindWords(kind)+" here, so that they never meet", "")
		}
		return i
	}
	b.plan.Vars = append(b.plan.Vars, Var{Name: n.Value, Kind: kind})
	b.scope.Vars = append(b.scope.Vars, expression.Var{Name: n.Value})
	b.bound[n.Value] = n
	return len(b.plan.Vars) - 1
}

func kindWords(k event.EntityKind) string {
	if k == event.EntityNone {
		return "a plain field"
	}
	return article(k.String())
}

// article puts a or an before a word.
func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// variables reads a list of names of variables into their indexes.
func (b *builder) variables(f *fields, key string) []int {
	var out []int
	for _, n := range f.list(key) {
		i := slices.IndexFunc(b.plan.Vars, func(v Var) bool { return v.Name == n.Value })
		if i < 0 {
			var names []string
			for _, v := range b.plan.Vars {
				names = append(names, v.Name)
			}
			hint := "bind it in a step first"
			if len(names) > 0 {
				hint = "bound are " + strings.Join(names, ", ")
			}
			b.doc.problem(n, codeVariable, "no step binds "+n.Value, hint)
			continue
		}
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out
}

// path reads the path of a field.
func (d *document) path(n *yaml.Node, what string) *event.Field {
	s := d.scalar(n, what)
	if s == "" {
		return nil
	}
	if fd := event.FieldNamed(s); fd != nil {
		return fd
	}
	hint := ""
	if near := expression.NearestField(s); near != "" {
		hint = "did you mean " + near + "?"
	}
	d.problem(n, codeField, "unknown field "+s, hint)
	return nil
}

// collect reads collect: {name: field, max: 20}.
func (b *builder) collect(f *fields, scope *expression.StepScope) []Collect {
	n := f.get("collect")
	if n == nil || b.doc.mapping(n, "collect", true) == nil {
		return nil
	}
	limit := 20
	var out []Collect
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Value == "max" {
			m, err := strconv.Atoi(v.Value)
			if err != nil || m < 1 || m > maxCollect {
				b.doc.problem(v, codeSpan, "max must be from 1 to "+strconv.Itoa(maxCollect), "")
				continue
			}
			limit = m
			continue
		}
		if fd := b.doc.path(v, "collect"); fd != nil {
			out = append(out, Collect{Name: k.Value, Field: scope.Need(fd)})
		}
	}
	for i := range out {
		out[i].Max = limit
	}
	return out
}

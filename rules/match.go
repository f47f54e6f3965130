package rules

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/expression"
)

var matchKinds = []string{"event", "sequence", "all", "any", "count", "consecutive"}

// match reads the match of a rule into branches.
func (b *builder) match(n *yaml.Node) {
	f := b.doc.mapping(n, "match", false, InMatch, InAny)
	if f == nil {
		return
	}
	b.plan.AtLeast = 1
	if f.get("any") == nil {
		b.branch(n, f)
		return
	}
	b.oneKind(f)
	list := f.items("any")
	b.plan.AtLeast = f.integer("at_least", 1, 1, max(1, len(list)))
	if b.plan.AtLeast > 1 {
		f.need("within", "any with at_least above 1")
	}
	b.plan.Within = f.duration("within", 0, maxWithin)
	for _, key := range []string{"unless", "until", "order_tolerance", "select"} {
		if f.get(key) != nil {
			b.doc.problem(f.get(key), codeUnknownKey, key+" does not stand beside any", "write it in the entries of any")
		}
	}
	for _, entry := range list {
		if ef := b.doc.mapping(entry, "an entry of any", false, InMatch); ef != nil {
			b.branch(entry, ef)
		}
	}
}

// oneKind gives the one kind of match that stands.
func (b *builder) oneKind(f *fields) string {
	var found []string
	for _, k := range matchKinds {
		if f.get(k) != nil {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		b.doc.problem(f.node, codeMatchKinds, "a match has exactly one of "+strings.Join(matchKinds, ", ")+", and this has "+strconv.Itoa(len(found)), "")
		return ""
	}
	return found[0]
}

// branch reads one pattern with its steps; guards follow when all steps are known.
func (b *builder) branch(n *yaml.Node, f *fields) {
	kind := b.oneKind(f)
	br := &branchSpec{node: n, fields: f, branch: Branch{AtLeast: 1, Distinct: -1}}
	b.branches = append(b.branches, br)
	b.misplaced(f, kind)
	switch kind {
	case "event":
		br.branch.Kind = Event
		b.addStep(br, f.get("event"), "event", InStep)
	case "sequence":
		br.branch.Kind = Sequence
		b.steps(br, f, kind)
		br.branch.SelectFirst = f.choice("select", "latest", "first") == "first"
		br.branch.OrderTolerance = f.duration("order_tolerance", 0, maxTolerance)
	case "all":
		br.branch.Kind = All
		b.steps(br, f, kind)
		br.branch.AtLeast = f.integer("at_least", 0, 1, max(1, len(br.steps)))
	case "count":
		b.counted(br, f.get("count"))
	case "consecutive":
		b.consecutive(br, f.get("consecutive"))
	}
}

// misplaced reports keys that mean nothing for a kind of match.
func (b *builder) misplaced(f *fields, kind string) {
	fits := map[string][]string{
		"within": {"sequence", "all"}, "order_tolerance": {"sequence"}, "select": {"sequence"}, "at_least": {"all"},
	}
	for _, key := range []string{"within", "order_tolerance", "select", "at_least"} {
		if n := f.get(key); n != nil && kind != "" && !slices.Contains(fits[key], kind) {
			hint := ""
			if kind == "count" || kind == "consecutive" {
				hint = "write it inside " + kind
			}
			b.doc.problem(n, codeUnknownKey, key+" does not stand beside "+kind, hint)
		}
	}
}

func (b *builder) steps(br *branchSpec, f *fields, kind string) {
	list := f.items(kind)
	if len(list) < 2 || len(list) > maxSteps {
		b.doc.problem(f.get(kind), codeMatchKinds, kind+" needs 2 to "+strconv.Itoa(maxSteps)+" steps", "")
	}
	for _, n := range list {
		b.addStep(br, n, "a step", InStep)
	}
	f.need("within", kind)
	br.branch.Within = f.duration("within", 0, maxWithin)
}

// addStep reads a step and puts it where expressions over the match find it.
func (b *builder) addStep(br *branchSpec, n *yaml.Node, what string, places ...Place) *stepSpec {
	s := b.step(n, what, places...)
	s.step.Slot = len(b.scope.Steps)
	b.scope.Steps = append(b.scope.Steps, s.scope)
	br.steps = append(br.steps, s)
	f := s.fields
	if f == nil {
		return s
	}
	s.step.Where = b.doc.condition(f, "where")
	if slices.Contains(places, InStep) {
		s.step.AtLeast = f.integer("at_least", 1, 1, maxCount)
		if fd := b.doc.path(f.get("distinct"), "distinct"); fd != nil {
			s.step.Distinct = s.scope.Need(fd)
		}
	}
	return s
}

func (b *builder) counted(br *branchSpec, n *yaml.Node) {
	br.branch.Kind = Count
	s := b.addStep(br, n, "count", InCount)
	f := s.fields
	if f == nil {
		return
	}
	br.branch.Measure = b.measure(f, s)
	if br.branch.Measure == nil {
		f.need("at_least", "count")
	}
	f.need("within", "count")
	br.branch.AtLeast = f.integer("at_least", 1, 1, maxCount)
	br.branch.Within = f.duration("within", 0, maxWithin)
	if fd := b.doc.path(f.get("distinct"), "distinct"); fd != nil {
		br.branch.Distinct = s.scope.Need(fd)
	}
	if br.branch.AtLeast > exactCount {
		b.doc.problem(f.get("at_least"), codeApproximate, "counts above "+strconv.Itoa(exactCount)+" are approximate", "")
	}
}

func (b *builder) consecutive(br *branchSpec, n *yaml.Node) {
	br.branch.Kind = Consecutive
	s := b.addStep(br, n, "consecutive", InConsecutive)
	f := s.fields
	if f == nil {
		return
	}
	f.need("when", "consecutive")
	br.branch.AtLeast = f.integer("at_least", 1, 1, maxCount)
	if br.branch.AtLeast > 1 {
		f.need("within", "consecutive with at_least above 1")
	}
	br.branch.Within = f.duration("within", 0, maxWithin)
}

// condition compiles a condition over one event; nil if the key does not stand or there is a problem.
func (d *document) condition(f *fields, key string) *expression.Event {
	n := f.get(key)
	if n == nil {
		return nil
	}
	x, issues := expression.CompileEvent(d.scalar(n, key))
	d.issues(n, flow(f), issues)
	if x != nil && x.Never() {
		d.problem(n, codeNever, "this condition can never be true", "")
	}
	return x
}

func flow(f *fields) bool { return f.node.Style&yaml.FlowStyle != 0 }

// guards reads the guards and untils of a branch, once all steps and variables are known.
func (b *builder) guards(br *branchSpec) {
	declared := len(b.plan.Vars)
	for _, n := range br.fields.items("unless") {
		g := &guardSpec{stepSpec: *b.step(n, "a guard", InUnless)}
		br.guards = append(br.guards, g)
		if g.fields != nil {
			b.guardReach(br, g)
		}
	}
	for _, n := range br.fields.items("until") {
		g := &guardSpec{stepSpec: *b.step(n, "until", InUntil), until: true}
		br.guards = append(br.guards, g)
		if g.fields != nil {
			g.guard.QuietFor = g.fields.duration("quiet_for", 0, maxQuiet)
			g.guard.Of, g.guard.From, g.guard.To = -1, -1, -1
		}
	}
	if len(br.guards) > maxGuards {
		b.doc.problem(br.node, codeSpan, "more than "+strconv.Itoa(maxGuards)+" guards", "")
	}
	for _, g := range br.guards {
		b.guardBinds(br, g, declared)
		if g.fields != nil {
			b.guardWhere(br, g)
		}
	}
	b.plan.Vars, b.scope.Vars = b.plan.Vars[:declared], b.scope.Vars[:declared]
}

// guardBinds refuses variables that only a guard binds: there is nothing they could be equal to.
func (b *builder) guardBinds(br *branchSpec, g *guardSpec, declared int) {
	for _, bind := range g.step.Bind {
		joined := slices.ContainsFunc(br.steps, func(s *stepSpec) bool { return bind.Var < declared && s.binds(bind.Var) })
		if joined {
			continue
		}
		name := "it"
		if bind.Var < len(b.plan.Vars) {
			name = b.plan.Vars[bind.Var].Name
		}
		b.doc.problem(g.fields.get("bind"), codeVariable, "no step of this match binds "+name, "a guard joins on variables of the steps")
	}
}

// guardWhere compiles a guard's condition: what the event alone decides, and what needs the match.
func (b *builder) guardWhere(br *branchSpec, g *guardSpec) {
	n := g.fields.get("where")
	if n == nil {
		return
	}
	scope := b.branchScope(br)
	scope.Own = g.scope
	where, when, issues := expression.CompileGuard(b.doc.scalar(n, "where"), scope)
	b.doc.issues(n, flow(g.fields), issues)
	if where != nil && where.Never() {
		b.doc.problem(n, codeNever, "this condition can never be true, so the guard guards nothing", "")
	}
	if when != nil {
		b.texts = append(b.texts, when.String())
		if g.until {
			b.doc.problem(n, codeGuard, "until cannot cite steps: it acts before there is a match", "use unless with between")
		}
	}
	g.step.Where, g.guard.When = where, when
}

// branchScope is the scope of a branch: its own steps at their slots.
func (b *builder) branchScope(br *branchSpec) *expression.Scope {
	scope := &expression.Scope{Steps: make([]*expression.StepScope, len(b.scope.Steps)), Vars: b.scope.Vars}
	for _, s := range br.steps {
		scope.Steps[s.step.Slot] = s.scope
	}
	return scope
}

// guardReach reads where a guard looks.
func (b *builder) guardReach(br *branchSpec, g *guardSpec) {
	f := g.fields
	g.guard.Before = f.duration("before", 0, maxBefore)
	g.guard.After = f.duration("after", 0, maxAfter)
	g.guard.Of, g.guard.From, g.guard.To = -1, -1, -1
	if n := f.get("of"); n != nil {
		g.guard.Of = b.stepNamed(br, n)
	}
	if n := f.get("between"); n != nil {
		b.between(br, g, n)
	}
	if g.guard.Before == 0 && g.guard.After == 0 && !g.guard.Between {
		b.doc.problem(f.node, codeGuard, "the guard looks nowhere", "give it before, after or between")
	}
	if n := f.get("of"); n != nil && g.guard.Before == 0 && g.guard.After == 0 {
		b.doc.problem(n, codeGuard, "of says nothing without before or after", "")
	}
}

func (b *builder) between(br *branchSpec, g *guardSpec, n *yaml.Node) {
	g.guard.Between = true
	if br.branch.Kind == Event {
		b.doc.problem(n, codeGuard, "there is nothing between the steps of a single event", "use before or after")
	}
	if n.Kind == yaml.ScalarNode {
		if n.Value != "true" {
			b.doc.problem(n, codeValue, "between is true or two steps", "as in between: [nac, mode]")
		}
		return
	}
	ids := b.doc.scalars(n, "between")
	if len(ids) != 2 {
		b.doc.problem(n, codeValue, "between needs two steps", "as in between: [nac, mode]")
		return
	}
	g.guard.From, g.guard.To = b.stepNamed(br, ids[0]), b.stepNamed(br, ids[1])
	if g.guard.From >= 0 && g.guard.To >= 0 && g.guard.From >= g.guard.To {
		b.doc.problem(n, codeGuard, "the steps of between stand in the wrong order", "")
	}
}

func (b *builder) stepNamed(br *branchSpec, n *yaml.Node) int {
	var ids []string
	for i, s := range br.steps {
		if s.step.ID == n.Value {
			return i
		}
		ids = append(ids, s.step.ID)
	}
	b.doc.problem(n, codeGuard, "no step named "+n.Value, "steps here: "+strings.Join(ids, ", "))
	return -1
}

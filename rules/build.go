package rules

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

var (
	ruleID  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	likeOne = regexp.MustCompile(`(?i)^((attack|ics|mitre|iec[-_]?62443)[.:_/-].*|t\d{4}.*)$`)
)

// build reads the document of one rule. The rule is meaningful only if no error was found.
func (d *document) build(n *yaml.Node, l *loader) *Rule {
	f := d.mapping(n, "a rule", false, InRule)
	if f == nil {
		return nil
	}
	rule := &Rule{File: d.file, Line: n.Line}
	b := &builder{
		doc: d, rule: rule, load: l, bound: map[string]*yaml.Node{}, scope: &expression.Scope{},
		plan: &Plan{Rule: rule, AtLeast: 1},
	}
	rule.Plan = b.plan
	b.about(f)
	if m := f.need("match", "a rule"); m != nil {
		b.match(m)
	}
	for _, br := range b.branches {
		for _, s := range br.steps {
			if s.fields != nil {
				b.histories(s)
			}
		}
		b.guards(br)
		b.when(br)
	}
	b.operations(f)
	b.exceptions(f, l)
	b.plan.settle()
	b.finish()
	rule.Tests = b.tests(f)
	b.lint(f)
	rule.Hash = b.hash(f)
	return rule
}

// about reads what a rule says about itself.
func (b *builder) about(f *fields) {
	r := b.rule
	if n := f.need("id", "a rule"); n != nil {
		r.ID = b.doc.scalar(n, "id")
		if !ruleID.MatchString(r.ID) || len(r.ID) > 64 {
			b.doc.problem(n, codeID, "rule id "+strconv.Quote(r.ID)+" must be at most 64 lower-case letters, digits and dashes", "as in rb-0003")
		}
	}
	f.need("version", "a rule")
	r.Version = int32(f.integer("version", 1, 1, 1_000_000))
	f.need("title", "a rule")
	r.Title, r.Description = f.text("title"), f.text("description")
	r.Severity = incident.SeverityOf(f.choice("severity", "medium", "informational", "low", "high", "critical", "fatal"))
	r.Status = map[string]Status{"off": Off, "shadow": Shadow, "live": Live}[f.choice("status", "live", "shadow", "off")]
	tags := f.list("tags")
	r.Tags, r.References, r.FalsePositives = values(tags), values(f.list("references")), values(f.list("false_positives"))
	r.Owner, r.Response = f.text("owner"), f.text("response")
	b.imported(f)
	for _, n := range tags {
		if _, _, ok := reference(n.Value); r.Imported == nil && likeOne.MatchString(n.Value) && (!ok || n.Value != strings.ToLower(n.Value)) {
			b.doc.problem(n, codeTag, "tag "+n.Value+" is not written as a technique or requirement", "as in attack.t1078, attack.t1556.006, ics.t0858 or iec62443.sr1.13")
		}
	}
}

// imported reads where the rule comes from.
func (b *builder) imported(f *fields) {
	n := f.get("imported_from")
	if n == nil {
		return
	}
	i := b.doc.mapping(n, "imported_from", false, InImported)
	if i == nil {
		return
	}
	i.need("format", "imported_from")
	b.rule.Imported = &Imported{
		Format: i.choice("format", "sigma"), ID: i.text("id"), File: i.text("file"), Author: i.text("author"), License: i.text("license"),
		Status: i.text("status"), Date: i.text("date"), Modified: i.text("modified"),
	}
}

// when compiles the condition of a consecutive.
func (b *builder) when(br *branchSpec) {
	if br.branch.Kind != Consecutive || len(br.steps) == 0 || br.steps[0].fields == nil {
		return
	}
	n := br.steps[0].fields.get("when")
	if n == nil {
		return
	}
	scope := b.branchScope(br)
	scope.Own, scope.Prev = br.steps[0].scope, true
	x, issues := expression.CompileFold(b.doc.scalar(n, "when"), scope, expression.Condition)
	b.doc.issues(n, flow(br.steps[0].fields), issues)
	if x != nil {
		br.branch.When = x
		b.texts = append(b.texts, x.String())
	}
}

// operations reads what belongs to the rule as a whole.
func (b *builder) operations(f *fields) {
	b.plan.Lateness = f.duration("lateness", DefaultLateness, maxLateness)
	if t := b.doc.mapping(f.get("throttle"), "throttle", false, InThrottle); t != nil {
		t.need("per", "throttle")
		t.need("for", "throttle")
		b.plan.Throttle = Throttle{Per: b.variables(t, "per"), For: t.duration("for", 0, maxThrottle)}
	}
	if t := b.doc.mapping(f.get("flood"), "flood", false, InFlood); t != nil {
		t.need("findings", "flood")
		t.need("per", "flood")
		b.rule.Flood = incident.Flood{Findings: t.integer("findings", 0, 1, maxCount), Per: max(minute, t.duration("per", hour, day))}
	}
	if n := f.get("score"); n != nil {
		b.plan.Score = b.overMatch(b.doc, n, false, expression.Number)
	}
	for _, n := range f.items("severity_if") {
		s := b.doc.mapping(n, "an entry of severity_if", false, InSeverityIf)
		if s == nil {
			continue
		}
		s.need("severity", "an entry of severity_if")
		entry := SeverityIf{Severity: incident.SeverityOf(s.choice("severity", "medium", "informational", "low", "high", "critical", "fatal"))}
		if w := s.need("when", "an entry of severity_if"); w != nil {
			entry.When = b.overMatch(b.doc, w, flow(s), expression.Condition)
		}
		b.plan.Severity = append(b.plan.Severity, entry)
	}
}

func (b *builder) overMatch(d *document, n *yaml.Node, inFlow bool, want expression.Result) *expression.Fold {
	x, issues := expression.CompileFold(d.scalar(n, "an expression"), b.scope, want)
	d.issues(n, inFlow, issues)
	if x != nil {
		b.texts = append(b.texts, x.String())
	}
	return x
}

// finish puts the parts into the plan, now that it is known what every hit carries.
func (b *builder) finish() {
	p := b.plan
	p.Slots = len(b.scope.Steps)
	for _, br := range b.branches {
		for _, s := range br.steps {
			b.checkFound(s)
			br.branch.Steps = append(br.branch.Steps, s.finished())
		}
		for _, g := range br.guards {
			b.checkFound(&g.stepSpec)
			g.guard.Step = g.finished()
			if g.until {
				br.branch.Until = append(br.branch.Until, g.guard)
			} else {
				br.branch.Guards = append(br.branch.Guards, g.guard)
			}
		}
		p.Branches = append(p.Branches, br.branch)
	}
	p.Key = b.key()
	b.rule.bindExceptions()
}

// hash is over what decides what matches, and over what hits carry: state whose hits carry something else cannot be gone on with.
func (b *builder) hash(f *fields) string {
	shape := &yaml.Node{Kind: yaml.SequenceNode}
	add := func(s string) { shape.Content = append(shape.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: s}) }
	b.plan.each(func(s *Step) {
		add("step")
		for _, up := range s.Listens {
			add(rulePrefix + up.ID)
			add(strconv.Itoa(int(up.Version)))
			add(up.Hash)
		}
		for _, fd := range s.Fields {
			add(fd.Path)
		}
		for _, x := range s.Values {
			add(x.String())
		}
	})
	return hashOf(f.get("match"), f.get("lateness"), f.get("throttle"), shape)
}

// each visits what hits are made of: the steps, guards and untils of all branches.
func (p *Plan) each(visit func(*Step)) {
	for i := range p.Branches {
		b := &p.Branches[i]
		for j := range b.Steps {
			visit(&b.Steps[j])
		}
		for j := range b.Guards {
			visit(&b.Guards[j].Step)
		}
		for j := range b.Until {
			visit(&b.Until[j].Step)
		}
	}
}

// finished is the step with what its hits carry.
func (s *stepSpec) finished() Step {
	st := s.step
	st.Fields, st.Values = s.scope.Fields, s.scope.Values
	for _, index := range s.computed {
		*index += len(st.Fields)
	}
	s.computed = nil
	return st
}

// key is the partition key: the variables that every step and guard binds, as far as no history reaches beyond them: what new and changed
// remember per robot must not be spread over keys that are finer than the robot. With bind_any there is no key, since steps of one match
// may then differ in any variable.
func (b *builder) key() []int {
	var out []int
	for v := range b.plan.Vars {
		if b.everywhere(v) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(x, y int) int { return cmp.Compare(b.plan.Vars[x].Name, b.plan.Vars[y].Name) })
	return out
}

func (b *builder) everywhere(v int) bool {
	for _, br := range b.branches {
		for _, s := range br.steps {
			if len(s.step.BindAny) > 0 || !s.mustBind(v) {
				return false
			}
			if slices.ContainsFunc(s.step.pers(), func(per []int) bool { return !slices.Contains(per, v) }) {
				return false
			}
			if s.step.New != nil && s.step.New.Inherit >= 0 {
				return false // What it goes by is remembered across entities.
			}
		}
		for _, g := range br.guards {
			if !g.mustBind(v) {
				return false
			}
		}
	}
	return len(b.branches) > 0
}

// lint looks at the rule as a whole.
func (b *builder) lint(f *fields) {
	p := b.plan
	if t := f.get("throttle"); t != nil && len(p.Throttle.Per) > 0 {
		for _, v := range p.Key {
			if !slices.Contains(p.Throttle.Per, v) {
				b.doc.problem(t, codeThrottleKey, "throttle.per leaves out "+p.Vars[v].Name+", which is part of the rule's key", "add it, or emit it in place of binding it")
			}
		}
	}
	for _, br := range b.branches {
		if br.branch.Kind == Sequence || br.branch.Kind == All {
			b.lintJoins(br)
		}
		if br.branch.OrderTolerance > br.branch.Within && br.branch.Within > 0 {
			b.doc.problem(br.fields.get("order_tolerance"), codeSpan, "order_tolerance is longer than within", "")
		}
	}
	firing, silent := false, false
	for _, t := range b.rule.Tests {
		firing, silent = firing || len(t.Fires) > 0, silent || len(t.Fires) == 0
	}
	if b.rule.Status == Live && b.rule.Imported == nil && (!firing || !silent) {
		b.doc.problem(f.node, codeTests, "a live rule needs a test that fires and one that stays silent", "add them, or set status: shadow")
	}
}

// lintJoins warns of variables that join nothing and of steps that are joined by nothing.
func (b *builder) lintJoins(br *branchSpec) {
	for i, s := range br.steps {
		joined := false
		for v := range b.plan.Vars {
			for j, other := range br.steps {
				joined = joined || i != j && s.binds(v) && other.binds(v)
			}
			if s.binds(v) && b.usedOnce(br, v) {
				b.doc.problem(b.bound[b.plan.Vars[v].Name], codeUnusedVar, "variable "+b.plan.Vars[v].Name+" joins nothing", "emit shows it without joining")
			}
		}
		if !joined && s.step.ID != "" && b.rule.Imported == nil {
			b.doc.problem(s.node, codeUnjoined, "step "+s.step.ID+" shares no variable with the other steps", "bind a variable that another step binds too")
		}
	}
}

// usedOnce reports whether a variable is bound in one step and named nowhere else.
func (b *builder) usedOnce(br *branchSpec, v int) bool {
	steps := 0
	for _, s := range br.steps {
		if s.binds(v) {
			steps++
		}
		if slices.ContainsFunc(s.step.pers(), func(per []int) bool { return slices.Contains(per, v) }) {
			return false
		}
	}
	for _, g := range br.guards {
		if g.mustBind(v) {
			return false
		}
	}
	for _, text := range b.texts {
		if strings.Contains(text, "vars."+b.plan.Vars[v].Name) {
			return false
		}
	}
	return steps == 1 && !slices.Contains(b.plan.Throttle.Per, v)
}

// CheckClasses warns of steps and guards that wait for classes no configured format emits. Emitted lists class keys such as authentication or
// authentication.logon; a class without activity stands for all of its activities.
func (s *Set) CheckClasses(emitted []string) []Problem {
	var out []Problem
	for _, r := range s.Rules {
		if r.Status == Off {
			continue
		}
		for _, br := range r.Plan.Branches {
			for i := range br.Steps {
				if names := missing(br.Steps[i].Classes, emitted); names != "" {
					out = append(out, r.warning("no configured format emits "+names+", so that step "+br.Steps[i].ID+" never happens"))
				}
			}
			for _, g := range slices.Concat(br.Guards, br.Until) {
				if names := missing(g.Step.Classes, emitted); names != "" {
					out = append(out, r.warning("no configured format emits "+names+", so that a guard never sees anything"))
				}
			}
		}
	}
	return out
}

func (r *Rule) warning(message string) Problem {
	return Problem{File: r.File, Line: r.Line, Column: 1, Code: codeNotEmitted, Severity: Warning, Message: r.ID + ": " + message}
}

// missing names the classes if not one of them is emitted.
func missing(classes []event.ClassRef, emitted []string) string {
	var names []string
	for _, c := range classes {
		name := c.String()
		class, _, _ := strings.Cut(name, ".")
		for _, e := range emitted {
			if e == name || e == class || c.Any && strings.HasPrefix(e, class+".") {
				return ""
			}
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

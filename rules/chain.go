package rules

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/event"
)

// maxDepth bounds how many rules may stand behind each other.
const maxDepth = 8

// rulePrefix begins a class that is another rule.
const rulePrefix = "rule:"

// listens reads the classes of a step that are rules. The rules are built first, so that their variables are known.
func (b *builder) listens(list []*yaml.Node) []*Rule {
	var out []*Rule
	for _, n := range list {
		id, ok := strings.CutPrefix(n.Value, rulePrefix)
		if !ok {
			continue
		}
		if up := b.upstream(n, id); up != nil && !slices.Contains(out, up) {
			out = append(out, up)
		}
		if len(list) > 1 && slices.ContainsFunc(list, func(n *yaml.Node) bool { return !strings.HasPrefix(n.Value, rulePrefix) }) {
			b.doc.problem(n, codeListen, "a step listens to events or to rules, not to both", "write two steps, or a match of its own under any")
			return out
		}
	}
	return out
}

// upstream is a rule that is listened to; nil if there is none, or if it is ours.
func (b *builder) upstream(n *yaml.Node, id string) *Rule {
	x := b.load.byID[id]
	if x == nil {
		b.doc.problem(n, codeListen, "no rule "+id+" is loaded", nearestHint(id, b.load.ids()))
		return nil
	}
	if loop := b.load.loop(x); loop != "" {
		b.doc.problem(n, codeLoop, "rules listen to each other: "+loop, "")
		return nil
	}
	b.load.build(x)
	up := x.rule
	if up == nil || up.Plan == nil {
		return nil
	}
	if up.Status == Off {
		b.doc.problem(n, codeListenOff, "rule "+id+" is off, so that it finds nothing", "set its status to shadow: it is heard, and nobody is told")
	}
	if up.Depth+1 > b.rule.Depth {
		b.rule.Depth = up.Depth + 1
	}
	if b.rule.Depth > maxDepth {
		b.doc.problem(n, codeDepth, "more than "+strconv.Itoa(maxDepth)+" rules stand behind each other", "")
	}
	if !slices.Contains(b.rule.Upstream, up) {
		b.rule.Upstream = append(b.rule.Upstream, up)
	}
	return up
}

// ids are those of all rules, in order.
func (l *loader) ids() []string {
	ids := make([]string, 0, len(l.byID))
	for id := range l.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// loop names the circle that closes if the rule at work listens to x; "" if none does.
func (l *loader) loop(x *draft) string {
	at := slices.Index(l.stack, x)
	if at < 0 {
		return ""
	}
	var b strings.Builder
	for _, d := range l.stack[at:] {
		b.WriteString(d.id + " → ")
	}
	return b.String() + x.id
}

// upstreamVariable reads vars.<name> at a step that listens to rules: a variable of theirs.
func (b *builder) upstreamVariable(n *yaml.Node, name string) (Binding, bool) {
	if len(b.listening) == 0 {
		b.doc.problem(n, codeFound, "vars."+name+" is a variable of another rule, and this step listens to events", "bind an entity kind, role.kind, or a field")
		return Binding{}, false
	}
	out := Binding{Found: name}
	for i, up := range b.listening {
		at := slices.IndexFunc(up.Plan.Vars, func(v Var) bool { return v.Name == name })
		if at < 0 {
			names := up.Plan.variableNames()
			hint := nearestHint(name, names)
			if hint == "" && len(names) > 0 {
				hint = "it has " + strings.Join(names, ", ")
			}
			b.doc.problem(n, codeFound, "rule "+up.ID+" has no variable "+name, hint)
			return out, false
		}
		if kind := up.Plan.Vars[at].Kind; i > 0 && kind != out.Kind {
			b.doc.problem(n, codeFound, "vars."+name+" is "+kindWords(out.Kind)+" in one of the rules and "+kindWords(kind)+" in "+up.ID, "")
			return out, false
		}
		out.Kind = up.Plan.Vars[at].Kind
	}
	return out, true
}

func (p *Plan) variableNames() []string {
	names := make([]string, len(p.Vars))
	for i, v := range p.Vars {
		names[i] = v.Name
	}
	return names
}

// checkFound refuses fields that findings do not have at a step that listens to rules.
func (b *builder) checkFound(s *stepSpec) {
	if len(s.step.Listens) == 0 || s.fields == nil {
		return
	}
	fields := slices.Clone(s.scope.Fields)
	for _, x := range append(slices.Clone(s.scope.Values), s.step.Where) {
		if x != nil {
			fields = append(fields, x.Fields()...)
		}
	}
	for _, bind := range slices.Concat(s.step.Bind, s.step.Emit, slices.Concat(s.step.BindAny...)) {
		if bind.Field != nil {
			fields = append(fields, bind.Field)
		}
	}
	for _, fd := range fields {
		if !findingHas(fd) {
			b.doc.problem(s.node, codeFound, "findings have no "+fd.Path, "they have time, severity, risk_score, finding_info.uid, finding_info.title, finding_info.analytic.uid (the rule), entities, and vars.<name> in bind")
			return
		}
	}
}

// findingHas reports whether a finding, as the event that a step listens to, can have a field.
func findingHas(fd *event.Field) bool {
	switch root, _, _ := strings.Cut(fd.Path, "."); root {
	case "time", "severity", "severity_id", "risk_score", "class_uid", "class_name", "activity_id", "activity_name", "count", "finding_info", "entities":
		return true
	}
	return false
}

// settle is the lateness of a rule that listens to others: it decides what they have decided before.
func (p *Plan) settle() {
	for _, up := range p.Rule.Upstream {
		p.Lateness = max(p.Lateness, up.Plan.Lateness+up.Plan.Waits()+up.Plan.Decides())
	}
}

// Decides is how long after its completing event, in microseconds of event time, a finding becomes final once the rule's W has come that far:
// the longest after of a guard.
func (p *Plan) Decides() int64 {
	var longest int64
	for i := range p.Branches {
		for _, g := range p.Branches[i].Guards {
			longest = max(longest, g.After)
		}
	}
	return longest
}

// WithUpstream lists the rule and the rules its findings follow from, however far behind, by id.
func (r *Rule) WithUpstream() []*Rule {
	out := []*Rule{r}
	for i := 0; i < len(out); i++ {
		for _, up := range out[i].Upstream {
			if !slices.Contains(out, up) {
				out = append(out, up)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// ClassNames are what a step listens to, as rules write it.
func (s *Step) ClassNames() []string {
	out := make([]string, 0, len(s.Classes)+len(s.Listens))
	for _, c := range s.Classes {
		out = append(out, c.String())
	}
	for _, up := range s.Listens {
		out = append(out, rulePrefix+up.ID)
	}
	return out
}

// components names the rules that listen to each other by the first of them: what they hold must be folded in one place.
func components(rules []*Rule) {
	root := map[*Rule]*Rule{}
	var find func(r *Rule) *Rule
	find = func(r *Rule) *Rule {
		if root[r] == nil || root[r] == r {
			return r
		}
		root[r] = find(root[r])
		return root[r]
	}
	for _, r := range rules {
		for _, up := range r.Upstream {
			a, b := find(r), find(up)
			if a.ID > b.ID {
				a, b = b, a
			}
			root[b] = a
		}
	}
	size := map[*Rule]int{}
	for _, r := range rules {
		size[find(r)]++
	}
	for _, r := range rules {
		if first := find(r); size[first] > 1 {
			r.Component = first.ID
		}
	}
}

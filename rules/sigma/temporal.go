package sigma

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// temporal is temporal and temporal_ordered: steps of ours. The specification says nothing of where the window of an absence lies, of ties, of
// repeats and of late events. Here: steps may have the same time (ordered ones then follow the order of their events), the newest event of a
// rule stands for it, what has made a finding makes no second one, and events later than the rule's lateness are counted and not matched.
func (r *correlation) temporal() (*yaml.Node, error) {
	n := r.fields.keys["condition"]
	if n == nil {
		return r.branch(conjunction{yes: r.all()}, len(r.parts))
	}
	if n.Kind == yaml.MappingNode {
		t, err := r.threshold()
		if err != nil {
			return nil, err
		}
		least, err := t.least()
		if err != nil {
			return nil, err
		}
		if least > len(r.parts) || r.kind == "temporal_ordered" && least < len(r.parts) {
			return nil, refuse(n, codeCorrelation, "the condition asks for "+strconv.Itoa(least)+" of "+strconv.Itoa(len(r.parts))+" rules", "an ordered correlation needs all of them")
		}
		return r.branch(conjunction{yes: r.all()}, least)
	}
	list, err := r.conjunctions(n)
	if err != nil {
		return nil, err
	}
	if len(list) == 1 {
		return r.branch(list[0], len(list[0].yes))
	}
	var branches []*yaml.Node
	for _, c := range list {
		b, err := r.branch(c, len(c.yes))
		if err != nil {
			return nil, err
		}
		branches = append(branches, b)
	}
	m := newMapping(r.node)
	m.add("any", sequenceNode(branches))
	return m.Node, nil
}

func (r *correlation) all() []int {
	out := make([]int, len(r.parts))
	for i := range out {
		out[i] = i
	}
	return out
}

// conjunction is rules that must have fired and rules that must not, as indexes in ascending order.
type conjunction struct{ yes, no []int }

// maxConjunctions bounds how many matches a condition over rules may become.
const maxConjunctions = 16

// conjunctions reads a condition over rules and takes it apart into matches of which one is enough.
func (r *correlation) conjunctions(n *yaml.Node) ([]conjunction, error) {
	t, err := parseCondition(n, r.names, func(name string) (*tree, error) {
		i := slices.IndexFunc(r.parts, func(p *part) bool { return p.header.name == name || p.header.id == name })
		if i < 0 {
			return nil, refuse(n, codeReference, "the correlation does not name rule "+name, "")
		}
		return &tree{leaf: &leaf{start: true, text: strconv.Itoa(i)}}, nil
	})
	if err != nil {
		return nil, err
	}
	list, err := r.normal(n, t, true)
	if err != nil {
		return nil, err
	}
	out := list[:0]
	for _, c := range list {
		if slices.ContainsFunc(c.yes, func(i int) bool { return slices.Contains(c.no, i) }) {
			continue // It can never hold.
		}
		if len(c.yes) == 0 {
			return nil, refuse(n, codeCorrelation, "a condition that only absences satisfy has no event that completes it", "name a rule without not")
		}
		if !slices.ContainsFunc(out, func(o conjunction) bool { return slices.Equal(o.yes, c.yes) && slices.Equal(o.no, c.no) }) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, refuse(n, codeCorrelation, "the condition can never hold", "")
	}
	return out, nil
}

// normal is the disjunctive normal form of a condition, or of its opposite.
func (r *correlation) normal(n *yaml.Node, t *tree, want bool) ([]conjunction, error) {
	switch {
	case t.op == opLeaf:
		i, _ := strconv.Atoi(t.leaf.text)
		if want {
			return []conjunction{{yes: []int{i}}}, nil
		}
		return []conjunction{{no: []int{i}}}, nil
	case t.op == opNot:
		return r.normal(n, t.kids[0], !want)
	}
	either := (t.op == opOr) == want
	out := []conjunction{{}}
	if either {
		out = nil
	}
	for _, k := range t.kids {
		list, err := r.normal(n, k, want)
		if err != nil {
			return nil, err
		}
		if either {
			out = append(out, list...)
		} else {
			out = product(out, list)
		}
		if len(out) > maxConjunctions {
			return nil, refuse(n, codeTooBig, "the condition is more than "+strconv.Itoa(maxConjunctions)+" matches", "")
		}
	}
	return out, nil
}

func product(a, b []conjunction) []conjunction {
	var out []conjunction
	for _, x := range a {
		for _, y := range b {
			out = append(out, conjunction{yes: united(x.yes, y.yes), no: united(x.no, y.no)})
		}
	}
	return out
}

func united(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// branch is the match of one conjunction, of whose rules least must have fired.
func (r *correlation) branch(c conjunction, least int) (*yaml.Node, error) {
	var steps []*yaml.Node
	ids := make(map[int]string, len(c.yes))
	for _, i := range c.yes {
		ids[i] = r.stepID(i)
		s, err := r.step(ids[i], i)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s.Node)
	}
	m := newMapping(r.node)
	switch {
	case len(steps) == 1:
		m.add("event", steps[0])
	case r.kind == "temporal_ordered":
		m.add("sequence", sequenceNode(steps))
		m.add("within", r.within)
	default:
		m.add("all", sequenceNode(steps))
		m.add("within", r.within)
		if least < len(steps) {
			m.add("at_least", numberNode(least))
		}
	}
	var guards []*yaml.Node
	for _, i := range c.no {
		g, err := r.guard(c, i, ids)
		if err != nil {
			return nil, err
		}
		guards = append(guards, g)
	}
	if len(guards) > 0 {
		m.add("unless", sequenceNode(guards))
	}
	return m.Node, nil
}

// step is an event of the rule, or a finding of the correlation, of that index.
func (r *correlation) step(id string, i int) (mapping, error) {
	p := r.parts[i]
	var step mapping
	if p.kind == correlationRule {
		step = newMapping(r.node)
		if id != "" {
			step.add("id", textNode(id, r.node))
		}
		step.words("class", []string{"rule:" + p.header.ruleID()}, r.node)
	} else {
		var err error
		if step, err = p.step(id, r.node); err != nil {
			return step, err
		}
	}
	r.bind(step, i)
	return step, nil
}

// guard is an absence. Without order the window is open on both sides: no event of the rule within the timespan before the first event, between
// the events and within the timespan after the last. With order it stands where the rule stands in the list: before the first of the others,
// between its neighbours, or after the last of them.
func (r *correlation) guard(c conjunction, i int, ids map[int]string) (*yaml.Node, error) {
	g, err := r.step("", i)
	if err != nil {
		return nil, err
	}
	before, after := c.yes[0] > i, c.yes[len(c.yes)-1] < i
	switch {
	case r.kind == "temporal":
		g.add("before", r.within)
		if len(c.yes) > 1 {
			g.add("between", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
		}
		g.add("after", r.within)
	case before:
		g.add("before", r.within)
	case after:
		g.add("after", r.within)
	default:
		next := slices.IndexFunc(c.yes, func(j int) bool { return j > i })
		from, to := c.yes[next-1], c.yes[next]
		n := sequenceNode([]*yaml.Node{textNode(ids[from], r.node), textNode(ids[to], r.node)})
		n.Style = yaml.FlowStyle
		g.add("between", n)
	}
	return g.Node, nil
}

package sigma

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// correlation is a correlation document (Sigma specification, "Correlation rules") while it is read.
type correlation struct {
	*part
	node    *yaml.Node // Of the correlation itself.
	fields  *fieldsOf
	kind    string
	names   []string // Of the rules it refers to, in the order written.
	parts   []*part
	groups  []string                     // group-by
	aliases map[string]map[string]string // Alias, rule, field.
	within  *yaml.Node
	ids     []string // Of steps, as far as they are given.
}

// maxReferences is how many rules a correlation may name: a match of ours has at most so many steps.
const maxReferences = 16

// correlate makes the matches of all correlations. One that refers to another waits for it.
func (c *converter) correlate() {
	for _, p := range c.parts {
		if p.kind == correlationRule {
			c.correlateOne(p, nil)
		}
	}
}

// correlateOne makes the match of a correlation; above are those that wait for it.
func (c *converter) correlateOne(p *part, above []*part) {
	if p.match != nil || p.failed {
		return
	}
	r, err := c.readCorrelation(p)
	if err == nil {
		err = c.below(r, append(above, p))
	}
	if err == nil {
		p.match, err = r.lower()
	}
	if err != nil {
		if !p.failed {
			c.refuse(p, err)
		}
		return
	}
	generate, _ := r.fields.text("generate")
	for _, other := range r.parts {
		other.used = other.used || generate != "true"
		other.needed = other.needed || other.kind == correlationRule || generate == "true"
	}
}

// below makes the matches of the correlations that one refers to.
func (c *converter) below(r *correlation, above []*part) error {
	for i, p := range r.parts {
		if slices.Contains(above, p) {
			return refuse(r.node, codeReference, "the correlation leads back to itself through "+r.names[i], "")
		}
		if p.kind == correlationRule {
			c.correlateOne(p, above)
		}
		if p.failed {
			return refuse(r.node, codeReference, "rule "+r.names[i]+" is refused", "")
		}
	}
	return nil
}

func (c *converter) readCorrelation(p *part) (*correlation, error) {
	n := p.fields.keys["correlation"]
	f, err := readFields(n, "correlation")
	if err != nil {
		return nil, err
	}
	r := &correlation{part: p, node: n, fields: f}
	if r.kind, err = f.text("type"); err != nil {
		return nil, err
	}
	if r.groups, err = f.list("group-by"); err != nil {
		return nil, err
	}
	if r.names, err = f.list("rules"); err != nil {
		return nil, err
	}
	if len(r.names) == 0 {
		r.names = namesOf(f.keys["condition"])
	}
	if len(r.names) == 0 || len(r.names) > maxReferences {
		return nil, refuse(n, codeCorrelation, "a correlation names 1 to "+strconv.Itoa(maxReferences)+" rules", "")
	}
	for _, name := range r.names {
		other, found := c.byName[name]
		switch {
		case other != nil:
		case found:
			return nil, refuse(f.keys["rules"], codeReference, "more than one rule is called "+name, "")
		default:
			return nil, refuse(f.keys["rules"], codeReference, "there is no rule "+name+" among the files", "import the files that belong together in one go")
		}
		r.parts = append(r.parts, other)
	}
	if r.aliases, err = readAliases(f.keys["aliases"]); err != nil {
		return nil, err
	}
	r.within, err = timespan(f)
	return r, err
}

// namesOf are the rules that a condition over rules names.
func namesOf(n *yaml.Node) []string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return nil
	}
	var out []string
	for _, word := range strings.Fields(strings.NewReplacer("(", " ", ")", " ").Replace(n.Value)) {
		switch strings.ToLower(word) {
		case "and", "or", "not":
		default:
			if !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	return out
}

func readAliases(n *yaml.Node) (map[string]map[string]string, error) {
	if n == nil {
		return nil, nil
	}
	f, err := readFields(n, "aliases")
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]string{}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		alias, v := f.node.Content[i].Value, f.node.Content[i+1]
		g, err := readFields(v, "an alias")
		if err != nil {
			return nil, err
		}
		out[alias] = map[string]string{}
		for j := 0; j+1 < len(v.Content); j += 2 {
			name := v.Content[j].Value
			if out[alias][name], err = g.text(name); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// timespan reads the timespan. Months and years have no fixed length.
func timespan(f *fieldsOf) (*yaml.Node, error) {
	n := f.keys["timespan"]
	if n == nil {
		return nil, refuse(f.node, codeMissing, "a correlation needs a timespan", "as in 10m")
	}
	s, err := f.text("timespan")
	if err != nil {
		return nil, err
	}
	us, err := expression.ParseDuration(s)
	if err != nil || us <= 0 {
		return nil, refuse(n, codeValue, "timespan "+strconv.Quote(s)+" has no fixed length", "units are s, m, h, d and w")
	}
	if limit := int64(30*24*3600) * 1_000_000; us > limit {
		return nil, refuse(n, codeCorrelation, "a timespan of more than 30d is beyond what a rule may remember", "")
	}
	return textNode(s, n), nil
}

// lower makes the match.
func (r *correlation) lower() (*yaml.Node, error) {
	switch r.kind {
	case "event_count", "value_count":
		return r.count()
	case "temporal", "temporal_ordered":
		return r.temporal()
	case "value_sum", "value_avg", "value_percentile", "value_median":
		return r.measure()
	}
	return nil, refuse(r.fields.keys["type"], codeCorrelation, "there is no correlation type "+strconv.Quote(r.kind), "")
}

// threshold is the condition of a count: a comparison with a number, over a field where values are compared.
type threshold struct {
	node     *yaml.Node
	operator string
	number   string
	fields   []string
	rank     string // Of a percentile.
}

func (r *correlation) threshold() (*threshold, error) {
	n := r.fields.keys["condition"]
	if n == nil {
		return nil, refuse(r.node, codeMissing, r.kind+" needs a condition", "as in condition: {gte: 10}")
	}
	f, err := readFields(n, "the condition of "+r.kind)
	if err != nil {
		return nil, err
	}
	t := &threshold{node: n}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch k.Value {
		case "field":
			if t.fields, err = f.list("field"); err != nil {
				return nil, err
			}
		case "percentile":
			if t.rank, err = f.text(k.Value); err != nil {
				return nil, err
			}
		case "gt", "gte", "lt", "lte", "eq", "neq":
			if t.operator != "" {
				return nil, refuse(k, codeMeasure, "two comparisons at once: when the one holds, the other may still be undone", "")
			}
			if t.number, err = f.text(k.Value); err != nil {
				return nil, err
			}
			t.operator = k.Value
		default:
			return nil, refuse(k, codeCorrelation, "a condition has no key "+k.Value, "")
		}
	}
	if t.operator == "" {
		return nil, refuse(n, codeMissing, "the condition compares with nothing", "gte and gt can be decided when an event arrives")
	}
	return t, nil
}

// least is the number of events or values from which on the condition holds.
func (t *threshold) least() (int, error) {
	v, err := strconv.Atoi(t.number)
	if err != nil {
		return 0, refuse(t.node, codeValue, strconv.Quote(t.number)+" is no whole number", "")
	}
	switch t.operator {
	case "gt":
		v++
	case "gte":
	default:
		return 0, refuse(t.node, codeMeasure, t.operator+" cannot be decided when an event arrives: the next one may undo it", "gte and gt can")
	}
	if v < 1 || v > 1_000_000 {
		return 0, refuse(t.node, codeValue, "the number must be from 1 to 1000000", "")
	}
	return v, nil
}

// count is event_count and value_count: a count of ours, over the events of all rules.
func (r *correlation) count() (*yaml.Node, error) {
	t, err := r.threshold()
	if err != nil {
		return nil, err
	}
	least, err := t.least()
	if err != nil {
		return nil, err
	}
	step, err := r.counted()
	if err != nil {
		return nil, err
	}
	if r.kind == "value_count" {
		path, err := r.onePath(t)
		if err != nil {
			return nil, err
		}
		step.add("distinct", textNode(path, t.node))
	}
	step.add("at_least", numberNode(least))
	step.add("within", r.within)
	m := newMapping(r.node)
	m.add("count", step.Node)
	return m.Node, nil
}

// counted is the step of a count: an event of any of the rules.
func (r *correlation) counted() (mapping, error) {
	step := newMapping(r.node)
	step.add("id", textNode("counted", r.node))
	var classes []string
	var wheres []piece
	for i, p := range r.parts {
		if p.kind == correlationRule {
			classes = append(classes, "rule:"+p.header.ruleID())
			continue
		}
		for _, c := range p.source.classes {
			if !slices.Contains(classes, c) {
				classes = append(classes, c)
			}
		}
		w, err := p.where()
		if err != nil {
			return step, err
		}
		wheres = append(wheres, w)
		if i > 0 && !slices.Equal(r.paths(i), r.paths(0)) {
			return step, refuse(r.fields.keys["group-by"], codeGroup, "the rules of a count group by different fields", "count over one rule, or use fields of the same name")
		}
	}
	step.words("class", classes, r.node)
	if len(wheres) > 0 && len(wheres) < len(r.parts) {
		return step, refuse(r.node, codeGroup, "a count over events and findings at once", "")
	}
	if len(wheres) > 0 {
		step.add("where", expressionNode(chain(opOr, wheres), r.node))
	}
	r.bind(step, 0)
	return step, nil
}

// onePath is the path of the field whose values are counted, which must be the same for all rules.
func (r *correlation) onePath(t *threshold) (string, error) {
	if len(t.fields) != 1 {
		return "", refuse(t.node, codeMissing, r.kind+" needs one field in its condition", "as in condition: {field: User, gte: 3}")
	}
	path := ""
	for i := range r.parts {
		p := r.path(i, t.fields[0])
		if path != "" && p != path {
			return "", refuse(t.node, codeGroup, "the rules of a count have "+t.fields[0]+" in different fields", "")
		}
		path = p
	}
	return path, nil
}

// path is where a rule has a field or an alias, as bind and distinct name it.
func (r *correlation) path(i int, field string) string {
	p := r.parts[i]
	if p.kind == correlationRule {
		return "vars." + variable(field)
	}
	if by := r.aliases[field]; by != nil {
		for _, name := range []string{r.names[i], p.header.name, p.header.id} {
			if f := by[name]; f != "" {
				field = f
				break
			}
		}
	}
	return "raw." + field
}

func (r *correlation) paths(i int) []string {
	out := make([]string, len(r.groups))
	for j, g := range r.groups {
		out[j] = r.path(i, g)
	}
	return out
}

// bind joins a step of a rule on the fields of group-by.
func (r *correlation) bind(step mapping, i int) {
	if len(r.groups) == 0 {
		return
	}
	b := newMapping(r.node)
	b.Style = yaml.FlowStyle
	for _, g := range r.groups {
		b.add(variable(g), textNode(r.path(i, g), r.node))
	}
	step.add("bind", b.Node)
}

// variable is the name of a variable for a field of group-by: TargetUserName becomes target_user_name.
func variable(field string) string {
	var b strings.Builder
	lower := false
	for _, c := range field {
		switch {
		case c >= 'A' && c <= 'Z':
			if lower {
				b.WriteByte('_')
			}
			b.WriteRune(c + 'a' - 'A')
			lower = false
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' && b.Len() > 0:
			b.WriteRune(c)
			lower = true
		case b.Len() > 0:
			b.WriteByte('_')
			lower = false
		}
	}
	if s := strings.Trim(b.String(), "_"); s != "" {
		return s
	}
	return "group"
}

// stepID is an id for a step of the rule with that index: a word that stands once, and hides no field of events and no function.
func (r *correlation) stepID(i int) string {
	name := variable(r.parts[i].header.name)
	if r.parts[i].header.name == "" || len(name) > 40 || takenWord(name) {
		name = "step" + strconv.Itoa(i+1)
	}
	for n, id := 1, name; ; n++ {
		if !slices.Contains(r.ids, id) {
			r.ids = append(r.ids, id)
			return id
		}
		id = name + "_" + strconv.Itoa(n+1)
	}
}

func takenWord(name string) bool {
	switch name {
	case "vars", "prev", "and", "or", "not", "in", "let", "if", "else", "true", "false", "nil", "matches", "contains", "raw":
		return true
	}
	for _, fd := range event.Fields() {
		if root, _, _ := strings.Cut(fd.Path, "."); root == name {
			return true
		}
	}
	return slices.ContainsFunc(expression.Functions(), func(f expression.Function) bool { return f.Name == name })
}

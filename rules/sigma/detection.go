package sigma

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// test is what a leaf asks of a field.
type test uint8

const (
	testPattern test = iota // The text, with wildcards.
	testRegex               // A regular expression.
	testCIDR                // A network.
	testNull                // The field is not there, or null.
	testExists              // The field is there.
	testField               // Another field's value; see leaf.open.
	testCompare             // A number.
)

// leaf is one question about one field. A search for keywords has no field.
type leaf struct {
	node    *yaml.Node
	field   string
	test    test
	pattern pattern
	cased   bool   // Case matters.
	text    string // testRegex, testCIDR: the constant; testField: the field; testCompare: the number.
	compare string // testCompare: the operator of our language.
	start   bool   // testField: this field starts with the other.
	end     bool   // testField: this field ends with the other.
}

func (l *leaf) tree() *tree { return &tree{leaf: l} }

// Bounds on a detection, against files made to be large.
const (
	maxSearchDepth = 8
	maxLeaves      = 5000
)

// detection is the detection of a rule: its search identifiers and its condition.
type detection struct {
	node   *yaml.Node
	names  []string // In the order written.
	search map[string]*yaml.Node
	parsed map[string]*tree
	leaves int            // Of all searches.
	sizes  map[string]int // Leaves of each search, as far as it is parsed.
	total  int            // Leaves that the condition asks for, each as often as it does.
}

// readDetection gives the detection of a rule as a condition over fields.
func readDetection(n *yaml.Node) (*tree, error) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, refuse(n, codeShape, "detection must be a mapping of search identifiers and a condition", "")
	}
	d := &detection{node: n, search: map[string]*yaml.Node{}, parsed: map[string]*tree{}, sizes: map[string]int{}}
	var condition *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Value == "condition":
			condition = v
		case k.Value == "timeframe":
			return nil, refuse(k, codeAggregation, "timeframe has no meaning without an aggregation", "write a correlation rule")
		case d.search[k.Value] != nil:
			return nil, refuse(k, codeShape, "search identifier "+k.Value+" stands twice", "")
		default:
			d.names, d.search[k.Value] = append(d.names, k.Value), v
		}
	}
	if condition == nil {
		return nil, refuse(n, codeMissing, "the detection needs a condition", "")
	}
	return d.condition(condition)
}

// condition reads a condition, or a list of which one is enough.
func (d *detection) condition(n *yaml.Node) (*tree, error) {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var kids []*tree
	for _, c := range list {
		if c.Kind != yaml.ScalarNode {
			return nil, refuse(c, codeShape, "a condition must be a single line", "")
		}
		t, err := parseCondition(c, d.names, func(name string) (*tree, error) { return d.named(c, name) })
		if err != nil {
			return nil, err
		}
		kids = append(kids, t)
	}
	if len(kids) == 0 {
		return nil, refuse(n, codeCondition, "the condition is empty", "")
	}
	return or(kids...), nil
}

// named is the condition that a search identifier stands for.
func (d *detection) named(at *yaml.Node, name string) (*tree, error) {
	if t := d.parsed[name]; t != nil {
		return t, d.grow(at, name)
	}
	n := d.search[name]
	if n == nil {
		return nil, refuse(at, codeIdentifier, "there is no search identifier "+name, "it has "+strings.Join(d.names, ", "))
	}
	before := d.leaves
	t, err := d.searchTree(n, 0)
	if err != nil {
		return nil, err
	}
	d.parsed[name], d.sizes[name] = t, d.leaves-before
	return t, d.grow(at, name)
}

// grow bounds what a condition that names the same searches again and again becomes.
func (d *detection) grow(at *yaml.Node, name string) error {
	if d.total += d.sizes[name]; d.total > 4*maxLeaves {
		return refuse(at, codeTooBig, "the condition asks for more than 20000 values", "")
	}
	return nil
}

// searchTree reads a search: a mapping of which all must hold, a list of which one must, or keywords.
func (d *detection) searchTree(n *yaml.Node, depth int) (*tree, error) {
	if depth > maxSearchDepth {
		return nil, refuse(n, codeShape, "the search is nested too deeply", "")
	}
	switch n.Kind {
	case yaml.MappingNode:
		return d.mapping(n)
	case yaml.SequenceNode:
		var kids []*tree
		for _, e := range n.Content {
			t, err := d.searchTree(e, depth+1)
			if err != nil {
				return nil, err
			}
			kids = append(kids, t)
		}
		if len(kids) == 0 {
			return nil, refuse(n, codeShape, "an empty list searches nothing", "")
		}
		return or(kids...), nil
	case yaml.ScalarNode:
		return d.item(n, "", nil, n)
	}
	return nil, refuse(n, codeShape, "a search is a mapping, a list or a keyword", "")
}

func (d *detection) mapping(n *yaml.Node) (*tree, error) {
	var kids []*tree
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return nil, refuse(k, codeShape, "a field must be a word", "")
		}
		parts := strings.Split(k.Value, "|")
		t, err := d.item(k, parts[0], parts[1:], v)
		if err != nil {
			return nil, err
		}
		kids = append(kids, t)
	}
	if len(kids) == 0 {
		return nil, refuse(n, codeShape, "an empty mapping searches nothing", "")
	}
	return and(kids...), nil
}

// item reads one field with its modifiers and values.
func (d *detection) item(k *yaml.Node, field string, modifiers []string, v *yaml.Node) (*tree, error) {
	list := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		list = v.Content
	}
	if len(list) == 0 {
		return nil, refuse(v, codeShape, "an empty list of values matches nothing", "")
	}
	m, err := readModifiers(k, modifiers)
	if err != nil {
		return nil, err
	}
	var kids []*tree
	for _, e := range list {
		if e.Kind != yaml.ScalarNode {
			return nil, refuse(e, codeShape, "a value must be a text, a number, true, false or null", "")
		}
		t, err := m.leaf(k, field, e)
		if err != nil {
			return nil, err
		}
		if d.leaves++; d.leaves > maxLeaves {
			return nil, refuse(k, codeTooBig, "the detection has more than 5000 values", "")
		}
		kids = append(kids, t)
	}
	if m.all {
		return and(kids...), nil
	}
	return or(kids...), nil
}

package sigma

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// modifiers is what the modifiers of a field ask of its values, in the order written.
type modifiers struct {
	node       *yaml.Node
	transforms []string // What changes a value: base64, windash, contains and their like.
	test       test
	flags      string // Of a regular expression.
	compare    string
	all, cased bool
}

// The modifiers by what they do (Sigma specification, appendix "Modifiers").
var (
	transformers = []string{
		"contains", "startswith", "endswith", "windash", "base64", "base64offset", "wide", "utf16le", "utf16be", "utf16",
	}
	encoders = []string{"base64", "base64offset", "wide", "utf16le", "utf16be", "utf16"}
	compares = map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
)

func readModifiers(k *yaml.Node, names []string) (*modifiers, error) {
	m := &modifiers{node: k}
	for _, name := range names {
		switch {
		case slices.Contains(transformers, name):
			m.transforms = append(m.transforms, name)
		case name == "all":
			m.all = true
		case name == "cased":
			m.cased = true
		case name == "expand":
			return nil, refuse(k, codePlaceholder, "expand puts in values that only the place where a rule runs knows", "write the values, or a rule with inList")
		case m.test == testRegex && (name == "i" || name == "m" || name == "s"):
			m.flags += name
		case m.test != testPattern:
			return nil, refuse(k, codeModifier, name+" does not go with the modifier before it", "")
		case name == "re":
			m.test = testRegex
		case name == "cidr":
			m.test = testCIDR
		case name == "exists":
			m.test = testExists
		case name == "fieldref":
			m.test = testField
		case compares[name] != "":
			m.test, m.compare = testCompare, compares[name]
		default:
			return nil, refuse(k, codeModifier, "there is no modifier "+name, "")
		}
	}
	return m, m.check()
}

// check refuses modifiers that do not go together.
func (m *modifiers) check() error {
	for i, t := range m.transforms {
		encodes := slices.Contains(encoders, t)
		wide := encodes && !strings.HasPrefix(t, "base64")
		next := ""
		if i+1 < len(m.transforms) {
			next = m.transforms[i+1]
		}
		switch {
		case m.test == testField && !encodes && t != "windash":
		case m.test != testPattern:
			return refuse(m.node, codeModifier, t+" does not go with the other modifiers of this field", "")
		case wide && !strings.HasPrefix(next, "base64"):
			return refuse(m.node, codeModifier, t+" gives bytes that are no text", "base64 or base64offset follows it")
		case i > 0 && !slices.Contains(encoders, m.transforms[i-1]) && encodes && m.transforms[i-1] != "windash":
			return refuse(m.node, codeModifier, t+" cannot follow "+m.transforms[i-1], "")
		}
	}
	return nil
}

// leaf is the question that one value asks.
func (m *modifiers) leaf(k *yaml.Node, field string, v *yaml.Node) (*tree, error) {
	l := &leaf{node: v, field: field, test: m.test, cased: m.cased}
	if field == "" && m.test != testPattern && m.test != testRegex {
		return nil, refuse(k, codeModifier, "a search for keywords has no field to compare", "")
	}
	switch m.test {
	case testRegex:
		return l.tree(), l.regex(m.flags)
	case testCIDR:
		return l.tree(), l.network()
	case testExists:
		return l.exists()
	case testField:
		l.start, l.end = slices.Contains(m.transforms, "startswith"), slices.Contains(m.transforms, "endswith")
		if slices.Contains(m.transforms, "contains") {
			l.start, l.end = true, true
		}
		l.text = v.Value
		return l.tree(), nil
	case testCompare:
		l.compare = m.compare
		return l.tree(), l.number()
	}
	return m.text(l)
}

// text is the question of a text, a number, a boolean or null.
func (m *modifiers) text(l *leaf) (*tree, error) {
	if l.node.Tag == "!!null" {
		if len(m.transforms) > 0 || l.field == "" {
			return nil, refuse(l.node, codeValue, "null takes no modifiers and is no keyword", "")
		}
		l.test = testNull
		return l.tree(), nil
	}
	patterns, err := m.transform(l.node)
	if err != nil {
		return nil, err
	}
	var kids []*tree
	for _, p := range patterns {
		one := *l
		one.pattern = p
		if l.field == "" {
			one.pattern = p.open(true, true) // A keyword may stand anywhere in the log.
		}
		kids = append(kids, one.tree())
	}
	return or(kids...), nil
}

// scalarText is the text of a value: numbers in decimal, everything else as written. What starts with a 0, such as 00000409, is no number to its
// author, whatever YAML takes it for.
func scalarText(n *yaml.Node) string {
	if n.Tag == "!!int" && (len(n.Value) < 2 || n.Value[0] != '0' || strings.ContainsAny(n.Value[1:2], "xob")) {
		var i int64
		if n.Decode(&i) == nil {
			return strconv.FormatInt(i, 10)
		}
	}
	return n.Value
}

func (l *leaf) regex(flags string) error {
	text := l.node.Value
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	if _, err := regexp.Compile(text); err != nil {
		return refuse(l.node, codeRegex, "the regular expression cannot run in linear time: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "")
	}
	l.text = text
	return nil
}

func (l *leaf) network() error {
	p, err := netip.ParsePrefix(l.node.Value)
	if err != nil {
		a, err := netip.ParseAddr(l.node.Value)
		if err != nil {
			return refuse(l.node, codeValue, strconv.Quote(l.node.Value)+" is no network", "as in 10.0.0.0/8")
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	l.text = p.String()
	return nil
}

func (l *leaf) exists() (*tree, error) {
	var there bool
	if l.node.Decode(&there) != nil {
		return nil, refuse(l.node, codeValue, "exists is true or false", "")
	}
	if there {
		return l.tree(), nil
	}
	return not(l.tree()), nil
}

func (l *leaf) number() error {
	v, err := strconv.ParseFloat(scalarText(l.node), 64)
	if err != nil || v != v || v-v != 0 {
		return refuse(l.node, codeValue, strconv.Quote(l.node.Value)+" is no number", "")
	}
	l.text = strconv.FormatFloat(v, 'f', -1, 64)
	return nil
}

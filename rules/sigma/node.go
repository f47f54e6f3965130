package sigma

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// What is made of a Sigma document is a tree of YAML nodes that stand where their content stood in the Sigma file, so that a problem of the rule
// is told at its place there.

func textNode(s string, at *yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if at != nil {
		n.Line, n.Column = at.Line, at.Column
	}
	return n
}

func numberNode(i int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(i)}
}

// lines is a text over several lines as it is.
func linesNode(s string, at *yaml.Node) *yaml.Node {
	n := textNode(s, at)
	n.Style = yaml.LiteralStyle
	return n
}

// mapping is a YAML mapping under construction.
type mapping struct{ *yaml.Node }

func newMapping(at *yaml.Node) mapping {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if at != nil {
		n.Line, n.Column = at.Line, at.Column
	}
	return mapping{n}
}

func (m mapping) add(key string, v *yaml.Node) {
	m.Content = append(m.Content, textNode(key, v), v)
}

// text adds a key if its value is not empty.
func (m mapping) text(key, s string, at *yaml.Node) {
	if s != "" {
		m.add(key, textNode(s, at))
	}
}

// texts adds a list if it is not empty.
func (m mapping) texts(key string, list []string, at *yaml.Node) {
	if len(list) == 0 {
		return
	}
	items := make([]*yaml.Node, len(list))
	for i, s := range list {
		items[i] = textNode(s, at)
	}
	m.add(key, sequenceNode(items))
}

// words adds a list of words, on one line.
func (m mapping) words(key string, list []string, at *yaml.Node) {
	if len(list) == 0 {
		return
	}
	m.texts(key, list, at)
	m.Content[len(m.Content)-1].Style = yaml.FlowStyle
}

func sequenceNode(items []*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
	if len(items) > 0 {
		n.Line, n.Column = items[0].Line, items[0].Column
	}
	return n
}

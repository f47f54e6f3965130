package sigma

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

// rule is the document of our rule, with its keys in the order of the reference.
func (p *part) rule(status rules.Status) *yaml.Node {
	h, at := p.header, p.fields.node
	m := newMapping(at)
	m.add("id", textNode(h.ruleID(), cmp.Or(p.fields.keys["id"], at)))
	m.add("version", numberNode(h.version()))
	m.add("title", textNode(h.title, p.fields.keys["title"]))
	m.text("description", p.description(), p.fields.keys["description"])
	m.add("severity", textNode(severities[h.level], p.fields.keys["level"]))
	m.add("status", textNode(status.String(), at))
	m.words("tags", h.ourTags(), p.fields.keys["tags"])
	m.texts("references", h.references, p.fields.keys["references"])
	m.texts("false_positives", h.falsePositives, p.fields.keys["falsepositives"])
	m.add("imported_from", p.origin())
	m.add("match", p.match)
	return m.Node
}

func (p *part) description() string {
	text := p.header.description
	if p.source != nil && p.source.note != "" {
		text += "\nLog source: " + p.source.note
	}
	return strings.TrimSpace(text)
}

// origin is where the rule comes from and to whom it is owed.
func (p *part) origin() *yaml.Node {
	h, at := p.header, p.fields.node
	m := newMapping(at)
	m.add("format", textNode("sigma", at))
	m.text("id", h.id, at)
	m.text("file", p.file, at)
	m.text("author", h.author, at)
	m.text("license", h.license, at)
	m.text("status", h.status, at)
	m.text("date", h.date, at)
	m.text("modified", h.modified, at)
	return m.Node
}

// eventMatch is the match of an event rule.
func (p *part) eventMatch() (*yaml.Node, error) {
	step, err := p.step("logged", p.fields.keys["detection"])
	if err != nil {
		return nil, err
	}
	step.add("emit", emitted(p.fields.node))
	m := newMapping(step.Node)
	m.add("event", step.Node)
	return m.Node, nil
}

// emitted are the entities that a finding shows. They join nothing: Sigma does not ask an event rule's events to have any.
func emitted(at *yaml.Node) *yaml.Node {
	m := newMapping(at)
	m.add("device", textNode("device", at))
	m.add("user", textNode("user", at))
	m.Style = yaml.FlowStyle
	return m.Node
}

// step is what an event of the rule must be.
func (p *part) step(id string, at *yaml.Node) (mapping, error) {
	m := newMapping(at)
	if id != "" {
		m.add("id", textNode(id, at))
	}
	m.words("class", p.source.classes, at)
	where, err := p.where()
	if err != nil {
		return m, err
	}
	m.add("where", expressionNode(where, at))
	return m, nil
}

// where is the rule's condition as an expression.
func (p *part) where() (piece, error) {
	w := render(p.source, p.tree)
	if len(w.text) > expression.MaxSource {
		return w, refuse(p.fields.keys["detection"], codeTooBig, fmt.Sprintf("the condition is longer than %d bytes as an expression", expression.MaxSource), "")
	}
	return w, nil
}

func expressionNode(p piece, at *yaml.Node) *yaml.Node {
	if strings.Contains(p.text, "\n") {
		return linesNode(p.text, at)
	}
	return textNode(p.text, at)
}

// Text writes rules as a file of ours, laid out as rules fmt does, each with a comment that names the Sigma document.
func Text(list []Rule) ([]byte, error) {
	var b bytes.Buffer
	for i, r := range list {
		if i > 0 {
			b.WriteString("---\n")
		}
		fmt.Fprintf(&b, "# Imported from the Sigma rule in %s, line %d.\n", r.File, r.Line)
		enc := yaml.NewEncoder(&b)
		enc.SetIndent(2)
		if err := enc.Encode(r.Node); err != nil {
			return nil, err
		}
		if err := enc.Close(); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	text, problems := rules.Format(list[0].File, b.Bytes())
	if text == nil {
		return nil, errors.New(problems[0].String())
	}
	return text, nil
}

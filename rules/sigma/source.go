package sigma

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// source is a log source of Sigma as events of ours: the classes its events have, the constraint that tells them from others, and how their
// fields are read.
type source struct {
	classes []string
	where   string                      // "" where the classes alone tell.
	fields  map[string][]access         // Fields that the model or another raw name has exactly; all others are raw fields of the same name.
	named   func(field string) []string // The raw names of all others, where logs of one product go by several; nil: the field's own.
	note    string                      // What the log source needs, in the words of the rule.
}

// access gives the ways to read a field; "" is all of the log, for keywords.
func (s *source) access(field string) []access {
	if field == "" {
		return []access{{"raws()", "len(raws()) > 0"}, {"message", `message != ""`}}
	}
	if list := s.fields[field]; list != nil {
		return list
	}
	if s.named != nil {
		return rawNames(s.named(field)...)
	}
	return []access{rawAccess(field)}
}

func rawAccess(name string) access {
	return access{"raw(" + quote(name) + ")", "rawKnown(" + quote(name) + ")"}
}

func rawNames(names ...string) []access {
	out := make([]access, len(names))
	for i, name := range names {
		out[i] = rawAccess(name)
	}
	return out
}

// logsource is the triple by which Sigma names a log source. Empty parts say nothing.
type logsource struct{ category, product, service string }

func (l logsource) String() string {
	var parts []string
	for _, p := range []struct{ name, value string }{{"category", l.category}, {"product", l.product}, {"service", l.service}} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

// readLogsource reads the log source of a rule.
func readLogsource(n *yaml.Node) (logsource, string, error) {
	var l logsource
	note := ""
	if n == nil {
		return l, "", refuse(nil, codeMissing, "a rule needs a logsource", "")
	}
	if n.Kind != yaml.MappingNode {
		return l, "", refuse(n, codeShape, "logsource must be a mapping", "")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if v.Kind != yaml.ScalarNode {
			return l, "", refuse(v, codeShape, k.Value+" must be a single value", "")
		}
		value := strings.ToLower(strings.TrimSpace(v.Value))
		switch k.Value {
		case "category":
			l.category = value
		case "product":
			l.product = value
		case "service":
			l.service = value
		case "definition":
			note = strings.TrimSpace(v.Value)
		default: // Other keys are for the reader.
		}
	}
	if l == (logsource{}) {
		return l, "", refuse(n, codeSource, "the logsource names no category, product or service", "")
	}
	return l, note, nil
}

// sourceOf gives what a log source is among our events.
func sourceOf(n *yaml.Node) (*source, error) {
	l, note, err := readLogsource(n)
	if err != nil {
		return nil, err
	}
	var s *source
	switch l.product {
	case "windows":
		s, err = windowsSource(n, l)
	case "linux":
		s = linuxSource(l)
	default:
		s = cloudSource(l)
	}
	if err != nil {
		return nil, err
	}
	s.note = note
	return s, nil
}

// oneOf is the constraint that a field has one of some values.
func oneOf(path string, values ...string) string {
	if len(values) == 1 {
		return path + " == " + strconv.Quote(values[0])
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return path + " in [" + strings.Join(quoted, ", ") + "]"
}

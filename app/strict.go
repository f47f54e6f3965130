package app

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/expression"
)

// ConfigError is one thing wrong with the configuration file, with its place and the fix.
type ConfigError struct {
	File         string
	Line, Column int
	Message      string
	Hint         string
}

// Error implements error: file:line:column: message (hint).
func (e *ConfigError) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// decodeStrict decodes YAML into out, which is a pointer to a struct with yaml tags, refusing keys the struct does not have. All
// problems are reported, each with its place.
func decodeStrict(file string, data []byte, out any) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return nil // an empty file says nothing
	}
	c := checker{file: file}
	c.node(doc.Content[0], reflect.TypeOf(out).Elem(), "")
	if len(c.errs) > 0 {
		return errors.Join(c.errs...)
	}
	if err := doc.Content[0].Decode(out); err != nil {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return nil
}

// checker compares the shape of a document with the Go type it is for. Reflection keeps the configuration structs the only place where
// keys are written down.
type checker struct {
	file string
	errs []error
}

func (c *checker) fail(n *yaml.Node, hint, format string, args ...any) {
	c.errs = append(c.errs, &ConfigError{File: c.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) node(n *yaml.Node, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		c.mapping(n, t, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			c.fail(n, "write a list: - …", "%s is a list", path)
			return
		}
		for i, x := range n.Content {
			c.node(x, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			c.fail(n, "", "%s is a mapping of names to values", path)
			return
		}
		for i := 1; i < len(n.Content); i += 2 {
			c.node(n.Content[i], t.Elem(), path+"."+n.Content[i-1].Value)
		}
	default:
		if n.Kind != yaml.ScalarNode {
			c.fail(n, "", "%s is a single value", path)
		}
	}
}

func (c *checker) mapping(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		c.fail(n, "write its keys indented below", "%s has keys of its own", cmp.Or(path, "the configuration"))
		return
	}
	fields := map[string]reflect.Type{}
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			fields[name] = f.Type
			names = append(names, name)
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		full := strings.TrimPrefix(path+"."+key.Value, ".")
		ft, ok := fields[key.Value]
		switch {
		case !ok:
			c.fail(key, suggestion(key.Value, names), "unknown key %s", full)
			continue
		case seen[key.Value]:
			c.fail(key, "keep one of them", "%s stands twice", full)
		}
		seen[key.Value] = true
		c.node(value, ft, full)
	}
}

// suggestion is "did you mean …" for the nearest of names, or the list of them.
func suggestion(name string, names []string) string {
	if near := expression.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	names = slices.Sorted(slices.Values(names))
	return "known: " + strings.Join(names, ", ")
}

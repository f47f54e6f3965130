package sigma

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/rules"
)

// The bounds on a file.
const (
	maxFile      = 1 << 20
	maxDocuments = 1000
	maxDepth     = 32
)

// kind is what a document is.
type kind uint8

const (
	eventRule kind = iota
	correlationRule
	filterRule
)

// document is one Sigma rule, correlation or filter as it was read.
type document struct {
	file   string
	fields *fieldsOf
	kind   kind
	header *header
}

// readDocuments reads the documents of a file. The old action key is carried out: a global document stands before all that follow, reset ends
// that, repeat changes the document before it.
func readDocuments(file string, text []byte) (out []*document, refused []rules.Problem) {
	if len(text) > maxFile {
		return nil, []rules.Problem{problemOf(file, nil, refuse(nil, codeNotSigma, "the file is larger than 1 MiB", ""))}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var global, last *yaml.Node
	for count := 0; ; count++ {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return out, refused
		}
		if err == nil && count == maxDocuments {
			err = errors.New("the file has more than 1000 documents")
		}
		if err != nil {
			return out, append(refused, notYAML(file, err))
		}
		if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
			continue
		}
		n := root.Content[0]
		if err := plain(n, 0); err != nil {
			refused = append(refused, problemOf(file, n, err))
			continue
		}
		switch actionOf(n) {
		case "global":
			global = n
			continue
		case "reset":
			global = nil
			n = without(n, "action")
		case "repeat":
			n = merged(last, without(n, "action"))
		default:
			n = merged(global, n)
		}
		last = n
		d, err := readDocument(file, n)
		if err != nil {
			refused = append(refused, problemOf(file, n, err))
			continue
		}
		out = append(out, d)
	}
}

func readDocument(file string, n *yaml.Node) (*document, error) {
	f, err := readFields(n, "a Sigma document")
	if err != nil {
		return nil, err
	}
	d := &document{file: file, fields: f}
	switch {
	case f.keys["correlation"] != nil:
		d.kind = correlationRule
	case f.keys["filter"] != nil:
		d.kind = filterRule
	case f.keys["detection"] == nil:
		return nil, refuse(n, codeNotSigma, "the document has neither detection, correlation nor filter", "")
	}
	d.header, err = readHeader(f)
	return d, err
}

func notYAML(file string, err error) rules.Problem {
	line, message := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if digits, tail, ok := strings.Cut(rest, ": "); ok {
			n := 0
			for _, c := range digits {
				n = min(n*10+int(c-'0'), 1<<30)
			}
			line, message = max(n, 1), tail
		}
	}
	return rules.Problem{File: file, Line: line, Column: 1, Code: codeNotSigma, Severity: rules.Warning, Message: message}
}

// problemOf is a refusal as a problem of a file; without a place of its own it stands at the document.
func problemOf(file string, n *yaml.Node, err error) rules.Problem {
	p := rules.Problem{File: file, Line: 1, Column: 1, Code: codeNotSigma, Severity: rules.Warning, Message: err.Error()}
	if r, ok := errors.AsType[*refusal](err); ok {
		p.Code, p.Message, p.Hint = r.code, r.message, r.hint
		if r.node != nil {
			n = r.node
		}
	}
	if n != nil {
		p.Line, p.Column = max(n.Line, 1), max(n.Column, 1)
	}
	return p
}

// plain refuses anchors, aliases and extreme depth.
func plain(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge" {
		return refuse(n, codeShape, "anchors, aliases and merge keys are not read", "write the value out")
	}
	if depth > maxDepth {
		return refuse(n, codeShape, "the document is nested too deeply", "")
	}
	for _, c := range n.Content {
		if err := plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func actionOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "action" {
				return n.Content[i+1].Value
			}
		}
	}
	return ""
}

func without(n *yaml.Node, key string) *yaml.Node {
	out := *n
	out.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			out.Content = append(out.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &out
}

// merged lays a document over the one before it: mappings key by key, everything else whole.
func merged(under, over *yaml.Node) *yaml.Node {
	if under == nil || under.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	out := *over
	out.Content = append([]*yaml.Node(nil), without(under, "action").Content...)
	for i := 0; i+1 < len(over.Content); i += 2 {
		k, v := over.Content[i], over.Content[i+1]
		at := -1
		for j := 0; j+1 < len(out.Content); j += 2 {
			if out.Content[j].Value == k.Value {
				at = j + 1
			}
		}
		if at < 0 {
			out.Content = append(out.Content, k, v)
			continue
		}
		out.Content[at] = merged(out.Content[at], v)
	}
	return &out
}

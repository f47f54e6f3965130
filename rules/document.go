package rules

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/expression"
)

// document is one rule file while it is read: its text, for positions inside of scalars, and the problems found so far.
type document struct {
	file     string
	lines    []string
	problems []Problem
}

func (d *document) problem(n *yaml.Node, code, message, hint string) {
	line, column := 1, 1
	if n != nil {
		line, column = max(n.Line, 1), max(n.Column, 1)
	}
	d.problemAt(line, column, code, message, hint)
}

func (d *document) problemAt(line, column int, code, message, hint string) {
	d.problems = append(d.problems, Problem{
		File: d.file, Line: line, Column: column, Code: code, Severity: weightOf(code), Message: message, Hint: hint,
	})
}

// fields is a mapping whose keys have been checked.
type fields struct {
	doc  *document
	node *yaml.Node
	keys map[string]*yaml.Node // The values.
}

// mapping reads a mapping and reports keys that may not stand at any of the places. Free keys are let through. It is nil if n is no mapping.
func (d *document) mapping(n *yaml.Node, what string, free bool, places ...Place) *fields {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, codeShape, what+" must be a mapping", "")
		return nil
	}
	names := allowed(places...)
	f := &fields{doc: d, node: n, keys: map[string]*yaml.Node{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			d.problem(k, codeShape, "a key must be a word", "")
			continue
		}
		if _, twice := f.keys[k.Value]; twice {
			d.problem(k, codeDuplicateKey, "key "+k.Value+" stands twice", "")
			continue
		}
		if !free && !slices.Contains(names, k.Value) {
			d.unknownKey(n, k, v, what, names)
			continue
		}
		f.keys[k.Value] = v
	}
	return f
}

// unknownKey explains a key that does not exist here, above all the ones that YAML made out of something else.
func (d *document) unknownKey(n, k, v *yaml.Node, what string, names []string) {
	switch strings.ToLower(k.Value) {
	case "on", "off", "yes", "no", "y", "n", "true", "false":
		d.problem(k, codeBooleanKey, "key "+k.Value+" reads as a boolean in YAML 1.1", "class names the events of a step")
		return
	}
	if n.Style&yaml.FlowStyle != 0 && v.Tag == "!!null" && hasExpression(n) {
		d.problem(k, codeFlowCut, "the expression before "+strconv.Quote(k.Value)+" is cut at a comma", "write the mapping in block style, or quote the expression")
		return
	}
	hint := ""
	if near := expression.Nearest(k.Value, names); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(names) > 0 && len(names) <= 12 {
		hint = "keys here: " + strings.Join(names, ", ")
	}
	d.problem(k, codeUnknownKey, what+" has no key "+k.Value, hint)
}

func hasExpression(n *yaml.Node) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isExpressionKey(n.Content[i].Value) {
			return true
		}
	}
	return false
}

func isExpressionKey(name string) bool {
	for _, k := range keys {
		if k.Name == name && k.Type == typeExpression {
			return true
		}
	}
	return false
}

// get is the value of a key; nil if it does not stand or is empty.
func (f *fields) get(key string) *yaml.Node {
	if f == nil {
		return nil
	}
	n := f.keys[key]
	if n != nil && n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	return n
}

// need is get that reports a missing key.
func (f *fields) need(key, what string) *yaml.Node {
	n := f.get(key)
	if n == nil && f != nil {
		f.doc.problem(f.node, codeMissing, what+" needs "+key, "")
	}
	return n
}

// text is the scalar of a key; "" if it does not stand.
func (f *fields) text(key string) string { return f.doc.scalar(f.get(key), key) }

func (d *document) scalar(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		d.problem(n, codeShape, what+" must be a single value", "")
		return ""
	}
	return n.Value
}

// list is the scalars of a key that holds a list, or one scalar.
func (f *fields) list(key string) []*yaml.Node {
	n := f.get(key)
	if n == nil {
		return nil
	}
	return f.doc.scalars(n, key)
}

// values is the text of scalars.
func values(list []*yaml.Node) []string {
	var out []string
	for _, n := range list {
		out = append(out, n.Value)
	}
	return out
}

func (d *document) scalars(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	if n.Kind != yaml.SequenceNode {
		d.problem(n, codeShape, what+" must be a list", "")
		return nil
	}
	var out []*yaml.Node
	for _, e := range n.Content {
		if e.Kind != yaml.ScalarNode {
			d.problem(e, codeShape, what+" must be a list of single values", "")
			continue
		}
		out = append(out, e)
	}
	return out
}

// items is the entries of a key that holds a list of mappings.
func (f *fields) items(key string) []*yaml.Node {
	n := f.get(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		f.doc.problem(n, codeShape, key+" must be a list", "start each entry with a dash")
		return nil
	}
	return n.Content
}

// integer reads a whole number between the bounds; fallback if the key does not stand.
func (f *fields) integer(key string, fallback, low, high int) int {
	n := f.get(key)
	if n == nil {
		return fallback
	}
	if n.Kind != yaml.ScalarNode {
		f.doc.scalar(n, key)
		return fallback
	}
	v, err := strconv.Atoi(n.Value)
	if err != nil {
		f.doc.problem(n, codeShape, key+" must be a whole number", "")
		return fallback
	}
	if v < low || v > high {
		f.doc.problem(n, codeSpan, key+" must be from "+strconv.Itoa(low)+" to "+strconv.Itoa(high), "")
		return fallback
	}
	return v
}

// duration reads a length of time of at most high, in microseconds.
func (f *fields) duration(key string, fallback, high int64) int64 {
	n := f.get(key)
	if n == nil {
		return fallback
	}
	if n.Kind != yaml.ScalarNode {
		f.doc.scalar(n, key)
		return fallback
	}
	v, err := expression.ParseDuration(n.Value)
	if err != nil {
		f.doc.problem(n, codeDuration, err.Error(), "as in 30s, 10m, 1h30m, 14d")
		return fallback
	}
	if v > high {
		f.doc.problem(n, codeSpan, key+" is longer than "+expression.FormatDuration(high), "")
		return fallback
	}
	return v
}

// choice reads one of a few words; the first if the key does not stand.
func (f *fields) choice(key string, words ...string) string {
	n := f.get(key)
	if n == nil {
		return words[0]
	}
	if n.Kind != yaml.ScalarNode {
		f.doc.scalar(n, key)
		return words[0]
	}
	v := n.Value
	if !slices.Contains(words, v) {
		f.doc.problem(n, codeValue, key+" is not "+strconv.Quote(v), "one of "+strings.Join(words, ", "))
		return words[0]
	}
	return v
}

// issueCodes are our codes for those of package expression.
var issueCodes = map[string]string{
	expression.CodeSyntax: codeSyntax, expression.CodeName: codeName, expression.CodeType: codeType, expression.CodeCaption: codeCaption,
	expression.CodeConstant: codeConstant, expression.CodeRefused: codeRefused, expression.CodeSize: codeTooLong,
}

// issues reports what is wrong with the expression in a scalar, at its place in the file.
func (d *document) issues(n *yaml.Node, flow bool, list []*expression.Issue) {
	for _, i := range list {
		code, hint := issueCodes[i.Code], i.Hint
		if code == codeSyntax && flow && plain(n) {
			code, hint = codeFlowCut, "inside {…} YAML ends an expression at the first comma; write it in block style, or quote it"
		}
		line, column := d.within(n, i.Line, i.Column)
		d.problemAt(line, column, code, i.Message, hint)
	}
}

func plain(n *yaml.Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// within finds the place in the file of a place in a scalar's value. YAML folds lines, drops indentation and undoes quoting, so the
// characters of the value that are not white space are counted and found again in the text.
func (d *document) within(n *yaml.Node, line, column int) (int, int) {
	skip := blackBefore(n.Value, line, column)
	row, col := n.Line, n.Column
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		row, col = row+1, 1
	} else if !plain(n) {
		col++
	}
	for ; row <= len(d.lines); row, col = row+1, 1 {
		text := []rune(d.lines[row-1])
		for i := col - 1; i < len(text); i++ {
			if unicode.IsSpace(text[i]) {
				continue
			}
			if skip == 0 {
				return row, i + 1
			}
			skip--
			if i+1 < len(text) && (n.Style&yaml.SingleQuotedStyle != 0 && text[i] == '\'' || n.Style&yaml.DoubleQuotedStyle != 0 && text[i] == '\\') {
				i++ // two characters of the text are one of the value
			}
		}
	}
	return n.Line, n.Column
}

// blackBefore counts the characters of s that are not white space before a line and column.
func blackBefore(s string, line, column int) int {
	count := 0
	l, c := 1, 1
	for _, r := range s {
		if l > line || l == line && c >= column {
			break
		}
		if !unicode.IsSpace(r) {
			count++
		}
		c++
		if r == '\n' {
			l, c = l+1, 1
		}
	}
	return count
}

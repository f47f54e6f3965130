package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Paths names the files a set is made of. Each path is a file, or a folder whose *.yaml and *.yml files are read with those of its subfolders,
// in order of their names.
type Paths struct {
	Rules      []string // A file may hold several rules, and documents of exceptions, separated by ---.
	Exceptions []string // Files that hold documents of exceptions only.
	Documents  []Document

	Shown func(file string) string // What the user calls a file that a message names; nil is as it is called here.
}

// Document is a rule that an importer made of a file in another language. Its nodes stand where their content stands in that file.
type Document struct {
	File string
	Node *yaml.Node
}

// Load is LoadPaths for rules alone.
func Load(fsys fs.FS, paths ...string) (*Set, []Problem) { return LoadPaths(fsys, Paths{Rules: paths}) }

// LoadPaths reads rule files and the exceptions beside them. Reading never stops at the first problem; problems come in order of file and line.
// If any of them is an error the set is nil: a set is used whole or not at all.
func LoadPaths(fsys fs.FS, paths Paths) (*Set, []Problem) {
	l := &loader{fsys: fsys, sum: sha256.New(), byID: map[string]*draft{}, beside: map[string][]*beside{}}
	l.read(paths.Rules, false)
	l.read(paths.Exceptions, true)
	l.imported(paths.Documents)
	l.buildAll()
	var rules []*Rule
	for _, d := range l.drafts {
		if d.rule != nil {
			rules = append(rules, d.rule)
		}
	}
	components(rules)
	l.unclaimed()
	for _, d := range l.docs {
		l.problems = append(l.problems, d.problems...)
	}
	slices.SortStableFunc(rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	l.problems = append(l.problems, duplicates(rules, paths.Shown)...)
	sortProblems(l.problems)
	if HasErrors(l.problems) {
		return nil, l.problems
	}
	return &Set{Rules: rules, Hash: hex.EncodeToString(l.sum.Sum(nil)[:16]), text: &text{files: l.files, documents: paths.Documents}}, l.problems
}

// loader reads all files before it builds rules, since rules may listen to rules of other files and be excepted from there.
type loader struct {
	fsys     fs.FS
	sum      hash.Hash // Of everything that is not a comment.
	docs     []*document
	files    [][]byte
	drafts   []*draft
	byID     map[string]*draft
	beside   map[string][]*beside // Exceptions that stand outside of their rule, by its id.
	stack    []*draft             // Rules being built, each listened to by the one before.
	problems []Problem
}

// draft is a rule's document on its way to a rule.
type draft struct {
	doc  *document
	node *yaml.Node
	id   string // As written; "" if it cannot be read.
	rule *Rule
	done bool
}

// read takes in the documents of files.
func (l *loader) read(paths []string, exceptionsOnly bool) {
	for _, file := range ruleFiles(l.fsys, paths, &l.problems) {
		text, err := readFile(l.fsys, file)
		if err != nil {
			l.problems = append(l.problems, Problem{File: file, Line: 1, Column: 1, Code: codeYAML, Message: err.Error(), Hint: unreadableHint})
			continue
		}
		d := &document{file: file, lines: strings.Split(string(text), "\n")}
		l.docs, l.files = append(l.docs, d), append(l.files, text)
		for _, n := range d.documents(text) {
			canonical(l.sum, n)
			switch {
			case isExceptions(n):
				l.exceptions(d, n)
			case exceptionsOnly:
				d.problem(n, codeUnknownKey, "this is no document of exceptions", "it has the key exceptions, and its rules stand under rules.paths")
			default:
				l.draft(d, n)
			}
		}
	}
}

// imported takes in documents that are read already.
func (l *loader) imported(list []Document) {
	for _, x := range list {
		d := &document{file: x.File}
		l.docs = append(l.docs, d)
		if d.plainYAML(x.Node, 0) {
			canonical(l.sum, x.Node)
			l.draft(d, x.Node)
		}
	}
}

func (l *loader) draft(d *document, n *yaml.Node) {
	x := &draft{doc: d, node: n}
	if id := child(n, "id"); id != nil && id.Kind == yaml.ScalarNode {
		x.id = id.Value
	}
	l.drafts = append(l.drafts, x)
	if l.byID[x.id] == nil {
		l.byID[x.id] = x
	}
}

// build builds a rule once.
func (l *loader) build(x *draft) {
	if x.done {
		return
	}
	x.done = true
	l.stack = append(l.stack, x)
	x.rule = x.doc.build(x.node, l)
	l.stack = l.stack[:len(l.stack)-1]
}

// documents gives the documents of a file that are plain YAML.
func (d *document) documents(text []byte) (out []*yaml.Node) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			d.yamlProblem(err)
			return out
		}
		if len(root.Content) == 0 || root.Content[0].Tag == "!!null" || !d.plainYAML(root.Content[0], 0) {
			continue
		}
		out = append(out, root.Content[0])
	}
}

// child is the value of a key of a mapping; nil if it does not stand.
func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on rule files.
const (
	maxFile  = 1 << 20
	maxRules = 10_000
)

func duplicates(rules []*Rule, shown func(string) string) []Problem {
	var out []Problem
	for i := 1; i < len(rules); i++ {
		if r, first := rules[i], rules[i-1]; r.ID == first.ID && r.ID != "" {
			other := first.File
			if shown != nil {
				other = shown(other)
			}
			out = append(out, Problem{
				File: r.File, Line: r.Line, Column: 1, Code: codeDuplicateRule, Message: "rule " + r.ID + " also stands in " + other,
				Hint: "a new version replaces the old one in its file",
			})
		}
	}
	if len(rules) > maxRules {
		out = append(out, Problem{File: rules[0].File, Line: 1, Column: 1, Code: codeSpan, Message: "more than 10000 rules"})
	}
	return out
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Code, b.Code))
	})
}

const unreadableHint = "check the path and that this user may read it"

func ruleFiles(fsys fs.FS, paths []string, problems *[]Problem) []string {
	var files []string
	for _, p := range paths {
		err := fs.WalkDir(fsys, p, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if ext := path.Ext(name); !e.IsDir() && (name == p || ext == ".yaml" || ext == ".yml") {
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			*problems = append(*problems, Problem{File: p, Line: 1, Column: 1, Code: codeYAML, Message: err.Error(), Hint: unreadableHint})
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, errors.New("the file is larger than 1 MiB")
	}
	return text, nil
}

// yamlProblem reports text that is not YAML. A frequent cause is an expression in {…} that YAML cuts at a comma; it is told by its name.
func (d *document) yamlProblem(err error) {
	line, message := yamlError(err)
	if strings.Contains(message, "did not find expected ',' or '}'") {
		for n := line - 1; n <= line+1; n++ {
			if n < 1 || n > len(d.lines) {
				continue
			}
			if at := flowExpression.FindStringIndex(d.lines[n-1]); at != nil {
				d.problemAt(n, at[1], codeFlowCut, "an expression inside {…} ends at its first comma or quote", "write the mapping in block style, or quote the expression")
				return
			}
		}
	}
	d.problemAt(line, 1, codeYAML, message, "")
}

// flowExpression finds the start of an unquoted expression in a flow mapping.
var flowExpression = regexp.MustCompile(`[{,]\s*(where|when|value|freeze):\s+[^'"\s]`)

// yamlError takes the line out of an error of the YAML library, which states it as "yaml: line 3: …".
func yamlError(err error) (line int, message string) {
	line, message = 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if digits, tail, ok := strings.Cut(rest, ": "); ok {
			n := 0
			for _, c := range digits {
				n = n*10 + int(c-'0')
			}
			return max(n, 1), tail
		}
	}
	return line, message
}

// plainYAML refuses anchors, aliases, merge keys and extreme depth, which rule files have no use for and attackers do.
func (d *document) plainYAML(n *yaml.Node, depth int) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge" {
		d.problem(n, codeAlias, "anchors, aliases and merge keys are not part of rule files", "write the value out")
		return false
	}
	if depth > 32 {
		d.problem(n, codeShape, "the document is nested too deeply", "")
		return false
	}
	for _, c := range n.Content {
		if !d.plainYAML(c, depth+1) {
			return false
		}
	}
	return true
}

// canonical writes a node so that layout, comments, quoting and the order of keys make no difference.
func canonical(w io.Writer, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		pairs := make([]int, 0, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			pairs = append(pairs, i)
		}
		slices.SortFunc(pairs, func(a, b int) int { return strings.Compare(n.Content[a].Value, n.Content[b].Value) })
		_, _ = io.WriteString(w, "{")
		for _, i := range pairs {
			canonical(w, n.Content[i])
			canonical(w, n.Content[i+1])
		}
		_, _ = io.WriteString(w, "}")
	case yaml.SequenceNode:
		_, _ = io.WriteString(w, "[")
		for _, c := range n.Content {
			canonical(w, c)
		}
		_, _ = io.WriteString(w, "]")
	default:
		_, _ = io.WriteString(w, "\x00"+n.Value+"\x00")
	}
}

// hashOf is the hash of some nodes, each of which may be missing.
func hashOf(nodes ...*yaml.Node) string {
	h := sha256.New()
	for _, n := range nodes {
		if n != nil {
			canonical(h, n)
		}
		_, _ = io.WriteString(h, "\x01")
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

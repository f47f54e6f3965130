package rules

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// lineWidth is where Format folds text, in characters.
const lineWidth = 150

// Format lays a rule file out as all of ours are: keys in the order of the reference (what names a thing first), two spaces of indentation, no
// trailing white space, folded text at 150 characters, rules separated by ---. What the file means does not change, and no comment is lost:
// both are checked, and where one could not be kept the text is refused. Problems are those of YAML; then the text is nil.
func Format(file string, text []byte) ([]byte, []Problem) {
	d := &document{file: file, lines: strings.Split(string(text), "\n")}
	roots := d.roots(text)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	var out bytes.Buffer
	var authored [][]string
	for i, root := range roots {
		if i > 0 {
			out.WriteString("---\n")
		}
		if len(root.Content) > 0 {
			unfold(root.Content[0])
			arrange(root.Content[0], placeOf(root.Content[0]))
			authored = d.folded(root.Content[0], authored)
		}
		enc := yaml.NewEncoder(&out)
		enc.SetIndent(2)
		if err := enc.Encode(root); err != nil {
			d.problemAt(1, 1, codeYAML, err.Error(), "")
			return nil, d.problems
		}
	}
	formatted := fold(out.Bytes(), authored)
	if d.changed(text, formatted); len(d.problems) > 0 {
		return nil, d.problems
	}
	return formatted, nil
}

// roots reads the documents of a file.
func (d *document) roots(text []byte) []*yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var roots []*yaml.Node
	for {
		root := &yaml.Node{}
		err := decoder.Decode(root)
		if errors.Is(err, io.EOF) {
			return roots
		}
		if err != nil {
			d.yamlProblem(err)
			return nil
		}
		if len(root.Content) > 0 && root.Content[0].Tag != "!!null" && !d.plainYAML(root.Content[0], 0) {
			return nil
		}
		roots = append(roots, root)
	}
}

// placeOf tells a document of exceptions from a rule.
func placeOf(n *yaml.Node) Place {
	if len(n.Content) == 2 && n.Content[0].Value == "exceptions" {
		return InExceptions
	}
	return InRule
}

// unfold makes folded text literal where lines are indented further than others: there YAML keeps the breaks, and the encoder adds some.
func unfold(n *yaml.Node) {
	if n.Style&yaml.FoldedStyle != 0 && strings.Contains(n.Value, "\n ") {
		n.Style = yaml.LiteralStyle
	}
	for _, c := range n.Content {
		unfold(c)
	}
}

// leading are the keys that stand first wherever they may stand: they say what the rest is about.
var leading = []string{"id", "name", "at", "version", "class", "before", "after", "between", "of", "when", "where", "bind", "ip", "mac", "vars"}

// arrange sorts the keys of a mapping and of those below it. Free keys keep their order, behind the others.
func arrange(n *yaml.Node, at ...Place) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return
	}
	names := allowed(at...)
	rank := func(key string) int {
		if i := slices.Index(leading, key); i >= 0 && slices.Contains(names, key) {
			return i
		}
		if i := slices.Index(names, key); i >= 0 {
			return len(leading) + i
		}
		return len(leading) + len(names)
	}
	pairs := make([][2]*yaml.Node, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		pairs = append(pairs, [2]*yaml.Node{n.Content[i], n.Content[i+1]})
	}
	slices.SortStableFunc(pairs, func(a, b [2]*yaml.Node) int { return rank(a[0].Value) - rank(b[0].Value) })
	if first := n.Content[0]; slices.Contains(at, InRule) && first != pairs[0][0] {
		pairs[0][0].HeadComment = strings.TrimSpace(first.HeadComment + "\n" + pairs[0][0].HeadComment) // It is about the rule.
		first.HeadComment = ""
	}
	for i, p := range pairs {
		n.Content[2*i], n.Content[2*i+1] = p[0], p[1]
		below, list := Below(p[0].Value, at...)
		switch {
		case len(below) == 0:
		case list:
			for _, entry := range p[1].Content {
				arrange(entry, below...)
			}
		default:
			arrange(p[1], below...)
		}
	}
}

// folded lists the folded texts below a node in the order in which the encoder writes them, each with its lines as the author broke them.
func (d *document) folded(n *yaml.Node, list [][]string) [][]string {
	if n.Style&yaml.FoldedStyle != 0 {
		list = append(list, d.block(n.Line))
	}
	for _, c := range n.Content {
		list = d.folded(c, list)
	}
	return list
}

// block is the lines behind a line of the file that are indented like the first of them or further, without that indentation.
func (d *document) block(line int) []string {
	var out []string
	margin := 0
	for _, text := range d.lines[min(line, len(d.lines)):] {
		text = strings.TrimRight(text, " \r")
		indent := len(text) - len(strings.TrimLeft(text, " "))
		if margin == 0 {
			margin = indent
		}
		if text != "" && (indent < margin || margin == 0) {
			break
		}
		out = append(out, text[min(margin, len(text)):])
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// fold writes folded text, which the encoder gives a paragraph a line, in the author's lines, or anew where one of those is too long. It drops
// white space at the ends of lines.
func fold(text []byte, authored [][]string) []byte {
	var out bytes.Buffer
	var body []string     // Of the block that is read.
	inside, depth := 0, 0 // The block's style and the indentation of its key.
	flush := func() {
		for len(body) > 0 && body[len(body)-1] == "" { // The encoder ends folded text with one too many.
			body = body[:len(body)-1]
		}
		if inside == folding && len(authored) > 0 {
			body = refold(body, authored[0])
			authored = authored[1:]
		}
		for _, line := range body {
			out.WriteString(line + "\n")
		}
		body, inside = nil, 0
	}
	for line := range strings.SplitSeq(strings.TrimRight(string(text), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if inside != 0 {
			if line == "" || indent > depth {
				body = append(body, line)
				continue
			}
			flush()
		}
		out.WriteString(line + "\n")
		inside, depth = blockStyle(line), indent
	}
	flush()
	return out.Bytes()
}

const (
	folding = 1 + iota
	literal
)

// blockStyle tells what block of text begins behind a line.
func blockStyle(line string) int {
	head := strings.TrimRight(line, "+-0123456789")
	switch {
	case strings.HasSuffix(head, ": >"), strings.HasSuffix(head, "- >"):
		return folding
	case strings.HasSuffix(head, ": |"), strings.HasSuffix(head, "- |"):
		return literal
	}
	return 0
}

// refold gives a block of folded text the author's lines, if none is too long where it now stands.
func refold(body, authored []string) []string {
	if len(body) == 0 {
		return body
	}
	margin := body[0][:len(body[0])-len(strings.TrimLeft(body[0], " "))]
	lines := make([]string, len(authored))
	for i, line := range authored {
		if line != "" {
			lines[i] = margin + line
		}
		if utf8.RuneCountInString(lines[i]) > lineWidth {
			lines = nil
			break
		}
	}
	if len(lines) > 0 {
		return lines
	}
	var out []string
	for _, line := range body {
		for utf8.RuneCountInString(line) > lineWidth {
			at := breakAt(line, len(margin))
			if at < 0 {
				break
			}
			out = append(out, line[:at])
			line = margin + line[at+1:]
		}
		out = append(out, line)
	}
	return out
}

// breakAt is the last single space within the width, else the first behind it; −1 if there is none.
func breakAt(line string, indent int) int {
	best, width := -1, 0
	for i, r := range line {
		width++
		if r != ' ' || i <= indent || line[i-1] == ' ' || i+1 < len(line) && line[i+1] == ' ' {
			continue
		}
		if width > lineWidth+1 && best >= 0 {
			break
		}
		best = i
		if width > lineWidth {
			break
		}
	}
	return best
}

// changed reports what the new text lost.
func (d *document) changed(old, formatted []byte) {
	was, is := canonicalText(old), canonicalText(formatted)
	if !bytes.Equal(was, is) {
		d.problemAt(1, 1, codeYAML, "the file cannot be laid out anew without changing what it means", "please report it; the file is left as it is")
		return
	}
	kept := commentsOf(string(formatted))
	for n, line := range d.lines {
		comment, ok := commentOf(line)
		if !ok {
			continue
		}
		i := slices.Index(kept, comment)
		if i < 0 {
			d.problemAt(n+1, 1, codeYAML, "this comment cannot be kept where it stands", "put it on a line of its own above a key")
			return
		}
		kept = slices.Delete(kept, i, i+1)
	}
}

func canonicalText(text []byte) []byte {
	var out bytes.Buffer
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var root yaml.Node
		if err := decoder.Decode(&root); err != nil {
			return out.Bytes()
		}
		canonical(&out, root.Content[0])
	}
}

func commentsOf(text string) (list []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if c, ok := commentOf(line); ok {
			list = append(list, c)
		}
	}
	return list
}

// commentOf is the comment that a line of its own holds. Comments behind a value are kept by the YAML library with the value.
func commentOf(line string) (string, bool) {
	line = strings.TrimSpace(line)
	return line, strings.HasPrefix(line, "#")
}

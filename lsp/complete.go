package lsp

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

func (s *server) completion(_ context.Context, _ *jsonrpc2.Conn, p atPosition) (any, error) {
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	return completionList{Items: d.complete(p.Position)}, nil
}

// proposal is one thing that may be written at the cursor.
type proposal struct {
	text   string
	kind   int
	detail string
	doc    string
}

// complete lists what may be written at a position, in order of its text. Every item replaces the word before the cursor.
func (d *document) complete(p position) []completion {
	before := d.before(p)
	word := wordBefore(before)
	list := d.proposals(p, before[:len(before)-len(word)])
	slices.SortStableFunc(list, func(a, b proposal) int { return strings.Compare(a.text, b.text) })
	items := []completion{}
	for i, x := range list {
		if !strings.HasPrefix(strings.ToLower(x.text), strings.ToLower(word)) || i > 0 && list[i-1].text == x.text {
			continue
		}
		item := completion{Label: strings.TrimSpace(strings.TrimSuffix(x.text, ": ")), Kind: x.kind, Detail: x.detail}
		if x.doc != "" {
			item.Documentation = markdown(x.doc)
		}
		item.TextEdit = textEdit{span{d.at(p.Line, len(before)-len(word)), p}, x.text}
		items = append(items, item)
	}
	return items
}

// proposals are all that may stand behind the text before a word.
func (d *document) proposals(p position, before string) []proposal {
	w := d.locate(position{p.Line, d.at(p.Line, len(before)).Character})
	switch {
	case w.free == "bind" || w.free == "bind_any" || w.free == "emit":
		return sources()
	case w.free == "collect":
		return fields()
	case w.free != "":
		return nil
	case w.key == "":
		return keyProposals(w.places)
	}
	for _, k := range rules.KeysAt(w.places...) {
		if k.Name == w.key {
			return d.values(k, before)
		}
	}
	if slices.Contains(w.places, rules.InEvent) {
		return captions(event.FieldByPath(w.key))
	}
	return nil
}

func keyProposals(places []rules.Place) (list []proposal) {
	for _, k := range rules.KeysAt(places...) {
		list = append(list, proposal{k.Name + ": ", kindProperty, k.Type, k.Doc})
	}
	if slices.Contains(places, rules.InEvent) {
		for _, f := range fields() {
			f.text += ": "
			list = append(list, f)
		}
	}
	return list
}

// values are what the value of a key may be.
func (d *document) values(k rules.Key, before string) (list []proposal) {
	switch {
	case k.Expression():
		return d.expressions(before)
	case k.Type == "class", k.Type == "class or list":
		for _, name := range event.ClassNames() {
			list = append(list, proposal{text: name, kind: kindClass})
		}
		return list
	case k.Type == "field":
		return fields()
	case k.Type == "step":
		return d.steps()
	case k.Type == "list of variables":
		return d.variables()
	}
	if words := strings.Split(k.Type, ", "); len(words) > 1 && !strings.ContainsAny(k.Type, "<:{[") {
		for _, w := range words {
			list = append(list, proposal{text: w, kind: kindValue})
		}
	}
	return list
}

// comparison ends in the quote that opens the word a field is compared with: == "…, != "…, in ["…", "….
var comparison = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.]*)\s*(?:==|!=|(?:not\s+)?in\s*\[[^\]]*)\s*["']$`)

// expressions are the words of an expression: captions inside of quotes, else fields, functions, steps and variables.
func (d *document) expressions(before string) []proposal {
	if m := comparison.FindStringSubmatch(before); m != nil {
		return captions(fieldAtEnd(m[1]))
	}
	if strings.Count(before, `"`)%2 == 1 {
		return nil
	}
	list := append(fields(), d.steps()...)
	for _, f := range expression.Functions() {
		list = append(list, proposal{f.Name, kindFunction, f.Signature, f.Doc})
	}
	return list
}

// fieldAtEnd finds the field of a path that may begin with the name of a step.
func fieldAtEnd(path string) *event.Field {
	for {
		if f := event.FieldByPath(path); f != nil {
			return f
		}
		_, rest, ok := strings.Cut(path, ".")
		if !ok {
			return nil
		}
		path = rest
	}
}

// captions are the words of an enumerated field.
func captions(f *event.Field) (list []proposal) {
	if f == nil || f.Flags&(event.Enum|event.IsCaption) == 0 {
		return nil
	}
	for _, c := range event.Captions(f.Object, f.Attr) {
		list = append(list, proposal{text: c, kind: kindValue})
	}
	return list
}

func fields() []proposal {
	all := event.Fields()
	list := make([]proposal, len(all))
	for i := range all {
		list[i] = proposal{all[i].Path, kindField, all[i].Kind.String(), all[i].Doc}
	}
	return list
}

// sources are what a variable may take its value from.
func sources() []proposal {
	var list []proposal
	for _, name := range rules.Sources() {
		list = append(list, proposal{name, kindVariable, "entity", "The canonical id of the event's primary " + name + "."})
	}
	return append(list, fields()...)
}

var (
	stepID   = regexp.MustCompile(`(?:^|[{\s-])id:\s*([a-z_][a-z0-9_]*)\s*(?:[,}]|$)`)
	bindings = regexp.MustCompile(`(?:bind|emit):\s*\{([^}]*)\}`)
)

// steps are the ids of steps in the text.
func (d *document) steps() (list []proposal) {
	for _, line := range d.lines {
		for _, m := range stepID.FindAllStringSubmatch(line, -1) {
			list = append(list, proposal{text: m[1], kind: kindVariable, detail: "step"})
		}
	}
	return list
}

// variables are the names that bind and emit in the text.
func (d *document) variables() (list []proposal) {
	for _, line := range d.lines {
		for _, m := range bindings.FindAllStringSubmatch(line, -1) {
			for part := range strings.SplitSeq(m[1], ",") {
				if name, _, ok := strings.Cut(part, ":"); ok {
					list = append(list, proposal{text: strings.TrimSpace(name), kind: kindVariable, detail: "variable"})
				}
			}
		}
	}
	return list
}

package lsp

import (
	"context"
	"fmt"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

func (s *server) hover(_ context.Context, _ *jsonrpc2.Conn, p atPosition) (any, error) {
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	word, at := d.wordAround(p.Position)
	text := d.explain(word, position{at.Start.Line, at.Start.Character}, at.End)
	if word == "" || text == "" {
		return nil, nil
	}
	return hoverText{*markdown(text), at}, nil
}

// explain is the documentation of a word where it stands; "" if there is none.
func (d *document) explain(word string, start, end position) string {
	word = strings.Trim(word, ".")
	rest := strings.TrimPrefix(d.line(start.Line), d.before(end))
	if w := d.locate(start); w.key == "" && w.free == "" && strings.HasPrefix(rest, ":") {
		for _, k := range rules.KeysAt(w.places...) {
			if k.Name == word {
				return keyText(k)
			}
		}
	}
	if strings.HasPrefix(rest, "(") {
		for _, f := range expression.Functions() {
			if f.Name == word {
				return functionText(f)
			}
		}
	}
	if f := fieldAtEnd(word); f != nil {
		return fieldText(f)
	}
	if c, err := event.ParseClass(word); err == nil {
		return classText(c)
	}
	return ""
}

func keyText(k rules.Key) string {
	text := fmt.Sprintf("**%s** · %s\n\n%s", k.Name, k.Type, k.Doc)
	if k.Default != "" {
		text += "\n\nDefault: " + k.Default
	}
	return text
}

func functionText(f expression.Function) string {
	text := fmt.Sprintf("```\n%s\n```\n%s", f.Signature, f.Doc)
	if f.Example != "" {
		text += fmt.Sprintf("\n\n`%s` is %s", f.Example, f.Result)
	}
	return text
}

func fieldText(f *event.Field) string {
	text := fmt.Sprintf("**%s** · %s\n\n%s", f.Path, f.Kind, f.Doc)
	if f.Flags&(event.Enum|event.IsCaption) != 0 {
		if words := event.Captions(f.Object, f.Attr); len(words) > 0 {
			text += "\n\nOne of: " + strings.Join(words, ", ")
		}
	}
	if f.Flags&event.Taint != 0 {
		text += "\n\nAn outsider can write it."
	}
	return text
}

func classText(c event.ClassRef) string {
	text := fmt.Sprintf("**%s** · OCSF class %d", c, c.UID)
	if !c.Any {
		return text + fmt.Sprintf(", activity %d", c.Activity)
	}
	var names []string
	for _, n := range event.ClassNames() {
		if activity, ok := strings.CutPrefix(n, c.String()+"."); ok {
			names = append(names, activity)
		}
	}
	return text + "\n\nActivities: " + strings.Join(names, ", ")
}

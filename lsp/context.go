package lsp

import (
	"strings"

	"github.com/tocsin-siem/tocsin/rules"
)

// where is what stands at a cursor: the places whose keys may stand there, and, behind a colon, the key whose value is written.
type where struct {
	places []rules.Place
	key    string // "" where a key is to be written.
	free   string // The key whose mapping has free keys, such as bind, inside of it.
}

// locate works out where a cursor is from indentation and braces alone, because the text around it is seldom YAML while it is written.
func (d *document) locate(p position) where {
	before := d.before(p)
	keys := d.blockKeys(p.Line, indentOf(before))
	inner, tail := flowKeys(before)
	keys = append(keys, inner...)
	w := where{places: []rules.Place{rules.InRule}}
	if len(keys) > 0 && keys[0] == "exceptions" && d.onlyExceptions(p.Line) {
		w.places = []rules.Place{rules.InExceptions}
	}
	for _, k := range keys {
		below, _ := rules.Below(k, w.places...)
		if len(below) == 0 {
			w.free = k
			if expressionKey(k, w.places) {
				w.key, w.free = k, ""
				return w
			}
			break
		}
		w.places = below
	}
	if key, ok := keyOf(tail); ok {
		w.key = key
	}
	return w
}

// onlyExceptions reports whether the document at a line is one of exceptions: it has no id of a rule.
func (d *document) onlyExceptions(line int) bool {
	start, end := line, line
	for start > 0 && !strings.HasPrefix(d.lines[start], "---") {
		start--
	}
	for end < len(d.lines) && (end == line || !strings.HasPrefix(d.lines[end], "---")) {
		if strings.HasPrefix(d.lines[end], "id:") {
			return false
		}
		end++
	}
	for _, l := range d.lines[start:line] {
		if strings.HasPrefix(l, "id:") {
			return false
		}
	}
	return true
}

// blockKeys are the keys above a line that it lies below, by indentation, the outermost first.
func (d *document) blockKeys(line, indent int) []string {
	var keys []string
	for n := line - 1; n >= 0 && indent > 0; n-- {
		text := d.lines[n]
		if strings.HasPrefix(text, "---") {
			break
		}
		trimmed := strings.TrimSpace(text)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		at := indentOf(text)
		if at < indent && strings.HasPrefix(trimmed, "- ") && keyColumn(text) >= indent {
			indent = at + 1 // The entry of the list that the line is part of: its own keys are siblings.
			continue
		}
		column := keyColumn(text)
		if column >= indent {
			continue
		}
		if key, ok := openKey(text); ok {
			keys = append([]string{key}, keys...)
			indent = column
			if strings.HasPrefix(trimmed, "- ") {
				indent = at + 1
			}
		}
	}
	return keys
}

func indentOf(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

// keyColumn is where the key of a line begins, behind the dashes of list entries.
func keyColumn(text string) int {
	at := indentOf(text)
	for strings.HasPrefix(text[at:], "- ") {
		at += 2 + indentOf(text[at+2:])
	}
	return at
}

// openKey is the key of a line whose value goes on below: nothing behind the colon, or the mark of a block of text.
func openKey(text string) (string, bool) {
	key, rest, ok := strings.Cut(text[keyColumn(text):], ":")
	rest = strings.TrimSpace(rest)
	if !ok || rest != "" && rest[0] != '>' && rest[0] != '|' && rest[0] != '#' {
		return "", false
	}
	return key, true
}

// keyOf is the key at the beginning of a text, if a colon follows.
func keyOf(text string) (string, bool) {
	key, _, ok := strings.Cut(strings.TrimLeft(text, "- "), ":")
	return strings.TrimSpace(key), ok
}

// flowKeys are the keys in front of the braces that are open at the end of a text, and the text behind the last brace, or the last comma in it.
// Text in quotes has no braces.
func flowKeys(text string) (keys []string, tail string) {
	type open struct{ start int }
	stack := []open{{0}}
	brackets, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '[' || c == '(':
			brackets++
		case c == ']' || c == ')':
			brackets = max(0, brackets-1)
		case c == '{':
			if key, ok := keyOf(text[stack[len(stack)-1].start:i]); ok {
				keys = append(keys, key)
			}
			stack = append(stack, open{i + 1})
			brackets = 0
		case c == '}' && len(stack) > 1:
			stack = stack[:len(stack)-1]
			if len(keys) > 0 {
				keys = keys[:len(keys)-1]
			}
		case c == ',' && brackets == 0 && len(stack) > 1:
			stack[len(stack)-1].start = i + 1
		}
	}
	return keys, text[stack[len(stack)-1].start:]
}

// expressionKey reports whether the value of a key is an expression.
func expressionKey(key string, places []rules.Place) bool {
	for _, k := range rules.KeysAt(places...) {
		if k.Name == key {
			return k.Expression()
		}
	}
	return false
}

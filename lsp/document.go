package lsp

import (
	"net/url"
	"path"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// document is the text of an open file. It is replaced as a whole by every change.
type document struct {
	path  string // As the compiler is given it, without the leading slash.
	text  string
	lines []string
}

func newDocument(uri, text string) *document {
	name := "rules.yaml"
	if u, err := url.Parse(uri); err == nil && u.Path != "" {
		name = strings.TrimPrefix(path.Clean(u.Path), "/")
	}
	return &document{path: name, text: text, lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")}
}

func (d *document) line(n int) string {
	if n < 0 || n >= len(d.lines) {
		return ""
	}
	return d.lines[n]
}

// before is the text of a line before a position.
func (d *document) before(p position) string {
	line, units := d.line(p.Line), 0
	for i, r := range line {
		if units >= p.Character {
			return line[:i]
		}
		units += max(1, utf16.RuneLen(r))
	}
	return line
}

// at is the position of a byte in a line.
func (d *document) at(line, offset int) position {
	units := 0
	for _, r := range d.line(line)[:min(offset, len(d.line(line)))] {
		units += max(1, utf16.RuneLen(r))
	}
	return position{line, units}
}

// place turns a place of the compiler, which counts from 1 and in characters, into the span of the word there.
func (d *document) place(line, column int) span {
	text := d.line(line - 1)
	start := 0
	for n := 1; n < column && start < len(text); n++ {
		_, size := utf8.DecodeRuneInString(text[start:])
		start += size
	}
	end := start
	for end < len(text) && wordByte(text[end]) {
		end++
	}
	if end == start && end < len(text) {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	return span{d.at(line-1, start), d.at(line-1, end)}
}

// wordByte reports whether a byte belongs to a word of the language: a key, a path of a field, a class, the name of a function.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

// wordBefore is the word that a text ends with.
func wordBefore(text string) string {
	start := len(text)
	for start > 0 && wordByte(text[start-1]) {
		start--
	}
	return text[start:]
}

// wordAround is the word at a position, with its span; "" if there is none.
func (d *document) wordAround(p position) (string, span) {
	line, cursor := d.line(p.Line), len(d.before(p))
	start, end := cursor, cursor
	for start > 0 && wordByte(line[start-1]) {
		start--
	}
	for end < len(line) && wordByte(line[end]) {
		end++
	}
	return line[start:end], span{d.at(p.Line, start), d.at(p.Line, end)}
}

// all is the span of the whole text.
func (d *document) all() span {
	last := len(d.lines) - 1
	return span{position{}, d.at(last, len(d.lines[last]))}
}

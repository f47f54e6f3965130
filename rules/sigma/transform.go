package sigma

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// encoded is a value on its way through the modifiers: a pattern, until an encoder makes bytes of it.
type encoded struct {
	pattern pattern
	bytes   []byte
	isBytes bool
}

// transform sends a value through the modifiers in the order written. Some make several values of one, of which one is enough.
func (m *modifiers) transform(n *yaml.Node) ([]pattern, error) {
	list := []encoded{{pattern: parsePattern(scalarText(n))}}
	if n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool" {
		list[0].pattern = pattern(scalarText(n))
	}
	for _, name := range m.transforms {
		var next []encoded
		for _, v := range list {
			out, err := transformOne(n, name, v)
			if err != nil {
				return nil, err
			}
			next = append(next, out...)
		}
		list = next
	}
	out := make([]pattern, len(list))
	for i, v := range list {
		out[i] = v.pattern
	}
	return out, nil
}

func transformOne(n *yaml.Node, name string, v encoded) ([]encoded, error) {
	switch name {
	case "contains":
		return []encoded{{pattern: v.pattern.open(true, true)}}, nil
	case "startswith":
		return []encoded{{pattern: v.pattern.open(false, true)}}, nil
	case "endswith":
		return []encoded{{pattern: v.pattern.open(true, false)}}, nil
	case "windash":
		return dashes(n, v.pattern)
	}
	if !v.isBytes {
		text, ok := v.pattern.plain()
		if !ok {
			return nil, refuse(n, codeValue, name+" cannot encode a wildcard", "")
		}
		v.bytes, v.isBytes = []byte(text), true
	}
	switch name {
	case "base64":
		return []encoded{{pattern: pattern(base64.StdEncoding.EncodeToString(v.bytes))}}, nil
	case "base64offset":
		return base64Offsets(v.bytes), nil
	}
	v.bytes = wide(string(v.bytes), name)
	return []encoded{v}, nil
}

// wide encodes in UTF-16: little endian, but for utf16be, and after a byte order mark for utf16.
func wide(s, name string) []byte {
	var out []byte
	if name == "utf16" {
		out = append(out, 0xff, 0xfe)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if name == "utf16be" {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

// base64Offsets is what the bytes look like inside of a longer text in base64: one form for each of the three places where they may start, cut
// down to the characters that depend on nothing else.
func base64Offsets(b []byte) []encoded {
	var out []encoded
	for offset := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, offset), b...))
		start := []int{0, 2, 3}[offset]
		end := len(text) - []int{0, 3, 2}[(len(b)+offset)%3]
		if start < end {
			out = append(out, encoded{pattern: pattern(text[start:end])})
		}
	}
	return out
}

// The dashes that Windows programs take for one another.
var dashRunes = []rune{'-', '/', '\u2013', '\u2014', '\u2015'}

// maxDashes bounds how many dashes of one value may vary: each makes five values of one.
const maxDashes = 4

// dashes writes the pattern with each of the dashes in the place of - and / that start an option: with a word after and none before.
func dashes(n *yaml.Node, p pattern) ([]encoded, error) {
	out := []encoded{{pattern: nil}}
	count := 0
	for i, r := range p {
		starts := (r == '-' || r == '/') && (i == 0 || !wordRune(p[i-1])) && i+1 < len(p) && wordRune(p[i+1])
		choices := []rune{r}
		if starts {
			if count++; count > maxDashes {
				return nil, refuse(n, codeValue, "windash over more than 4 options in one value", "")
			}
			choices = dashRunes
		}
		next := make([]encoded, 0, len(out)*len(choices))
		for _, v := range out {
			for _, c := range choices {
				next = append(next, encoded{pattern: append(v.pattern[:len(v.pattern):len(v.pattern)], c)})
			}
		}
		out = next
	}
	return out, nil
}

func wordRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127 && !strings.ContainsRune("\u2013\u2014\u2015", r)
}

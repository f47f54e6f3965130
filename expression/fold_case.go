package expression

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-siem/tocsin/event"
)

// The functions whose names begin with i compare text without case: both sides are taken through Unicode's simple case folding, character by
// character, as strings.EqualFold does. A byte that is no part of a character counts as U+FFFD.

// folded is a text with every character replaced by the one that stands for all its cases.
type folded []rune

// anyRune stands in a folded text for any one character: the ? of a pattern.
const anyRune rune = -1

// upperASCII folds the characters of one byte.
var upperASCII = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		t[c] = byte(c)
		if 'a' <= c && c <= 'z' {
			t[c] -= 'a' - 'A'
		}
	}
	return t
}()

// foldRune is the least of the characters that differ from r in case only.
func foldRune(r rune) rune {
	if uint32(r) < utf8.RuneSelf {
		return rune(upperASCII[r])
	}
	least := r
	for x := unicode.SimpleFold(r); x != r; x = unicode.SimpleFold(x) {
		least = min(least, x)
	}
	return least
}

func fold(s string) folded {
	out := make(folded, 0, len(s))
	for _, r := range s {
		out = append(out, foldRune(r))
	}
	return out
}

// foldAt is the folded character of s at i and the place after it.
func foldAt(s string, i int) (rune, int) {
	if c := s[i]; c < utf8.RuneSelf {
		return rune(upperASCII[c]), i + 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return foldRune(r), i + size
}

// end is the place in s behind w, where w stands at i; -1 where it does not.
func (w folded) end(s string, i int) int {
	if len(s)-i < len(w) {
		return -1
	}
	for _, want := range w {
		if i >= len(s) {
			return -1
		}
		var got rune
		if c := s[i]; c < utf8.RuneSelf {
			got = rune(upperASCII[c])
			i++
		} else {
			got, i = foldAt(s, i)
		}
		if got != want && want != anyRune {
			return -1
		}
	}
	return i
}

// find is the place behind the first w in s at from or later; -1 where there is none.
func (w folded) find(s string, from int) int {
	if len(w) == 0 {
		return from
	}
	first := w[0]
	for i := from; len(s)-i >= len(w); {
		var got rune
		if c := s[i]; c < utf8.RuneSelf {
			got = rune(upperASCII[c])
			i++
		} else {
			got, i = foldAt(s, i)
		}
		if got != first && first != anyRune {
			continue
		}
		if end := w[1:].end(s, i); end >= 0 {
			return end
		}
	}
	return -1
}

// tail is the place from which s has as many characters as w; -1 where it has fewer.
func (w folded) tail(s string) int {
	i := len(s)
	for range w {
		if i == 0 {
			return -1
		}
		if s[i-1] < utf8.RuneSelf {
			i--
			continue
		}
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return i
}

func (w folded) equals(s string) bool   { return w.end(s, 0) == len(s) }
func (w folded) contains(s string) bool { return w.find(s, 0) >= 0 }
func (w folded) starts(s string) bool   { return w.end(s, 0) >= 0 }

func (w folded) ends(s string) bool {
	i := w.tail(s)
	return i >= 0 && w.end(s, i) >= 0
}

// textTests are the functions that ask whether a text, or one of a list, satisfies any of some constants: how a constant becomes a test.
var textTests = map[string]func(string) func(string) bool{
	"iequals": func(c string) func(string) bool {
		if w, ok := asciiWordOf(c); ok {
			return w.equals
		}
		return fold(c).equals
	},
	"icontains": func(c string) func(string) bool {
		if w, ok := asciiWordOf(c); ok {
			return w.contains
		}
		return fold(c).contains
	},
	"istarts": func(c string) func(string) bool {
		if w, ok := asciiWordOf(c); ok {
			return w.starts
		}
		return fold(c).starts
	},
	"iends": func(c string) func(string) bool {
		if w, ok := asciiWordOf(c); ok {
			return w.ends
		}
		return fold(c).ends
	},
	"ilike": func(c string) func(string) bool { return parseLike(c).matches },
	"imatches": func(c string) func(string) bool {
		re := regexp.MustCompile(c)
		if word := caseLiteral(c, 1); word != "" {
			return func(s string) bool { return strings.Contains(s, word) && re.MatchString(s) }
		}
		return re.MatchString
	},
}

// compileTextTest makes the closure of one of textTests.
func compileTextTest(name string) func(*compiler, []code) code {
	return func(_ *compiler, args []code) code {
		tests := make([]func(string) bool, 0, len(args)-1)
		for _, a := range args[1:] {
			tests = append(tests, textTests[name](a.val.Str))
		}
		holds := anyOf(tests)
		if args[0].isString() {
			s := args[0].s
			return boolCode(func(f *frame) bool { return holds(s(f)) })
		}
		list := args[0].l
		return boolCode(func(f *frame) bool {
			for _, s := range list(f) {
				if holds(s) {
					return true
				}
			}
			return false
		})
	}
}

// writtenTexts is the list that a call of one of textTests has written out as its first argument, if anything but constants is in it.
func writtenTexts(name string, n *ast.CallNode) ([]ast.Node, bool) {
	if textTests[name] == nil || len(n.Arguments) == 0 {
		return nil, false
	}
	list, ok := n.Arguments[0].(*ast.ArrayNode)
	if !ok || len(list.Nodes) == 0 {
		return nil, false
	}
	for _, x := range list.Nodes {
		if _, constant := x.(*ast.StringNode); !constant {
			return list.Nodes, true
		}
	}
	return nil, false
}

// textTestOfEach makes the closure of one of textTests over texts that are written out: the test of any of them, and the need of any.
func (c *compiler) textTestOfEach(name string, texts, constants []ast.Node) (code, bool) {
	rest, ok := c.all(constants)
	if !ok {
		return code{}, false
	}
	tests := make([]func(*frame) bool, len(texts))
	needs := make([]*need, len(texts))
	for i, n := range texts {
		x, ok := c.node(n)
		if !ok || !x.isString() {
			return code{}, false
		}
		args := append([]code{x}, rest...)
		tests[i] = compileTextTest(name)(c, args).b
		needs[i], _ = callNeed(name, args)
	}
	out := boolCode(func(f *frame) bool {
		for _, test := range tests {
			if test(f) {
				return true
			}
		}
		return false
	})
	out.need = needAny(needs...)
	return out, true
}

func anyOf(tests []func(string) bool) func(string) bool {
	if len(tests) == 1 {
		return tests[0]
	}
	return func(s string) bool {
		for _, t := range tests {
			if t(s) {
				return true
			}
		}
		return false
	}
}

// bindTextTest is one of textTests for expr's machine. What the constants become is kept with the machine.
func bindTextTest(name string) func(*Machine) any {
	return func(*Machine) any {
		made := map[string]func(string) bool{}
		return func(of any, constants ...string) bool {
			return anyText(of, func(s string) bool {
				for _, c := range constants {
					test, ok := made[c]
					if !ok {
						test = textTests[name](c)
						made[c] = test
					}
					if test(s) {
						return true
					}
				}
				return false
			})
		}
	}
}

// anyText asks a text or each of a list, as expr's machine passes them.
func anyText(of any, test func(string) bool) bool {
	switch of := of.(type) {
	case string:
		return test(of)
	case []string:
		for _, s := range of {
			if test(s) {
				return true
			}
		}
	case []any:
		for _, x := range of {
			if s, ok := x.(string); ok && test(s) {
				return true
			}
		}
	}
	return false
}

// textOrList reports whether a kind may stand first in one of textTests.
func textOrList(k event.Kind) bool { return k == event.KindString || k == event.KindStrings }

func checkRegexp(s string) string {
	if _, err := regexp.Compile(s); err != nil {
		return "not a regular expression: " + err.Error()
	}
	return ""
}

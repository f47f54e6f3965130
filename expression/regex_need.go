package expression

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// regexNeed reads off a regular expression what a text must hold to match it.
func regexNeed(of *origin, pattern string) *need {
	if of == nil {
		return nil
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return requiredBy(of, re)
}

func requiredBy(of *origin, re *syntax.Regexp) *need {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass:
		if s, ok := literalOf(re); ok {
			return of.textNeed(Contains, s)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredBy(of, re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredBy(of, re.Sub[0])
		}
	case syntax.OpConcat:
		return requiredBySequence(of, re.Sub)
	case syntax.OpAlternate:
		list := make([]*need, len(re.Sub))
		for i, sub := range re.Sub {
			list[i] = requiredBy(of, sub)
		}
		return needAny(list...)
	}
	return nil
}

// requiredBySequence joins neighbouring literals, and ties the first and the last to the ends of the text where the expression does.
func requiredBySequence(of *origin, list []*syntax.Regexp) *need {
	var choice []*need
	for i := 0; i < len(list); {
		var text strings.Builder
		from := i
		for ; i < len(list); i++ {
			s, ok := literalOf(list[i])
			if !ok {
				break
			}
			text.WriteString(s)
		}
		if i == from {
			choice = append(choice, requiredBy(of, list[i]))
			i++
			continue
		}
		choice = append(choice, of.textNeed(anchored(list, from, i), text.String()))
	}
	return needOne(choice...)
}

// anchored is the test that the literals list[from:to] of a sequence stand for.
func anchored(list []*syntax.Regexp, from, to int) Test {
	start := from == 1 && list[0].Op == syntax.OpBeginText
	end := to == len(list)-1 && list[to].Op == syntax.OpEndText
	switch {
	case start && end:
		return Spelled
	case start:
		return Prefix
	case end:
		return Suffix
	}
	return Contains
}

// literalOf is the text that a part of an expression stands for but for spelling, such as [Cc] for c.
func literalOf(re *syntax.Regexp) (string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune), true
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return "", false
		}
		c := canonRune(re.Rune[0])
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] > 4 {
				return "", false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if canonRune(r) != c {
					return "", false
				}
			}
		}
		return string(c), true
	}
	return "", false
}

// caseLiteral is a text that whatever matches must hold as it is written; "" if none of at least so many bytes is certain.
func caseLiteral(pattern string, least int) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	best := ""
	var walk func(re *syntax.Regexp)
	walk = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			if s := string(re.Rune); len(s) > len(best) && indexable(s) && (re.Flags&syntax.FoldCase == 0 || !slices.ContainsFunc(re.Rune, hasCase)) {
				best = s
			}
		case syntax.OpCapture, syntax.OpPlus:
			walk(re.Sub[0])
		case syntax.OpConcat:
			for _, sub := range re.Sub {
				walk(sub)
			}
		}
	}
	walk(re)
	if len(best) < least {
		return ""
	}
	return best
}

func hasCase(r rune) bool { return unicode.SimpleFold(r) != r }

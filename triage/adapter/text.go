package adapter

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func number(n int) string { return strconv.Itoa(n) }

// clip bounds s to n characters, the mark of the cut included.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count++; count == n {
			return s[:i] + "…"
		}
	}
	return s
}

// hidden reports whether a character moves a cursor, turns the reading direction or cannot be seen.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector)
}

// shown is s as people may see it: valid, with nothing hidden. Line ends stay.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case hidden(r):
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// line is shown on one line.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(shown(s), func(r rune) bool { return r == '\n' }), " ")
}

// inert is shown with addresses that programs would turn into links broken up.
func inert(s string) string { return defang.Replace(shown(s)) }

func inertLine(s string) string { return defang.Replace(line(s)) }

var defang = strings.NewReplacer("://", "[:]//", "www.", "www[.]", "WWW.", "WWW[.]", "Www.", "Www[.]", "mailto:", "mailto[:]", "@", "[@]")

// titleOf is the title on one line and never empty: receivers refuse what has none.
func titleOf(in *Incident) string {
	if s := strings.TrimSpace(line(in.Title)); s != "" {
		return s
	}
	return strings.TrimSpace("Incident " + in.ID)
}

// words joins what is not empty.
func words(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

// assessed is a line with the assessment; "" for what has none, such as a test.
func assessed(in *Incident) string {
	if in.Assessment.Kind == "" {
		return ""
	}
	return "Assessment: " + in.Assessment.Kind
}

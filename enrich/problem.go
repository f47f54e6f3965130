package enrich

import (
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a table file. A file with a problem is refused as a whole.
type Problem struct {
	File    string // Path as configured; for lists written in place the configuration key.
	Line    int    // Counted from 1; 0 where the file as a whole is meant.
	Field   string // Column or key; "" where the row as a whole is meant.
	Message string // What is wrong.
	Hint    string // What to do about it.
}

// String is file:line: field: message (hint).
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Error implements error.
func (p Problem) Error() string { return p.String() }

// maxProblems bounds a report: a file of another kind would give one per line.
const maxProblems = 100

// report collects the problems of one file.
type report struct {
	file     string
	problems []Problem
	muted    bool // The row at hand is known to be bad: what follows from that is not worth saying.
}

func (r *report) add(line int, field, message, hint string) {
	switch {
	case r.muted:
	case len(r.problems) < maxProblems:
		r.problems = append(r.problems, Problem{r.file, line, field, message, hint})
	case len(r.problems) == maxProblems:
		r.problems = append(r.problems, Problem{r.file, line, "", "more problems follow", "fix these first"})
	}
}

// quote shows a value in a message, shortened where it is long.
func quote(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return strconv.Quote(s)
}

// oneOf is the hint for a value outside a fixed set: the nearest one if there is one, then the set.
func oneOf(s string, allowed []string) string {
	set := "use one of " + strings.Join(allowed, ", ")
	if near := nearest(s, allowed); near != "" {
		return "did you mean " + near + "? " + set
	}
	return set
}

// nearest is the word at most two edits away from s; "" if there is none.
func nearest(s string, words []string) string {
	best, at := 3, ""
	for _, w := range words {
		if d := editDistance(s, w); d < best && d < len(w) {
			best, at = d, w
		}
	}
	return at
}

func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// validName reports whether s can be an id, a list name or a site: nothing in it needs quoting in a rule, a URL or a shell.
func validName(s string) bool {
	if s == "" || len(s) > 128 || slices.Contains([]byte("._-/@"), s[0]) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("._-/@", rune(c)) {
			return false
		}
	}
	return true
}

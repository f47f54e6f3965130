// Package docs_test keeps the documents true. Tables between <!-- begin:NAME --> and <!-- end:NAME --> are written from the code, console
// sessions are run, rules and configurations shown are loaded, links and commands are followed.
//
// go test ./docs -update rewrites the tables and the output of the sessions; without it, a difference fails.
package docs_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite generated tables and console output")

const fix = "run go test ./docs -update and read the difference"

// root is the folder of the repository as seen from this package.
const root = ".."

// pages lists every document with its path below root.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
	err := filepath.WalkDir(".", func(path string, e os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			list = append(list, filepath.Join("docs", path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func read(t *testing.T, page string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settle compares a page with what it should be, or writes it.
func settle(t *testing.T, page, want string) {
	t.Helper()
	got := read(t, page)
	if got == want {
		return
	}
	if *update {
		if err := os.WriteFile(filepath.Join(root, page), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the program says; %s (- page, + program):\n%s", page, fix, cmp.Diff(strings.Split(got, "\n"), strings.Split(want, "\n")))
}

var marker = regexp.MustCompile(`(?s)<!-- begin:([a-z-]+) -->\n(.*?)<!-- end:([a-z-]+) -->`)

func TestEveryGeneratedTableIsWhatTheCodeSays(t *testing.T) {
	unused := map[string]bool{}
	for name := range tables {
		unused[name] = true
	}
	for _, page := range pages(t) {
		text := read(t, page)
		want := marker.ReplaceAllStringFunc(text, func(block string) string {
			m := marker.FindStringSubmatch(block)
			make := tables[m[1]]
			if make == nil || m[1] != m[3] {
				t.Errorf("%s: there is no table %q, or its markers do not belong together", page, m[1])
				return block
			}
			delete(unused, m[1])
			return "<!-- begin:" + m[1] + " -->\n" + make(t) + "<!-- end:" + m[1] + " -->"
		})
		settle(t, page, want)
	}
	for name := range unused {
		t.Errorf("no page has a place for the table %s: write <!-- begin:%s --> and <!-- end:%s -->", name, name, name)
	}
}

// table writes a Markdown table. Bars inside cells are escaped; empty columns are left out.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + cell(c) + " ")
		}
		b.WriteString("|\n")
	}
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// cell escapes what would end a cell, and outside code what would be HTML.
func cell(s string) string {
	parts := strings.Split(strings.NewReplacer("\n", " ", "|", `\|`).Replace(s), "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.NewReplacer("<", `\<`, "*", `\*`).Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

// code sets words in code style, separated by commas.
func code(words ...string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, "`"+w+"`")
		}
	}
	return strings.Join(out, ", ")
}

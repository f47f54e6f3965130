package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	keyOfPage   = regexp.MustCompile(`data-(?:row-)?key="([^"{]+)"`)
	keyOfAct    = regexp.MustCompile(`incident\.Action[A-Za-z]+, "[^"]*", "([a-z0-9])"`)
	keyOfScript = regexp.MustCompile(`(?:keys: "([^"]+)"|\["([\[\]])"|dataset\["key"\] = "([^"]+)")`)
	codeSpan    = regexp.MustCompile("`([^`\n]+)`")
)

// keysIn are the keys that files of the console bind.
func keysIn(t *testing.T, pattern string, find *regexp.Regexp) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "console", filepath.FromSlash(pattern)))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files for %s: %v", pattern, err)
	}
	var out []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range find.FindAllStringSubmatch(string(text), -1) {
			out = append(out, strings.Join(m[1:], ""))
		}
	}
	return out
}

func TestEveryKeyOfTheConsoleIsOnItsPageAndNoOther(t *testing.T) {
	page, err := os.ReadFile("console.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range codeSpan.FindAllStringSubmatch(string(page), -1) {
		told[m[1]] = true
	}
	bound := slices.Concat(keysIn(t, "pages/*.html", keyOfPage), keysIn(t, "web/src/*.ts", keyOfScript), keysIn(t, "*.go", keyOfAct))
	for _, k := range bound {
		if !told[k] {
			t.Errorf("docs/console.md does not tell of the key %q", k)
		}
	}
	if len(bound) < 40 {
		t.Errorf("only %d keys found: look at how they are searched for", len(bound))
	}
	_, table, _ := strings.Cut(string(page), "## Keys")
	table, _, _ = strings.Cut(table, "\n## ")
	for line := range strings.Lines(table) {
		keys, _, row := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !row || !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, m := range codeSpan.FindAllStringSubmatch(keys, -1) {
			if k := m[1]; k != "9" && k != "g" && !slices.Contains(bound, k) {
				t.Errorf("docs/console.md tells of the key %q, which nothing has", k)
			}
		}
	}
}

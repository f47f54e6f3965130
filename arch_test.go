package tocsin_test

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tocsin-siem/tocsin/"

// TestImportsMatchTheTableInTheArchitecturePage reads the table between the markers in docs/architecture.md and holds it against what the
// packages really import: nothing that is not in the table, and no row for a package that is gone.
func TestImportsMatchTheTableInTheArchitecturePage(t *testing.T) {
	allowed := importTable(t)
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...", "./testdata/scenarios").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		pkg, ours := strings.CutPrefix(words[0], module)
		if !ours || strings.Contains(pkg, "/internal/gen") || strings.HasPrefix(pkg+"/", "integration/") { // Tests of the whole, which nothing imports.
			continue
		}
		seen[pkg] = true
		may, listed := allowed[pkg]
		if !listed {
			t.Errorf("package %s is not in the table of docs/architecture.md", pkg)
			continue
		}
		for _, imported := range words[1:] {
			if dep, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(may, dep) {
				t.Errorf("%s imports %s, which the table of docs/architecture.md does not allow", pkg, dep)
			}
		}
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("the table of docs/architecture.md has a row for %s, which does not exist", pkg)
		}
	}
}

var cell = regexp.MustCompile("`([^`]+)`")

func importTable(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := map[string][]string{}
	inside := false
	for s := bufio.NewScanner(f); s.Scan(); {
		switch line := s.Text(); {
		case strings.Contains(line, "imports:begin"):
			inside = true
		case strings.Contains(line, "imports:end"):
			return table
		case inside && strings.HasPrefix(line, "| `"):
			columns := strings.Split(line, "|")
			name := cell.FindStringSubmatch(columns[1])[1]
			table[name] = nil
			for _, m := range cell.FindAllStringSubmatch(columns[3], -1) {
				table[name] = append(table[name], m[1])
			}
		}
	}
	t.Fatal("docs/architecture.md has no import table between imports:begin and imports:end")
	return nil
}

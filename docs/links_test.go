package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
)

// TestEveryLinkLeadsSomewhere follows links to files and headings of the repository; those to the web are left alone.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := page
			if target != "" {
				to = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
				continue
			}
			if anchor != "" && !anchors(read(t, to))[anchor] {
				t.Errorf("%s links to %s, but %s has no such heading", page, m[1], to)
			}
		}
	}
}

// anchors are the names of a page's headings as GitHub makes them.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		out[strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])] = true
	}
	return out
}

// TestEveryDecisionHasANumberOfItsOwn holds the numbers of decisions against their files and each other.
func TestEveryDecisionHasANumberOfItsOwn(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs/adr/*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions found: %v", err)
	}
	for i, file := range files {
		name := filepath.Base(file)
		if want := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(name, want) {
			t.Errorf("%s is decision %d by its place: name it %s…", name, i+1, want)
		}
		if want, got := fmt.Sprintf("# %d. ", i+1), read(t, "docs/adr/"+name); !strings.HasPrefix(got, want) {
			t.Errorf("%s does not begin with %q", name, want)
		}
	}
}

// foreign are places of a machine, which have no business in a document.
var foreign = regexp.MustCompile(`/(root|work|tmp/[a-z])\b`)

func TestDocumentsNameNoPlacesOfOneMachine(t *testing.T) {
	for _, page := range pages(t) {
		if s := foreign.FindString(read(t, page)); s != "" {
			t.Errorf("%s names %s", page, s)
		}
	}
}

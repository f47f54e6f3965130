package rules_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/rules"
)

var update = flag.Bool("update", false, "write what is found into the files of testdata")

const badDir = "../testdata/rules/bad"

// Every file of testdata/rules/bad ends with the problems that are expected of it, one `# want` line each.
func TestEveryCodeIsFoundWithItsPlaceAndHint(t *testing.T) {
	files, err := filepath.Glob(badDir + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	seen := map[string]bool{"R053": true, "R062": true} // CheckClasses and CheckExceptions have tests of their own.
	for _, file := range files {
		name := filepath.Base(file)
		set, problems := rules.Load(os.DirFS(badDir), name)
		if rules.HasErrors(problems) != (set == nil) {
			t.Errorf("%s: set %v with problems %v", name, set, problems)
		}
		var got []string
		for _, p := range problems {
			seen[p.Code] = true
			got = append(got, "# want "+strings.TrimPrefix(p.String(), name+":"))
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body, want := splitWants(string(text))
		if *update {
			if err := os.WriteFile(file, []byte(body+strings.Join(got, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if code, _, _ := strings.Cut(name, "-"); !strings.Contains(strings.Join(got, "\n"), code+" ") {
			t.Errorf("%s does not have the problem it is named after", name)
		}
	}
	for _, c := range rules.Codes() {
		if !seen[c.Code] {
			t.Errorf("no file shows %s: %s", c.Code, c.Doc)
		}
	}
}

func splitWants(text string) (body string, want []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# want ") {
			want = append(want, strings.TrimSuffix(line, "\n"))
		} else {
			body += line
		}
	}
	return body, want
}

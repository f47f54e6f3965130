package sigma_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// corpus reads the public rules; the test is skipped where they are not.
func corpus(t testing.TB) []sigma.File {
	t.Helper()
	root := os.Getenv("TOCSIN_CONFORMANCE")
	if root == "" {
		t.Skip("TOCSIN_CONFORMANCE is not set: the public Sigma rules are not here")
	}
	dir := filepath.Join(root, "sigma", "rules")
	var files []sigma.File
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".yml") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		files = append(files, sigma.File{Name: filepath.ToSlash(rel), Text: text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// refusedOnPurpose gives the reason for each public rule that is refused. There is none at the time of writing.
var refusedOnPurpose = map[string]string{}

func TestEveryPublicRuleCompilesOrIsRefused(t *testing.T) {
	files := corpus(t)
	result := sigma.Convert(files, sigma.Options{Status: rules.Live})
	for _, p := range result.Refused {
		if refusedOnPurpose[p.File] == "" {
			t.Errorf("refused without a reason of ours: %v", p)
		}
	}
	if len(result.Rules)+len(result.Refused) != len(files) || 100*len(result.Refused) > len(files) {
		t.Errorf("%d files gave %d rules and %d refusals; at most one in a hundred may be refused", len(files), len(result.Rules), len(result.Refused))
	}
	fsys := fstest.MapFS{}
	for _, r := range result.Rules {
		text, err := sigma.Text([]sigma.Rule{r})
		if err != nil {
			t.Fatal(err)
		}
		fsys[strings.ReplaceAll(r.File, ".yml", ".yaml")] = &fstest.MapFile{Data: text}
	}
	for name, f := range fsys {
		if again, _ := rules.Format(name, f.Data); !bytes.Equal(again, f.Data) {
			t.Errorf("%s is not laid out as rules fmt does", name)
		}
	}
	set, problems := rules.Load(fsys, ".")
	for _, p := range problems {
		t.Error(p)
	}
	if set == nil || len(set.Rules) != len(result.Rules) {
		t.Fatalf("not all of the %d rules load", len(result.Rules))
	}
	t.Logf("%d files: %d rules, %d refused", len(files), len(result.Rules), len(result.Refused))
}

package app

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// The prefixes of paths under rules.paths that hold Sigma files, and the status their rules get. Public rules by the thousand are tried out
// before anybody is woken by them: shadow is what the plain word means.
var sigmaPrefixes = []struct {
	prefix string
	status rules.Status
}{{"sigma:", rules.Shadow}, {"sigma+live:", rules.Live}}

// SigmaImport is what became of Sigma files.
type SigmaImport struct {
	*sigma.Result
	Files int
	Base  map[string]string // By the name of a file: its path below the path it was found under.
}

// ImportSigma converts the Sigma files at the paths, which are files, or folders with their *.yml and *.yaml files.
func ImportSigma(paths []string, status rules.Status, progress func(done, of int)) (*SigmaImport, error) {
	files, base, err := sigmaFiles(paths)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no .yml or .yaml files in %s", strings.Join(paths, ", "))
	}
	for i := range files {
		text, err := os.ReadFile(files[i].Name)
		if err != nil {
			return nil, err
		}
		files[i].Name, files[i].Text = shownName(fsName(files[i].Name)), text
		progress(i+1, len(files))
	}
	return &SigmaImport{Result: sigma.Convert(files, sigma.Options{Status: status}), Files: len(files), Base: base}, nil
}

func sigmaFiles(paths []string) ([]sigma.File, map[string]string, error) {
	var files []sigma.File
	base := map[string]string{}
	for _, p := range paths {
		err := filepath.WalkDir(p, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if ext := filepath.Ext(name); e.IsDir() || name != p && ext != ".yml" && ext != ".yaml" {
				return nil
			}
			rel, err := filepath.Rel(p, name)
			if err != nil || rel == "." {
				rel = filepath.Base(name)
			}
			files = append(files, sigma.File{Name: name})
			base[shownName(fsName(name))] = rel
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	slices.SortStableFunc(files, func(a, b sigma.File) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(files, func(a, b sigma.File) bool { return a.Name == b.Name }), base, nil
}

// sigmaRules takes the paths with Sigma files out of a list and converts what they hold.
func sigmaRules(paths []string) (rest []string, documents []rules.Document, problems []rules.Problem) {
	for _, x := range sigmaPrefixes {
		var folders []string
		for _, p := range paths {
			if dir, ok := strings.CutPrefix(p, x.prefix); ok {
				folders = append(folders, dir)
			}
		}
		if len(folders) == 0 {
			continue
		}
		imported, err := ImportSigma(folders, x.status, func(int, int) {})
		if err != nil {
			problems = append(problems, rules.Problem{File: folders[0], Line: 1, Column: 1, Code: "R001", Message: err.Error()})
			continue
		}
		for _, r := range imported.Rules {
			documents = append(documents, rules.Document{File: r.File, Node: r.Node})
		}
		problems = append(problems, imported.Refused...)
	}
	for _, p := range paths {
		if !isSigma(p) {
			rest = append(rest, p)
		}
	}
	return rest, documents, problems
}

func isSigma(path string) bool {
	prefix, _ := sigmaPrefix(path)
	return prefix != ""
}

// sigmaPrefix takes the prefix that names Sigma files off a path; "" where it has none.
func sigmaPrefix(path string) (prefix, rest string) {
	for _, x := range sigmaPrefixes {
		if rest, ok := strings.CutPrefix(path, x.prefix); ok {
			return x.prefix, rest
		}
	}
	return "", path
}

func sortProblems(problems []rules.Problem) {
	slices.SortStableFunc(problems, func(a, b rules.Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Code, b.Code))
	})
}

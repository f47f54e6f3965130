package app

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

// LoadRules reads the rules of all paths as one set; Builtin is the shipped pack, and sigma:DIR a folder of Sigma rules. Problems name files as
// the user would.
func LoadRules(paths []string) (*rules.Set, []rules.Problem) {
	return LoadConfigured(RulesConfig{Paths: paths})
}

// LoadConfigured is LoadRules with the exceptions that stand beside the rules.
func LoadConfigured(c RulesConfig) (*rules.Set, []rules.Problem) {
	paths, documents, refused := sigmaRules(c.Paths)
	shown := make(map[string]string, len(documents)) // Sigma files have their names for the user already.
	for _, d := range documents {
		shown[d.File] = d.File
	}
	show := func(name string) string { return cmp.Or(shown[name], shownName(name)) }
	set, problems := rules.LoadPaths(ruleFiles{}, rules.Paths{Rules: fsNames(paths), Exceptions: fsNames(c.Exceptions), Documents: documents, Shown: show})
	for i := range problems {
		problems[i].File = show(problems[i].File)
	}
	problems = append(problems, refused...)
	sortProblems(problems)
	if set == nil || rules.HasErrors(problems) {
		return nil, problems
	}
	for _, r := range set.Rules {
		r.File = show(r.File)
		for i := range r.Exceptions {
			r.Exceptions[i].File = shownName(r.Exceptions[i].File)
		}
	}
	return set, problems
}

// ruleFiles is the shipped pack under builtin/ and the machine's files under their absolute paths without the leading slash.
type ruleFiles struct{}

// Open implements fs.FS.
func (ruleFiles) Open(name string) (fs.File, error) {
	if name == Builtin {
		return pack.Files.Open(".")
	}
	if rest, ok := strings.CutPrefix(name, Builtin+"/"); ok {
		return pack.Files.Open(rest)
	}
	f, err := os.Open("/" + name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: shownName(name), Err: errors.Unwrap(err)}
	}
	return f, nil
}

// ruleFile reads the file of a rule in force by the name that people know it by. One of the shipped pack goes before a file of the same name below
// where the program was started.
func ruleFile(shown string) ([]byte, error) {
	if strings.HasPrefix(shown, Builtin+"/") {
		if text, err := fs.ReadFile(ruleFiles{}, shown); err == nil {
			return text, nil
		}
	}
	return fs.ReadFile(ruleFiles{}, fsName(shown))
}

func fsNames(paths []string) []string {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = fsName(p)
	}
	return names
}

func fsName(path string) string {
	if path == Builtin {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return strings.TrimPrefix(filepath.ToSlash(abs), "/")
}

// shownName is a file as the user knows it: relative to where the program was started, if it is below.
func shownName(name string) string {
	if name == Builtin || strings.HasPrefix(name, Builtin+"/") {
		return name
	}
	path := "/" + name
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return path
}

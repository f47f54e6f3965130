package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

// LoadRules reads the rules of all paths as one set; Builtin is the shipped pack. Problems name files as the user would.
func LoadRules(paths []string) (*rules.Set, []rules.Problem) {
	return LoadConfigured(RulesConfig{Paths: paths})
}

// LoadConfigured is LoadRules with the exceptions that stand beside the rules.
func LoadConfigured(c RulesConfig) (*rules.Set, []rules.Problem) {
	set, problems := rules.LoadPaths(ruleFiles{}, rules.Paths{Rules: fsNames(c.Paths), Exceptions: fsNames(c.Exceptions)})
	for i := range problems {
		problems[i].File = shownName(problems[i].File)
	}
	if set != nil {
		for _, r := range set.Rules {
			r.File = shownName(r.File)
			for i := range r.Exceptions {
				r.Exceptions[i].File = shownName(r.Exceptions[i].File)
			}
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

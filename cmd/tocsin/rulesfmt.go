package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
)

func rulesFormat(t *terminal) *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use: "fmt PATH…", Short: "Lay rule files out as the shipped ones are", Args: wrongArgs(cobra.MinimumNArgs(1)),
		Long: `Writes rule files anew with keys in the order of the reference, two spaces of indentation and folded text at 150 characters. What a file means
does not change, and no comment is lost; a file for which that cannot be kept is left alone and named. Empty lines between keys go. A folder
stands for the *.yaml and *.yml files in it and below; - reads standard input and writes to standard output.

The names of the files that changed are printed. With --check nothing is written, and the exit code is 3 if a file would change.`,
		Example: "  tocsin rules fmt my-rules/\n  tocsin rules fmt --check my-rules/\n  tocsin rules fmt - < draft.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			changed, refused := 0, 0
			for _, path := range args {
				if path == "-" {
					return formatInput(t)
				}
				err := eachRuleFile(path, func(file string) error {
					wrote, problems, err := formatFile(file, check)
					for _, p := range problems {
						fmt.Fprintln(t.err, p)
						refused++
					}
					if wrote {
						fmt.Fprintln(t.out, file)
						changed++
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			if refused > 0 || check && changed > 0 {
				return errFound
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "write nothing; exit with 3 if a file would change")
	return c
}

func formatInput(t *terminal) error {
	text, err := io.ReadAll(t.in)
	if err != nil {
		return err
	}
	out, problems := rules.Format("standard input", text)
	if out == nil {
		for _, p := range problems {
			fmt.Fprintln(t.err, p)
		}
		return errFound
	}
	_, err = t.out.Write(out)
	return err
}

// eachRuleFile visits a file, or the rule files of a folder.
func eachRuleFile(path string, visit func(string) error) error {
	if path == app.Builtin {
		return usagef("the shipped rules are part of the program; name files of your own")
	}
	return filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return usagef("%v; check the path and that this user may read it", err)
		}
		if ext := filepath.Ext(name); e.IsDir() || name != path && ext != ".yaml" && ext != ".yml" {
			return nil
		}
		return visit(name)
	})
}

func formatFile(file string, check bool) (changed bool, _ []rules.Problem, _ error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, nil, usagef("%v; check the path and that this user may read it", err)
	}
	out, problems := rules.Format(file, text)
	if out == nil || bytes.Equal(out, text) {
		return false, problems, nil
	}
	if check {
		return true, nil, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return false, nil, err
	}
	return true, nil, replaceFile(file, out, info.Mode().Perm())
}

// replaceFile writes beside a file and then takes its place, so that whoever reads it meets one text or the other.
func replaceFile(file string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	for _, next := range []func() error{func() error { return f.Chmod(mode) }, f.Close, func() error { return os.Rename(f.Name(), file) }} {
		if err == nil {
			err = next()
		}
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
	return err
}

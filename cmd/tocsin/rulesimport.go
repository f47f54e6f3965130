package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

func rulesImport(t *terminal) *cobra.Command {
	return group("import", "Turn rules of other languages into rules of ours", rulesImportSigma(t))
}

func rulesImportSigma(t *terminal) *cobra.Command {
	var out, status string
	var asJSON bool
	c := &cobra.Command{
		Use: "sigma PATH…", Short: "Import Sigma rules and correlations", Args: wrongArgs(cobra.MinimumNArgs(1)),
		Long: `Turns Sigma files, or folders of them, into rule files: to the standard output, or one file for each Sigma file below --out. What
cannot be carried exactly is refused with file, line, column, code and reason; nothing is approximated. Rules that correlations refer to must be
among the paths. Exit code 3 if anything was refused.

To run Sigma rules without converting them, name the folder as sigma:DIR wherever a path of rules stands.`,
		Example: "  tocsin rules import sigma sigma/rules/windows --out rules/sigma\n  tocsin rules import sigma login.yml --status live",
		RunE: func(_ *cobra.Command, args []string) error {
			want, ok := map[string]rules.Status{"off": rules.Off, "shadow": rules.Shadow, "live": rules.Live}[status]
			if !ok {
				return usagef("--status %q: there are off, shadow, live", status)
			}
			result, err := app.ImportSigma(args, want, app.Bar(t.err, "reading Sigma files", false))
			if _, unread := errors.AsType[*fs.PathError](err); unread {
				return usagef("%v; check the path and that this user may read it", err)
			}
			if err != nil {
				return err
			}
			rows := importRows(result)
			if err := writeImport(t, result, rows, out, asJSON); err != nil {
				return err
			}
			importSummary(t.err, result)
			if len(result.Refused) > 0 {
				return errFound
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder to write to, which is made where it is missing; files of the same name are replaced")
	c.Flags().StringVar(&status, "status", "shadow", "status of the rules: off, shadow, live")
	c.Flags().BoolVar(&asJSON, "json", false, "one rule or refusal a line as JSON, in place of the rules")
	return c
}

// importRow is one file made, with its rules.
type importRow struct {
	File  string `json:"file"` // The Sigma file.
	Line  int    `json:"line"`
	Rule  string `json:"rule"`
	Title string `json:"title"`
	Out   string `json:"out,omitempty"` // Below --out.

	rule sigma.Rule
}

func importRows(result *app.SigmaImport) []importRow {
	rows := make([]importRow, len(result.Rules))
	for i, r := range result.Rules {
		name := result.Base[r.File]
		rows[i] = importRow{File: r.File, Line: r.Line, Rule: r.ID, Title: r.Title, Out: strings.TrimSuffix(name, filepath.Ext(name)) + ".yaml", rule: r}
	}
	return rows
}

func writeImport(t *terminal, result *app.SigmaImport, rows []importRow, out string, asJSON bool) error {
	if out != "" {
		if err := writeRuleFiles(out, rows); err != nil {
			return err
		}
	}
	if !asJSON {
		for _, p := range result.Refused {
			fmt.Fprintln(t.err, p)
		}
		if out == "" {
			return writeRules(t.out, result.Rules)
		}
		return nil
	}
	for i := range rows {
		if out == "" {
			rows[i].Out = ""
		}
	}
	if err := writeJSONLines(t.out, rows); err != nil {
		return err
	}
	enc := json.NewEncoder(t.out)
	for _, p := range result.Refused {
		if err := enc.Encode(struct {
			Refused rules.Problem `json:"refused"`
		}{p}); err != nil {
			return err
		}
	}
	return nil
}

func writeRules(w io.Writer, list []sigma.Rule) error {
	text, err := sigma.Text(list)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// writeRuleFiles writes the rules of each Sigma file to one file of ours.
func writeRuleFiles(dir string, rows []importRow) error {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Out == rows[0].Out {
			n++
		}
		list := make([]sigma.Rule, n)
		for i := range list {
			list[i] = rows[i].rule
		}
		text, err := sigma.Text(list)
		if err != nil {
			return err
		}
		name := filepath.Join(dir, rows[0].Out)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// importSummary says how much came over and why the rest did not.
func importSummary(w io.Writer, result *app.SigmaImport) {
	fmt.Fprintf(w, "%s: %s, %d refused", app.Count(result.Files, "file"), app.Count(len(result.Rules), "rule"), len(result.Refused))
	if result.Parts > 0 {
		fmt.Fprintf(w, ", %s only inside of correlations", app.Count(result.Parts, "rule"))
	}
	if result.Filters > 0 {
		fmt.Fprintf(w, ", %s", app.Count(result.Filters, "filter"))
	}
	fmt.Fprintln(w)
	reasons := map[string]int{}
	for _, p := range result.Refused {
		reasons[p.Code]++
	}
	for _, c := range sigma.Codes() {
		if n := reasons[c.Code]; n > 0 {
			fmt.Fprintf(w, "  %4d %s  %s\n", n, c.Code, c.Doc)
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/correlate"
)

// testFlags are the flags of `tocsin rules test`.
type testFlags struct {
	json    bool
	only    string
	variant string
}

func rulesTest(t *terminal) *cobra.Command {
	var f testFlags
	var kinds strings.Builder
	for _, v := range correlate.Variants() {
		fmt.Fprintf(&kinds, "  %-11s %s\n", v.Name, v.Meaning)
	}
	c := &cobra.Command{
		Use: "test [PATH…]", Short: "Run the tests inside rule files, and variants of them", Args: cobra.ArbitraryArgs,
		Long: `Runs the tests that stand inside rule files; without arguments those of the configuration. From every test that passes it
derives runs that nobody has to write; each must end with the same findings:

` + kinds.String() + `
A variant that fails is printed with what was changed and with both results. Exit code 3 if any test fails.`,
		Example: `  tocsin rules test
  tocsin rules test my-rules/ --run rb-0003
  tocsin rules test my-rules/ --variant crash
  tocsin rules test my-rules/ --variant none --json`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, t, args) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "one test a line as JSON, with its variants")
	c.Flags().StringVar(&f.only, "run", "", "only rules whose id contains this")
	c.Flags().StringVar(&f.variant, "variant", "all", "all, none, or the names of variants with commas between them")
	return c
}

func (f *testFlags) run(c *cobra.Command, t *terminal, args []string) error {
	set := app.RuleTestSettings{Progress: app.Bar(t.err, "testing rules", false)}
	if err := f.variants(&set); err != nil {
		return err
	}
	paths, err := rulePaths(c, args)
	if err != nil {
		return err
	}
	loaded, problems := app.LoadRules(paths)
	if loaded == nil {
		for _, p := range problems {
			fmt.Fprintln(t.err, p)
		}
		return fmt.Errorf("the rules do not load")
	}
	for _, r := range loaded.Rules {
		if strings.Contains(r.ID, f.only) {
			set.Rules = append(set.Rules, r)
		}
	}
	if f.only != "" && len(set.Rules) == 0 {
		return usagef("--run %q: no rule has an id with this in it; tocsin rules list shows them", f.only)
	}
	var sum testSum
	err = app.TestRules(c.Context(), set, func(list []app.RuleTest) error {
		for i := range list {
			sum.add(&list[i])
			if err := f.print(t.out, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if !f.json {
		fmt.Fprint(t.out, sum.String(set.Plain))
	}
	if err == nil && sum.failed > 0 {
		return errFound
	}
	return err
}

func (f *testFlags) variants(set *app.RuleTestSettings) error {
	switch f.variant {
	case "all":
		return nil
	case "none":
		set.Plain = true
		return nil
	}
	var names []string
	for _, v := range correlate.Variants() {
		names = append(names, v.Name)
	}
	for name := range strings.SplitSeq(f.variant, ",") {
		if !slices.Contains(names, name) {
			return usagef("--variant %q: there are all, none, %s", name, strings.Join(names, ", "))
		}
		set.Variants = append(set.Variants, name)
	}
	return nil
}

type testRow struct {
	Rule       string       `json:"rule"`
	Test       string       `json:"test"`
	File       string       `json:"file"`
	Line       int          `json:"line"`
	Passed     bool         `json:"passed"`
	Difference string       `json:"difference,omitempty"`
	Variants   []variantRow `json:"variants,omitempty"`
}

type variantRow struct {
	Name    string   `json:"name"`
	Runs    int      `json:"runs"`
	Passed  bool     `json:"passed"`
	Note    string   `json:"note,omitempty"`
	Changed string   `json:"changed,omitempty"`
	Wanted  []string `json:"wanted,omitempty"`
	Got     []string `json:"got,omitempty"`
}

func (f *testFlags) print(w io.Writer, r *app.RuleTest) error {
	if f.json {
		row := testRow{Rule: r.Rule, Test: r.Test, File: r.File, Line: r.Line, Passed: r.Passed(), Difference: r.Difference}
		for _, v := range r.Variants {
			row.Variants = append(row.Variants, variantRow{v.Name, v.Runs, v.Passed(), v.Note, v.Changed, v.Wanted, v.Got})
		}
		return json.NewEncoder(w).Encode(row)
	}
	if r.Passed() {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "FAIL %s:%d: %s: %s\n%s", r.File, r.Line, r.Rule, r.Test, r.Difference)
	for i := range r.Variants {
		if v := &r.Variants[i]; !v.Passed() {
			fmt.Fprintf(&b, "  variant %s: %s\n", v.Name, v.Changed)
			results(&b, "wanted", v.Wanted)
			results(&b, "got", v.Got)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func results(b *strings.Builder, what string, list []string) {
	if len(list) == 0 {
		list = []string{"no finding"}
	}
	for _, s := range list {
		fmt.Fprintf(b, "    %-7s %s\n", what+":", s)
	}
}

// testSum counts what was run.
type testSum struct {
	passed, failed int
	runs           map[string]int
	underived      int
}

func (s *testSum) add(r *app.RuleTest) {
	if r.Passed() {
		s.passed++
	} else {
		s.failed++
	}
	for _, v := range r.Variants {
		if s.runs == nil {
			s.runs = map[string]int{}
		}
		s.runs[v.Name] += v.Runs
		if v.Note != "" {
			s.underived++
		}
	}
}

func (s *testSum) String(plain bool) string {
	text := fmt.Sprintf("%d passed, %d failed\n", s.passed, s.failed)
	if plain {
		return text
	}
	all := 0
	var parts []string
	for _, v := range correlate.Variants() {
		if n := s.runs[v.Name]; n > 0 {
			all += n
			parts = append(parts, fmt.Sprintf("%s %d", v.Name, n))
		}
	}
	text += app.Count(all, "variant")
	if all > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if s.underived > 0 {
		text += fmt.Sprintf("; %d could not be derived, --json says why", s.underived)
	}
	return text + "\n"
}

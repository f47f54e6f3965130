package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
)

func rulesCoverage(t *terminal) *cobra.Command {
	var asJSON bool
	var layer string
	c := &cobra.Command{
		Use: "coverage [PATH…]", Short: "Say which ATT&CK techniques and IEC 62443 requirements the rules speak of", Args: cobra.ArbitraryArgs,
		Long: `Lists the techniques of ATT&CK and of ATT&CK for ICS and the system requirements of IEC 62443-3-3 that tags of the rules name (attack.t1078, ics.t0858,
iec62443.sr1.13), each with its rules. Rules that are off do not count. A tag says what a rule is about, not that every variant of a technique is found.

--layer prints a layer for the ATT&CK Navigator instead.`,
		Example: "  tocsin rules coverage\n  tocsin rules coverage my-rules/ --json\n  tocsin rules coverage --layer ics > ics-layer.json",
		RunE: func(c *cobra.Command, args []string) error {
			set, err := loadedRules(t, c, args)
			if err != nil {
				return err
			}
			covered := set.Coverage()
			switch {
			case layer == rules.Enterprise || layer == rules.ICS:
				return app.WriteLayer(t.out, layer, covered)
			case layer != "":
				return usagef("--layer %q: there are enterprise and ics", layer)
			case asJSON:
				return writeJSONLines(t.out, covered)
			}
			return writeCoverage(t, set, covered)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one technique or requirement a line as JSON")
	c.Flags().StringVar(&layer, "layer", "", "print a Navigator layer: enterprise or ics")
	return c
}

// loadedRules are the rules at the paths, or those of the configuration; problems are printed.
func loadedRules(t *terminal, c *cobra.Command, args []string) (*rules.Set, error) {
	files, err := ruleFilesOf(c, args, nil)
	if err != nil {
		return nil, err
	}
	set, problems := app.LoadConfigured(files)
	if set == nil {
		for _, p := range problems {
			fmt.Fprintln(t.err, p)
		}
		return nil, fmt.Errorf("the rules do not load")
	}
	return set, nil
}

func writeCoverage(t *terminal, set *rules.Set, covered []rules.Covered) error {
	counts := map[string]int{}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FRAMEWORK\tID\tLIVE\tRULES")
	for _, c := range covered {
		counts[c.Framework]++
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", c.Framework, c.ID, c.Live, strings.Join(c.Rules, " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "%s: %s of ATT&CK, %s of ATT&CK for ICS, %d of %d system requirements of IEC 62443-3-3\n", app.Count(len(set.Rules), "rule"),
		app.Count(counts[rules.Enterprise], "technique"), app.Count(counts[rules.ICS], "technique"), counts[rules.IEC62443], len(rules.Requirements()))
	if missing := missingRequirements(covered); counts[rules.IEC62443] > 0 && len(missing) > 0 {
		fmt.Fprintf(t.err, "no rule speaks of %s\n", strings.Join(missing, ", "))
	}
	return nil
}

func missingRequirements(covered []rules.Covered) []string {
	return slices.DeleteFunc(rules.Requirements(), func(id string) bool {
		return slices.ContainsFunc(covered, func(c rules.Covered) bool { return c.ID == id })
	})
}

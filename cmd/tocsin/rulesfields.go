package main

import (
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
)

func rulesFields(t *terminal) *cobra.Command {
	var asJSON, all bool
	var only []string
	var to, last string
	var sample int
	c := &cobra.Command{
		Use: "fields [PATH…]", Short: "Say which fields rules read, and how often stored events have them", Args: cobra.ArbitraryArgs,
		Long: `Lists, for every step of the rules and every class it listens to, the fields and entities it reads, and what share of the stored events of the last
24 hours had them: a rule whose field is never there can never fire. "bind" fields are those without which there is no hit. Of each class the newest
10,000 events are looked at (--sample). Steps whose fields are all there in most events are left out unless --all is given; exit code 3 if a field
that a rule binds, or a whole class, was never there. Where nothing has been stored yet, the fields are listed and nothing is measured.`,
		Example: "  tocsin rules fields\n  tocsin rules fields --rule rb-0006 --all\n  tocsin rules fields my-rules/ --last 7d --json",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			set, err := loadedRules(t, c, args)
			if err != nil {
				return err
			}
			if set, err = onlyRules(set, only); err != nil {
				return err
			}
			if why := app.NoHistory(cfg); why != "" {
				fmt.Fprintln(t.err, why)
				return writeNeeds(t, app.FieldNeeds(set), asJSON)
			}
			s := app.FieldsSettings{Sample: sample, Progress: app.EngineProgress(t.err)}
			if s.To, err = moment("--to", to); err != nil {
				return err
			}
			if s.To == 0 {
				s.To = time.Now().UnixMicro()
			}
			length, err := app.ParseLength(last)
			if err != nil {
				return usagef("--last %q: %v", last, err)
			}
			s.From = s.To - length
			progress := app.Bar(t.err, "reading classes", false)
			s.Looking = func(_ string, i, n int) { progress(i+1, n) }
			uses, err := app.Fields(c.Context(), cfg, set, s)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSONLines(t.out, uses)
			} else {
				err = writeFields(t, uses, all)
			}
			if err == nil && slices.ContainsFunc(uses, neverThere) {
				return errFound
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one field of one step and class a line as JSON")
	c.Flags().BoolVar(&all, "all", false, "also what most events have")
	c.Flags().StringSliceVar(&only, "rule", nil, "only these rules")
	c.Flags().StringVar(&last, "last", "24h", "how far back, in event time")
	c.Flags().StringVar(&to, "to", "", "events before this time, RFC 3339 (default now)")
	c.Flags().IntVar(&sample, "sample", 10_000, "events looked at for each class, the newest")
	return c
}

// onlyRules keeps the rules of some ids.
func onlyRules(set *rules.Set, ids []string) (*rules.Set, error) {
	if len(ids) == 0 {
		return set, nil
	}
	out := &rules.Set{Hash: set.Hash}
	for _, id := range ids {
		r := set.Rule(id)
		if r == nil {
			return nil, fmt.Errorf("%w %q (tocsin rules list shows them)", app.ErrNoRule, id)
		}
		out.Rules = append(out.Rules, r)
	}
	return out, nil
}

func neverThere(u app.FieldUse) bool { return u.Known == 0 && (u.Events == 0 || u.For == "bind") }

// writeNeeds writes what rules read where no events can say how often it is there.
func writeNeeds(t *terminal, needs []app.FieldNeed, asJSON bool) error {
	if asJSON {
		return writeJSONLines(t.out, needs)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tSTEP\tCLASS\tFIELD\tFOR")
	for _, n := range needs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.Rule, n.Step, n.Class, n.Path, n.For)
	}
	return w.Flush()
}

func writeFields(t *terminal, uses []app.FieldUse, all bool) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tSTEP\tCLASS\tEVENTS\tFIELD\tFOR\tTHERE")
	hidden := 0
	for _, u := range uses {
		if !all && u.Events > 0 && 2*u.Known >= u.Events {
			hidden++
			continue
		}
		there := "no events"
		if u.Events > 0 {
			there = fmt.Sprintf("%.1f %%", 100*float64(u.Known)/float64(u.Events))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", u.Rule, u.Step, u.Class, u.Events, u.Path, u.For, there)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if hidden > 0 {
		fmt.Fprintf(t.err, "%s that most events had left out; --all shows them\n", app.Count(hidden, "field"))
	}
	return nil
}

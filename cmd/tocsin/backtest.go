package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

// backtestFlags are the flags of `tocsin rules backtest`.
type backtestFlags struct {
	pastFlags
	ids         []string
	from, to    string
	diff, drain bool
}

func rulesBacktest(t *terminal) *cobra.Command {
	var f backtestFlags
	c := &cobra.Command{
		Use: "backtest", Short: "Run rules over the past, and compare them with the deployed ones", Args: wrongArgs(cobra.NoArgs),
		Long: `Runs rules over files, or over the configured store, with the code that runs live: the same batches in the same order, the same
watermark, the same findings. Per rule it reports findings by day, the entities they name, what was late, what matching costs, and whether there
was less history than the rule looks back. Nothing is stored and nobody is told.

--diff runs the rules of the configuration beside those of --rules and lists which findings only one of them has.
Absences whose time has not come at the end are pending, unless --drain runs event time past every deadline.`,
		Example: `  tocsin rules backtest --from 2026-11-14T00:00:00Z --rules my-rules/ --rule my-0001
  tocsin rules backtest --from 2026-11-14T00:00:00Z --to 2026-11-21T00:00:00Z --rules my-rules/ --diff
  tocsin rules backtest --input openssh=auth.log --input vda5050=robots.ndjson --assets assets.csv --rules my-rules/ --drain --json`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, t) },
	}
	f.register(c)
	c.Flags().StringArrayVar(&f.ids, "rule", nil, "id of a rule; repeat for several (default all)")
	c.Flags().StringVar(&f.from, "from", "", "findings from this time on, RFC 3339; earlier events fill the windows")
	c.Flags().StringVar(&f.to, "to", "", "findings before this time, RFC 3339")
	c.Flags().BoolVar(&f.diff, "diff", false, "compare with the rules of the configuration")
	c.Flags().BoolVar(&f.drain, "drain", false, "run event time past every deadline at the end")
	return c
}

func (f *backtestFlags) run(c *cobra.Command, t *terminal) (err error) {
	set := app.BacktestSettings{Rules: f.ids, Drain: f.drain}
	if set.From, err = moment("--from", f.from); err != nil {
		return err
	}
	if set.To, err = moment("--to", f.to); err != nil {
		return err
	}
	if set.From != 0 && set.To != 0 && set.From >= set.To {
		return usagef("--from is not before --to")
	}
	if f.diff {
		cfg, err := config(c)
		if err != nil {
			return err
		}
		deployed, problems := app.LoadConfigured(cfg.Rules)
		if deployed == nil {
			for _, p := range problems {
				fmt.Fprintln(t.err, p)
			}
			return usagef("the rules of the configuration do not load")
		}
		set.Deployed = deployed
	}
	core, cfg, past, err := f.open(c, t)
	if err != nil {
		return err
	}
	if set.From == 0 && len(past.Inputs) == 0 {
		return usagef("say how far back to begin: --from, or read files with --input")
	}
	past.Far = app.Bar(t.err, "backtest", true)
	set.Past = past
	report, err := core.Backtest(c.Context(), cfg, set)
	if err != nil {
		return err
	}
	if f.json {
		return app.WriteBacktestJSON(t.out, report)
	}
	return app.WriteBacktest(t.out, report)
}

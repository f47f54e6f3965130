package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
)

func rulesCommand(t *terminal) *cobra.Command {
	return group("rules", "Write, check, test, explain, backtest, list and import rules",
		rulesNew(t), rulesLint(t), rulesFormat(t), rulesTest(t), rulesList(t), rulesExplain(t), rulesNear(t), rulesBacktest(t), rulesFields(t), rulesShadow(t), rulesCoverage(t), rulesImport(t), rulesSchema(t))
}

// rulePaths are the paths given, or those of the configuration.
func rulePaths(c *cobra.Command, args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	cfg, err := config(c)
	if err != nil {
		return nil, err
	}
	return cfg.Rules.Paths, nil
}

// ruleFilesOf are the rules at the paths given, or those of the configuration with the exceptions beside them.
func ruleFilesOf(c *cobra.Command, args, exceptions []string) (app.RulesConfig, error) {
	if len(args) > 0 {
		return app.RulesConfig{Paths: args, Exceptions: exceptions}, nil
	}
	cfg, err := config(c)
	cfg.Rules.Exceptions = append(cfg.Rules.Exceptions, exceptions...)
	return cfg.Rules, err
}

// lintTime is the time that exceptions are compared with: --now, or the machine's.
func lintTime(now string) (int64, error) {
	at, err := moment("--now", now)
	if at == 0 {
		at = time.Now().UnixMicro()
	}
	return at, err
}

func rulesLint(t *terminal) *cobra.Command {
	var asJSON bool
	var exceptions []string
	var now, as string
	c := &cobra.Command{
		Use: "lint [PATH…]", Short: "Check rule files", Args: cobra.ArbitraryArgs,
		Long: `Checks rule files or folders; without arguments those of the configuration. Each problem has a file, line, column, code,
message and, where there is a good guess, a hint. Exit code 3 if there is any problem. Exceptions that have expired by now are a problem too.`,
		Example: "  tocsin rules lint\n  tocsin rules lint my-rules/ --format sarif > rules.sarif\n  tocsin rules lint my-rules/ --exceptions exceptions.yaml --now 2027-01-01T00:00:00Z",
		RunE: func(c *cobra.Command, args []string) error {
			at, err := lintTime(now)
			if err != nil {
				return err
			}
			files, err := ruleFilesOf(c, args, exceptions)
			if err != nil {
				return err
			}
			set, problems := app.LoadConfigured(files)
			if set != nil {
				problems = append(problems, set.CheckClasses(app.EmittedClasses())...)
				problems = append(problems, set.CheckExceptions(at)...)
			}
			if asJSON {
				as = "json"
			}
			if err := writeProblems(t, as, problems); err != nil {
				return err
			}
			if set != nil && as == "text" {
				fmt.Fprintf(t.err, "%s, %s\n", app.Count(len(set.Rules), "rule"), app.Count(len(problems), "problem"))
			}
			if len(problems) > 0 {
				return errFound
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one problem a line as JSON")
	c.Flags().StringVar(&as, "format", "text", "text, json, or sarif for code hosts and editors")
	c.Flags().StringSliceVar(&exceptions, "exceptions", nil, "files of exceptions beside the rules (may be repeated)")
	c.Flags().StringVar(&now, "now", "", "time that exceptions are compared with, RFC 3339 (default the machine's)")
	return c
}

// writeProblems writes problems as text, json (one a line) or sarif.
func writeProblems(t *terminal, as string, problems []rules.Problem) error {
	switch as {
	case "text":
		for _, p := range problems {
			fmt.Fprintln(t.out, p)
		}
		return nil
	case "json":
		return writeJSONLines(t.out, problems)
	case "sarif":
		return app.WriteSARIF(t.out, buildVersion(), problems)
	}
	return usagef("--format %q: there are text, json and sarif", as)
}

func writeJSONLines[T any](w io.Writer, list []T) error {
	enc := json.NewEncoder(w)
	for _, x := range list {
		if err := enc.Encode(x); err != nil {
			return err
		}
	}
	return nil
}

func rulesList(t *terminal) *cobra.Command {
	var asJSON bool
	var cost costFlags
	c := &cobra.Command{
		Use: "list [PATH…]", Short: "List the rules", Args: cobra.ArbitraryArgs,
		Long: `Lists the rules at the paths given, or those of the configuration.

--cost asks the service that runs with this configuration what each rule did and took since it started, and lists the costliest first: hits,
findings, how often an event was tried at one of its steps, about how long matching and folding took, memory, and a note on rules that flood
(whose findings go into a digest) or have given up state. With --metrics it asks others, such as the members of a service in roles, and adds
them up. What rules cost in the past is told by tocsin rules backtest.`,
		Example: `  tocsin rules list
  tocsin rules list --json
  tocsin rules list --cost --config tocsin.yaml
  tocsin rules list --cost --metrics http://ingest-1:9464/metrics --metrics http://correlate-1:9464/metrics --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(cost.metrics) > 0 && !cost.ask {
				return usagef("--metrics says where to ask for costs: add --cost")
			}
			paths, err := rulePaths(c, args)
			if err != nil {
				return err
			}
			set, problems := app.LoadRules(paths)
			if set == nil {
				for _, p := range problems {
					fmt.Fprintln(t.err, p)
				}
				return fmt.Errorf("the rules do not load")
			}
			if cost.ask {
				return cost.list(c, t, set, asJSON)
			}
			if asJSON {
				var rows []rules.Description
				for _, r := range set.Rules {
					rows = append(rows, r.Describe())
				}
				return writeJSONLines(t.out, rows)
			}
			w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tVERSION\tSTATUS\tSEVERITY\tTITLE")
			for _, r := range set.Rules {
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", r.ID, r.Version, r.Status, r.Severity, r.Title)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one rule a line as JSON, with its plan or its cost")
	c.Flags().BoolVar(&cost.ask, "cost", false, "what each rule did and took since the service started")
	c.Flags().StringArrayVar(&cost.metrics, "metrics", nil, "address of metrics to ask; repeat for several members (default the service on this machine)")
	c.Flags().DurationVar(&cost.timeout, "timeout", 10*time.Second, "how long to wait for each answer")
	return c
}

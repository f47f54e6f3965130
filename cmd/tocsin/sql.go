package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

func sqlCommand(t *terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: `sql "SELECT …"`, Short: "Ask the store", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: `Runs one reading statement against the configured store and prints the rows. The embedded engine is started for it, or, while
the service or tocsin engine serve runs, theirs is asked.`,
		Example: `  tocsin sql "SELECT class, count() FROM events GROUP BY 1 ORDER BY 2 DESC"` + "\n" + `  tocsin sql "SELECT * FROM incidents ORDER BY updated DESC LIMIT 5" --json`,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			return app.SQL(c.Context(), cfg, args[0], app.EngineProgress(t.err), func(columns []string, rows func(func([]any, error) bool)) error {
				if asJSON {
					return rowsJSON(t.out, columns, rows)
				}
				return rowsTable(t.out, columns, rows)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one row a line as JSON")
	return c
}

func rowsJSON(w io.Writer, columns []string, rows func(func([]any, error) bool)) error {
	enc := json.NewEncoder(w)
	for row, err := range rows {
		if err != nil {
			return err
		}
		m := make(map[string]any, len(columns))
		for i, c := range columns {
			m[c] = row[i]
		}
		if err := enc.Encode(m); err != nil {
			return err
		}
	}
	return nil
}

func rowsTable(out io.Writer, columns []string, rows func(func([]any, error) bool)) error {
	if len(columns) == 0 { // An answer without rows comes without columns as well.
		_, err := fmt.Fprintln(out, "no rows")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, c := range columns {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, c)
	}
	fmt.Fprintln(w)
	for row, err := range rows {
		if err != nil {
			return err
		}
		for i, v := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell(v))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// cell is a value for a table: nullable columns come as pointers.
func cell(v any) any {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return "NULL"
		}
		return r.Elem().Interface()
	}
	return v
}

func schemaCommand(t *terminal) *cobra.Command {
	var cluster string
	var sharded bool
	show := &cobra.Command{
		Use: "print", Short: "Print the tables as SQL", Args: wrongArgs(cobra.NoArgs),
		Long: `Prints the statements that make the tables. They are applied at start anyway, except those of --sharded, which are to be applied by hand to an
empty cluster before the first start: events and their index are then spread over its shards.`,
		Example: "  tocsin schema print\n  tocsin schema print --cluster plant\n  tocsin schema print --cluster plant --sharded",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if cluster != "" {
				cfg.ClickHouse.Cluster = cluster
			}
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			if sharded && cfg.ClickHouse.Cluster == "" {
				return usagef("--sharded spreads tables over a cluster: give its name with --cluster, or as clickhouse.cluster")
			}
			schema := app.SchemaText
			if sharded {
				schema = app.ShardedSchemaText
			}
			text, err := schema(cfg)
			if err != nil {
				return err
			}
			_, err = io.WriteString(t.out, text)
			return err
		},
	}
	show.Flags().StringVar(&cluster, "cluster", "", "name of the cluster, for replicated tables (default clickhouse.cluster)")
	show.Flags().BoolVar(&sharded, "sharded", false, "spread events and their index over the cluster's shards")
	return group("schema", "The ClickHouse schema", show)
}

func doctorCommand(t *terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Check everything this machine and configuration need", Args: wrongArgs(cobra.NoArgs), Example: "  tocsin doctor --config tocsin.yaml",
		Long: "Checks configuration, rules, tables, sources, engine and store, one line each, with what to do. Exit code 3 if something needs attention.",
		RunE: func(c *cobra.Command, _ []string) error {
			path, _ := c.Flags().GetString("config")
			bad := false
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			for f := range app.Doctor(ctx, path) {
				bad = bad || !f.Good
				if err := printDoctor(t.out, f, asJSON); err != nil {
					return err
				}
			}
			if bad {
				return errFound
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one check a line as JSON")
	return c
}

func printDoctor(w io.Writer, f app.Diagnosis, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(f)
	}
	mark := "ok  "
	if !f.Good {
		mark = "BAD "
	}
	_, err := fmt.Fprintf(w, "%s %s  %-12s %s\n", mark, f.Code, f.Name, f.Detail)
	if err == nil && f.Fix != "" {
		_, err = fmt.Fprintf(w, "                   → %s\n", f.Fix)
	}
	return err
}

package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

func runCommand(t *terminal) *cobra.Command {
	var role string
	c := &cobra.Command{
		Use: "run", Short: "Run the service, or one role of it", Args: wrongArgs(cobra.NoArgs),
		Long: `Reads the configured sources, stores, correlates and delivers, and serves the console on loopback, until it is stopped. Ctrl-C or
SIGTERM stops it cleanly; after a crash the next start goes on where the log ends.

One process does everything (--role all). Where that is not enough, run the roles as processes of their own, as many of each as needed, all
with the same configuration, a Kafka cluster and a ClickHouse server: ingest reads the sources and matches, correlate keeps the rules' state,
triage stitches, delivers and serves analysts; of several triage members one works and the others stand by. tocsin topics apply makes the
topics between them.`,
		Example: "  tocsin run --config tocsin.yaml\n  tocsin run --config tocsin.yaml --role ingest",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if !slices.Contains(app.Roles, app.Role(role)) {
				return usagef("--role %q: use all, ingest, correlate or triage", role)
			}
			if err := cfg.ValidateRole(app.Role(role)); err != nil {
				return usageError{err}
			}
			if reads := role == string(app.RoleAll) || role == string(app.RoleIngest); reads && len(cfg.Sources) == 0 {
				return usagef("no source is configured: name at least one under sources: in the file of --config, or try tocsin demo")
			}
			return app.Run(c.Context(), cfg, app.ServiceSettings{
				Role: app.Role(role), Stdin: t.in, Log: t.err, Progress: app.EngineProgress(t.err),
				Ready: func(url string) { fmt.Fprintf(t.err, "running; console: %s/\n", url) },
			}, nil)
		},
	}
	c.Flags().StringVar(&role, "role", string(app.RoleAll), "what this process does: all, ingest, correlate or triage")
	return c
}

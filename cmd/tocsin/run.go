package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

func runCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run the service", Args: wrongArgs(cobra.NoArgs),
		Long: `Reads the configured sources, stores, correlates and delivers, and serves the console on loopback, until it is stopped. Ctrl-C or
SIGTERM stops it cleanly; after a crash the next start goes on where the log ends.`,
		Example: "  tocsin run --config tocsin.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if len(cfg.Sources) == 0 {
				return usagef("no source is configured: name at least one under sources: in the file of --config, or try tocsin demo")
			}
			return app.Run(c.Context(), cfg, app.ServiceSettings{
				Stdin: t.in, Log: t.err, Progress: app.EngineProgress(t.err),
				Ready: func(url string) { fmt.Fprintf(t.err, "running; console: %s/\n", url) },
			}, nil)
		},
	}
}

package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

func rulesShadow(t *terminal) *cobra.Command {
	var asJSON bool
	var from, to string
	c := &cobra.Command{
		Use: "shadow", Short: "Say what rules in shadow have found, and what would have come of it", Args: wrongArgs(cobra.NoArgs),
		Long: `Reads the stored findings of a span of event time and stitches those of rules in shadow as if they were live. For each such rule: its findings, by day and
by entity; JOINED, the incidents it would have been part of that live rules open anyway; OPENED, the incidents nobody would otherwise have seen.
Exit code 3 if a rule in shadow would have opened an incident.`,
		Example: "  tocsin rules shadow\n  tocsin rules shadow --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --json",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			until, err := moment("--to", to)
			if err != nil {
				return err
			}
			if until == 0 {
				until = time.Now().UnixMicro()
			}
			since, err := moment("--from", from)
			if err != nil {
				return err
			}
			if since == 0 {
				since = until - 7*24*time.Hour.Microseconds()
			}
			list, err := app.Shadow(c.Context(), cfg, since, until, app.EngineProgress(t.err))
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSONLines(t.out, list)
			} else {
				err = app.WriteShadow(t.out, list)
			}
			for i := range list {
				if err == nil && list[i].Opened > 0 {
					return errFound
				}
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one rule a line as JSON")
	c.Flags().StringVar(&from, "from", "", "findings that complete from this time on, RFC 3339 (default a week before --to)")
	c.Flags().StringVar(&to, "to", "", "findings that complete before this time, RFC 3339 (default now)")
	return c
}

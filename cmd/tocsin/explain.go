package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

func rulesExplain(t *terminal) *cobra.Command {
	var f replayFlags
	var entity, from, to string
	c := &cobra.Command{
		Use: "explain RULE", Short: "Say why a rule matched, or why not, step by step", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: `Folds the events of files, or of the configured store, through one rule again and reports for each step which events satisfied it
and which did not, and what became of every chain: waiting, expired, killed by a guard, throttled, matched.`,
		Example: `  tocsin rules explain rb-0006 --entity robot:amr-07 --source vda5050=amr.jsonl --source cisco_ise=ise.log --assets assets.csv
  tocsin rules explain rb-0006 --entity amr-07 --from 2026-11-21T01:00:00Z --to 2026-11-21T03:00:00Z`,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if err := f.configure(&cfg); err != nil {
				return err
			}
			set := app.ExplainSettings{Rule: args[0], Entity: entity, Progress: app.EngineProgress(t.err)}
			if set.From, err = moment("--from", from); err != nil {
				return err
			}
			if set.To, err = moment("--to", to); err != nil {
				return err
			}
			if len(f.sources) > 0 {
				replay, err := f.settings()
				if err != nil {
					return err
				}
				set.Inputs, set.Received = replay.Inputs, replay.Received
			}
			core, err := app.NewCore(cfg)
			if err != nil {
				return usageError{err}
			}
			x, err := core.Explain(c.Context(), cfg, set)
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(t.out).Encode(x)
			}
			return app.WriteExplanation(t.out, &x)
		},
	}
	f.register(c)
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	c.Flags().StringVar(&entity, "entity", "", "canonical id or key of the entity it is about (default all)")
	c.Flags().StringVar(&from, "from", "", "events from this time on, RFC 3339")
	c.Flags().StringVar(&to, "to", "", "events before this time, RFC 3339")
	return c
}

// moment reads a time flag in microseconds; 0 if it is not given.
func moment(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, usagef("%s %q: write it like 2026-11-21T08:00:00Z", flag, text)
	}
	return at.UnixMicro(), nil
}

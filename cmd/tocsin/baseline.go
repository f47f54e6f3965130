package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

func baselineCommand(t *terminal) *cobra.Command {
	return group("baseline", "Show what rules remember", baselineShow(t))
}

func baselineShow(t *terminal) *cobra.Command {
	var f replayFlags
	var rule string
	c := &cobra.Command{
		Use: "show ENTITY", Short: "Show what rules remember of an entity", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: `Shows what the modifiers with memory (new, changed, spike, beacon, drop) know of an entity: values seen, since when and until
when it is learned, what is usual now, contacts, the last event. It is read from the configured store's newest checkpoint and the log after
it, or from files that are folded. Where members in roles use the store, it is read from the newest checkpoint of each partition of hits; what
correlate members took in since then (correlate.checkpoint) is not in it, and standard error says as of when it is. Exit code 3 if nothing is
remembered of it.`,
		Example: `  tocsin baseline show robot:h1
  tocsin baseline show robot:h1 --rule rb-0005 --json
  tocsin baseline show 10.20.8.44 --source zeek=conn.log --rules my-rules/`,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if err := f.configure(&cfg); err != nil {
				return err
			}
			set := app.BaselineSettings{Entity: args[0], Rule: rule, Progress: app.EngineProgress(t.err)}
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
			found, err := core.Baseline(c.Context(), cfg, set)
			if err != nil {
				return err
			}
			list := found.Memories
			app.WriteBaselineAge(t.err, found)
			said := rejectLines(t.err)
			for _, x := range found.Rejects {
				said(x)
			}
			for i := range list {
				if f.json {
					err = json.NewEncoder(t.out).Encode(app.Row(&list[i]))
				} else {
					err = app.WriteMemory(t.out, &list[i])
				}
				if err != nil {
					return err
				}
			}
			if len(list) == 0 {
				fmt.Fprintf(t.err, "nothing is remembered of %s\n", args[0])
				return errFound
			}
			return nil
		},
	}
	f.register(c)
	c.Flags().BoolVar(&f.json, "json", false, "one memory a line as JSON")
	c.Flags().StringVar(&rule, "rule", "", "only what this rule remembers (default all)")
	return c
}

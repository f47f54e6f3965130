package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

func demoCommand(t *terminal) *cobra.Command {
	var once, asJSON, changes bool
	var name, listen string
	c := &cobra.Command{
		Use: "demo", Short: "Play an attack on a robot through everything, on this machine, with no configuration", Args: wrongArgs(cobra.NoArgs),
		Long: `Plays a scenario of raw vendor logs (sign-in, network access, endpoint, network, robot) through the embedded engine, prints
the incident, and keeps the console open to look at it. Nothing is left behind.`,
		Example: "  tocsin demo\n  tocsin demo --once --json\n  tocsin demo --scenario all --once",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			switch {
			case listen != "":
				cfg.Console.Listen = listen
			case once || free(cfg.Console.Listen) != nil:
				cfg.Console.Listen = "127.0.0.1:0"
			}
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			if err := free(cfg.Console.Listen); err != nil { // Before the engine is fetched and started.
				return err
			}
			list, err := chosen(name)
			if err != nil {
				return err
			}
			return app.Demo(c.Context(), cfg, app.DemoSettings{
				Scenarios: list, Once: once, JSON: asJSON, Changes: changes, Out: t.out, Talk: t.err, Progress: app.EngineProgress(t.err),
			})
		},
	}
	c.Flags().BoolVar(&once, "once", false, "end when the incidents have been printed")
	c.Flags().BoolVar(&asJSON, "json", false, "incidents as OCSF, one a line")
	c.Flags().BoolVar(&changes, "changes", false, "print every revision as it comes")
	c.Flags().StringVar(&name, "scenario", "", "scenario to play, or all (default the main one)")
	c.Flags().StringVar(&listen, "listen", "", "address of the console on loopback")
	return c
}

// free says why an address cannot be had: a demonstration then takes any other port, unless it was told which.
func free(address string) error {
	l, err := app.ListenConsole(address)
	if err != nil {
		return err
	}
	return l.Close()
}

// chosen are the scenarios a name stands for; the main one is the first.
func chosen(name string) ([]scenarios.Scenario, error) {
	all := scenarios.All()
	if name == "" {
		return all[:1], nil
	}
	if name == "all" {
		return all, nil
	}
	var names []string
	for i := range all {
		if all[i].Name == name {
			return all[i : i+1], nil
		}
		names = append(names, all[i].Name)
	}
	return nil, usagef("there is no scenario %q: %s", name, fmt.Sprintf("known are %s and all", strings.Join(names, ", ")))
}

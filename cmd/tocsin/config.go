package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/app"
)

// config loads the configuration that --config names; a broken one is a usage error.
func config(c *cobra.Command) (app.Config, error) {
	path, _ := c.Flags().GetString("config")
	cfg, err := app.LoadConfig(path)
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

func configCommand(t *terminal) *cobra.Command {
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration file and everything it names", Args: wrongArgs(cobra.NoArgs), Example: "  tocsin config check --config tocsin.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if err := app.CheckConfig(cfg); err != nil {
				return usageError{err}
			}
			fmt.Fprintln(t.out, "the configuration is good")
			return nil
		},
	}
	show := &cobra.Command{
		Use: "print", Short: "Print the configuration with all defaults", Args: wrongArgs(cobra.NoArgs), Example: "  tocsin config print > tocsin.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			enc := yaml.NewEncoder(t.out)
			enc.SetIndent(2)
			return enc.Encode(cfg)
		},
	}
	return group("config", "Check and print the configuration", check, show)
}

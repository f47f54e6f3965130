package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
)

// costFlags are the flags of `tocsin rules list` that ask for costs.
type costFlags struct {
	ask     bool
	metrics []string
	timeout time.Duration
}

// list asks for the costs of rules and prints them.
func (f *costFlags) list(c *cobra.Command, t *terminal, set *rules.Set, asJSON bool) error {
	client, addresses := http.DefaultClient, f.metrics
	if len(addresses) == 0 {
		cfg, err := config(c)
		if err != nil {
			return err
		}
		local, base, err := localURL(&cfg, "/metrics")
		if err != nil {
			return err
		}
		client, addresses = local, []string{base}
	}
	var costs app.RuleCosts
	for _, address := range addresses {
		ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
		err := costs.Ask(ctx, client, address)
		cancel()
		if err != nil {
			return err
		}
	}
	list := costs.List(set)
	if asJSON {
		return app.WriteRuleCostsJSON(t.out, list)
	}
	return app.WriteRuleCosts(t.out, list)
}

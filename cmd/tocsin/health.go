package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

// healthAnswer is the most of an answer that is shown.
const healthAnswer = 64 << 10

func healthCommand(t *terminal) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use: "health", Short: "Ask the service that runs with this configuration how it is", Args: wrongArgs(cobra.NoArgs),
		Long: `Asks /readyz of the service on this machine, at telemetry.listen or else console.listen, and prints the answer. Exit code 0 if it is
ready, 3 if it is not, 1 if nothing answers. It is what a container's health check calls.`,
		Example: "  tocsin health --config tocsin.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			client, address, err := localURL(&cfg, "/readyz")
			if err != nil {
				return err
			}
			return askHealth(ctx, t.out, client, address)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for an answer")
	return c
}

// probeAddress is where a process of this machine reaches the probes.
func probeAddress(cfg *app.Config) string {
	return app.LocalAddress(cmp.Or(cfg.Telemetry.Listen, cfg.Console.Listen))
}

// localURL is the address of one of them, and the client for it: the console may speak TLS, the probes' own address does not.
func localURL(cfg *app.Config, path string) (client *http.Client, address string, err error) {
	at := *cfg
	if at.Telemetry.Listen != "" {
		at.Console.TLS = app.ConsoleTLS{}
	}
	client, scheme, err := app.LocalClient(&at)
	return client, scheme + "://" + probeAddress(cfg) + path, err
}

func askHealth(ctx context.Context, out io.Writer, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is the service running with this configuration?", err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(out, io.LimitReader(answer.Body, healthAnswer)); err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	if answer.StatusCode != http.StatusOK {
		return errFound
	}
	return nil
}

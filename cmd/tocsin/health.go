package main

import (
	"context"
	"fmt"
	"io"
	"net"
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
			return askHealth(ctx, t.out, probeAddress(&cfg))
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for an answer")
	return c
}

// probeAddress is where a process of this machine reaches the probes: an address of all interfaces is reached on loopback.
func probeAddress(cfg *app.Config) string {
	listen := cfg.Telemetry.Listen
	if listen == "" {
		listen = cfg.Console.Listen
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen // The configuration was checked: it has a port.
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

func askHealth(ctx context.Context, out io.Writer, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	// No proxy of the environment: the service is on this machine.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
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

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/store/engine"
)

func engineCommand(t *terminal) *cobra.Command {
	return group("engine", "The embedded ClickHouse engine", engineFetch(t), engineServe(t))
}

func engineFetch(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "fetch", Short: "Fetch the engine library if it is not there yet", Args: wrongArgs(cobra.NoArgs), Example: "  tocsin engine fetch",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			ec := app.EngineConfig(cfg)
			ec.Progress = app.EngineProgress(t.err)
			path, err := engine.Locate(c.Context(), ec)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(t.out, path)
			return err
		},
	}
}

func engineServe(t *terminal) *cobra.Command {
	var child bool
	var listen, dir string
	c := &cobra.Command{
		Use: "serve", Short: "Serve the embedded engine on loopback, for several processes to share", Args: wrongArgs(cobra.NoArgs),
		Long: `Opens the engine's data directory and serves ClickHouse's HTTP interface on loopback until it is stopped. The first line of
output says where, and with which token; give both to clickhouse.addr and clickhouse.password.`,
		Example: "  tocsin engine serve --dir data --listen 127.0.0.1:8123",
		RunE: func(c *cobra.Command, _ []string) error {
			if child {
				return engine.ServeChild(os.Stdin, os.Stdout)
			}
			cfg, err := config(c)
			if err != nil {
				return err
			}
			ec := app.EngineConfig(cfg)
			if dir != "" {
				ec.Dir = dir
			}
			if listen != "" {
				ec.Listen = listen
			}
			ec.Progress = app.EngineProgress(t.err)
			return engine.Serve(c.Context(), ec, nil, t.out)
		},
	}
	c.Flags().BoolVar(&child, "child", false, "")
	_ = c.Flags().MarkHidden("child")
	c.Flags().StringVar(&listen, "listen", "", "address on loopback (default a free port)")
	c.Flags().StringVar(&dir, "dir", "", "data directory (default that of the configuration)")
	return c
}

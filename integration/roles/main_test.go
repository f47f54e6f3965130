// Package roles_test runs Tocsin as several processes, one role each, against a real Apache Kafka and a shared ClickHouse engine, and compares what
// they come to with what one process comes to: `make integration`.
package roles_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// memberArg makes the test binary a member: it is followed by the role, the configuration file and by how far our clock is ahead of the machine's.
const memberArg = "member-child"

// TestMain is also what the children of the tests run: the members, and the engine they share.
func TestMain(m *testing.M) {
	var child func() error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "engine":
		child = func() error { return engine.ServeChild(os.Stdin, os.Stdout) }
	case len(os.Args) > 4 && os.Args[1] == memberArg:
		child = func() error { return serve(app.Role(os.Args[2]), os.Args[3], os.Args[4]) }
	default:
		os.Exit(m.Run())
	}
	if err := child(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve is `tocsin run --role`, with a clock that can be ahead so that the scenarios lie in the past.
func serve(role app.Role, path, ahead string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := app.LoadConfig(path)
	if err != nil {
		return err
	}
	offset, err := time.ParseDuration(ahead)
	if err != nil {
		return err
	}
	err = app.Run(ctx, cfg, app.ServiceSettings{
		Role: role, Log: os.Stderr, Clock: func() time.Time { return time.Now().Add(offset) }, Ready: func(url string) { fmt.Println(url) }, Grace: 2 * patience,
	}, nil)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

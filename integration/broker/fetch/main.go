// Command fetch brings Apache Kafka for the integration tests into the user's cache folder: `make kafka`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	jars, err := broker.Fetch(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "make kafka:", err)
		os.Exit(1) //nolint:forbidigo // This is a main package, though not below cmd.
	}
	fmt.Fprintln(os.Stderr, "Apache Kafka", broker.Version(), "is in", jars)
}

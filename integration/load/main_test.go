// Package load_test drives the whole thing at a fixed rate: a producer process, a real Apache Kafka, tocsin in the role all with the embedded
// ClickHouse engine, all on this machine. `make load` measures; `make integration` runs it for twenty seconds and looks at what came out, not at
// the clock.
//
// The environment says how: RATE (records per second), DURATION, PARTITIONS (of each topic), PROBES (per second; each fires a rule), LINGER
// (ingest.linger), BATCH (ingest.batch), WARM (what comes before is not in the last figures: programs start, the broker's JVM compiles), PROFILE (a
// folder that gets tocsin's processor and heap profiles).
//
// A record is handled when its row is in `events`: what is behind includes rows that wait in `accrued`, whose findings may be out already.
package load_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// What makes the test binary a child of the test: the service is followed by its configuration file and the folder for profiles, the producer by
// the broker's address, the rate, the duration and the probes per second.
const (
	serviceArg  = "service-child"
	producerArg = "producer-child"
)

// TestMain is also what the children run.
func TestMain(m *testing.M) {
	var child func(ctx context.Context) error
	switch arg := os.Args; {
	case len(arg) > 1 && arg[1] == "engine":
		child = func(context.Context) error { return engine.ServeChild(os.Stdin, os.Stdout) }
	case len(arg) > 3 && arg[1] == serviceArg:
		child = orphan(func(ctx context.Context) error { return serve(ctx, arg[2], arg[3]) })
	case len(arg) > 5 && arg[1] == producerArg:
		child = orphan(func(ctx context.Context) error { return produce(ctx, arg[2:]) })
	default:
		os.Exit(m.Run())
	}
	if err := child(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// orphan runs a child until it is done or its standard input ends, which it does with the test, however that went. Ctrl-C is the test's to take.
func orphan(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		if err := run(ctx); err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
			return err
		}
		return nil
	}
}

// serve is `tocsin run`. It prints its address, and then each probe whose incident has been recorded, with the time of that.
func serve(ctx context.Context, config, profiles string) error {
	cfg, err := app.LoadConfig(config)
	if err != nil {
		return err
	}
	if profiles != "" {
		stop, err := profile(profiles)
		if err != nil {
			return err
		}
		defer stop()
	}
	return app.Run(ctx, cfg, app.ServiceSettings{Log: os.Stderr, Ready: func(url string) { fmt.Println(url) }, Published: recorded}, nil)
}

// recorded is called when changes are in the store.
func recorded(changes []incident.Change) {
	now := time.Now().UnixMicro()
	for i := range changes {
		for _, e := range changes[i].Incident.Entities {
			if id := probeIn(e.ID); id != "" {
				fmt.Println("recorded", id, now)
				break
			}
		}
	}
}

// profile samples the processor until the end, and takes the heap every half minute: heap-1.pprof and so on.
func profile(dir string) (stop func(), err error) {
	f, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		clock := time.NewTicker(30 * time.Second)
		defer clock.Stop()
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-clock.C:
			}
			if h, err := os.Create(filepath.Join(dir, fmt.Sprintf("heap-%d.pprof", n))); err == nil {
				_ = pprof.Lookup("heap").WriteTo(h, 0)
				_ = h.Close()
			}
		}
	}()
	return func() {
		close(done)
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

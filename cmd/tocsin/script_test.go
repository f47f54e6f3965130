package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tocsin-siem/tocsin/store/engine"
)

// TestMain is also tocsin itself, as the scripts call it, and the embedded engine below that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "engine" {
		main()
	}
	testscript.Main(m, map[string]func(){"tocsin": main})
}

// Every script runs with an empty home folder. Those that need the engine's library begin with [!engine] skip, which CI does not do.
func TestScripts(t *testing.T) {
	library, err := engine.Locate(t.Context(), engine.DefaultConfig("unused"))
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			env.Setenv("XDG_DATA_HOME", env.WorkDir+"/share")
			env.Setenv(engine.LibraryEnv, library)
			l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = l.Close() })
			env.Setenv("TAKEN", l.Addr().String())
			path, err := exec.LookPath("tocsin")
			env.Setenv("TOCSIN", path)
			return err
		},
		Condition: func(string) (bool, error) { return err == nil, nil }, // engine
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE COMMAND… runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("%v ended with exit code %d, want %d", args[1:], got, want)
	}
}

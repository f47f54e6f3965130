package main

import (
	"context"
	"net"
	"os"
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
			return nil
		},
		Condition: func(string) (bool, error) { return err == nil, nil },
	})
}

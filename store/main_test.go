package store_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// childArg makes the test binary serve the embedded engine.
const childArg = "engine-child"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		if err := engine.ServeChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if shared.process != nil {
		_ = shared.process.Close()
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

var locate = sync.OnceValues(func() (string, error) {
	return engine.Locate(context.Background(), engine.DefaultConfig("unused"))
})

// startEngine starts an engine of its own on a directory. The test is skipped, visibly, where the engine's library cannot be had; in CI
// that is a failure.
func startEngine(t testing.TB, dir string) *engine.Process {
	t.Helper()
	library, err := locate()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	cfg := engine.DefaultConfig(dir)
	cfg.MemoryLimit = 4 << 30 // An empty database is 20 MiB by the engine's count, and the tests make a hundred.
	cfg.Command = []string{os.Args[0], childArg}
	cfg.LibraryPath = library
	p, err := engine.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shared is the engine of the tests that need none of their own; each has its own database in it.
var shared struct {
	sync.Mutex
	dir       string
	process   *engine.Process
	databases int
}

func config(p *engine.Process, database string) store.Config {
	cfg := store.DefaultConfig()
	cfg.Addr = []string{p.Addr()}
	cfg.Username, cfg.Password, cfg.Database = engine.User, store.Secret(p.Token()), database
	return cfg
}

// freshConfig points to an empty database of the shared engine.
func freshConfig(t testing.TB) store.Config {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.process == nil {
		dir, err := os.MkdirTemp("", "store-test-")
		must(t, err)
		shared.dir, shared.process = dir, startEngine(t, dir)
	}
	shared.databases++
	return config(shared.process, fmt.Sprintf("db%d", shared.databases))
}

func open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), cfg, store.Settings{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// appendTo appends a batch from which nothing follows.
func appendTo(ctx context.Context, db *store.DB, e *incident.Entry) error {
	_, err := db.Append(ctx, e, settled, nothing)
	return err
}

// settled is of a batch before that is recorded, nothing what follows from one.
func settled() error            { return nil }
func nothing() incident.Outcome { return incident.Outcome{} }

package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tocsin-siem/tocsin/store/engine"
)

// The test binary is also the child, and a parent to be killed.
const (
	childArg  = "engine-child"
	parentArg = "engine-parent"
)

func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case childArg:
		if err := engine.ServeChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case parentArg:
		if err := parent(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// started is what the parent process tells its test.
type started struct {
	Addr, Token string
	PID         int
}

// parent starts an engine, says where it is, and waits for its death.
func parent(dir string) error {
	p, err := engine.Start(context.Background(), config(dir))
	if err != nil {
		return err
	}
	defer p.Close()
	line, err := json.Marshal(started{Addr: p.Addr(), Token: p.Token(), PID: p.PID()})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func config(dir string) engine.Config {
	cfg := engine.DefaultConfig(dir)
	cfg.MemoryLimit = 1 << 30
	cfg.Command = []string{os.Args[0], childArg}
	return cfg
}

var locate = sync.OnceValues(func() (string, error) {
	return engine.Locate(context.Background(), engine.DefaultConfig("unused"))
})

// needLibrary skips the test, visibly, where the engine library cannot be had; in CI that is a failure.
func needLibrary(t testing.TB) string {
	t.Helper()
	path, err := locate()
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return ""
}

func start(t testing.TB, cfg engine.Config) *engine.Process {
	t.Helper()
	cfg.LibraryPath = needLibrary(t)
	p, err := engine.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func options(addr, token string) *clickhouse.Options {
	return &clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     []string{addr},
		Auth:     clickhouse.Auth{Username: engine.User, Password: token},
	}
}

func open(t testing.TB, opt *clickhouse.Options) clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func dial(t testing.TB, p *engine.Process) clickhouse.Conn {
	t.Helper()
	return open(t, options(p.Addr(), p.Token()))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, conn clickhouse.Conn, from string) uint64 {
	t.Helper()
	var n uint64
	must(t, conn.QueryRow(t.Context(), "SELECT count() FROM "+from).Scan(&n))
	return n
}

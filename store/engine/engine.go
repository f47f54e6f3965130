// Package engine runs the real ClickHouse engine inside Tocsin's own binary: libchdb is loaded without cgo in a child
// process of the same executable, which serves ClickHouse's HTTP interface on loopback. clickhouse-go/v2 (HTTP
// protocol) talks to it exactly as it talks to a server.
//
// The parent calls [Start]; the child's main function calls [ServeChild]; `tocsin engine serve`, which lets several
// processes share one engine, calls [Serve] with no parent pipe.
//
// # Durability
//
// An insert is acknowledged when its rows are in a part in the data directory. From then on no crash of a process loses
// it: not kill -9 of the child, not kill -9 of the parent. A power loss or a kernel crash is different: like a ClickHouse
// server, the engine leaves the last seconds of writes to the operating system's cache. A table that has to survive
// that must say so when it is created (SETTINGS fsync_after_insert = 1, min_rows_to_fsync_after_merge = 1); this
// package does not decide it.
//
// # What differs from a server
//
// An insert's data is kept in memory (Linux, up to a sixteenth of MemoryLimit for all inserts together) or in a file in the
// data directory first (the library cuts inline data at about 256 KB), so an insert whose connection breaks half way inserts
// nothing, and for the moment there must be room for one copy of the data. Threads that merge run on Linux where nothing else
// wants to: inserts and queries go first. Query ids, sessions, quota keys, external tables and progress headers are not supported; asynchronous
// inserts run at once. Settings in the URL, bound parameters (param_x), compression (native LZ4 and ZSTD both ways,
// gzip and deflate of requests) and the in-band exception frame work as on a server.
package engine

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// User is the user name to give to clickhouse-go; the password is the token.
	User = "tocsin"
	// LibraryVersion is the pinned version of the engine library's package.
	LibraryVersion = "26.5.3"
	// LibraryEnv names the environment variable that points to an engine library.
	LibraryEnv = "TOCSIN_ENGINE_LIBRARY"
)

// Config says where the engine keeps its data and how much it may take. Zero values mean the default. It travels to
// the child as JSON on the child's standard input, so that neither the token nor a path is seen in a process list.
type Config struct {
	// Dir is the data directory, created if absent: data/ (ClickHouse's), inserts/ (emptied at each start), engine.lock, and
	// engine.json while an engine runs: where it is reached (Shared).
	Dir string `json:"dir"`
	// CacheDir holds fetched libraries; default tocsin/engine in the user's cache directory.
	CacheDir string `json:"-"`
	// LibraryPath names libchdb.so itself; default is what Locate finds.
	LibraryPath string `json:"library"`
	// MemoryLimit in bytes bounds what the engine allocates for all queries, inserts, merges and caches together.
	// A query that would pass it fails with code 241; the engine goes on. The data of inserts takes up to a sixteenth of it beside it.
	MemoryLimit int64 `json:"memory_limit"`
	// Listen is host:port; the host must be a loopback address, port 0 takes a free one.
	Listen string `json:"listen"`
	// Token is the password every request must bring; Start and Serve make a random one where it is empty.
	Token string `json:"token"`
	// Handles is how many statements run at the same time; further ones wait.
	Handles int `json:"handles"`
	// MaxBody in bytes bounds one request's body after decompression.
	MaxBody int64 `json:"max_body"`
	// LockWait is how long to wait for a dying engine to let go of the data directory.
	LockWait time.Duration `json:"lock_wait"`
	// StartTimeout bounds Start from the child's first instruction to its first answer.
	StartTimeout time.Duration `json:"-"`
	// Command is the child's argument vector; default is this executable with `engine serve --child`.
	Command []string `json:"-"`
	// Progress is told about the fetching of the library, from one goroutine at a time; may be nil.
	Progress func(Progress) `json:"-"`
	// Asked is called, from one goroutine at a time, when another process that uses the engine asks the one that started it to [Hurry]; may be nil.
	Asked func() `json:"-"`
}

// DefaultConfig is a Config for the data directory dir with every default filled in.
func DefaultConfig(dir string) Config {
	return Config{Dir: dir}.withDefaults()
}

func (c Config) withDefaults() Config {
	if c.CacheDir == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			c.CacheDir = filepath.Join(dir, "tocsin", "engine")
		}
	}
	c.MemoryLimit = cmp.Or(c.MemoryLimit, 2<<30)
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:0")
	c.Handles = cmp.Or(c.Handles, 6)
	c.MaxBody = cmp.Or(c.MaxBody, 1<<30)
	c.LockWait = cmp.Or(c.LockWait, 5*time.Second)
	c.StartTimeout = cmp.Or(c.StartTimeout, time.Minute)
	return c
}

// minMemory is what the engine needs to open its tables and answer at all, in bytes.
const minMemory = 256 << 20

func (c Config) check() error {
	if c.Dir == "" {
		return errors.New("engine.dir is empty: name a directory for the embedded engine's data")
	}
	if c.MemoryLimit < minMemory {
		return fmt.Errorf("engine.memory_limit is %d bytes: the embedded engine needs at least %d (256 MiB)", c.MemoryLimit, minMemory)
	}
	if c.Handles < 1 || c.MaxBody < 1 {
		return fmt.Errorf("engine: handles (%d) and max_body (%d) must be positive", c.Handles, c.MaxBody)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("engine.listen %q: %w (want host:port, such as 127.0.0.1:0)", c.Listen, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("engine.listen %q is not a loopback address: the embedded engine is for this machine only; for others run a ClickHouse server and set clickhouse.addr", c.Listen)
	}
	return nil
}

// Ready is the one line of JSON that a serving engine prints: either where it serves, or why it cannot.
type Ready struct {
	Addr    string `json:"addr,omitempty"`
	Version string `json:"version,omitempty"`
	// Token is set only if Serve made it up itself.
	Token string `json:"token,omitempty"`
	Error string `json:"error,omitempty"`
}

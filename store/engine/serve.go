package engine

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// drainTime is how long running statements have when the engine is told to end.
	drainTime = 3 * time.Second
	// maxConfigLine bounds the first line a parent writes, in bytes.
	maxConfigLine = 64 << 10
)

// ServeChild is the main function of a child made by [Start]: it reads its Config as one line of JSON from stdin and then
// serves until stdin ends. Its error has also been written to ready.
func ServeChild(stdin io.Reader, ready io.Writer) error {
	// The parent decides when its engine ends: it may still have writes to make after a signal to the whole group.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	pipe, err := parentPipe(stdin)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(pipe, maxConfigLine)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read the engine's configuration from standard input: %w", err)
	}
	var cfg Config
	if err := json.Unmarshal(line, &cfg); err != nil {
		return fmt.Errorf("read the engine's configuration from standard input: %w", err)
	}
	return Serve(context.Background(), cfg, in, ready)
}

// Serve opens the data directory, serves ClickHouse's HTTP interface and writes one line of JSON (a [Ready]) to ready
// when it does, or when it cannot. It returns when ctx ends or stdin does: a parent that is gone, however it went, takes its
// engine with it. stdin may be nil for an engine without a parent. The process must end soon after Serve returns, and it
// must not call Serve twice: the library cannot be unloaded.
func Serve(ctx context.Context, cfg Config, stdin io.Reader, ready io.Writer) error {
	cfg = cfg.withDefaults()
	made := cfg.Token == ""
	if made {
		cfg.Token = rand.Text()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if stdin != nil {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			cancel()
		}()
	}
	s, listener, err := open(ctx, cfg)
	if err != nil {
		writeReady(ready, Ready{Error: err.Error()})
		return err
	}
	if stdin != nil {
		s.asked = newBell(ready)
	}
	say := Ready{Addr: listener.Addr().String(), Version: s.version}
	if made {
		say.Token = cfg.Token
	}
	tell(cfg.Dir, share{say.Addr, cfg.Token})
	go calmMerges(ctx)
	writeReady(ready, say)
	defer func() { _ = os.Remove(filepath.Join(cfg.Dir, shareFile)) }() // The lock is still held.
	return s.serve(ctx, listener)
}

func writeReady(to io.Writer, r Ready) {
	line, err := json.Marshal(r)
	if err == nil {
		_, _ = to.Write(append(line, '\n'))
	}
}

// open does everything that can fail before the engine is ready.
func open(ctx context.Context, cfg Config) (*server, net.Listener, error) {
	if err := cfg.check(); err != nil {
		return nil, nil, err
	}
	path, err := Locate(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	s := &server{cfg: cfg, back: &backRoom{}, memory: &bodyMemory{limit: cfg.MemoryLimit / bodyShare}}
	data, err := s.takeDir(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("engine data directory %s: %w", cfg.Dir, err)
	}
	if err := hideStdin(); err != nil {
		return nil, nil, err
	}
	lib, err := openLibrary(path)
	if err != nil {
		return nil, nil, err
	}
	s.pool, err = openPool(lib, arguments(cfg, data), baseSettings(cfg), cfg.Handles)
	if err != nil {
		return nil, nil, fmt.Errorf("engine data directory %s: %w", cfg.Dir, err)
	}
	if err := s.describe(ctx); err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("engine.listen: %w", err)
	}
	return s, listener, nil
}

// takeDir locks the data directory until the process ends, and empties what an earlier process left of its inserts.
func (s *server) takeDir(ctx context.Context) (data string, err error) {
	dir, err := filepath.Abs(s.cfg.Dir)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(dir, "*?{}") {
		return "", errors.New("the engine takes * ? { } in a path for a pattern: choose a directory without them")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// The lock is held through the open file until the end of the process; the server keeps the file, or the collector would close it.
	s.lock, err = lockFile(ctx, filepath.Join(dir, "engine.lock"), s.cfg.LockWait)
	if locked, ok := errors.AsType[*lockedError](err); ok {
		return "", fmt.Errorf("%w: only one engine can use it; end that process, or set engine.dir to another directory", locked)
	}
	if err != nil {
		return "", err
	}
	s.inserts = filepath.Join(dir, "inserts")
	if err := os.RemoveAll(s.inserts); err != nil {
		return "", err
	}
	data = filepath.Join(dir, "data")
	for _, sub := range []string{s.inserts, data} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return "", err
		}
	}
	return data, nil
}

// arguments are the library's: all caches and all queries stay within the memory limit.
func arguments(cfg Config, data string) []string {
	return []string{
		"clickhouse",
		"--path=" + data,
		"--max_server_memory_usage=" + strconv.FormatInt(cfg.MemoryLimit, 10),
		"--mark_cache_size=" + strconv.FormatInt(cfg.MemoryLimit/8, 10),
		"--index_mark_cache_size=" + strconv.FormatInt(cfg.MemoryLimit/16, 10),
	}
}

// baseSettings undo what the library's local mode sets differently from a server, and leave one query less than all the memory.
func baseSettings(cfg Config) string {
	return strings.Join([]string{
		"SET implicit_select = 0",
		"allow_introspection_functions = 0",
		"max_memory_usage = " + strconv.FormatInt(cfg.MemoryLimit/4*3, 10),
	}, ", ")
}

func (s *server) describe(ctx context.Context) error {
	session, err := s.pool.take(ctx, sessionKey{})
	if err != nil {
		return err
	}
	defer s.pool.put(session, false)
	r, err := session.query("SELECT version(), timezone()", "TabSeparated", nil)
	if err != nil {
		return err
	}
	defer r.free()
	var ok bool
	s.version, s.zone, ok = strings.Cut(strings.TrimSpace(string(r.bytes())), "\t")
	if !ok {
		return fmt.Errorf("the engine does not say its version: %q", r.bytes())
	}
	return nil
}

// serve ends with ctx: no new statements, a short time for the running ones, then the tables are closed.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	web := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("engine: serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := web.Shutdown(drain); err != nil {
		return fmt.Errorf("engine: statements were still running at the end: %w", err)
	}
	return s.pool.close(drain)
}

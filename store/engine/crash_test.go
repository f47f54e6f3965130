//go:build linux

package engine_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tocsin-siem/tocsin/store/engine"
)

func TestAcknowledgedInsertsSurviveKillOfTheChild(t *testing.T) {
	dir := t.TempDir()
	p := start(t, config(dir))
	conn := dial(t, p)
	must(t, conn.Exec(t.Context(), "CREATE DATABASE tocsin"))
	must(t, conn.Exec(t.Context(), "CREATE TABLE tocsin.t (n UInt64) ENGINE = MergeTree ORDER BY n"))
	must(t, conn.Exec(t.Context(), "CREATE TABLE d (n UInt64) ENGINE = MergeTree ORDER BY n"))

	// The child is killed while inserts are running, not between them.
	acknowledged := make(chan uint64, 1)
	half := make(chan struct{})
	go func() {
		var n uint64
		defer func() { acknowledged <- n }()
		for {
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO tocsin.t")
			if err != nil {
				return
			}
			if batch.Append(n) != nil || batch.Send() != nil {
				return
			}
			if n++; n == 100 {
				close(half)
			}
		}
	}()
	<-half
	must(t, conn.Exec(t.Context(), "INSERT INTO d VALUES (1)"))
	must(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	sent := <-acknowledged
	<-p.Done()
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Err says %v, want the signal", err)
	}

	again := dial(t, start(t, config(dir)))
	// One more may have been written and not acknowledged.
	if got := count(t, again, "tocsin.t"); got < sent || got > sent+1 {
		t.Errorf("%d rows after the restart, %d were acknowledged", got, sent)
	}
	if got := count(t, again, "d"); got != 1 {
		t.Errorf("%d rows in the default database after the restart, want 1", got)
	}
}

func TestKillOfTheParentLeavesNoProcessNoLockAndNoPort(t *testing.T) {
	needLibrary(t)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], parentArg, dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	must(t, err)
	var s started
	must(t, json.Unmarshal(line, &s))
	conn := open(t, options(s.Addr, s.Token))
	must(t, conn.Exec(t.Context(), "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"))
	must(t, conn.Exec(t.Context(), "INSERT INTO t VALUES (1), (2)"))

	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	// The next engine starts at once: it waits for the dying one's lock.
	p := start(t, config(dir))
	if got := count(t, dial(t, p), "t"); got != 2 {
		t.Errorf("%d rows after the restart, want 2", got)
	}
	// It has the lock, so the old child has ended or is past everything but its exit; its port must be free.
	if c, err := net.Dial("tcp", s.Addr); err == nil {
		c.Close()
		t.Errorf("the dead parent's port %s still answers", s.Addr)
	}
}

func TestCloseEndsTheChildAndFreesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	p := start(t, config(dir))
	must(t, dial(t, p).Ping(t.Context()))
	must(t, p.Close())
	if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child still exists: %v", err)
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "exit status 0") {
		t.Errorf("Err says %v, want a clean end", err)
	}
	cfg := config(dir)
	cfg.LockWait = 1
	start(t, cfg)
}

func TestASecondEngineOnTheSameDirectorySaysWhoHasIt(t *testing.T) {
	dir := t.TempDir()
	p := start(t, config(dir))
	cfg := config(dir)
	cfg.LibraryPath = needLibrary(t)
	cfg.LockWait = 1
	second, err := engine.Start(t.Context(), cfg)
	if err == nil {
		second.Close()
		t.Fatal("two engines share a directory")
	}
	for _, want := range []string{dir, "in use by process", "engine.dir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	must(t, dial(t, p).Ping(t.Context()))
}

func TestInsertFilesOfAnEarlierProcessAreRemovedAtTheStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's \\ an odd.gz [name]")
	left := filepath.Join(dir, "inserts", "insert-left")
	must(t, os.MkdirAll(filepath.Dir(left), 0o700))
	must(t, os.WriteFile(left, []byte("x"), 0o600))
	conn := dial(t, start(t, config(dir)))
	must(t, conn.Exec(t.Context(), "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"))
	must(t, conn.Exec(t.Context(), "INSERT INTO t VALUES (1)"))
	entries, err := os.ReadDir(filepath.Dir(left))
	must(t, err)
	if len(entries) != 0 {
		t.Errorf("left in the insert directory: %v", entries)
	}
}

func TestAFullDiskReachesTheClientAsTheEnginesError(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	cfg := config(dir)
	cfg.MemoryLimit = 256 << 20 // So that memory has room for 16 MiB of an insert.
	conn := dial(t, start(t, cfg))
	ctx := t.Context()
	must(t, conn.Exec(ctx, "CREATE TABLE t (s String CODEC(NONE)) ENGINE = MergeTree ORDER BY tuple()"))
	must(t, conn.Exec(ctx, "INSERT INTO t VALUES ('before')"))
	for name, err := range map[string]error{
		"by the engine's own write": conn.Exec(ctx, "INSERT INTO t SELECT randomPrintableASCII(1000) FROM numbers(100000)"),
		"by the insert's file":      conn.Exec(ctx, "INSERT INTO t FORMAT TSV\n"+strings.Repeat(strings.Repeat("x", 1000)+"\n", 60_000)),
	} {
		exception, ok := errors.AsType[*clickhouse.Exception](err)
		if !ok {
			t.Fatalf("%s: got %v, want an exception", name, err)
		}
		if exception.Code != 243 && exception.Code != 75 { // NOT_ENOUGH_SPACE, CANNOT_WRITE_TO_FILE_DESCRIPTOR
			t.Errorf("%s: code %d: %v", name, exception.Code, err)
		}
	}
	must(t, conn.Exec(ctx, "INSERT INTO t VALUES ('after')"))
	if got := count(t, conn, "t WHERE length(s) < 10"); got != 2 {
		t.Errorf("%d small rows, want 2", got)
	}
}

func TestARunningEngineIsFoundByItsDirectoryAndOneThatHasEndedIsNot(t *testing.T) {
	dir := t.TempDir()
	if _, _, ok := engine.Shared(dir); ok {
		t.Error("an engine was found where none ever was")
	}
	p := start(t, config(dir))
	addr, token, ok := engine.Shared(dir)
	if !ok || addr != p.Addr() || token != p.Token() {
		t.Errorf("found %s (%t), it is at %s", addr, ok, p.Addr())
	}
	if info, err := os.Stat(filepath.Join(dir, "engine.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	must(t, p.Close())
	if _, _, ok := engine.Shared(dir); ok {
		t.Error("an engine that was closed was found")
	}
	if _, err := os.Stat(filepath.Join(dir, "engine.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the token stays behind: %v", err)
	}
	p = start(t, config(dir))
	must(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	<-p.Done()
	if _, _, ok := engine.Shared(dir); ok {
		t.Error("an engine that was killed was found")
	}
}

package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tocsin-siem/tocsin/store/engine"
)

// threads gives nice value and scheduling policy of the threads of a process, the merging ones or the others.
func threads(t *testing.T, p *engine.Process, merging bool) (nice, policy []string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/stat", p.PID()))
	must(t, err)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // It has just ended.
		}
		name, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); strings.HasSuffix(name, "(MergeMutate") == merging {
			nice, policy = append(nice, fields[16]), append(policy, fields[38]) // proc(5) counts from the process id on, from one.
		}
	}
	return nice, policy
}

// nicer counts the threads that stand back and are not merging ones.
func nicer(t *testing.T, p *engine.Process) (n int) {
	t.Helper()
	nice, _ := threads(t, p, false)
	for _, x := range nice {
		if x == "10" {
			n++
		}
	}
	return n
}

func TestInsertsOfALowPriorityStandBack(t *testing.T) {
	p := start(t, config(t.TempDir()))
	conn := dial(t, p)
	must(t, conn.Exec(t.Context(), "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id"))
	insert := func(priority int, data string) error {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"priority": priority}))
		return conn.InsertFormat(ctx, "CSV", "INSERT INTO t", strings.NewReader(data))
	}
	for _, priority := range []int{0, 1} {
		must(t, insert(priority, "1\n2\n"))
		if n := nicer(t, p); n != 0 {
			t.Fatalf("priority %d: %d threads stand back, want none", priority, n)
		}
	}
	must(t, insert(10, "3\n"))
	if err := insert(10, "four\n"); err == nil || !strings.Contains(err.Error(), "INCORRECT_DATA") {
		t.Errorf("a bad row of a low priority: %v", err)
	}
	must(t, insert(2, "5\n"))
	if n := nicer(t, p); n != 1 {
		t.Errorf("%d threads stand back, want one", n)
	}
	if n := count(t, conn, "t"); n != 6 {
		t.Errorf("%d rows, want 6", n)
	}
}

func TestMergesRunWhereNothingElseWantsTo(t *testing.T) {
	p := start(t, config(t.TempDir()))
	conn := dial(t, p)
	must(t, conn.Exec(t.Context(), "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id"))
	for range 3 {
		must(t, conn.Exec(t.Context(), "INSERT INTO t SELECT number FROM numbers(10)"))
	}
	must(t, conn.Exec(t.Context(), "OPTIMIZE TABLE t FINAL"))
	const idle = "5" // SCHED_IDLE
	var policy []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		_, policy = threads(t, p, true)
		if len(policy) > 0 && !slices.ContainsFunc(policy, func(x string) bool { return x != idle }) {
			return
		}
	}
	t.Errorf("merging threads have the policies %v, want %s for all", policy, idle)
}

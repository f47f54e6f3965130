package engine

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mergeThread is the name the library gives to threads that merge.
	mergeThread = "MergeMutate"
	// calmInterval is how often they are looked for until there are some: they come with the first table.
	calmInterval = time.Second
)

// calmMerges lets merges stand back behind inserts and queries where both want the processor. The library has a setting for that, which asks for a
// capability; to have less of the processor oneself takes none. It returns when there are such threads and they have been told, or when ctx ends.
func calmMerges(ctx context.Context) {
	clock := time.NewTicker(calmInterval)
	defer clock.Stop()
	for told := 0; told == 0; {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		}
		told = calmThreads(mergeThread)
	}
	select { // The pool's threads begin one after the other.
	case <-ctx.Done():
	case <-clock.C:
		calmThreads(mergeThread)
	}
}

// calmThreads calms the threads of this process that have a name, and says how many.
func calmThreads(name string) (told int) {
	names, _ := filepath.Glob("/proc/self/task/[0-9]*/comm")
	for _, path := range names {
		text, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(text)) != name {
			continue // It has just ended, or is another.
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && calm(id) == nil {
			told++
		}
	}
	return told
}

// calm makes a thread one that runs where no other wants to (SCHED_IDLE of sched(7)): unlike with a nice value of any height, a processor that has
// nothing but such a thread is free for whoever wakes up. On a machine without a free moment merges hardly go on; by reckoning, after some 40 minutes of that at
// 30,000 records/s tables have so many parts that ClickHouse holds inserts back, and merges have that time.
func calm(thread int) error {
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
}

// niceThread gives the calling thread a nice value.
func niceThread(nice int) { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice) }

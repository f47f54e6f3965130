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
	// mergeNice is their nice value: a third of the weight of a thread that somebody waits for. At 10, a tenth, merges could fall so far behind on
	// a machine without a free moment that inserts would be held back.
	mergeNice = 5
	// calmInterval is how often they are looked for until there are some: they come with the first table.
	calmInterval = time.Second
)

// calmMerges lets merges stand back behind inserts and queries where both want the processor. The library has a setting for that, which asks for a
// capability; to make one's own threads nicer takes none. It returns when there are such threads and they have been told, or when ctx ends.
func calmMerges(ctx context.Context) {
	clock := time.NewTicker(calmInterval)
	defer clock.Stop()
	for told := 0; told == 0; {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		}
		told = niceThreads(mergeThread, mergeNice)
	}
	select { // The pool's threads begin one after the other.
	case <-ctx.Done():
	case <-clock.C:
		niceThreads(mergeThread, mergeNice)
	}
}

// niceThreads gives threads of this process by name a nice value, and says how many have it. It never makes one less nice than it is.
func niceThreads(name string, nice int) (told int) {
	names, _ := filepath.Glob("/proc/self/task/[0-9]*/comm")
	for _, path := range names {
		text, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(text)) != name {
			continue // It has just ended, or is another.
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		// The system call gives 20 less the nice value.
		if at, err := unix.Getpriority(unix.PRIO_PROCESS, id); err != nil || 20-at < nice && unix.Setpriority(unix.PRIO_PROCESS, id, nice) != nil {
			continue
		}
		told++
	}
	return told
}

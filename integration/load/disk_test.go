package load_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// still is a stretch of time in which a disk completed nothing although it was asked to.
type still struct {
	since time.Time
	took  time.Duration
}

const (
	diskLook   = 20 * time.Millisecond  // Between two looks at a disk.
	leastStill = 100 * time.Millisecond // Shorter stretches are everyday life.
)

// disk says how often the disk under a folder stands still, whatever asked it for what: no insert is durable in such a stretch.
type disk struct {
	stat string // Its file; "" where the system tells nothing of it.

	mu     sync.Mutex
	stills []still // guarded by mu
}

// diskOf is the disk that a folder lies on.
func diskOf(dir string) *disk {
	info, err := os.Stat(dir)
	if err != nil {
		return &disk{}
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return &disk{}
	}
	dev := uint64(of.Dev) //nolint:unconvert // It has other types on other systems.
	d := &disk{stat: fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(dev), unix.Minor(dev))}
	if _, err := os.Stat(d.stat); err != nil {
		return &disk{}
	}
	return d
}

// watch looks until ctx ends.
func (d *disk) watch(ctx context.Context) {
	if d.stat == "" {
		return
	}
	clock := time.NewTicker(diskLook)
	defer clock.Stop()
	var spell stillness
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-clock.C:
			text, err := os.ReadFile(d.stat)
			if err != nil {
				continue
			}
			if s := spell.look(at, strings.Fields(string(text))); s.took >= leastStill {
				d.mu.Lock()
				d.stills = append(d.stills, s)
				d.mu.Unlock()
			}
		}
	}
}

// stillness is what is known of the stretch that may be going on.
type stillness struct {
	completed uint64
	still
}

// look takes the columns of a disk's stat file (Linux, Documentation/block/stat.rst): requests completed by kind, and those in flight. It gives the stretch
// that has ended, if one has.
func (s *stillness) look(at time.Time, columns []string) (ended still) {
	const reads, writes, inFlight, discards, flushes = 0, 4, 8, 11, 15
	number := func(i int) (n uint64) {
		if i < len(columns) {
			n, _ = strconv.ParseUint(columns[i], 10, 64)
		}
		return n
	}
	completed := number(reads) + number(writes) + number(discards) + number(flushes)
	if completed == s.completed && number(inFlight) > 0 && !s.since.IsZero() {
		s.took = at.Sub(s.since)
		return still{}
	}
	ended, *s = s.still, stillness{completed: completed, still: still{since: at}}
	return ended
}

// say tells of the stretches that began at a time or later.
func (d *disk) say(since time.Time) string {
	if d.stat == "" {
		return "the system does not say how the disk did"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, sum, longest := 0, time.Duration(0), time.Duration(0)
	for _, s := range d.stills {
		if !s.since.Before(since) {
			n++
			sum += s.took
			longest = max(longest, s.took)
		}
	}
	return fmt.Sprintf("the disk completed nothing for %v in %d stretches of %v or more, %v at most", sum.Round(10*time.Millisecond), n, leastStill, longest.Round(10*time.Millisecond))
}

func TestADiskStandsStillWhereRequestsWaitAndNoneIsCompleted(t *testing.T) {
	at := time.Unix(0, 0)
	columns := func(reads, writes, inFlight, flushes int) []string {
		return strings.Fields(fmt.Sprintf("%d 0 0 0 %d 0 0 0 %d 0 0 0 0 0 0 %d 0", reads, writes, inFlight, flushes))
	}
	var s stillness
	for i, c := range []struct {
		now   []string
		ended time.Duration
	}{
		{columns(1, 1, 0, 0), 0},
		{columns(1, 1, 0, 0), 0}, // Nothing to do,
		{columns(1, 1, 0, 0), 0},
		{columns(1, 1, 2, 0), 0}, // something to do,
		{columns(1, 1, 2, 0), 0},
		{columns(1, 1, 1, 0), 0},
		{columns(1, 1, 1, 1), 60 * time.Millisecond}, // and a flush is done.
		{columns(2, 1, 1, 1), 0},
		{columns(2, 1, 0, 1), 0},
	} {
		if got := s.look(at.Add(time.Duration(i)*diskLook), c.now); got.took != c.ended {
			t.Errorf("look %d: a stretch of %v has ended, want %v", i, got.took, c.ended)
		}
	}
}

package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
)

// writer is an Ahead: to start a batch takes it 10 ms, and to write one as long as it is told.
type writer struct {
	takes    time.Duration
	alone    bool // No batch is started before the one before is written.
	fails    int  // The batch that cannot be written; 0: none.
	started  int
	sizes    []int
	previous chan struct{}

	mu    sync.Mutex
	said  []string // guarded by mu
	under int      // guarded by mu: batches started and not written
	most  int      // guarded by mu
}

func (h *writer) Handle(ctx context.Context, b *event.Batch) error {
	return ingest.Whole(h.Start(ctx, b))
}

func (h *writer) Start(_ context.Context, b *event.Batch) (func() error, bool, error) {
	h.started++
	n, previous := h.started, h.previous
	h.sizes = append(h.sizes, len(b.Events))
	h.say(1, "start", n)
	time.Sleep(10 * time.Millisecond)
	if previous != nil {
		<-previous // As a log does, it writes one after the other.
	}
	written := make(chan struct{})
	h.previous = written
	go func() {
		time.Sleep(h.takes)
		close(written)
	}()
	return func() error {
		<-written
		if n == h.fails {
			return errWrite
		}
		h.say(-1, "written", n)
		return nil
	}, !h.alone, nil
}

func (h *writer) say(more int, what string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.under += more
	h.most = max(h.most, h.under)
	h.said = append(h.said, fmt.Sprint(what, " ", n))
}

// before reports whether one was said before another.
func (h *writer) before(a, b string) bool {
	i, j := slices.Index(h.said, a), slices.Index(h.said, b)
	return i >= 0 && i < j
}

var errWrite = errors.New("the disk is full")

// play runs a pipeline over records of one source and gives the places that were committed.
func play(t *testing.T, h *writer, source ingest.Source, batch int) (committed []int64, err error) {
	t.Helper()
	set := ingest.Settings{Config: ingest.DefaultConfig(), Handler: h, Clock: func() int64 { return time.Now().UnixMicro() }}
	set.Inputs = []ingest.Input{{Name: "a", Format: "zeek", Source: source, Idle: 10 * time.Second, IsFile: true}}
	set.Config.Linger, set.Config.Batch = 100*time.Millisecond, batch
	p, err := ingest.New(set)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Run(t.Context())
	return source.(*steady).committed, err
}

func hundreds(n int) *steady {
	a := &steady{memory{name: "a"}}
	for i := range n {
		a.records = append(a.records, conn(int64(i)))
	}
	return a
}

func TestAFullBatchIsStartedWhileTheOneBeforeIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &writer{takes: 500 * time.Millisecond}
		committed, err := play(t, h, hundreds(300), 40) // Full is from 20 records on, which come in 200 ms.
		if err != nil {
			t.Fatal(err)
		}
		if !h.before("start 2", "written 1") || !h.before("written 1", "start 3") || !h.before("start 4", "written 3") {
			t.Errorf("%s: want each started before the one in front of it is written, but not before the one in front of that", strings.Join(h.said, ", "))
		}
		if h.most != 2 {
			t.Errorf("%d batches were under way at once, want 2", h.most)
		}
		if !slices.IsSorted(committed) || committed[len(committed)-1] != 300 {
			t.Errorf("committed %v", committed)
		}
	})
}

func TestASmallBatchIsStartedOnceTheOneBeforeHasBeenWrittenForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &writer{takes: time.Second}
		committed, err := play(t, h, hundreds(300), 400)
		if err != nil {
			t.Fatal(err)
		}
		if !h.before("start 2", "written 1") || !h.before("written 1", "start 3") || h.most != 2 {
			t.Errorf("%s: want the second started before the first is written, and the third after it", strings.Join(h.said, ", "))
		}
		if second := h.sizes[1]; second < 20 || second > 25 { // What came in 200 ms, one record every ten.
			t.Errorf("%d records are in the second batch, want what came until it was started: %v", second, h.sizes)
		}
		if !slices.IsSorted(committed) || committed[len(committed)-1] != 300 {
			t.Errorf("committed %v", committed)
		}
	})
}

func TestSmallBatchesAndThoseOfAHandlerThatWantsItWaitForTheOneBefore(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		batch int
		alone bool
	}{"small": {takes: 150 * time.Millisecond, batch: 400}, "alone": {takes: 500 * time.Millisecond, batch: 40, alone: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &writer{takes: c.takes, alone: c.alone}
				if _, err := play(t, h, hundreds(300), c.batch); err != nil {
					t.Fatal(err)
				}
				if h.most != 1 || h.started < 3 {
					t.Errorf("%d of %d batches were under way at once, want 1 of several: %s", h.most, h.started, strings.Join(h.said, ", "))
				}
			})
		})
	}
}

func TestNothingIsCommittedFromABatchOnThatCouldNotBeWritten(t *testing.T) {
	for fails := 1; fails <= 4; fails++ {
		synctest.Test(t, func(t *testing.T) {
			h := &writer{takes: 500 * time.Millisecond, fails: fails}
			committed, err := play(t, h, hundreds(300), 40)
			if !errors.Is(err, errWrite) {
				t.Errorf("the run ended with %v, want %v", err, errWrite)
			}
			durable := 0
			for _, n := range h.sizes[:fails-1] {
				durable += n
			}
			if last := slices.Max(append(committed, 0)); last != int64(durable) {
				t.Errorf("committed up to %d, want the %d records before batch %d", last, durable, fails)
			}
		})
	}
}

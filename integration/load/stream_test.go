package load_test

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// latencies are how long probes took from when they were made, each counted once.
type latencies struct {
	mu sync.Mutex
	of map[string]time.Duration
}

func (l *latencies) add(probe string, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string]time.Duration{}
	}
	if _, again := l.of[probe]; !again {
		l.of[probe] = time.Duration(at-probeTime(probe)) * time.Microsecond
	}
}

func (l *latencies) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.of)
}

// sorted are those of the probes made in a stretch of time, from the shortest to the longest.
func (l *latencies) sorted(from, to time.Time) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []time.Duration
	for probe, d := range l.of {
		if at := probeTime(probe); at >= from.UnixMicro() && at < to.UnixMicro() {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}

// quantile is the least that a share q of the sorted durations does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// follow listens to the stream of changes until ctx ends, and notes each probe when the line that names it is here.
func follow(ctx context.Context, t testing.TB, url string, seen *latencies) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/stream", nil)
	must(t, err)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	go func() {
		defer answer.Body.Close()
		lines := bufio.NewReaderSize(answer.Body, 64<<10)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return // The test looks at how many probes have come.
			}
			if !strings.HasPrefix(line, "data: ") {
				continue
			}
			now := time.Now().UnixMicro()
			if probe := probeIn(line); probe != "" {
				seen.add(probe, now)
			}
		}
	}()
}

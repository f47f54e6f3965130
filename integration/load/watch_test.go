package load_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// every is the time between two lines of progress.
const every = 10 * time.Second

// Who is watched.
const (
	tocsin = iota
	theEngine
	theBroker
	theProducer
	watched
)

var watchedNames = [watched]string{"tocsin", "engine", "broker", "producer"}

// sample is how things stood at a moment.
type sample struct {
	at       time.Time
	produced produced
	metrics  metrics
	used     [watched]usage
}

// watch looks at everybody once a second and says how it goes.
type watch struct {
	run  *run
	pids [watched]int
	all  []sample
	said sample // When progress was said last.
	last sample
}

func newWatch(r *run) *watch {
	w := &watch{run: r, pids: [watched]int{r.service.pid(), childOf(r.service.pid()), r.broker.PID(), r.producer.pid()}}
	w.last = w.look()
	w.said = w.last
	w.all = append(w.all, w.last)
	r.printf("%8s %9s %9s %8s %9s %8s %8s  %17s  %22s  %12s  %s", "time", "produced", "handled", "behind", "events/s", "batch", "append", "MiB: t e b", "CPU µs/event: t e b p", "p50, p99 ms", "load")
	return w
}

// until watches until ctx ends or done is closed.
func (w *watch) until(ctx context.Context, done <-chan struct{}) {
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-done:
			return
		case <-clock.C:
		}
		w.step()
		if w.last.at.Sub(w.said.at) >= every-time.Second/2 {
			w.say()
		}
	}
}

// end looks a last time.
func (w *watch) end() {
	w.step()
	w.say()
}

func (w *watch) step() {
	s := w.look()
	if s.metrics == nil {
		s.metrics = w.last.metrics // The service is stopping, or too busy to answer.
	}
	for i := range s.used {
		s.used[i].cpu = max(s.used[i].cpu, w.last.used[i].cpu)
		s.used[i].peak = max(s.used[i].peak, w.last.used[i].peak)
	}
	w.last = s
	w.all = append(w.all, s)
}

func (w *watch) look() sample {
	s := sample{at: time.Now(), produced: w.run.progress()}
	s.metrics, _ = scrape(w.run.url)
	for i, pid := range w.pids {
		s.used[i] = usageOf(pid)
	}
	return s
}

func (w *watch) say() {
	from, to := &w.said, &w.last
	handled := to.metrics.handled() - from.metrics.handled()
	batches := to.metrics.sum("tocsin_store_append_duration_seconds_count") - from.metrics.sum("tocsin_store_append_duration_seconds_count")
	appending := to.metrics.sum("tocsin_store_append_duration_seconds_sum") - from.metrics.sum("tocsin_store_append_duration_seconds_sum")
	perEvent := func(who int) float64 {
		return (to.used[who].cpu - from.used[who].cpu).Seconds() * 1e6 / float64(max(handled, 1))
	}
	seen := w.run.streamed.sorted(from.at, to.at) // Of this stretch, as far as they are through.
	w.run.printf("%7.0fs %9d %9d %8d %9.0f %8.0f %6.0fms  %5d %5d %5d  %5.1f %5.1f %5.1f %4.1f  %5d, %5d  %s",
		to.at.Sub(w.run.began).Seconds(), to.produced.Records, to.metrics.handled(), max(0, to.produced.Records-to.metrics.handled()),
		float64(handled)/to.at.Sub(from.at).Seconds(), float64(handled)/max(batches, 1), 1000*appending/max(batches, 1),
		to.used[tocsin].rss>>20, to.used[theEngine].rss>>20, to.used[theBroker].rss>>20, perEvent(tocsin), perEvent(theEngine), perEvent(theBroker), perEvent(theProducer),
		quantile(seen, 0.5).Milliseconds(), quantile(seen, 0.99).Milliseconds(), loadAverage())
	w.said = w.last
}

func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return cmp.Or(one, "?")
}

// metrics are what the service says of itself: series with labels, and values.
type metrics map[string]float64

// scrape reads the service's metrics.
func scrape(url string) (metrics, error) {
	client := http.Client{Timeout: time.Minute}
	r, err := client.Get(url + "/metrics")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	m := metrics{}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		line := lines.Text()
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
			m[line[:i]] = v
		}
	}
	return m, lines.Err()
}

// sum adds up the series of a name that have all the labels.
func (m metrics) sum(name string, labels ...string) (sum float64) {
next:
	for series, v := range m {
		if n, _, _ := strings.Cut(series, "{"); n != name {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue next
			}
		}
		sum += v
	}
	return sum
}

// greatest gives the rules with the greatest values of a counter that has one for each rule, as rule value, the greatest first.
func (m metrics) greatest(name string, n int) (list []string) {
	rule := regexp.MustCompile(`rule="([^"]*)"`)
	type entry struct {
		rule  string
		value float64
	}
	var all []entry
	for series, v := range m {
		if family, _, _ := strings.Cut(series, "{"); family != name {
			continue
		}
		if found := rule.FindStringSubmatch(series); found != nil {
			all = append(all, entry{found[1], v})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.rule, b.rule)) })
	for _, e := range all[:min(n, len(all))] {
		list = append(list, fmt.Sprintf("%s %.0f", e.rule, e.value))
	}
	return list
}

// handled is how many events are in the store.
func (m metrics) handled() int64 {
	return int64(m.sum("tocsin_store_rows_total", `table="events"`))
}

package load_test

import (
	"fmt"
	"strings"
	"time"
)

// report says what was measured.
func (r *run) report() {
	w, p := r.watch, r.progress()
	first, last := w.all[0], w.last
	handled := last.metrics.handled() - first.metrics.handled()
	seconds := last.at.Sub(first.at).Seconds()
	r.printf("\n%d records of %.0f bytes in the mean were produced, %d handled in %.1f s: %.0f events/s; the producer's longest pause was %v",
		p.Records, float64(p.Bytes)/float64(max(p.Records, 1)), handled, seconds, float64(handled)/seconds, p.Pause.Round(time.Millisecond))
	settled := r.began.Add(r.warm)
	warm := w.since(settled)
	for i, name := range watchedNames {
		all, later := w.cpu(i, first, last), w.cpu(i, warm, last)
		r.printf("%-9s %6.1f µs/event of CPU, %3.0f %% of a core; after %v %6.1f µs, %3.0f %%; memory %4d MiB at the end, %4d at most%s", name,
			all.each, 100*all.share, r.warm, later.each, 100*later.share, w.lastRSS(i)>>20, last.used[i].peak>>20, w.slope(i))
	}
	r.steps()
	r.latencies("produce → recorded", &r.recorded, time.Time{})
	r.latencies("produce → stream", &r.streamed, time.Time{})
	r.latencies(fmt.Sprintf("  after %v", r.warm), &r.streamed, settled)
	r.printf("  after %v %s", r.warm, r.disk.say(settled))
}

// since is the first look at that time or later.
func (w *watch) since(at time.Time) sample {
	for _, l := range w.all {
		if !l.at.Before(at) {
			return l
		}
	}
	return w.all[0]
}

// spent is processor time between two looks: µs of an event, and of the time that passed.
type spent struct{ each, share float64 }

func (w *watch) cpu(who int, from, to sample) spent {
	used := (to.used[who].cpu - from.used[who].cpu).Seconds()
	events := to.metrics.handled() - from.metrics.handled()
	return spent{each: used * 1e6 / float64(max(events, 1)), share: used / max(to.at.Sub(from.at).Seconds(), 1e-9)}
}

// steps says how long the steps of a batch took in the mean, those into the store by table.
func (r *run) steps() {
	m := r.watch.last.metrics
	mean := func(name string, labels ...string) string {
		n := m.sum(name+"_count", labels...)
		return fmt.Sprintf("%.0f ms × %.0f", 1000*m.sum(name+"_sum", labels...)/max(n, 1), n)
	}
	var b strings.Builder
	for _, table := range []string{"events", "entity_index", "hit_blocks", "notes", "batches", "findings", "incidents", "changes"} {
		fmt.Fprintf(&b, ", %s %s", table, mean("tocsin_store_insert_duration_seconds", `table="`+table+`"`))
	}
	r.printf("%.0f hits, %.0f findings with their revisions, %.0f keys with state", m.sum("tocsin_correlate_hits_total"), m.sum("tocsin_correlate_findings_total"), m.sum("tocsin_correlate_keys"))
	r.printf("most hits: %s", strings.Join(m.greatest("tocsin_rule_hits", 8), ", "))
	r.printf("state of the rules: %.0f MiB by their own estimate (%.0f at most) of %d; %s", m.sum("tocsin_rule_memory_bytes")/(1<<20), r.watch.most("tocsin_rule_memory_bytes")/(1<<20), stateBudget>>20, shed(m))
	r.printf("most findings: %s", strings.Join(m.greatest("tocsin_rule_findings", 8), ", "))
	r.printf("a batch: append %s, then record; inserts: %s", mean("tocsin_store_append_duration_seconds"), b.String()[2:])
}

// stateBudget is what the state of all rules may take by their own estimate; see correlate.Settings.
const stateBudget = 512 << 20

// shed says whether rules gave up state for want of room.
func shed(m metrics) string {
	degraded, refused := m.sum("tocsin_rule_degraded_ratio"), m.sum("tocsin_correlate_evictions")
	if degraded == 0 && refused == 0 {
		return "none was given up"
	}
	return fmt.Sprintf("%.0f rules gave up some, %.0f hits found no room", degraded, refused)
}

// most is the greatest sum of a metric at any look.
func (w *watch) most(name string) (most float64) {
	for i := range w.all {
		most = max(most, w.all[i].metrics.sum(name))
	}
	return most
}

func (r *run) latencies(what string, l *latencies, since time.Time) {
	d := l.sorted(since, time.Now())
	ms := func(q float64) time.Duration { return quantile(d, q).Round(time.Millisecond) }
	r.printf("%-20s p50 %v, p90 %v, p99 %v, max %v of %d probes", what, ms(0.5), ms(0.9), ms(0.99), ms(1), len(d))
}

// lastRSS is the memory when the last record had been produced: the processes end one after the other.
func (w *watch) lastRSS(who int) (rss int64) {
	for i := range w.all {
		if n := w.all[i].used[who].rss; n > 0 {
			rss = n
		}
	}
	return rss
}

// slope is how memory grows over the second half of the run, by least squares; "" where there is too little to tell.
func (w *watch) slope(who int) string {
	const least = 30
	var x, y []float64
	for i := len(w.all) / 2; i < len(w.all); i++ {
		if n := w.all[i].used[who].rss; n > 0 {
			x, y = append(x, w.all[i].at.Sub(w.all[0].at).Minutes()), append(y, float64(n)/(1<<20))
		}
	}
	if len(x) < least {
		return ""
	}
	return fmt.Sprintf(", %+.1f MiB a minute over the second half", leastSquares(x, y))
}

func leastSquares(x, y []float64) (slope float64) {
	var mx, my float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(x))
	}
	var over, under float64
	for i := range x {
		over, under = over+(x[i]-mx)*(y[i]-my), under+(x[i]-mx)*(x[i]-mx)
	}
	return over / max(under, 1e-9)
}

package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// The benchmarks of keyed state run rounds of one batch each and time the fold alone: making the hits is matching, and counted elsewhere.
const (
	stateBatch = 10_000 // Of what is not timed.
	timedBatch = 2_000
)

// openKeys is how many keys are open: a million, or what TOCSIN_KEYS says.
var openKeys = keysOf(os.Getenv("TOCSIN_KEYS"), 1_000_000)

func keysOf(s string, usual int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return usual
}

const openSequence = `match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
  within: 4h
lateness: 1m
`

const openCount = `match:
  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 4000, within: 4h}
lateness: 1m
`

// source makes batches of hits of one rule, in order of time but for a share that is late by up to half a minute.
type source struct {
	matcher  *correlate.Matcher
	scratch  *correlate.Scratch
	engine   *correlate.Engine // That makes the hits, and prepares their fold; nil: the matcher alone.
	batch    event.Batch
	hits     []event.Hit
	keys     int
	r        *rand.Rand
	n        int64
	step     int64 // Microseconds between events.
	disorder float64
}

func newSource(set *rules.Set, keys int) *source {
	s := &source{matcher: correlate.NewMatcher(set), keys: keys, r: rand.New(rand.NewPCG(9, 9)), step: 100}
	s.scratch = s.matcher.NewScratch(nil)
	return s
}

func nameOf(i int) string { return "r" + strconv.Itoa(i) }

// next makes a batch of n hits; pick chooses the key and service names what the event is about.
func (s *source) next(n int, pick func(i int) int, service func() string) ([]event.Hit, []event.Mark) {
	s.batch = event.Batch{Events: make([]event.Event, n)}
	newest := int64(0)
	for i := range s.batch.Events {
		e := &s.batch.Events[i]
		s.n++
		e.ClassUID, e.ActivityID, e.Time = event.ClassAPI, 1, start+s.n*s.step
		newest = e.Time
		if s.disorder > 0 && s.r.Float64() < s.disorder {
			e.Time -= s.r.Int64N(30_000_000)
		}
		e.API = &event.API{Operation: "A", Service: service()}
		e.Robot = &event.Robot{UID: nameOf(pick(i))}
		e.Actor.User.UID = "operator"
		e.Envelope.Position = event.Position{Source: "fleet", Partition: 3, Offset: s.n}
		e.Envelope.Received = e.Time + 250_000 + s.n%1000
		e.Envelope.Format = "ros2"
		e.Envelope.ID = event.NewID("state", fmt.Sprint(s.n))
		e.FindEntities()
	}
	s.batch.Sort()
	if s.engine != nil {
		return s.engine.Hits(&s.batch), []event.Mark{{Source: "fleet", Newest: newest}}
	}
	s.hits = s.matcher.Match(s.scratch, &s.batch, 0, n, nil)
	return s.hits, []event.Mark{{Source: "fleet", Newest: newest}}
}

func constant() string { return "fleet-manager" }

// forms are the two ways a fold keeps keys; both are measured in one run.
var forms = []struct {
	name string
	of   func(correlate.Settings) correlate.Settings
}{
	{"resting", func(s correlate.Settings) correlate.Settings { return s }},
	{"working", correlate.Settings.WithoutRest},
}

func roomy() correlate.Settings {
	return correlate.Settings{MaxKeys: 2 * openKeys, MaxBytes: 8 << 30, MaxHits: 1 << 18}
}

// liveHeap is what is live after a collection.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// rounds of a benchmark are timed one by one by the clock, and the lower quartile is reported: neighbours on the machine can only make a round
// longer, and a round is shorter than the time they are given at once.
type timings []float64

func (t *timings) add(since time.Time, n int) {
	*t = append(*t, float64(time.Since(since).Nanoseconds())/float64(n))
}

func (t timings) quartile() float64 {
	slices.Sort(t)
	return t[len(t)/4]
}

// mean is what the quartile leaves out, too: the laying out of new pages, the pressing of runs, and the neighbours.
func (t timings) mean() (sum float64) {
	for _, x := range t {
		sum += x / float64(len(t))
	}
	return sum
}

// collection is how long a full collection takes, in milliseconds.
func collection() float64 {
	t := time.Now()
	for range 3 {
		runtime.GC()
	}
	return float64(time.Since(t).Microseconds()) / 3000
}

// fill opens every key, `each` hits a key.
func fill(b *testing.B, e *correlate.Engine, s *source, each int) {
	for range each {
		for at := 0; at < s.keys; at += stateBatch {
			hits, marks := s.next(min(stateBatch, s.keys-at), func(i int) int { return at + i }, constant)
			e.Fold(hits, marks)
		}
	}
	if got := e.Stats().Rules[0]; got.Keys != s.keys || got.Evicted+got.Late+got.Misfits > 0 {
		b.Fatalf("%d keys are open: %+v", got.Keys, got)
	}
}

// BenchmarkOpenKeys holds a million keys open and updates them. Timed is Fold of 500 hits that were just made, and nothing else: sorting them,
// reading their keys' records, putting them there, and moving W. Matching has written them as bytes and found the records (prepare.go).
func BenchmarkOpenKeys(b *testing.B) {
	for _, c := range []struct {
		name, rule string
		each       int
	}{{"sequence", openSequence, 1}, {"count3", openCount, 3}} {
		for _, form := range forms {
			b.Run(c.name+"/"+form.name, func(b *testing.B) { openBench(b, c.rule, c.each, form.of(roomy())) })
		}
	}
}

func openBench(b *testing.B, rule string, each int, settings correlate.Settings) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, rule)}}
	s := newSource(set, openKeys)
	e := correlate.New(set, settings)
	before := liveHeap()
	fill(b, e, s, each)
	s.hits, s.batch = nil, event.Batch{}
	size, pause := liveHeap()-before, collection()
	s.engine = e
	z := rand.NewZipf(s.r, 1.2, 1, uint64(openKeys-1))
	picks := []func(int) int{
		func(int) int { return s.r.IntN(openKeys) },
		func(int) int { return int(z.Uint64()) },
	}
	var spent [2]timings
	for b.Loop() {
		for i, pick := range picks {
			hits, marks := s.next(timedBatch/4, pick, constant)
			t := time.Now()
			e.Fold(hits, marks)
			spent[i].add(t, len(hits))
		}
	}
	s.hits, s.batch = nil, event.Batch{}
	b.ReportMetric(spent[0].quartile(), "uniform-ns/update")
	b.ReportMetric(spent[1].quartile(), "zipf-ns/update")
	b.ReportMetric(spent[0].mean(), "uniform-mean-ns")
	b.ReportMetric(spent[1].mean(), "zipf-mean-ns")
	b.ReportMetric(float64(size)/float64(openKeys), "B/key")
	b.ReportMetric(pause, "gc-ms")
	b.ReportMetric(0, "ns/op")
	runtime.KeepAlive(e)
	runtime.KeepAlive(s)
}

// BenchmarkHotKey gives one key half of the traffic.
func BenchmarkHotKey(b *testing.B) {
	for _, c := range []struct{ name, rule string }{{"sequence", openSequence}, {"count", benchCount}} {
		for _, form := range forms {
			for _, hot := range []bool{false, true} {
				for _, disorder := range []float64{0, 0.05} {
					b.Run(fmt.Sprintf("%s/%s/hot=%t/disorder=%v", c.name, form.name, hot, disorder), func(b *testing.B) {
						set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, c.rule)}}
						s := newSource(set, 100_000)
						s.step, s.disorder = 1000, disorder
						e := correlate.New(set, form.of(roomy()))
						s.engine = e
						pick := func(int) int { return s.r.IntN(s.keys) }
						if hot {
							pick = func(int) int { return s.r.IntN(s.keys) * s.r.IntN(2) }
						}
						service := func() string { return nameOf(s.r.IntN(40)) }
						for range 10 {
							e.Fold(s.next(stateBatch, pick, service))
						}
						steady(b, e, func() ([]event.Hit, []event.Mark) { return s.next(timedBatch, pick, service) })
					})
				}
			}
		}
	}
}

// steady times folding alone.
func steady(b *testing.B, e *correlate.Engine, next func() ([]event.Hit, []event.Mark)) {
	var spent timings
	for b.Loop() {
		hits, marks := next()
		t := time.Now()
		e.Fold(hits, marks)
		spent.add(t, len(hits))
	}
	b.ReportMetric(spent.quartile(), "ns/hit")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDistinct counts distinct values in one window that holds so many.
func BenchmarkDistinct(b *testing.B) {
	for _, values := range []int{100, 10_000, 100_000} {
		for _, disorder := range []float64{0, 0.05} {
			b.Run(fmt.Sprintf("%dvalues/disorder=%v", values, disorder), func(b *testing.B) {
				set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, `match:
  count: {id: a, class: api_activity, bind: {robot: robot}, at_least: 1000000, within: 100s, distinct: api.service.name}
lateness: 40s
`)}}
				s := newSource(set, 1)
				s.step, s.disorder = 1000, disorder // 100,000 hits are in the window.
				service := func() string { return nameOf(int(s.n % int64(values))) }
				e := correlate.New(set, roomy())
				s.engine = e
				next := func() ([]event.Hit, []event.Mark) { return s.next(2000, func(int) int { return 0 }, service) }
				for range 60 {
					e.Fold(next())
				}
				steady(b, e, next)
			})
		}
	}
}

// BenchmarkSnapshotOfOpenKeys writes and reads a million keys.
func BenchmarkSnapshotOfOpenKeys(b *testing.B) {
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) {
			set := &rules.Set{Rules: []*rules.Rule{ruleOf(b, openSequence)}}
			e := correlate.New(set, form.of(roomy()))
			fill(b, e, newSource(set, openKeys), 1)
			to := correlate.New(set, form.of(roomy()))
			var buf []byte
			var write, read timings
			for b.Loop() {
				runtime.GC()
				t := time.Now()
				buf = e.Snapshot(buf[:0])
				write.add(t, 1_000_000)
				runtime.GC()
				t = time.Now()
				if err := to.Restore(buf); err != nil {
					b.Fatal(err)
				}
				read.add(t, 1_000_000)
			}
			b.ReportMetric(write.quartile(), "write-ms")
			b.ReportMetric(read.quartile(), "read-ms")
			b.ReportMetric(float64(len(buf))/float64(openKeys), "B/key")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkMatchAndFold is the whole engine on decoded events with 200 rules; one event in fifty, or one in five, is a hit.
func BenchmarkMatchAndFold(b *testing.B) {
	for _, every := range []int{50, 5} {
		b.Run(fmt.Sprintf("200rules/1in%d", every), func(b *testing.B) {
			set := manyRules(b, 200)
			e := correlate.New(set, correlate.Settings{})
			batch := traffic(timedBatch)
			r := rand.New(rand.NewPCG(4, 4))
			for i := range batch.Events {
				x := &batch.Events[i]
				x.Robot.UID = fmt.Sprint("r", r.IntN(20_000))
				x.API.Operation, x.Count = fmt.Sprint("call", r.IntN(500)), 3
				if r.IntN(every) == 0 {
					x.API.Operation = fmt.Sprint("busy", 20*r.IntN(5))
				}
				x.FindEntities()
			}
			var spent timings
			hits, n := 0, 0
			for b.Loop() {
				newest := int64(0)
				for i := range batch.Events {
					x := &batch.Events[i]
					x.Time += timedBatch * 1000
					x.Envelope.ID[15]++
					newest = x.Time
				}
				t := time.Now()
				found, _ := e.Match(batch)
				e.Fold(found, []event.Mark{{Source: "s", Newest: newest}})
				spent.add(t, len(batch.Events))
				hits += len(found)
				n += len(batch.Events)
			}
			b.ReportMetric(1e9/spent.quartile(), "events/s")
			b.ReportMetric(spent.quartile(), "ns/event")
			b.ReportMetric(float64(hits)/float64(n), "hits/event")
			b.ReportMetric(0, "ns/op")
		})
	}
}

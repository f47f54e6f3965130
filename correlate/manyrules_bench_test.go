package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// synthetic is a set of n rules as a large site has them: two thirds ask for a kind and an action, a tenth for one identity, an eighth for words
// in a command, some for a regular expression, the rest for numbers. The share called hot names actions, words and ports of the traffic.
func synthetic(n, hot int) string {
	r := rand.New(rand.NewPCG(7, uint64(n*100+hot)))
	var b strings.Builder
	for i := range n {
		is := r.IntN(100) < hot
		pick := func(in, out string) string {
			if is {
				return in
			}
			return out
		}
		action := pick(fmt.Sprint("action-", r.IntN(actions)), fmt.Sprint("unheard-of-", i))
		word := pick(vocabulary[r.IntN(len(vocabulary))], fmt.Sprint("tool", i))
		var where string
		switch k := r.IntN(100); {
		case k < 65:
			where = fmt.Sprintf(`device.kind == "kind-%d" and api.operation == %q`, r.IntN(1000), action)
		case k < 75:
			where = fmt.Sprintf(`user.uid == "user-%d"`, pickNumber(r, is, 1_000, 1_000_000))
		case k < 87:
			where = fmt.Sprintf(`process.cmd_line contains %q and (process.cmd_line contains "--%d" or process.cmd_line contains "/%d")`, word, i, i)
		case k < 92:
			where = fmt.Sprintf(`process.cmd_line matches "(?i)%s\\s+[a-f0-9]{%d,}$"`, word, 8+r.IntN(8))
		default:
			where = fmt.Sprintf(`dst_endpoint.port == %d and traffic.bytes > %d`, pickNumber(r, is, 1024, 65536), 1_000_000+r.IntN(1_000_000))
		}
		fmt.Fprintf(&b, "---\nid: many-%05d\nversion: 1\ntitle: Many\nstatus: shadow\nmatch:\n  event: {id: a, class: api_activity, bind: {robot: robot}, where: %s}\n", i, quotedYAML(where))
	}
	return b.String()
}

const actions = 50

// vocabulary are the words of commands: two hundred of six to eleven letters.
var vocabulary = func() (out []string) {
	r := rand.New(rand.NewPCG(9, 9))
	syllables := []string{"ro", "bot", "ctl", "sys", "ar", "min", "ex", "port", "log", "ser", "vo", "gri", "pa", "ter", "on", "con"}
	for range 200 {
		w := ""
		for len(w) < 6 {
			w += syllables[r.IntN(len(syllables))]
		}
		out = append(out, w+syllables[r.IntN(len(syllables))])
	}
	return out
}()

func pickNumber(r *rand.Rand, hot bool, in, out int) int {
	if hot {
		return r.IntN(in)
	}
	return in + r.IntN(out-in)
}

// syntheticTraffic are events for synthetic: every action and word is in it.
func syntheticTraffic(n int) *event.Batch {
	r := rand.New(rand.NewPCG(8, 8))
	b := traffic(n)
	for i := range b.Events {
		e := &b.Events[i]
		e.API.Operation = fmt.Sprint("action-", r.IntN(actions))
		e.Device.Kind = fmt.Sprint("kind-", r.IntN(1000))
		e.User.UID = fmt.Sprint("user-", 500+r.IntN(50_000))
		e.DstEndpoint.Port = uint16(r.IntN(1 << 16))
		e.Traffic = &event.Traffic{Bytes: event.IntOf(int64(r.IntN(1_010_000)))}
		e.Process = &event.Process{CmdLine: fmt.Sprintf("/usr/bin/%s --verbose --target=host-%d /var/lib/%s/%x", vocabulary[r.IntN(len(vocabulary))], r.IntN(500), vocabulary[r.IntN(len(vocabulary))], r.Uint64())}
	}
	return b
}

// BenchmarkManyRules compares three ways of matching the same events with the same rules: the index, trying every rule's closures, and trying
// every rule in expr's machine.
func BenchmarkManyRules(b *testing.B) {
	batch := syntheticTraffic(4096)
	for _, hot := range []int{5, 50} {
		for _, n := range []int{100, 1000, 3000} {
			set := loaded(b, synthetic(n, hot))
			indexed := correlate.NewMatcher(set)
			for _, way := range []struct {
				name   string
				m      *correlate.Matcher
				events int
			}{
				{"index", indexed, len(batch.Sorted)},
				{"closures", indexed.Exhaustive(), 128},
				{"machine", interpreted(b, indexed), 8},
			} {
				b.Run(fmt.Sprintf("%drules/%dhot/%s", n, hot, way.name), func(b *testing.B) {
					s := way.m.NewScratch(nil)
					var hits []event.Hit
					b.ReportAllocs()
					before := processorTime()
					for b.Loop() {
						hits = way.m.Match(s, batch, 0, way.events, hits[:0])
					}
					report(b, way.events)
					processor(b, before, way.events)
					b.ReportMetric(float64(len(hits))/float64(way.events), "hits/event")
				})
			}
		}
	}
}

// BenchmarkLoad reads rules from YAML and makes a matcher of them: 3,000 small ones, and all public Sigma rules, which are larger.
func BenchmarkLoad(b *testing.B) {
	for name, files := range map[string]func() fstest.MapFS{
		"3000rules": func() fstest.MapFS { return fstest.MapFS{"r.yaml": {Data: []byte(synthetic(3000, 50))}} },
		"sigma":     func() fstest.MapFS { return publicSigmaFiles(b) },
	} {
		b.Run(name, func(b *testing.B) {
			fsys := files()
			b.ReportAllocs()
			before := processorTime()
			for b.Loop() {
				set, problems := rules.Load(fsys, ".")
				if set == nil {
					b.Fatal(problems[0])
				}
				correlate.NewMatcher(set)
			}
			b.ReportMetric((processorTime()-before).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

func TestEventsThatSatisfyNoneOfManyRulesCostNoAllocation(t *testing.T) {
	m := correlate.NewMatcher(loaded(t, synthetic(1000, 50)))
	s := m.NewScratch(nil)
	b := syntheticTraffic(300)
	var quiet []int32
	for _, i := range b.Sorted {
		one := event.Batch{Events: b.Events, Sorted: []int32{i}}
		if len(m.Match(s, &one, 0, 1, nil)) == 0 {
			quiet = append(quiet, i)
		}
	}
	if b.Sorted = quiet; len(quiet) < 250 {
		t.Fatalf("only %d events without a hit", len(quiet))
	}
	if n := testing.AllocsPerRun(20, func() { m.Match(s, b, 0, len(b.Sorted), nil) }); n != 0 {
		t.Errorf("%v allocations for %d events", n, len(quiet))
	}
}

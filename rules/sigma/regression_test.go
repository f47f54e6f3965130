package sigma_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// sample is a public regression sample: events that a rule must find, each so many times.
type sample struct {
	name   string
	rule   string // The Sigma id.
	count  int    // 0: at least one.
	events []event.Event
}

// samples reads the regression samples through the format windows.
func samples(t *testing.T) []sample {
	t.Helper()
	root := filepath.Join(os.Getenv("TOCSIN_CONFORMANCE"), "sigma", "regression_data")
	var out []sample
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "info.yml" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var info struct {
			Rules []struct{ ID string } `yaml:"rule_metadata"`
			Tests []struct {
				Count int `yaml:"match_count"`
			} `yaml:"regression_tests_info"`
		}
		if err := yaml.Unmarshal(text, &info); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*.json"))
		if err != nil {
			return err
		}
		s := sample{name: filepath.Base(filepath.Dir(name)), rule: info.Rules[0].ID, count: info.Tests[0].Count}
		for _, f := range files {
			s.events = append(s.events, readSample(t, f)...)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readSample(t *testing.T, name string) []event.Event {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f := windowsFormat(t)
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	var out []event.Event
	for {
		var record json.RawMessage
		if err := dec.Decode(&record); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rec := &event.Record{Value: record}
		before := len(out)
		if out, err = f.Append(&format.Scratch{}, out, rec); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := before; i < len(out); i++ {
			out[i].FindEntities()
			out[i].Envelope.ID = event.NewID("sample", name, string(rune('0'+i)))
			out[i].Envelope.Position.Offset = int64(i)
		}
	}
}

func windowsFormat(t *testing.T) *format.Format {
	t.Helper()
	all := format.All()
	i := slices.IndexFunc(all, func(f format.Format) bool { return f.Name == "windows" })
	if i < 0 {
		t.Fatal("there is no format windows")
	}
	return &all[i]
}

// publicSet is all public rules as one set.
func publicSet(t *testing.T, files []sigma.File) *rules.Set {
	t.Helper()
	set, problems := rules.LoadPaths(fstest.MapFS{}, rules.Paths{Documents: documents(sigma.Convert(files, sigma.Options{Status: rules.Live}))})
	if set == nil {
		t.Fatal(problems)
	}
	return set
}

// findings counts what each rule finds in events, through the engine.
func findings(set *rules.Set, events []event.Event) map[string]int {
	e := correlate.New(set, correlate.Settings{})
	b := event.Batch{Events: slices.Clone(events)}
	b.Sort()
	hits, _ := e.Match(&b)
	out := map[string]int{}
	for _, f := range correlate.Finals(append(slices.Clone(e.Fold(hits, nil)), e.Drain()...)) {
		out[f.Rule.ID] += 1 + int(f.Repeats)
	}
	return out
}

func fieldsOf(e *event.Event) raws {
	out := raws{}
	for _, f := range e.Raw {
		out[f.Name] = f.Value
	}
	return out
}

// countsBeyondTheInfo are the samples whose files hold more events that satisfy the rule than their info says, by plain reading of both: the
// events are there, and each of them contains what the rule asks for.
var countsBeyondTheInfo = map[string]int{
	"file_event_win_anydesk_artefact":           3, // user.conf.new twice and a temporary copy of user.conf.
	"registry_set_disable_administrative_share": 2, // AutoShareServer and AutoShareWks.
}

// TestPublicSamples reads every public sample as the service would.
func TestPublicSamples(t *testing.T) {
	files := corpus(t)
	set, list := publicSet(t, files), samples(t)
	oracles := map[string]*oracle{}
	for _, f := range files {
		o := newOracle(t, f.Name, f.Text)
		oracles["sigma-"+o.id] = o
	}
	t.Run("have the counts their infos say", func(t *testing.T) { countsAreAsSaid(t, set, oracles, list) })
	t.Run("give nothing unexplained", func(t *testing.T) {
		var events []event.Event
		for _, s := range list {
			events = append(events, s.events...)
		}
		readAlike(t, set, oracles, events)
	})
	t.Run("are read alike after random changes", func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		readAlike(t, set, oracles, changedEvents(rand.New(rand.NewPCG(seed, 1)), list))
	})
}

func countsAreAsSaid(t *testing.T, set *rules.Set, oracles map[string]*oracle, list []sample) {
	ran, without := 0, 0
	for _, s := range list {
		id := "sigma-" + s.rule
		if oracles[id] == nil {
			without++ // Its rule is not among the public rules here.
			continue
		}
		ran++
		want := max(s.count, countsBeyondTheInfo[s.name])
		one := &rules.Set{Rules: []*rules.Rule{set.Rule(id)}}
		if n := findings(one, s.events)[id]; n == 0 || want > 0 && n != want {
			t.Errorf("%s: %d findings in %d events, want %d", s.name, n, len(s.events), want)
		}
	}
	if ran == 0 {
		t.Error("no sample has its rule here")
	}
	t.Logf("%d samples have their rules here, %d have not", ran, without)
}

// readAlike compares what the engine finds with the second reading, rule by rule: a finding that it cannot explain is an error.
func readAlike(t *testing.T, set *rules.Set, oracles map[string]*oracle, events []event.Event) {
	got, want, total := findings(set, events), map[string]int{}, 0
	for i := range events {
		fields := fieldsOf(&events[i])
		for id, o := range oracles {
			if o.source(fields) && o.matches(fields) {
				want[id]++
				total++
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(oracles)) {
		if got[id] != want[id] {
			t.Errorf("%s: %d findings, the second reading says %d", oracles[id].file, got[id], want[id])
		}
	}
	t.Logf("%d events, %d findings of %d rules", len(events), total, len(got))
}

func changedEvents(rnd *rand.Rand, list []sample) []event.Event {
	var out []event.Event
	for _, s := range list {
		for i := range s.events {
			e := s.events[i]
			e.Raw = slices.Clone(e.Raw)
			for range 1 + rnd.IntN(3) {
				f := &e.Raw[rnd.IntN(len(e.Raw))]
				if f.Name != "Channel" && f.Name != "EventID" { // The class follows from these.
					f.Value = changed(rnd, f.Value)
				}
			}
			out = append(out, e)
		}
	}
	return out
}

// changed changes a text a little.
func changed(rnd *rand.Rand, s string) string {
	if s == "" {
		return "x"
	}
	i := rnd.IntN(len(s))
	switch rnd.IntN(6) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	case 2:
		return s[:i]
	case 3:
		return s[i:]
	case 4:
		return s[:i] + s[i+1:]
	}
	return s + " -x"
}

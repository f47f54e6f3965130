package correlate_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

var update = flag.Bool("update", false, "write the expectations of scenarios anew")

const start = rules.TestStart

// scenario is one file of testdata/scenarios. Its sections:
//
//	== rule       a rule without id, version, title, status (and with lateness 0s unless it says otherwise)
//	== timeline   one event per line: OFFSET NAME [ROBOT] [path=value…], an api_activity.create with api.operation NAME of that robot;
//	              source=… sets its source. "batch" ends a batch, "tick SOURCE OFFSET" moves a source's newest time without an event,
//	              "idle SOURCE" makes it idle.
//	== announced  what is announced after which batch, before the end of input
//	== findings   the final findings after the end of input
type scenario struct {
	comment             []string
	rule                string
	timeline            []string
	announced, findings string
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range splitScenarios(string(text)) {
			t.Run(fmt.Sprintf("%s/%d", strings.TrimSuffix(filepath.Base(file), ".txt"), i+1), func(t *testing.T) {
				announced, findings, counts := play(t, part)
				if *update {
					text = []byte(strings.Replace(string(text), part.findings, findings, 1))
				}
				if d := cmp.Diff(part.findings, findings); d != "" && !*update {
					t.Errorf("%s\nfindings differ (-want +got):\n%s%s", strings.Join(part.comment, "\n"), d, counts)
				}
				if d := cmp.Diff(part.announced, announced); part.announced != "" && d != "" {
					t.Errorf("%s\nannouncements differ (-want +got):\n%s", strings.Join(part.comment, "\n"), d)
				}
			})
		}
	}
}

func splitScenarios(text string) []scenario {
	var out []scenario
	var s *scenario
	section := ""
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "#"):
			if section != "" || s == nil {
				out = append(out, scenario{})
				s, section = &out[len(out)-1], ""
			}
			s.comment = append(s.comment, strings.TrimSpace(line))
		case strings.HasPrefix(line, "== "):
			section = strings.TrimSpace(line[3:])
		case section == "rule":
			s.rule += line
		case strings.TrimSpace(line) == "":
		case section == "timeline":
			s.timeline = append(s.timeline, strings.TrimSpace(line))
		case section == "announced":
			s.announced += line
		case section == "findings":
			s.findings += line
		}
	}
	for i := range out { // A scenario without a rule goes on with the one before.
		if out[i].rule == "" && i > 0 {
			out[i].rule = out[i-1].rule
		}
	}
	return out
}

// ruleOf compiles the rule of a scenario.
func ruleOf(t testing.TB, text string) *rules.Rule {
	t.Helper()
	head := "id: scenario\nversion: 1\ntitle: Scenario\nstatus: shadow\n"
	if !strings.Contains(text, "lateness:") {
		head += "lateness: 0s\n"
	}
	set, problems := rules.Load(fstest.MapFS{"rule.yaml": {Data: []byte(head + text)}}, "rule.yaml")
	if rules.HasErrors(problems) || set == nil {
		t.Fatalf("rule does not compile: %v\n%s", problems, head+text)
	}
	return set.Rules[0]
}

func play(t *testing.T, s scenario) (announced, findings, counts string) {
	r := ruleOf(t, s.rule)
	e := correlate.New(&rules.Set{Rules: []*rules.Rule{r}}, correlate.Settings{})
	marks := marksOf(s.timeline, t)
	var b event.Batch
	var all []incident.Finding
	batch, n := 1, 0
	end := func() {
		b.Sort()
		hits, _ := e.Match(&b)
		b.Marks = marks
		for _, f := range e.Fold(hits, slices.Clone(marks)) {
			all = append(all, f)
			announced += fmt.Sprintf("batch %d: %s\n", batch, line(f))
		}
		b = event.Batch{}
		batch++
	}
	for _, l := range s.timeline {
		words := strings.Fields(l)
		switch words[0] {
		case "batch":
			end()
		case "tick":
			newest(marks, words[1], start+duration(t, words[2]))
		case "idle":
			marks[slices.IndexFunc(marks, func(m event.Mark) bool { return m.Source == words[1] })].Idle = true
		default:
			ev := eventOf(t, words, n)
			n++
			b.Events = append(b.Events, ev)
			newest(marks, ev.Envelope.Position.Source, ev.Time)
		}
	}
	end()
	all = append(all, e.Drain()...)
	for _, f := range correlate.Finals(all) {
		findings += line(f) + "\n"
	}
	st := e.Stats().Rules[0]
	return announced, findings, fmt.Sprintf("hits %d late %d nulls %d wide %d repeated %d errors %d %s", st.Hits, st.Late, st.Nulls, st.Wide, st.Repeated, st.Errors, st.LastError)
}

func marksOf(timeline []string, t *testing.T) []event.Mark {
	var marks []event.Mark
	for i, l := range timeline {
		words := strings.Fields(l)
		source := ""
		switch words[0] {
		case "tick", "idle":
			source = words[1]
		case "batch":
			continue
		default:
			source = eventOf(t, words, i).Envelope.Position.Source
		}
		if !slices.ContainsFunc(marks, func(m event.Mark) bool { return m.Source == source }) {
			marks = append(marks, event.Mark{Source: source})
		}
	}
	return marks
}

func newest(marks []event.Mark, source string, at int64) {
	m := &marks[slices.IndexFunc(marks, func(m event.Mark) bool { return m.Source == source })]
	m.Newest = max(m.Newest, at)
}

func duration(t testing.TB, s string) int64 {
	t.Helper()
	d, err := expression.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eventOf reads one line of a timeline.
func eventOf(t testing.TB, words []string, n int) event.Event {
	t.Helper()
	e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + duration(t, words[0]), API: &event.API{Operation: words[1]}}
	e.Envelope.Position = event.Position{Source: "s", Offset: int64(n)}
	id := fmt.Sprint("event ", n)
	for _, w := range words[2:] {
		path, value, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			e.Robot = &event.Robot{UID: w}
		case path == "source":
			e.Envelope.Position.Source = value
		case path == "id":
			id = value
		case path == "offset":
			fmt.Sscan(value, &e.Envelope.Position.Offset)
		case path == "class":
			c, err := event.ParseClass(value)
			if err != nil {
				t.Fatal(err)
			}
			e.ClassUID, e.ActivityID, e.Activity = c.UID, c.Activity, c.Name
		default:
			set(t, &e, path, value)
		}
	}
	e.Envelope.ID = event.NewID(id)
	e.Envelope.Received = e.Time
	e.FindEntities()
	return e
}

func set(t testing.TB, e *event.Event, path, value string) {
	t.Helper()
	f := event.FieldByPath(path)
	if f == nil {
		t.Fatalf("no field %s", path)
	}
	v := event.Value{Str: value, Lst: strings.Split(value, ",")}
	fmt.Sscan(value, &v.Num)
	fmt.Sscan(value, &v.Flt)
	v.Tri = event.BoolOf(value == "true")
	f.Set(e, v)
}

// line writes a finding on one line: time, variables, evidence, and what is remarkable.
func line(f incident.Finding) string {
	var b strings.Builder
	if f.State != incident.Final {
		b.WriteString(f.State.String() + " ")
	}
	b.WriteString(at(f.Time))
	for _, v := range f.Vars {
		b.WriteString(" " + v.Name + "=" + v.Value)
	}
	b.WriteString(" |")
	for _, e := range f.Evidence {
		b.WriteString(" " + e.Step + "@" + at(e.Event.Time))
	}
	for _, c := range f.Collected {
		b.WriteString(" | " + c.Name + "=" + strings.Join(c.Values, ","))
	}
	if f.Repeats > 0 {
		fmt.Fprintf(&b, " | repeats=%d until %s", f.Repeats, at(f.LastRepeat))
	}
	for _, n := range f.Notes {
		b.WriteString(" | " + n)
	}
	if f.Reason != "" {
		b.WriteString(" | " + f.Reason)
	}
	return b.String()
}

// at writes a time as the offset that a timeline would give.
func at(micros int64) string {
	d := micros - start
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	s := ""
	for _, u := range []struct {
		name string
		size int64
	}{{"d", 86400_000_000}, {"h", 3600_000_000}, {"m", 60_000_000}, {"s", 1_000_000}, {"ms", 1000}} {
		if n := d / u.size; n > 0 {
			s += fmt.Sprint(n, u.name)
			d %= u.size
		}
	}
	if s == "" {
		return "0s"
	}
	return sign + s
}

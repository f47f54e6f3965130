package correlate_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// published is a correlation rule of another product with its tests: steps that are other rules' outputs, given as join value and time.
type published struct {
	RuleID    string `yaml:"RuleID"`
	Detection []struct {
		Sequence    []publishedStep `yaml:"Sequence"`
		Group       []publishedStep `yaml:"Group"`
		Transitions []struct {
			Within int                 `yaml:"WithinTimeFrameMinutes"`
			Match  []map[string]string `yaml:"Match"`
		} `yaml:"Transitions"`
		MatchCriteria map[string]any `yaml:"MatchCriteria"`
		Order         string         `yaml:"EventEvaluationOrder"`
		Lookback      int            `yaml:"LookbackWindowMinutes"`
	} `yaml:"Detection"`
	Tests []struct {
		Name     string `yaml:"Name"`
		Expected bool   `yaml:"ExpectedResult"`
		Outputs  []struct {
			ID      string                            `yaml:"ID"`
			Matches map[string]map[string][]yaml.Node `yaml:"Matches"`
		} `yaml:"RuleOutputs"`
	} `yaml:"Tests"`
}

type publishedStep struct {
	ID      string `yaml:"ID"`
	Count   int    `yaml:"MinMatchCount"`
	Absence bool   `yaml:"Absence"`
}

// rule writes a published rule in our language: a step's outputs are calls by its name, the join value is the service called.
func (p *published) rule() string {
	d := p.Detection[0]
	steps, kind := d.Sequence, "sequence"
	if steps == nil {
		steps, kind = d.Group, "all"
		if d.Order == "Chronological" {
			kind = "sequence"
		}
	}
	within, joined := 0, d.MatchCriteria != nil
	for _, t := range d.Transitions {
		within += t.Within
		joined = joined || len(t.Match) > 0
	}
	within = cmp.Or(within, d.Lookback)
	bind := ""
	if joined {
		bind = ", bind: {value: api.service.name}"
	}
	var present, guards []string
	for i, s := range steps {
		where := fmt.Sprintf("class: api_activity, where: 'api.operation == %q'%s", fmt.Sprint("step", i), bind)
		switch {
		case s.Absence && d.Sequence != nil:
			guards = append(guards, fmt.Sprintf("    - {%s, after: %dm}\n", where, within))
		case s.Absence:
			guards = append(guards, fmt.Sprintf("    - {%s, before: %dm, after: %dm}\n", where, within, within))
		default:
			present = append(present, fmt.Sprintf("{id: s%d, %s, at_least: %d}", i, where, max(1, s.Count)))
		}
	}
	text := "match:\n"
	if len(present) == 1 {
		text += "  event: " + present[0] + "\n"
	} else {
		text += fmt.Sprintf("  %s:\n    - %s\n  within: %dm\n", kind, strings.Join(present, "\n    - "), within)
	}
	if len(guards) > 0 {
		text += "  unless:\n" + strings.Join(guards, "")
	}
	return text
}

func (p *published) step(id string) int {
	d := p.Detection[0]
	for i, s := range append(d.Sequence, d.Group...) {
		if s.ID == id {
			return i
		}
	}
	return -1
}

// TestPublishedSequenceRulesAnswerAsTheirTestsSay translates the correlation rules that lie beside the repository and plays their tests.
func TestPublishedSequenceRulesAnswerAsTheirTestsSay(t *testing.T) {
	root := cmp.Or(os.Getenv("TOCSIN_CONFORMANCE"), "../../shared/conformance")
	files, _ := filepath.Glob(filepath.Join(root, "sequences", "*", "*.yml"))
	if len(files) == 0 {
		t.Skipf("no sequence rules under %s (set TOCSIN_CONFORMANCE)", root)
	}
	answers := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p published
		if err := yaml.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		r := ruleOf(t, p.rule())
		for _, c := range p.Tests {
			var b event.Batch
			for _, o := range c.Outputs {
				for _, values := range o.Matches {
					for value, times := range values {
						for _, at := range times {
							e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: publishedTime(t, at.Value), API: &event.API{Operation: fmt.Sprint("step", p.step(o.ID)), Service: value}}
							e.Envelope.ID = event.NewID(o.ID, value, at.Value)
							e.Envelope.Position.Offset = int64(len(b.Events)) // Equal times stand in the order written.
							b.Events = append(b.Events, e)
						}
					}
				}
			}
			for i, order := range arrivals(b.Events) {
				e := correlate.New(&rules.Set{Rules: []*rules.Rule{r}}, correlate.Settings{})
				for _, part := range order {
					b := event.Batch{Events: part}
					b.Sort()
					hits, _ := e.Match(&b)
					e.Fold(hits, nil)
				}
				if got := len(correlate.Finals(e.Drain())) > 0; got != c.Expected {
					t.Errorf("%s: %s: got %v, want %v in arrival %d\n%s", filepath.Base(file), c.Name, got, c.Expected, i, p.rule())
				}
			}
			answers++
		}
	}
	// All of them are covered and none is excepted: no group of these that goes by the order of time expects a match out of it.
	if len(files) < 36 || answers < 106 {
		t.Errorf("only %d answers of %d rules", answers, len(files))
	}
	t.Logf("%d answers of %d rules", answers, len(files))
}

// arrivals are the events at once, one by one, and one by one from the last to the first.
func arrivals(events []event.Event) [][][]event.Event {
	var forth, back [][]event.Event
	for i := range events {
		forth = append(forth, events[i:i+1])
		back = append(back, events[len(events)-1-i:len(events)-i])
	}
	return [][][]event.Event{{slices.Clone(events)}, forth, back}
}

// publishedTime is a time in RFC 3339, or in minutes from some start.
func publishedTime(t *testing.T, s string) int64 {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.UnixMicro()
	}
	minutes := 0
	if _, err := fmt.Sscan(s, &minutes); err != nil {
		t.Fatalf("time %q: %v", s, err)
	}
	return start + int64(minutes)*60_000_000
}

package app

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// mostDifferences is how many findings of one kind are listed for people.
const mostDifferences = 20

// WriteBacktest writes a report for people. Rules without findings, late hits and errors are counted and not listed, unless few rules were run.
func WriteBacktest(w io.Writer, r *BacktestReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", Count(r.Events, "event"))
	if r.Events > 0 {
		fmt.Fprintf(&b, " from %s to %s", stamp(r.First), stamp(r.Newest))
	}
	fmt.Fprintf(&b, ", %s\n\n", Count(len(r.Rules), "rule"))
	writeRules(&b, r)
	if r.Compared {
		writeDiff(&b, r)
	}
	if r.Cut {
		fmt.Fprintf(&b, "\nMore than %d findings came: those after are not counted.\n", maxBacktested)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRules(b *strings.Builder, r *BacktestReport) {
	silent := 0
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tVERSION\tFINDINGS\tPENDING\tLATE\tERRORS\tTRIED\tHITS\tMATCH NS\tFOLD NS")
	var notes strings.Builder
	for i := range r.Rules {
		x := &r.Rules[i]
		if x.Findings+x.Pending+x.Withdrawn == 0 && x.Late+x.Errors == 0 && len(r.Rules) > 3 {
			silent++
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", x.Rule.ID, x.Rule.Version, x.Findings, x.Pending, x.Late, x.Errors, x.Tried, x.Hits, cost(x.PerEvent), cost(x.Fold))
		ruleNotes(&notes, x)
	}
	_ = t.Flush()
	if silent > 0 {
		fmt.Fprintf(b, "%s found nothing\n", Count(silent, "rule"))
	}
	b.WriteString(notes.String())
}

func cost(ns float64) string {
	if ns == 0 {
		return "-" // Too few events to tell.
	}
	return strconv.FormatFloat(ns, 'f', 0, 64)
}

func ruleNotes(b *strings.Builder, x *RuleReport) {
	fmt.Fprintf(b, "\n%s  %s\n", x.Rule.ID, plain(x.Rule.Title))
	if len(x.Days) > 0 {
		var parts []string
		for _, day := range slices.Sorted(maps.Keys(x.Days)) {
			parts = append(parts, fmt.Sprintf("%s %d", day, x.Days[day]))
		}
		fmt.Fprintf(b, "  per day      %s\n", strings.Join(parts, ", "))
	}
	if len(x.Top) > 0 {
		var parts []string
		for _, e := range x.Top {
			parts = append(parts, fmt.Sprintf("%s %d", plain(e.Entity), e.Count))
		}
		fmt.Fprintf(b, "  entities     %s\n", strings.Join(parts, ", "))
	}
	if x.Withdrawn > 0 {
		fmt.Fprintf(b, "  withdrawn    %d were announced and then undone by events that arrived out of order\n", x.Withdrawn)
	}
	if x.Had < x.Want {
		fmt.Fprintf(b, "  history      %s of the %s it looks back: what it found at the beginning may differ from what it finds live\n", length(x.Had), length(x.Want))
	}
}

// length writes microseconds as rules write a length of time, in its two largest units.
func length(micros int64) string {
	d := time.Duration(micros) * time.Microsecond
	if days := d / (24 * time.Hour); days > 0 {
		rest := d - days*24*time.Hour
		if h := rest / time.Hour; h > 0 {
			return fmt.Sprintf("%dd%dh", days, h)
		}
		return fmt.Sprintf("%dd", days)
	}
	s := d.Truncate(time.Second).String()
	if strings.Contains(s, "m") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.Contains(s, "h") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func writeDiff(b *strings.Builder, r *BacktestReport) {
	b.WriteString("\nAgainst the deployed rules\n")
	for _, kind := range []struct{ in, title string }{{"new", "only new"}, {"deployed", "only deployed"}, {"both", "in both"}} {
		var list []*Backtested
		for i := range r.Diff {
			if r.Diff[i].In == kind.in {
				list = append(list, r.Diff[i].Finding())
			}
		}
		fmt.Fprintf(b, "  %s: %s\n", kind.title, Count(len(list), "finding"))
		for i, f := range list {
			if i == mostDifferences {
				fmt.Fprintf(b, "    … and %d more\n", len(list)-i)
				break
			}
			fmt.Fprintf(b, "    %s  %s  %-8s %3d  %s", stamp(f.Time), f.Rule, f.Severity, f.Score, event.FormatID(event.FindingPrefix, f.ID))
			for _, v := range f.Vars {
				fmt.Fprintf(b, "  %s=%s", v.Name, plain(v.Value))
			}
			b.WriteByte('\n')
		}
	}
}

type backtestedJSON struct {
	ID       string            `json:"id"`
	Time     int64             `json:"time"` // Milliseconds since 1970.
	Rule     string            `json:"rule"`
	State    string            `json:"state"`
	Severity string            `json:"severity"`
	Score    int               `json:"score"`
	Vars     map[string]string `json:"vars"`
}

func asBacktested(f *Backtested) *backtestedJSON {
	if f == nil {
		return nil
	}
	return &backtestedJSON{event.FormatID(event.FindingPrefix, f.ID), f.Time / 1000, f.Rule, f.State.String(), f.Severity.String(), f.Score, asVars(f.Vars)}
}

func asVars(list []incident.Var) map[string]string {
	out := map[string]string{}
	for _, v := range list {
		out[v.Name] = v.Value
	}
	return out
}

// WriteBacktestJSON writes a report: one rule a line, then, if rules were compared, one finding a line.
func WriteBacktestJSON(w io.Writer, r *BacktestReport) error {
	type top struct {
		Entity string `json:"entity"`
		Count  int    `json:"count"`
	}
	enc := json.NewEncoder(w)
	for i := range r.Rules {
		x := &r.Rules[i]
		entities := []top{}
		for _, e := range x.Top {
			entities = append(entities, top(e))
		}
		if err := enc.Encode(struct {
			Rule      string         `json:"rule"`
			Version   int32          `json:"version"`
			Title     string         `json:"title"`
			Findings  int            `json:"findings"`
			Pending   int            `json:"pending"`
			Withdrawn int            `json:"withdrawn"`
			Late      int64          `json:"late"`
			Errors    int64          `json:"errors"`
			Days      map[string]int `json:"days"`
			Entities  []top          `json:"entities"`
			Tried     int            `json:"events_tried"`
			Hits      int64          `json:"hits"`
			PerEvent  float64        `json:"ns_per_event"`
			Fold      float64        `json:"fold_ns_per_event"`
			Had       int64          `json:"history_ms"`
			Want      int64          `json:"history_wanted_ms"`
		}{
			x.Rule.ID, x.Rule.Version, x.Rule.Title, x.Findings, x.Pending, x.Withdrawn, x.Late, x.Errors, x.Days, entities, x.Tried, x.Hits, x.PerEvent, x.Fold, x.Had / 1000, x.Want / 1000,
		}); err != nil {
			return err
		}
	}
	for i := range r.Diff {
		d := &r.Diff[i]
		if err := enc.Encode(struct {
			In       string          `json:"in"`
			New      *backtestedJSON `json:"new,omitempty"`
			Deployed *backtestedJSON `json:"deployed,omitempty"`
		}{d.In, asBacktested(d.New), asBacktested(d.Old)}); err != nil {
			return err
		}
	}
	return nil
}

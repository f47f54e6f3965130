package app

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

// Most of what is listed for people; JSON has more.
const (
	mostRefs  = 5
	mostFates = 40
)

// WriteExplanation writes an explanation of a rule for people. Of hits and misses the nearest to a time are shown, with 0 the first.
func WriteExplanation(w io.Writer, x *correlate.Explanation, at int64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s v%d  %s\n\n", x.Rule.ID, x.Rule.Version, plain(x.Rule.Title))
	if x.Events == 0 {
		b.WriteString("No event was read.\n\n")
	} else {
		fmt.Fprintf(&b, "Read: %s from %s to %s\n\n", Count(x.Events, "event"), stamp(x.First), stamp(x.Newest))
	}
	if x.Entity != "" && x.Events > 0 && x.Named == 0 {
		fmt.Fprintf(&b, "None of them names %s. Name it as events do, by its kind and key (robot:amr-07), its id or its key alone.\n\n", plain(x.Entity))
	}
	writeSteps(&b, x, at)
	b.WriteString("\nWhat became of them\n")
	writeFates(&b, x)
	fmt.Fprintf(&b, "\nFindings: %d\n", len(x.Findings))
	writeFindings(&b, x)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeSteps(b *strings.Builder, x *correlate.Explanation, at int64) {
	b.WriteString("Steps\n")
	for i := range x.Steps {
		s := &x.Steps[i]
		fmt.Fprintf(b, "  %-14s %d of %d events matched", s.ID, s.Matched, s.Seen)
		for _, n := range []struct {
			count int
			text  string
		}{
			{s.False, "did not satisfy where"},
			{s.Excepted, "not seen because of an exception"},
			{s.Unbound, "had no value for " + s.Variable},
			{s.Failed, "had no result (" + s.Error + ")"},
		} {
			if n.count > 0 {
				fmt.Fprintf(b, ", %d %s", n.count, n.text)
			}
		}
		fmt.Fprintf(b, "\n    class %s\n", strings.Join(s.Classes, ", "))
		if s.Where != "" {
			fmt.Fprintf(b, "    where %s\n", s.Where)
		}
		near := closest(s.Hits, at, func(r *event.Ref) int64 { return r.Time })
		for _, r := range near {
			fmt.Fprintf(b, "    hit  %s\n", eventLine(r))
		}
		more(b, "hit", s.Matched-len(near))
		misses := closest(s.Misses, at, func(m correlate.Miss) int64 { return m.Ref.Time })
		for _, m := range misses {
			fmt.Fprintf(b, "    miss %s\n", eventLine(m.Ref))
			reasons(b, "         ", m.Reasons)
		}
		more(b, "miss", s.Seen-s.Matched-len(misses))
	}
}

// closest are the elements nearest to a time, in their order; with 0 the first.
func closest[T any](list []T, at int64, of func(T) int64) []T {
	if len(list) <= mostRefs || at == 0 {
		return list[:min(len(list), mostRefs)]
	}
	from := 0
	for i := range len(list) - mostRefs {
		if max(at-of(list[i]), of(list[i])-at) > max(at-of(list[i+mostRefs]), of(list[i+mostRefs])-at) {
			from = i + 1
		}
	}
	return list[from : from+mostRefs]
}

func more(b *strings.Builder, what string, n int) {
	if n > 0 {
		fmt.Fprintf(b, "    %-4s … and %d more\n", what, n)
	}
}

func reasons(b *strings.Builder, indent string, list []string) {
	for _, r := range list {
		fmt.Fprintf(b, "%s%s\n", indent, plain(r))
	}
}

func eventLine(r *event.Ref) string {
	return fmt.Sprintf("%s  %s (%s)", stamp(r.Time), plain(r.Summary), r.Event)
}

func writeFates(b *strings.Builder, x *correlate.Explanation) {
	if len(x.Fates) == 0 {
		b.WriteString("  nothing: no chain was opened\n")
	}
	for i := range x.Fates {
		if i == mostFates {
			break
		}
		fmt.Fprintf(b, "  %s\n", fateLine(&x.Fates[i]))
	}
	if n := len(x.Fates) + x.More - mostFates; n > 0 {
		fmt.Fprintf(b, "  … and %d more\n", n)
	}
}

func fateLine(f *correlate.Fate) string {
	s := stamp(f.At) + "  "
	if f.Key != "" {
		s += plain(strings.ReplaceAll(f.Key, "\x1f", " ")) + "  "
	}
	s += plain(f.Text)
	if f.By != nil {
		s += fmt.Sprintf(" by %s (%s)", plain(f.By.Summary), f.By.Event)
	}
	return s
}

func writeFindings(b *strings.Builder, x *correlate.Explanation) {
	for i := range x.Findings {
		_ = WriteFinding(b, &x.Findings[i], false)
		for _, n := range x.Findings[i].Notes {
			fmt.Fprintf(b, "                     %s\n", plain(n))
		}
	}
}

// WriteEventExplanation writes an explanation of an event for people.
func WriteEventExplanation(w io.Writer, x *EventExplanation) error {
	var b strings.Builder
	e := x.Event
	fmt.Fprintf(&b, "EVENT %s  %s  %s\n%s\n", e.Envelope.ID, stamp(e.Time), className(e), plain(e.Summary()))
	for i := range x.Hit {
		h := &x.Hit[i]
		fmt.Fprintf(&b, "\n%s v%d  %s\n", h.Rule.ID, h.Rule.Version, plain(h.Rule.Title))
		for _, v := range h.Evidence {
			fmt.Fprintf(&b, "  hit at %s%s\n", v.Step, readText(v.Read))
		}
		for _, s := range h.Steps {
			if s.Seen > 0 && s.Matched == 0 {
				fmt.Fprintf(&b, "  miss at %s\n", s.ID)
				reasons(&b, "    ", missReasons(&s))
			}
		}
		writeFates(&b, h)
		writeFindings(&b, h)
	}
	for i := range x.Miss {
		m := &x.Miss[i]
		fmt.Fprintf(&b, "\n%s v%d  %s\n", m.Rule.ID, m.Rule.Version, plain(m.Rule.Title))
		for _, s := range m.Steps {
			if s.Seen > 0 {
				fmt.Fprintf(&b, "  miss at %s\n", s.ID)
				reasons(&b, "    ", missReasons(&s))
			}
		}
	}
	fmt.Fprintf(&b, "\n%s hit, %d missed; %s do not listen to events of its class\n", Count(len(x.Hit), "rule"), len(x.Miss), Count(x.Deaf, "other rule"))
	_, err := io.WriteString(w, b.String())
	return err
}

func missReasons(s *correlate.ExplainedStep) []string {
	var out []string
	for _, m := range s.Misses {
		out = append(out, m.Reasons...)
	}
	return out
}

func readText(list []expression.Operand) string {
	var parts []string
	for _, o := range list {
		if o.Known {
			parts = append(parts, o.Text+" is "+plain(o.Value))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

func className(e *event.Event) string {
	name := event.ClassName(e.ClassUID)
	if e.Activity != "" {
		name += ", " + e.Activity
	}
	return name
}

// WriteFindingExplanation writes an explanation of a finding for people.
func WriteFindingExplanation(w io.Writer, x *FindingExplanation) error {
	var b strings.Builder
	f := x.Finding
	fmt.Fprintf(&b, "FINDING %s  %s  score %d  %s, revision %d\n%s v%d  %s\n", event.FormatID(event.FindingPrefix, f.ID), strings.ToUpper(f.Severity.String()),
		f.Score, f.State, f.Revision, f.Rule.ID, f.Rule.Version, plain(f.Rule.Title))
	for _, v := range f.Vars {
		fmt.Fprintf(&b, "  %s = %s\n", v.Name, plain(v.Value))
	}
	b.WriteString("\nChain\n")
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, "  %-10s %s\n", e.Step, eventLine(e.Event))
		if r := evidenceOf(x, e); r != "" {
			fmt.Fprintf(&b, "             %s\n", r)
		}
	}
	if f.Truncated > 0 {
		fmt.Fprintf(&b, "  … and %d more\n", f.Truncated)
	}
	for _, c := range f.Collected {
		fmt.Fprintf(&b, "  %s: %s\n", c.Name, plain(strings.Join(c.Values, ", ")))
	}
	section(&b, "Remarks", f.Notes)
	if f.Reason != "" {
		section(&b, "Reason", []string{f.Reason})
	}
	var guards []string
	if x.Explanation != nil {
		for _, g := range x.Guards {
			guards = append(guards, guardText(&g))
		}
	}
	section(&b, "Guards", guards)
	if f.Repeats > 0 {
		section(&b, "Throttle", []string{Count(int(f.Repeats), "further match") + " counted into it, the last at " + stamp(f.LastRepeat)})
	}
	if x.Foreign != "" {
		fmt.Fprintf(&b, "\nNot folded again: %s\n", plain(x.Foreign))
	}
	if x.Explanation != nil {
		b.WriteString("\nWhat became of its events\n")
		writeFates(&b, x.Explanation)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func evidenceOf(x *FindingExplanation, e incident.Evidence) string {
	if x.Explanation == nil {
		return ""
	}
	for _, v := range x.Evidence {
		if v.Step == e.Step && v.Ref.Event == e.Event.Event {
			return strings.TrimPrefix(readText(v.Read), ": ")
		}
	}
	return ""
}

func guardText(g *correlate.ExplainedGuard) string {
	s := fmt.Sprintf("%s looked from %s to %s: ", g.ID, stamp(g.From), stamp(g.To))
	if len(g.Hits) == 0 {
		return s + "there was no such event"
	}
	return s + Count(len(g.Hits), "event") + " there did not speak against it, the first at " + stamp(g.Hits[0].Time)
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	reasons(b, "  ", lines)
}

// WriteNear writes near misses for people, the newest of all rules last.
func WriteNear(w io.Writer, list []correlate.Explanation) error {
	type near struct {
		rule incident.RuleRef
		fate *correlate.Fate
	}
	var all []near
	for i := range list {
		for j := range list[i].Fates {
			all = append(all, near{list[i].Rule, &list[i].Fates[j]})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.fate.At, b.fate.At), cmp.Compare(a.rule.ID, b.rule.ID))
	})
	var b strings.Builder
	for _, n := range all {
		fmt.Fprintf(&b, "%s v%d  %s\n  %s\n", n.rule.ID, n.rule.Version, plain(n.rule.Title), fateLine(n.fate))
		for _, r := range n.fate.Events {
			fmt.Fprintf(&b, "    %s\n", eventLine(r))
		}
	}
	if len(all) == 0 {
		b.WriteString("nothing came near\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

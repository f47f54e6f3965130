package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// testOf writes a finding as a test of its rule, to copy into the rule's file, and says in a comment why it does not reproduce the finding where it
// does not: enrichment does not run in tests, and a finding does not keep all that its rule remembered.
func (s *server) testOf(f *incident.Finding, events []*event.Event, read *Explained) string {
	var given []string
	if read != nil {
		given = read.Given
	}
	test := FindingAsTest(f, events, given)
	if test == "" || s.set.Explainer == nil {
		return test
	}
	if why := s.set.Explainer.Reproduces(f, test); why != "" {
		return "  # As it stands this does not reproduce the finding: " + clip(400, strings.Trim(quoted(why), `"`)) + "\n" + test
	}
	return test
}

// FindingAsTest writes the events of the evidence that are there, with every field that a test may set, at offsets from the first, and when the finding
// must come; not for whom, as tests name entities as events do, before enrichment. given are the lines of what holds during it.
func FindingAsTest(f *incident.Finding, events []*event.Event, given []string) string {
	if len(events) == 0 {
		return ""
	}
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b *event.Event) int { return int(max(-1, min(1, a.Time-b.Time))) })
	start := events[0].Time - events[0].Time%time.Second.Microseconds()
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    start: %s\n", quoted("as found in "+event.FormatID(event.FindingPrefix, f.ID)), time.UnixMicro(start).UTC().Format(time.RFC3339))
	if len(given) > 0 {
		b.WriteString("    given:\n")
	}
	for _, line := range given {
		b.WriteString("      " + line + "\n")
	}
	b.WriteString("    events:\n")
	for _, e := range events[:min(len(events), maxTestEvents)] {
		fmt.Fprintf(&b, "      - {at: %s, class: %s", offset(e.Time-start), e.ClassKey())
		for _, x := range event.Fields() {
			if v, ok := testValue(e, &x); ok {
				fmt.Fprintf(&b, ", %s: %s", x.Path, v)
			}
		}
		b.WriteString("}\n")
	}
	fmt.Fprintf(&b, "    fires: [{at: %s}]\n", offset(f.Time-start))
	return b.String()
}

// testValue is a field of an event as a test writes it; ok is false for what is unknown or cannot be set.
func testValue(e *event.Event, f *event.Field) (text string, ok bool) {
	if f.Set == nil || f.Flags&(event.IsCaption|event.Derived) != 0 || !f.Known(e) || slices.Contains(untested, f.Path) {
		return "", false
	}
	switch f.Kind {
	case event.KindString:
		return quoted(f.Text(e)), true
	case event.KindInt, event.KindFloat, event.KindBool:
		return f.Text(e), true
	}
	return "", false
}

// untested are the fields that class and at say, and those that say where an event came from and not what happened.
var untested = []string{"time", "class_uid", "activity_id", "activity_name", "type_uid", "category_uid", "raw_data", "message"}

// offset is a duration as rule files write it.
func offset(micros int64) string {
	ms := micros / 1000
	switch {
	case ms%60_000 == 0:
		return fmt.Sprintf("%dm", ms/60_000)
	case ms%1000 == 0:
		return fmt.Sprintf("%ds", ms/1000)
	}
	return fmt.Sprintf("%dms", ms)
}

// quoted is a text as a double-quoted scalar of YAML.
func quoted(s string) string { return strconv.QuoteToASCII(s) }

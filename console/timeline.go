package console

import (
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// When a silence between two rows is worth a line, and a delay between event and receipt a word.
var (
	silence = (30 * time.Minute).Microseconds()
	delay   = time.Minute.Microseconds()
	ahead   = (2 * time.Second).Microseconds()
)

// momentRow is a row of the timeline with what lies between it and the one before, and between its two clocks.
type momentRow struct {
	incident.Moment
	Number  int
	Gap     string // How long nothing happened before it; "" if not long.
	Lag     string // How far the two clocks are apart; "" if as usual.
	Ahead   bool   // Its own clock runs ahead of ours.
	Context bool   // It is of no finding: what else happened.
	Around  []widening
	Values  []facet // What it can be filtered by, with addresses.
	Pinned  bool    // It stands in the summary.
	All     string  // Where every event of a run of repeats is to be seen; "" for what stands for one.
}

// rowsOf are the moments as rows of a view; path is the incident's page.
func rowsOf(moments []incident.Moment, v trailView, path string) []momentRow {
	out := make([]momentRow, len(moments))
	last := int64(0)
	for i, m := range moments {
		r := momentRow{Moment: m, Number: i, Lag: lag(m), Context: m.Finding.IsZero() && m.Lane != "changes" && m.Lane != analystLane}
		r.Ahead = r.Lag != "" && m.Seen < m.At
		if i > 0 {
			if gap := drawnAt(&m, v.Received) - last; gap >= silence {
				r.Gap = long(gap)
			}
		}
		last = max(last, endsAt(&m, v.Received))
		if m.Count > 1 && m.Class != "" {
			r.All = runPath(&m)
		}
		if !m.Event.IsZero() {
			for _, n := range wider {
				r.Around = append(r.Around, widening{Minutes: n, Link: address(path, v.widened(n, m.Event))})
			}
		}
		for _, id := range m.Entities[:min(len(m.Entities), maxChips)] {
			r.Values = append(r.Values, facet{Value: id, Name: bare(id), Only: address(path, v.with(id, true)), Not: address(path, v.with(id, false))})
		}
		out[i] = r
	}
	return out
}

// maxChips is how many entities of a moment are named in its row.
const maxChips = 4

// drawnAt is when a moment is drawn: by its own clock or by ours.
func drawnAt(m *incident.Moment, received bool) int64 {
	if received {
		return m.Seen
	}
	return m.At
}

// endsAt is when the last event of a moment is drawn: our clock is known of the first alone, and taken to run as far from the other for the rest.
func endsAt(m *incident.Moment, received bool) int64 {
	return drawnAt(m, received) + max(0, m.Until-m.At)
}

// runPath is the hunt for the events of a run of repeats.
func runPath(m *incident.Moment) string {
	q := question{}.with("class", m.Class, "from", stamp(m.At, time.RFC3339Nano), "to", stamp(m.Until+1, time.RFC3339Nano))
	if len(m.Entities) > 0 {
		q = q.with("entity", m.Entities[0])
	}
	return q.path()
}

func lag(m incident.Moment) string {
	switch d := m.Seen - m.At; {
	case m.Seen == 0 || m.At == 0:
		return ""
	case d >= delay:
		return long(d) + " later"
	case -d >= ahead:
		return "its clock is " + long(-d) + " ahead"
	}
	return ""
}

// claimRow is a claim with the events that prove it, called by their times.
type claimRow struct {
	incident.Claim
	Shown []reference
	More  int // How many events are not shown.
}

type reference struct {
	ID    event.ID
	Label string
}

// maxReferences is how many events are named beside a claim; the timeline has them all.
const maxReferences = 4

func claimRows(claims []incident.Claim, times map[event.ID]int64) []claimRow {
	var out []claimRow
	for _, c := range claims {
		row := claimRow{Claim: c, More: max(0, len(c.Refs)-maxReferences)}
		for _, id := range c.Refs[:len(c.Refs)-row.More] {
			label := "event"
			if at, known := times[id]; known {
				label = stamp(at, timeOfDay)
			}
			row.Shown = append(row.Shown, reference{id, label})
		}
		out = append(out, row)
	}
	return out
}

// timesOf says when the events that an incident rests on happened.
func timesOf(in *incident.Incident) map[event.ID]int64 {
	times := map[event.ID]int64{}
	for _, f := range in.Findings {
		for _, ev := range f.Evidence {
			if ev.Event != nil {
				times[ev.Event.Event] = ev.Event.Time
			}
		}
	}
	for _, n := range in.Changed {
		if n.Ref != nil {
			times[n.Ref.Event] = n.Ref.Time
		}
	}
	return times
}

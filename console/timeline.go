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
	Number int
	Gap    string // How long nothing happened before it; "" if not long.
	Lag    string // How far the two clocks are apart; "" if as usual.
}

func rowsOf(moments []incident.Moment) []momentRow {
	out := make([]momentRow, len(moments))
	for i, m := range moments {
		out[i] = momentRow{Moment: m, Number: i, Lag: lag(m)}
		if i > 0 && m.At-moments[i-1].At >= silence {
			out[i].Gap = long(m.At - moments[i-1].At)
		}
	}
	return out
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

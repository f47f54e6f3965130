package console

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
)

// chartLanes are the lanes of the chart from top to bottom. One without marks is left out.
var chartLanes = []struct{ name, title string }{
	{"identity", "Identity"},
	{"network_access", "Network access"},
	{"endpoint", "Endpoint"},
	{"ot_network", "OT and network"},
	{"robot", "Robot"},
	{"changes", "Changes"},
	{analystLane, "Analyst"},
}

// laneTitle is what people call a lane.
func laneTitle(name string) string {
	for _, l := range chartLanes {
		if l.name == name {
			return l.title
		}
	}
	return name
}

const analystLane = "analyst"

// The measures of the chart in its own pixels.
const (
	chartWidth = 1200
	chartLeft  = 140             // Room for the lanes' names.
	chartRight = chartWidth - 40 // Where the last mark stands.
	chartTop   = 10              // Above the first lane.
	chartAxis  = 26              // Below the last one.
	chartStep  = 15              // From one mark to the next in a lane, across and down.
	chartRows  = 4               // Marks of like times that stand below each other; further ones are counted in the last.
	chartTicks = 6               // Most divisions of the axis.
	chartLane  = chartStep + 2*5 // Height of a lane with one row.
	chartText  = chartLane/2 + 4 // Base line of a lane's name.
)

// mark stands for one moment, or for several where too many fall together.
type mark struct {
	moment *incident.Moment
	number int // Its row in the table.
	x, row int
	more   int  // Further moments it stands for.
	later  bool // Long after the last event: it stands at the end.
}

// scale turns times into places.
type scale struct{ first, last int64 }

// scaleOf spans what happened. What analysts did counts only where it lies between: they often come days later.
func scaleOf(moments []incident.Moment) scale {
	var times []int64
	for _, m := range moments {
		if m.Lane != analystLane {
			times = append(times, m.At)
		}
	}
	if len(times) == 0 {
		for _, m := range moments {
			times = append(times, m.At)
		}
	}
	s := scale{slices.Min(times), slices.Max(times)}
	near := s.last + max((s.last-s.first)/4, time.Minute.Microseconds()) // what lies further off is drawn as an arrow at the end
	for _, m := range moments {
		if m.At <= near {
			s.first, s.last = min(s.first, m.At), max(s.last, m.At)
		}
	}
	return s
}

func (s scale) x(at int64) int {
	span := max(float64(s.last)-float64(s.first), 1)
	return chartLeft + int((float64(min(at, s.last))-float64(s.first))/span*(chartRight-chartLeft))
}

// place sets the marks of one lane: a mark that would cover another moves a row down, and what does not fit into the last row is counted by
// the mark it would cover. rows is how many rows are taken.
func (s scale) place(lane string, moments []incident.Moment) (marks []mark, rows int) {
	var at []int // By row, the index of its last mark.
	for i := range moments {
		m := &moments[i]
		if m.Lane != lane {
			continue
		}
		k := mark{moment: m, number: i, x: s.x(m.At), later: m.At > s.last}
		k.row = slices.IndexFunc(at, func(j int) bool { return marks[j].end() <= k.x })
		switch {
		case k.row >= 0:
			at[k.row] = len(marks)
		case len(at) < chartRows:
			k.row = len(at)
			at = append(at, len(marks))
		default:
			marks[at[chartRows-1]].more++
			continue
		}
		marks = append(marks, k)
	}
	return marks, len(at)
}

// end is where the next mark of the row may stand; one with a number is wider.
func (k *mark) end() int {
	if k.more > 0 {
		return k.x + 2*chartStep
	}
	return k.x + chartStep
}

// chart draws the timeline as SVG, a lane per domain. Every mark has its text as a title and leads to its row in the table, which says the
// same in words; for those who cannot see the chart the table is enough, so it is hidden from them. All text in it is escaped.
func chart(moments []incident.Moment) template.HTML {
	if len(moments) == 0 {
		return ""
	}
	s := scaleOf(moments)
	var lanes strings.Builder
	y := chartTop
	for _, lane := range chartLanes {
		marks, rows := s.place(lane.name, moments)
		if rows == 0 {
			continue
		}
		fmt.Fprintf(&lanes, `<text class="lane" x="8" y="%d">%s</text>`, y+chartText, lane.title)
		fmt.Fprintf(&lanes, `<line class="rail" x1="%d" y1="%d" x2="%d" y2="%d"/>`, chartLeft, y+chartLane/2, chartWidth-12, y+chartLane/2)
		for _, k := range marks {
			k.draw(&lanes, lane.name, y+chartLane/2+k.row*chartStep)
		}
		y += chartLane + (rows-1)*chartStep
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" aria-hidden="true" focusable="false">`, chartWidth, y+chartAxis)
	s.axis(&b, y)
	b.WriteString(lanes.String())
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // built here; text is escaped
}

// draw is a disc; with a number where it stands for several, an arrow where it lies beyond the end.
func (k mark) draw(b *strings.Builder, lane string, y int) {
	said := stamp(k.moment.At, dateTime) + " " + k.moment.Text
	if n := k.more + max(k.moment.Count, 1); n > 1 {
		said += fmt.Sprintf(" (%d in all)", n)
	}
	fmt.Fprintf(b, `<a href="#m%d" tabindex="-1"><title>%s</title>`, k.number, template.HTMLEscapeString(said))
	switch {
	case k.later:
		fmt.Fprintf(b, `<path class="mark lane-%s" d="M%d %d l9 6 l-9 6 z"/>`, lane, k.x+2, y-6)
	case k.more > 0:
		fmt.Fprintf(b, `<rect class="mark lane-%s" x="%d" y="%d" width="26" height="13" rx="6"/><text class="more" x="%d" y="%d">+%d</text>`, lane, k.x-6, y-6, k.x+7, y+4, min(k.more, 999))
	default:
		fmt.Fprintf(b, `<circle class="mark lane-%s" cx="%d" cy="%d" r="6"/>`, lane, k.x, y)
	}
	b.WriteString(`</a>`)
}

// tickSteps are the divisions of the axis that people read without reckoning.
var tickSteps = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
	30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
}

// axis draws the divisions and their times below the lanes, which end at y.
func (s scale) axis(b *strings.Builder, y int) {
	span := float64(s.last) - float64(s.first)
	i := slices.IndexFunc(tickSteps, func(t time.Duration) bool { return span/float64(t.Microseconds()) <= chartTicks })
	if i < 0 { // years: the ends say enough
		i = len(tickSteps) - 1
	}
	step := tickSteps[i].Microseconds()
	layout := "15:04"
	switch {
	case step < time.Minute.Microseconds():
		layout = timeOfDay
	case span > float64((20 * time.Hour).Microseconds()):
		layout = "01-02 15:04"
	}
	at := s.first - s.first%step
	if at < s.first {
		at += step
	}
	for range chartTicks + 1 {
		if at > s.last {
			break
		}
		x := s.x(at)
		fmt.Fprintf(b, `<line class="tick" x1="%d" y1="%d" x2="%d" y2="%d"/><text class="axis" x="%d" y="%d">%s</text>`, x, chartTop, x, y, x, y+18, stamp(at, layout))
		at += step
	}
	fmt.Fprintf(b, `<text class="day" x="8" y="%d">%s UTC</text>`, y+18, stamp(s.first, time.DateOnly))
}

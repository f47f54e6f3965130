package console

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
)

// chartLanes are the lanes of the chart from top to bottom. One without marks is left out.
var chartLanes = []struct{ name, title string }{
	{"identity", "Identity"},
	{"network_access", "Network access"},
	{"endpoint", "Endpoint"},
	{"ot_network", "OT and network"},
	{"robot", "Robot"},
	{"changes", "Changes"},
	{analystLane, "Analyst and system"},
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

// mark stands for one row, or for several where too many fall together.
type mark struct {
	row   *momentRow
	x, y  int  // y counts rows of the lane.
	more  int  // Further rows it stands for.
	later bool // Long after the last event: it stands at the end.
}

// scale turns times into places; received says by which clock.
type scale struct {
	first, last int64
	received    bool
}

func (s scale) at(r *momentRow) int64 { return drawnAt(&r.Moment, s.received) }

// scaleOf spans what happened. What analysts did counts only where it lies between: they often come days later.
func scaleOf(rows []momentRow, received bool) scale {
	s := scale{received: received}
	var times []int64
	for i := range rows {
		if rows[i].Lane != analystLane {
			times = append(times, s.at(&rows[i]), endsAt(&rows[i].Moment, received))
		}
	}
	if len(times) == 0 {
		for i := range rows {
			times = append(times, s.at(&rows[i]))
		}
	}
	s.first, s.last = slices.Min(times), slices.Max(times)
	near := s.last + max((s.last-s.first)/4, time.Minute.Microseconds()) // what lies further off is drawn as an arrow at the end
	for i := range rows {
		if at := s.at(&rows[i]); at <= near {
			s.first, s.last = min(s.first, at), max(s.last, at)
		}
	}
	return s
}

func (s scale) x(at int64) int {
	span := max(float64(s.last)-float64(s.first), 1)
	return chartLeft + int((float64(min(at, s.last))-float64(s.first))/span*(chartRight-chartLeft))
}

// place sets the marks of one lane: a mark that would cover another moves a row down, and what does not fit into the last row is counted by
// the mark it would cover. taken is how many rows are taken.
func (s scale) place(lane string, rows []momentRow) (marks []mark, taken int) {
	var at []int // By row of the lane, the index of its last mark.
	for i := range rows {
		r := &rows[i]
		if r.Lane != lane {
			continue
		}
		k := mark{row: r, x: s.x(s.at(r)), later: s.at(r) > s.last}
		k.y = slices.IndexFunc(at, func(j int) bool { return marks[j].end() <= k.x })
		switch {
		case k.y >= 0:
			at[k.y] = len(marks)
		case len(at) < chartRows:
			k.y = len(at)
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
// same in words; for those who cannot see the chart the table is enough, so it is hidden from them. Long silences are shaded, and a mark whose
// two clocks differ has a line to where the other clock puts it. All text in it is escaped.
func chart(rows []momentRow, received bool) template.HTML {
	if len(rows) == 0 {
		return ""
	}
	s := scaleOf(rows, received)
	var lanes strings.Builder
	y := chartTop
	for _, lane := range chartLanes {
		marks, taken := s.place(lane.name, rows)
		if taken == 0 {
			continue
		}
		fmt.Fprintf(&lanes, `<text class="lane" x="8" y="%d">%s</text>`, y+chartText, lane.title)
		fmt.Fprintf(&lanes, `<line class="rail" x1="%d" y1="%d" x2="%d" y2="%d"/>`, chartLeft, y+chartLane/2, chartWidth-12, y+chartLane/2)
		for _, k := range marks {
			s.stretch(&lanes, k, lane.name, y+chartLane/2+k.y*chartStep)
			s.skew(&lanes, k, y+chartLane/2+k.y*chartStep)
			k.draw(&lanes, lane.name, y+chartLane/2+k.y*chartStep)
		}
		y += chartLane + (taken-1)*chartStep
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" aria-hidden="true" focusable="false">`, chartWidth, y+chartAxis)
	s.gaps(&b, rows, y)
	s.axis(&b, y)
	b.WriteString(lanes.String())
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // built here; text is escaped
}

// gaps shades long silences between what happened, and says how long they are.
func (s scale) gaps(b *strings.Builder, rows []momentRow, y int) {
	last := int64(0)
	for i := range rows {
		r := &rows[i]
		at := s.at(r)
		if r.Lane == analystLane || at > s.last {
			continue
		}
		if from, to := s.x(last), s.x(at); last != 0 && at-last >= silence && to-from > 2*chartStep {
			fmt.Fprintf(b, `<path class="gap" d="M%d %d h%d v%d h-%d z"/>`, from+chartStep/2, chartTop, to-from-chartStep, y-chartTop, to-from-chartStep)
			fmt.Fprintf(b, `<text class="gap" x="%d" y="%d">%s</text>`, (from+to)/2, y-4, template.HTMLEscapeString(long(at-last)+" without events"))
		}
		last = max(last, endsAt(&r.Moment, s.received))
	}
}

// stretch draws from a run of repeats to the last of them.
func (s scale) stretch(b *strings.Builder, k mark, lane string, y int) {
	if end := s.x(endsAt(&k.row.Moment, s.received)); k.more == 0 && !k.later && end > k.x+6 {
		fmt.Fprintf(b, `<path class="run lane-%s" d="M%d %d H%d m0 -4 v8"/>`, lane, k.x, y, end)
	}
}

// skew draws from a mark to where its other clock puts it, if that is far off.
func (s scale) skew(b *strings.Builder, k mark, y int) {
	if k.row.Lag == "" || k.later {
		return
	}
	other := max(chartLeft, s.x(max(drawnAt(&k.row.Moment, !s.received), s.first)))
	fmt.Fprintf(b, `<path class="skew" d="M%d %d H%d m0 -4 v8"/>`, k.x, y, other)
}

// draw is a disc, a ring for what is of no finding; with a number where it stands for several, an arrow where it lies beyond the end.
func (k mark) draw(b *strings.Builder, lane string, y int) {
	m := &k.row.Moment
	said := stamp(m.At, dateTime) + " " + m.Text
	if m.Until != 0 {
		said = stamp(m.At, dateTime) + " to " + until(m.At, m.Until) + " " + m.Text
	}
	if n := k.more + max(m.Count, 1); n > 1 {
		said += fmt.Sprintf(" (%d in all)", n)
	}
	if k.row.Lag != "" {
		said += " (received " + stamp(m.Seen, dateTime) + ": " + k.row.Lag + ")"
	}
	ring := ""
	if k.row.Context {
		ring = " ring"
	}
	fmt.Fprintf(b, `<a href="#m%d" tabindex="-1"><title>%s</title>`, k.row.Number, template.HTMLEscapeString(said))
	switch {
	case k.later:
		fmt.Fprintf(b, `<path class="mark lane-%s" d="M%d %d l9 6 l-9 6 z"/>`, lane, k.x+2, y-6)
	case k.more > 0:
		fmt.Fprintf(b, `<rect class="mark lane-%s" x="%d" y="%d" width="26" height="13" rx="6"/><text class="more" x="%d" y="%d">+%d</text>`, lane, k.x-6, y-6, k.x+7, y+4, min(k.more, 999))
	default:
		fmt.Fprintf(b, `<circle class="mark lane-%s%s" cx="%d" cy="%d" r="6"/>`, lane, ring, k.x, y)
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

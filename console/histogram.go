package console

import (
	"cmp"
	"time"
)

// The measures of a histogram in its own pixels.
const (
	histoWidth  = 1200
	histoHeight = 110
	histoLeft   = 50 // Room for the greatest count.
	histoFloor  = 90 // Where bars stand.
	histoMost   = 72 // Bars at most, about.
)

// widths are the stretches that a bar may stand for.
var widths = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour,
}

// widthOf is the stretch of one bar, in microseconds, for a time from one instant to another (0: no bound).
func widthOf(from, to, now int64) int64 {
	if from == 0 { // As fine as there may be need; draw puts together what is too much.
		return 15 * time.Minute.Microseconds()
	}
	return niceWidth(cmp.Or(to, now) - from)
}

func niceWidth(span int64) int64 {
	for _, w := range widths {
		if span/w.Microseconds() <= histoMost {
			return w.Microseconds()
		}
	}
	return span/histoMost + 1
}

// histogram is a drawing of counts by time, with its table.
type histogram struct {
	Bars   []bar
	Total  int64
	Most   int64
	Width  string // How long a bar is, in words.
	Cut    bool
	Since  int64
	Labels []label
}

type bar struct {
	X, Y, W, H int
	From, To   int64
	Count      int64
	Href       string // Address of the hunt in just this time.
}

type label struct {
	X    int
	Text string
}

// histogramOf draws counts of a hunt. Where nothing bounds it the first and the last event do.
func histogramOf(t Tally, q question, width int64) *histogram {
	h := draw(t.Buckets, q.From, q.To, width)
	h.Total, h.Cut, h.Since = t.Total, t.Cut, t.Since
	for i := range h.Bars {
		b := &h.Bars[i]
		b.Href = q.with("range", "", "from", stamp(b.From, time.RFC3339Nano), "to", stamp(b.To, time.RFC3339Nano)).path()
	}
	return h
}

// draw lays out buckets of a width between two instants (0: those of the buckets), put together where they are too many.
func draw(buckets []Bucket, from, to, width int64) *histogram {
	first, last := buckets[0].Start, buckets[len(buckets)-1].Start
	if from != 0 {
		first = min(first, floorTo(from, width))
	}
	if to != 0 {
		last = max(last, floorTo(to-1, width))
	}
	if wide := niceWidth(last - first + width); wide > width {
		width, first, last = wide, floorTo(first, wide), floorTo(last, wide)
	}
	n := int((last-first)/width) + 1
	counts := make([]int64, n)
	h := &histogram{Width: long(width)}
	for _, b := range buckets {
		counts[min((b.Start-first)/width, int64(n-1))] += b.Count
	}
	for _, c := range counts {
		h.Most, h.Total = max(h.Most, c), h.Total+c
	}
	layout := dateTime
	if width >= 24*time.Hour.Microseconds() {
		layout = time.DateOnly
	}
	step := max(1, n/6)
	for i, c := range counts {
		x, next := histoLeft+i*(histoWidth-histoLeft)/n, histoLeft+(i+1)*(histoWidth-histoLeft)/n
		at := first + int64(i)*width
		if i%step == 0 && x < histoWidth-140 {
			h.Labels = append(h.Labels, label{x, stamp(at, layout)})
		}
		if c == 0 {
			continue
		}
		high := max(2, int(c*(histoFloor-8)/h.Most))
		h.Bars = append(h.Bars, bar{X: x, Y: histoFloor - high, W: max(1, next-x-1), H: high, From: at, To: at + width, Count: c})
	}
	return h
}

// floorTo is the greatest multiple of width that is not greater.
func floorTo(at, width int64) int64 {
	rest := at % width
	if rest < 0 {
		rest += width
	}
	return at - rest
}

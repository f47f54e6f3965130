package correlate

import (
	"math"
	"slices"
	"strconv"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// measured is the number that a hit of a measuring count carries; ok is false where it has none. Counts that measure nothing always go on.
func measured(b *branch, c *cell) (v float64, ok bool) {
	if b.Measure == nil {
		return 0, true
	}
	return numberOf(c.Fields[b.Measure.Field])
}

// numberOf is a value as a number. A text is one if it is a finite decimal number.
func numberOf(v event.FieldValue) (float64, bool) {
	if !v.Known {
		return 0, false
	}
	switch v.Kind {
	case event.KindInt:
		return float64(v.Num), true
	case event.KindFloat:
		return v.Flt, !math.IsNaN(v.Flt) && !math.IsInf(v.Flt, 0)
	case event.KindString:
		for _, c := range []byte(v.Str) {
			if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' {
				return 0, false
			}
		}
		f, err := strconv.ParseFloat(v.Str, 64)
		return f, err == nil
	}
	return 0, false
}

// reached reports whether the measure over a window satisfies its limit. It depends on the values alone and not on the order in which they
// came: they are sorted before they are added up.
func reached(b *branch, cells []*cell) bool {
	list := make([]float64, 0, len(cells))
	for _, c := range cells {
		v, _ := measured(b, c)
		list = append(list, v)
	}
	slices.Sort(list)
	v := measure(b.Measure, list)
	if b.Measure.Above {
		return v > b.Measure.Limit
	}
	return v >= b.Measure.Limit
}

// measure is what a measure makes of sorted values, of which there is at least one.
func measure(m *rules.Measure, list []float64) float64 {
	n := len(list)
	switch m.Kind {
	case rules.Median:
		return (list[(n-1)/2] + list[n/2]) / 2
	case rules.Percentile:
		return list[max(0, int(math.Ceil(m.Rank/100*float64(n)))-1)]
	}
	total := 0.0
	for _, v := range list {
		total += v
	}
	if m.Kind == rules.Avg {
		return total / float64(n)
	}
	return total
}

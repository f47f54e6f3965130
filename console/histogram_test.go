package console

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestAHistogramHoldsEveryEventWhateverItsWidth(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		width := widths[r.IntN(len(widths))].Microseconds()
		at := (r.Int64N(1<<52) - 1<<51) / width * width
		var buckets []Bucket
		var total int64
		for range 1 + r.IntN(300) {
			n := 1 + r.Int64N(1000)
			buckets, total = append(buckets, Bucket{at, n}), total+n
			at += width * (1 + r.Int64N(20))
		}
		var from, to int64
		if r.IntN(2) == 0 {
			from, to = buckets[0].Start-r.Int64N(width), at
		}
		h := draw(buckets, from, to, width)
		var drawn int64
		last := int64(math.MinInt64)
		for _, b := range h.Bars {
			drawn += b.Count
			if b.X < histoLeft || b.X+b.W > histoWidth || b.Y < 0 || b.H < 1 || b.From < last {
				t.Fatalf("seed %d: bar %+v", seed, b)
			}
			last = b.To
		}
		if drawn != total || h.Total != total || len(h.Bars) > histoMost+2 || h.Most < total/int64(len(h.Bars)) {
			t.Fatalf("seed %d: %d of %d events in %d bars", seed, drawn, total, len(h.Bars))
		}
	}
	if got := niceWidth((24 * time.Hour).Microseconds()); got != (30 * time.Minute).Microseconds() {
		t.Errorf("a bar of a day is %d", got)
	}
}

package correlate

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Amounts are added up as whole thousandths, which makes sums independent of their order. What is below 0 counts as nothing, and sums stop at
// the greatest number instead of overflowing.
const (
	amountUnit = 1000
	maxAmount  = math.MaxInt64
)

// amountOf reads the amount of a hit.
func amountOf(v event.FieldValue) int64 {
	switch {
	case !v.Known:
		return 0
	case v.Kind == event.KindFloat:
		f := v.Flt * amountUnit
		if !(f > 0) {
			return 0
		}
		if f >= maxAmount/2 {
			return maxAmount / 2
		}
		return int64(math.Round(f))
	case v.Num <= 0:
		return 0
	case v.Num >= maxAmount/amountUnit/2:
		return maxAmount / 2
	}
	return v.Num * amountUnit
}

func addAmounts(a, b int64) int64 {
	if a > maxAmount-b {
		return maxAmount
	}
	return a + b
}

func amountValue(a int64) float64 { return float64(a) / amountUnit }

// bucket is what was added up in one stretch of time.
type bucket struct {
	at     int64 // Number of the bucket: time divided by its length.
	sum    int64 // Of all hits,
	old    int64 // and of those at or before W alone.
	frozen bool
}

// history is the amounts of one set of per values: the buckets that a window can still reach or that W has not passed, and what is kept of
// those before. Both follow from the hits whatever their order.
type history struct {
	first   int64 // Time of the first hit; forever before.
	buckets []bucket
	samples []uint16 // Amounts over stretches that are closed, oldest first; see packAmount.
	from    int64    // Number of the first sample.
	seeded  bool     // What is usual was given by a test:
	given   int64    // this.

	known     level // What was usual when it was last asked for; hits out of order make it unknown.
	knownFrom int64
}

// weight is the bytes of its lists.
func (h *history) weight() int64 { return int64(cap(h.samples))*2 + int64(cap(h.buckets))*32 }

// frozenSample stands for a stretch that says nothing.
const frozenSample = math.MaxUint16

// yardstick is a baseline with what follows from it.
type yardstick struct {
	*rules.Baseline
	stride int64 // Samples end at whole multiples of this and are Over long, so that they may overlap.
	count  int64 // Samples of a baseline,
	kept   int64 // and those kept: a window that begins before W looks at stretches that much older.
	near   []distant
	work   []int64
}

// distant is a sample and how far from the season's time it lies.
type distant struct{ apart, amount int64 }

// strides are the distances between samples: as many as six an hour are kept.
var strides = [...]int64{10 * minute, 15 * minute, 20 * minute, 30 * minute, hour}

func newYardstick(b *rules.Baseline) yardstick {
	m := yardstick{Baseline: b, stride: b.Bucket}
	for _, s := range strides {
		if s%b.Bucket == 0 {
			m.stride = s
			break
		}
	}
	m.count = max(1, b.Length/m.stride)
	m.kept = m.count + b.Over/m.stride + 4
	return m
}

// bucketOf is the number of the bucket of a time.
func (m *yardstick) bucketOf(t int64) int64 { return floorDiv(t, m.Bucket) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// record counts a hit.
func (m *yardstick) record(h *history, t, amount int64, frozen bool) {
	h.first = min(h.first, t)
	b := h.bucket(m.bucketOf(t))
	b.frozen = b.frozen || frozen
	if !frozen {
		b.sum = addAmounts(b.sum, amount)
	}
}

// bucket finds a bucket, or makes it.
func (h *history) bucket(at int64) *bucket {
	if n := len(h.buckets); n > 0 && h.buckets[n-1].at == at {
		return &h.buckets[n-1]
	}
	i, ok := slices.BinarySearchFunc(h.buckets, at, func(b bucket, at int64) int { return int(min(1, max(-1, b.at-at))) })
	if !ok {
		h.buckets = slices.Insert(h.buckets, i, bucket{at: at})
	}
	return &h.buckets[i]
}

// total adds up the buckets from one to another, exclusive; frozen says that one of them is left out of baselines.
func (h *history) total(from, to int64) (sum int64, frozen bool) {
	i, _ := slices.BinarySearchFunc(h.buckets, from, func(b bucket, at int64) int { return int(min(1, max(-1, b.at-at))) })
	for ; i < len(h.buckets) && h.buckets[i].at < to; i++ {
		sum = addAmounts(sum, h.buckets[i].sum)
		frozen = frozen || h.buckets[i].frozen
	}
	return sum, frozen
}

// close makes samples of stretches that W has passed, and forgets buckets that nothing reaches any more.
func (m *yardstick) close(h *history, w int64) {
	if h.first == forever {
		return
	}
	next := h.from + int64(len(h.samples))
	if len(h.samples) == 0 {
		next = m.earliest(h)
		h.from = next
	}
	closed := floorDiv(w, m.stride) + 1 // The first stretch that does not end at or before w.
	if closed-next > m.kept {
		h.samples, next = h.samples[:0], closed-m.kept
		h.from = next
	}
	for ; next < closed; next++ {
		h.samples = append(h.samples, m.sample(h, next))
	}
	if more := int64(len(h.samples)) - m.kept; more > m.count/8 {
		h.samples = slices.Delete(h.samples, 0, int(more))
		h.from += more
	}
	keep := min(m.bucketOf(w), next*(m.stride/m.Bucket)) - m.Over/m.Bucket
	n := 0
	for n < len(h.buckets) && h.buckets[n].at < keep {
		n++
	}
	h.buckets = slices.Delete(h.buckets, 0, n)
}

// earliest is the first stretch that lies wholly after the first hit.
func (m *yardstick) earliest(h *history) int64 {
	return floorDiv(h.first+m.Over+m.stride-1, m.stride)
}

// sample is the amount of a stretch from its buckets.
func (m *yardstick) sample(h *history, number int64) uint16 {
	to := number * (m.stride / m.Bucket)
	sum, frozen := h.total(to-m.Over/m.Bucket, to)
	if frozen {
		return frozenSample
	}
	return packAmount(sum)
}

// level is what is usual at a time.
type level struct {
	median, deviation int64
	ok                bool // There is something to compare with.
}

// usual works out what is usual for a window that begins at the bucket from: over the stretches that end before it and lie within the
// baseline, those that end nearest to the same time of the season, eight at least, or all where these are too few.
func (m *yardstick) usual(h *history, from int64) level {
	if h.seeded {
		return level{median: h.given, ok: true}
	}
	if h.known.ok && h.knownFrom == from {
		return h.known
	}
	h.known, h.knownFrom = m.compare(h, from*m.Bucket), from
	return h.known
}

func (m *yardstick) compare(h *history, begin int64) level {
	last := floorDiv(begin, m.stride) // The last stretch that ends at or before the window's begin.
	first := max(last-m.count+1, m.earliest(h))
	m.near, m.work = m.near[:0], m.work[:0]
	for n := last; n >= first; n-- {
		v := uint16(frozenSample)
		switch i := n - h.from; {
		case i < 0:
		case i < int64(len(h.samples)):
			v = h.samples[i]
		default:
			v = m.sample(h, n)
		}
		if v != frozenSample {
			m.collect(n*m.stride-begin-m.Over, unpackAmount(v))
		}
	}
	const enough, few = 8, 3
	if len(m.near) < few {
		return m.level()
	}
	slices.SortFunc(m.near, func(a, b distant) int { return cmp.Or(cmp.Compare(a.apart, b.apart), cmp.Compare(a.amount, b.amount)) })
	m.work = m.work[:0]
	for i, x := range m.near {
		if i >= enough && x.apart > m.near[i-1].apart {
			break
		}
		m.work = append(m.work, x.amount)
	}
	return m.level()
}

// aside is how far from the same time of the season a stretch may end.
const aside = 3 * hour

// collect takes in a sample that ends so long after the window.
func (m *yardstick) collect(after, amount int64) {
	m.work = append(m.work, amount)
	period := int64(24 * hour)
	switch m.Season {
	case rules.NoSeason:
		return
	case rules.HourOfWeek:
		period *= 7
	}
	after -= floorDiv(after, period) * period
	if apart := min(after, period-after); apart <= aside {
		m.near = append(m.near, distant{apart, amount})
	}
}

func (m *yardstick) level() level {
	if len(m.work) == 0 {
		return level{}
	}
	out := level{median: median(m.work), ok: true}
	for i, v := range m.work {
		m.work[i] = max(v-out.median, out.median-v)
	}
	out.deviation = median(m.work)
	return out
}

// exceeds reports whether an amount is a spike beside what is usual.
func (m *yardstick) exceeds(amount int64, usual level) bool {
	a, u := float64(amount), float64(usual.median)
	return a >= m.Floor*amountUnit && a >= m.Ratio*u && a >= u+m.Deviations*spread*float64(usual.deviation)
}

// below reports whether an amount is a drop beside what is usual.
func (m *yardstick) below(amount int64, usual level) bool {
	a, u := float64(amount), float64(usual.median)
	return u > 0 && u >= m.Floor*amountUnit && a < u/m.Ratio && a < u-m.Deviations*spread*float64(usual.deviation)
}

// spread makes a median absolute deviation comparable with a standard deviation.
const spread = 1.4826

// packAmount keeps ten significant bits and where they stand: within a thousandth of the amount.
func packAmount(v int64) uint16 {
	n := bits.Len64(uint64(v))
	if n <= 10 {
		return uint16(v)
	}
	shift := n - 10
	return uint16(shift)<<10 | uint16(v>>shift)&0x3ff
}

// unpackAmount gives the middle of what packAmount takes for the same.
func unpackAmount(p uint16) int64 {
	shift := int(p >> 10)
	if shift == 0 {
		return int64(p)
	}
	return int64(p&0x3ff)<<shift + 1<<(shift-1)
}

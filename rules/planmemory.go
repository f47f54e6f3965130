package rules

import "github.com/tocsin-siem/tocsin/event"

// Changed lets a hit pass only if Value differs from the one of the previous hit (in event time) with the same Per values. The first value seen never passes.
type Changed struct {
	Value int   // Index into Hit.Fields.
	Per   []int // Indexes into Plan.Vars.
}

// New lets a hit pass only if Value was not seen for the same Per values within History before it, once Learn has passed since their first hit.
type New struct {
	Value   int   // Index into Hit.Fields.
	Per     []int // Indexes into Plan.Vars.
	History int64
	Learn   int64
	Hold    int64 // For how long a value stays new: the `over` of a beacon, spike or drop of the same step, which judge many hits together.
	Inherit int   // Index into Hit.Fields: an entity that is still learning goes by what entities with the same value have seen; −1: no.
	Freeze  int   // Index into Hit.Fields: while true the value neither passes nor is learned; −1: never.
}

// Season says which times of the past a time is compared with.
type Season uint8

// The seasons.
const (
	HourOfWeek Season = iota
	HourOfDay
	NoSeason
)

var seasonNames = [...]string{"hour_of_week", "hour_of_day", "none"}

// String is the season as rules write it.
func (s Season) String() string { return seasonNames[s] }

// Baseline is how an amount over a time is compared with what is usual: the median of what it was over stretches of the same length within
// Length before, in the same season. Amounts are added up in buckets that begin at whole multiples of Bucket since 1970.
type Baseline struct {
	Value      int // Index into Hit.Fields of the amount of a hit; −1 counts hits.
	Bucket     int64
	Over       int64 // A multiple of Bucket.
	Length     int64
	Learn      int64 // No answer within this time from the first hit.
	Season     Season
	Ratio      float64 // At least so many times the median, or for a drop at most the median divided by it.
	Deviations float64 // And so many median absolute deviations (× 1.4826) from it.
	Floor      float64 // Spike: the least amount that matters. Drop: the least median that does.
}

// Spike lets the hit pass at which the amount over Over first exceeds what is usual; once per Over.
type Spike struct {
	Baseline
	Per    []int
	Freeze int // Index into Hit.Fields: while true hits count for nothing, and the time is left out of the baseline; −1: never.
}

// Beacon lets the hit pass at which the gaps between contacts within Over are at least AtLeast and regular; once per Over.
type Beacon struct {
	Per       []int
	AtLeast   int // Gaps.
	Over      int64
	MinGap    int64   // Hits closer than this are one contact.
	JitterMax float64 // Median absolute deviation of the gaps divided by their median.
	Freeze    int     // Index into Hit.Fields: while true hits are not seen; −1: never.
}

// Drop lets the last hit pass before a silence of For, if it ends a run of AtLeast hits within Over; or, with Volume, the last hit before the
// amount has fallen below what is usual, once per Over. It is decided when W has passed the end of the silence.
type Drop struct {
	Per     []int
	For     int64
	AtLeast int
	Over    int64
	Volume  *Baseline // Nil: heartbeat.
	Freeze  int       // Index into Hit.Fields: silence after such a hit is no drop (volume: as for Spike); −1: never.
}

// Waits is how long after a hit it can be decided that it was the last one.
func (d *Drop) Waits() int64 {
	if d.Volume != nil {
		return d.Volume.Over + d.Volume.Bucket
	}
	return d.For
}

// Output is a value that a hit exposes once it has passed a modifier, beside the `prev` of changed.
type Output struct {
	Name string
	Kind event.Kind
}

// The outputs of the modifiers, in the order in which they follow each other in a hit.
var (
	spikeOutputs  = []Output{{"amount", event.KindFloat}, {"usual", event.KindFloat}}
	beaconOutputs = []Output{{"gap", event.KindInt}, {"jitter", event.KindFloat}}
	dropOutputs   = []Output{{"silent_since", event.KindTime}}
)

// outputs are those of a step after prev.
func (s *Step) outputs() []Output {
	var out []Output
	if s.Spike != nil {
		out = append(out, spikeOutputs...)
	}
	if s.Beacon != nil {
		out = append(out, beaconOutputs...)
	}
	if s.Drop != nil {
		if s.Drop.Volume != nil {
			out = append(out, spikeOutputs...)
		}
		out = append(out, dropOutputs...)
	}
	return out
}

// Outputs is how many values the fold appends to what a hit of the step carries once it has passed the modifiers with memory: the value before
// a change, then amount and usual of a spike, gap and jitter of a beacon, amount and usual of a volume drop, silent_since of a drop. Logged
// hits do not have them.
func (s *Step) Outputs() int {
	n := len(s.outputs())
	if s.Changed != nil {
		n++
	}
	return n
}

// Gated reports whether the step has modifiers with memory.
func (s *Step) Gated() bool { return len(s.pers()) > 0 }

// pers are the per variables of the modifiers.
func (s *Step) pers() [][]int {
	var out [][]int
	if s.Changed != nil {
		out = append(out, s.Changed.Per)
	}
	if s.New != nil {
		out = append(out, s.New.Per)
	}
	if s.Spike != nil {
		out = append(out, s.Spike.Per)
	}
	if s.Beacon != nil {
		out = append(out, s.Beacon.Per)
	}
	if s.Drop != nil {
		out = append(out, s.Drop.Per)
	}
	return out
}

// History is how much of the past a modifier of the step wants to know; 0: what is there is enough.
func (s *Step) History() int64 {
	var t int64
	if s.New != nil {
		t = s.New.History
	}
	if s.Spike != nil {
		t = max(t, s.Spike.Length)
	}
	if s.Drop != nil && s.Drop.Volume != nil {
		t = max(t, s.Drop.Volume.Length)
	}
	return t
}

// Memory is how far back, in microseconds, the modifiers of the step look.
func (s *Step) Memory() int64 {
	var t int64
	if s.New != nil {
		t = max(t, s.New.History)
	}
	if s.Spike != nil {
		t = max(t, s.Spike.Length+s.Spike.Over)
	}
	if s.Beacon != nil {
		t = max(t, s.Beacon.Over)
	}
	if d := s.Drop; d != nil {
		t = max(t, d.Over+d.For)
		if d.Volume != nil {
			t = max(t, d.Volume.Length+d.Volume.Over)
		}
	}
	return t
}

// Waits is how much longer than its lateness the rule waits, so that a drop can be decided: the longest silence it asks for.
func (p *Plan) Waits() int64 {
	var t int64
	for i := range p.Branches {
		for j := range p.Branches[i].Steps {
			if d := p.Branches[i].Steps[j].Drop; d != nil {
				t = max(t, d.Waits())
			}
		}
	}
	return t
}

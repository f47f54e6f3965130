package rules

import (
	"math"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// Bounds on modifiers with memory.
const (
	minBucket   = second
	maxBucket   = day
	maxOver     = 7 * day
	maxBuckets  = 1440 // Of one `over`.
	minBaseline = day
	maxBaseline = 90 * day
	maxSilence  = 7 * day
	maxGap      = hour
	maxBeats    = 1000
	maxContacts = 256
)

// histories reads the modifiers with memory of a step, once all variables are known.
func (b *builder) histories(s *stepSpec) {
	if f := b.doc.mapping(s.fields.get("changed"), "changed", false, InChanged); f != nil {
		c := &Changed{Per: b.per(s, f, "changed")}
		if fd := b.doc.path(f.need("value", "changed"), "value"); fd != nil {
			c.Value, s.scope.Prev = s.scope.Need(fd), fd
		}
		s.step.Changed = c
	}
	if f := b.doc.mapping(s.fields.get("new"), "new", false, InNew); f != nil {
		b.fresh(s, f)
	}
	if f := b.doc.mapping(s.fields.get("spike"), "spike", false, InSpike); f != nil {
		x := &Spike{Per: b.per(s, f, "spike")}
		s.step.Spike = x
		b.baseline(s, f, &x.Baseline, 6)
		f.need("floor", "spike")
		x.Floor = f.number("floor", 1, 0, math.MaxInt64/1e6)
		b.freeze(s, f, &x.Freeze)
	}
	if f := b.doc.mapping(s.fields.get("beacon"), "beacon", false, InBeacon); f != nil {
		b.beacon(s, f)
	}
	if f := b.doc.mapping(s.fields.get("drop"), "drop", false, InDrop); f != nil {
		b.drop(s, f)
	}
	b.together(s)
	for _, o := range s.step.outputs() {
		s.scope.Outputs = append(s.scope.Outputs, expression.Output(o))
	}
}

// per reads the variables a modifier goes by, all of which the step must give a value.
func (b *builder) per(s *stepSpec, f *fields, what string) []int {
	f.need("per", what)
	list := b.variables(f, "per")
	for _, v := range list {
		emitted := slices.ContainsFunc(s.step.Emit, func(e Binding) bool { return e.Var == v })
		if !s.binds(v) && !emitted {
			b.doc.problem(f.get("per"), codePer, "step "+s.step.ID+" does not bind "+b.plan.Vars[v].Name+", so that no event passes its "+what, "bind it in this step too")
		}
	}
	return list
}

// together looks at the modifiers of a step side by side.
func (b *builder) together(s *stepSpec) {
	st := &s.step
	if st.Spike != nil && st.Drop != nil && st.Drop.Volume != nil {
		b.doc.problem(s.fields.get("drop"), codeModifier, "a step cannot wait for a spike and for a drop of an amount", "write them in two matches of any")
	}
	if st.Drop != nil && (st.Beacon != nil || st.Changed != nil || st.Spike != nil) {
		b.doc.problem(s.fields.get("drop"), codeModifier, "drop stands beside new at most: it is about the last event, and the others are about others", "write another step")
	}
	if st.New == nil {
		return
	}
	if st.Spike != nil {
		st.New.Hold = st.Spike.Over
	}
	if st.Beacon != nil {
		st.New.Hold = max(st.New.Hold, st.Beacon.Over)
	}
	if st.Drop != nil {
		st.New.Hold = max(st.New.Hold, st.Drop.Over)
	}
}

func (b *builder) fresh(s *stepSpec, f *fields) {
	w := &New{Per: b.per(s, f, "new"), Inherit: -1}
	w.History = f.duration("history", 30*day, maxHistory)
	w.Learn = f.duration("learn", 0, maxHistory)
	if w.Learn > w.History {
		b.doc.problem(f.get("learn"), codeSpan, "learn is longer than history, so that nothing is ever new", "")
	}
	b.carriedValue(s, f, f.need("value", "new"), &w.Value)
	if n := f.get("inherit"); n != nil {
		if fd := b.doc.path(n, "inherit"); fd != nil {
			w.Inherit = s.scope.Need(fd)
		}
		if w.Learn == 0 {
			b.doc.problem(n, codeModifier, "inherit says nothing without learn: it is for entities that are still learning", "as in learn: 14d")
		}
	}
	b.freeze(s, f, &w.Freeze)
	s.step.New = w
}

// carriedValue reads a field or an expression that hits carry.
func (b *builder) carriedValue(s *stepSpec, f *fields, n *yaml.Node, index *int) event.Kind {
	if n == nil {
		return event.KindString
	}
	if fd := event.FieldByPath(n.Value); fd != nil {
		*index = s.scope.Need(fd)
		return fd.Kind
	}
	x, issues := expression.CompileValue(b.doc.scalar(n, "value"))
	b.doc.issues(n, flow(f), issues)
	if x == nil {
		return event.KindString
	}
	*index = s.scope.NeedValue(x)
	s.computed = append(s.computed, index)
	return x.Kind()
}

// freeze reads the condition under which a modifier looks away.
func (b *builder) freeze(s *stepSpec, f *fields, index *int) {
	*index = -1
	if x := b.doc.condition(f, "freeze"); x != nil {
		*index = s.scope.NeedValue(x)
		s.computed = append(s.computed, index)
	}
}

// baseline reads what spike and the volume form of drop have in common.
func (b *builder) baseline(s *stepSpec, f *fields, x *Baseline, deviations float64) {
	x.Value = -1
	if n := f.get("value"); n != nil {
		if kind := b.carriedValue(s, f, n, &x.Value); kind != event.KindInt && kind != event.KindFloat {
			b.doc.problem(n, codeType, "the amount must be a number, and this is "+kind.String(), "leave value out to count events")
		}
	}
	x.Bucket, x.Over = f.duration("bucket", minute, maxBucket), f.duration("over", 10*minute, maxOver)
	x.Length = f.duration("baseline", 14*day, maxBaseline)
	x.Learn = f.duration("learn", min(7*day, x.Length/2), maxBaseline)
	x.Season = Season(slices.Index(seasonNames[:], f.choice("season", seasonNames[:]...)))
	x.Ratio, x.Deviations = f.number("ratio", 4, 1, 1e6), f.number("deviations", deviations, 0, 1e6)
	at := func(key string) *yaml.Node {
		if n := f.get(key); n != nil {
			return n
		}
		return f.node
	}
	switch {
	case x.Bucket < minBucket || hour%x.Bucket != 0 && x.Bucket%hour != 0:
		b.doc.problem(at("bucket"), codeModifier, "bucket must fit into an hour a whole number of times, or be whole hours; and at least 1s", "as in 10s, 1m, 5m, 1h")
		x.Bucket = minute
	case x.Over < x.Bucket || x.Over%x.Bucket != 0 || x.Over/x.Bucket > maxBuckets:
		b.doc.problem(at("over"), codeModifier, "over must be 1 to "+strconv.Itoa(maxBuckets)+" buckets", "choose a bucket of which it is a multiple")
		x.Over = x.Bucket
	case x.Length < minBaseline || x.Length < 4*x.Over:
		b.doc.problem(at("baseline"), codeModifier, "baseline must be at least 1d and four times over", "")
	case x.Season == HourOfWeek && x.Length < 7*day:
		b.doc.problem(at("baseline"), codeModifier, "baseline is shorter than a week, so that no hour of the week comes twice", "season: hour_of_day needs less")
	case x.Learn > x.Length:
		b.doc.problem(at("learn"), codeSpan, "learn is longer than baseline", "")
	}
}

func (b *builder) beacon(s *stepSpec, f *fields) {
	x := &Beacon{Per: b.per(s, f, "beacon")}
	x.AtLeast = f.integer("at_least", 8, 3, maxContacts)
	x.Over = f.duration("over", 4*hour, maxOver)
	x.MinGap = f.duration("min_gap", second, maxGap)
	x.JitterMax = f.number("jitter_max", 0.2, 0, 1)
	if x.Over < int64(x.AtLeast)*max(x.MinGap, millisecondUnit) {
		b.doc.problem(f.node, codeModifier, "so many gaps of min_gap do not fit into over", "")
	}
	b.freeze(s, f, &x.Freeze)
	s.step.Beacon = x
}

const millisecondUnit = int64(1000)

// volumeKeys are those of drop that only its volume form has, and beatKeys those it has not.
var (
	volumeKeys = []string{"value", "bucket", "baseline", "ratio", "season", "deviations", "floor", "learn"}
	beatKeys   = []string{"for", "at_least"}
)

func (b *builder) drop(s *stepSpec, f *fields) {
	x := &Drop{Per: b.per(s, f, "drop")}
	s.step.Drop = x
	if slices.ContainsFunc(volumeKeys, func(k string) bool { return f.get(k) != nil }) {
		for _, k := range beatKeys {
			if n := f.get(k); n != nil {
				b.doc.problem(n, codeModifier, k+" belongs to the drop of a heartbeat, and "+"the other keys to that of an amount", "")
			}
		}
		x.Volume = &Baseline{}
		b.baseline(s, f, x.Volume, 2)
		x.Over = x.Volume.Over
		x.Volume.Floor = f.number("floor", 0, 0, math.MaxInt64/1e6)
		b.freeze(s, f, &x.Freeze)
		return
	}
	f.need("for", "drop")
	x.For = f.duration("for", 5*minute, maxSilence)
	x.AtLeast = f.integer("at_least", 3, 1, maxBeats)
	x.Over = f.duration("over", max(hour, x.For), maxOver)
	if x.For < second {
		b.doc.problem(f.get("for"), codeModifier, "for must be at least 1s", "")
	}
	b.freeze(s, f, &x.Freeze)
}

// number reads a number between the bounds; fallback if the key does not stand.
func (f *fields) number(key string, fallback, low, high float64) float64 {
	n := f.get(key)
	if n == nil {
		return fallback
	}
	v, err := strconv.ParseFloat(f.doc.scalar(n, key), 64)
	switch {
	case err != nil || math.IsNaN(v):
		f.doc.problem(n, codeShape, key+" must be a number", "")
	case v < low || v > high:
		f.doc.problem(n, codeModifier, key+" must be from "+strconv.FormatFloat(low, 'g', -1, 64)+" to "+strconv.FormatFloat(high, 'g', 6, 64), "")
	default:
		return v
	}
	return fallback
}

package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

// MaxValues is how many values one variable may take from one event. Beyond it the event is skipped for that step, and counted.
const MaxValues = 8

// Matcher finds the steps that an event satisfies. It is immutable and may be used by several goroutines, each with its own Scratch.
type Matcher struct {
	targets []target // In the order of their hits: rule, branch, step.
	classes map[classKey]*candidates
	rules   int
}

// target is one step, guard or until that listens to events.
type target struct {
	rule   *rules.Rule
	index  int // Of the rule, in counters.
	branch uint8
	step   uint8
	*rules.Step
}

// classKey is an OCSF class and activity; anyActivity stands for those no step names.
type classKey struct {
	class    uint32
	activity uint32
}

const anyActivity = 1 << 16

// candidates are the targets to try for a class: those behind an equality that holds, and those that have none to look up.
type candidates struct {
	always []int32
	texts  []textIndex
	nums   []numIndex
}

type textIndex struct {
	field *event.Field
	of    map[string][]int32
}

type numIndex struct {
	field *event.Field
	of    map[int64][]int32
}

// NewMatcher builds the indexes for a set of rules. Rules that are off are left out.
func NewMatcher(set *rules.Set) *Matcher {
	m := &Matcher{classes: map[classKey]*candidates{}, rules: len(set.Rules)}
	for i, r := range set.Rules {
		if r.Status == rules.Off {
			continue
		}
		for j := range r.Plan.Branches {
			m.addBranch(target{rule: r, index: i, branch: uint8(j)}, &r.Plan.Branches[j])
		}
	}
	m.index()
	return m
}

func (m *Matcher) addBranch(t target, b *rules.Branch) {
	add := func(x *rules.Step) {
		t.Step = x
		m.targets = append(m.targets, t)
		t.step++
	}
	for i := range b.Steps {
		add(&b.Steps[i])
	}
	for i := range b.Guards {
		add(&b.Guards[i].Step)
	}
	for i := range b.Until {
		add(&b.Until[i].Step)
	}
}

// index puts every target under each class and activity that can satisfy it.
func (m *Matcher) index() {
	for _, t := range m.targets {
		for _, c := range t.Classes {
			for _, k := range []classKey{{c.UID, anyActivity}, {c.UID, uint32(c.Activity)}} {
				if m.classes[k] == nil && (k.activity == anyActivity || !c.Any) {
					m.classes[k] = &candidates{}
				}
			}
		}
	}
	for k, list := range m.classes {
		for i := range m.targets {
			if m.targets[i].listens(k) {
				list.add(int32(i), m.targets[i].Where)
			}
		}
	}
}

func (t *target) listens(k classKey) bool {
	return slices.ContainsFunc(t.Classes, func(c event.ClassRef) bool {
		return c.UID == k.class && (c.Any || k.activity == uint32(c.Activity))
	})
}

// add files a target under the equality with the fewest values, preferring text, which tells more events apart than numbers do.
func (c *candidates) add(t int32, where *expression.Event) {
	var best *expression.Equality
	if where != nil {
		facts := where.Equalities()
		for i := range facts {
			if f := &facts[i]; best == nil || weight(f) < weight(best) {
				best = f
			}
		}
	}
	switch {
	case best == nil:
		c.always = append(c.always, t)
	case len(best.Strs) > 0:
		i := slices.IndexFunc(c.texts, func(x textIndex) bool { return x.field == best.Field })
		if i < 0 {
			i = len(c.texts)
			c.texts = append(c.texts, textIndex{best.Field, map[string][]int32{}})
		}
		for _, v := range best.Strs {
			c.texts[i].of[v] = append(c.texts[i].of[v], t)
		}
	default:
		i := slices.IndexFunc(c.nums, func(x numIndex) bool { return x.field == best.Field })
		if i < 0 {
			i = len(c.nums)
			c.nums = append(c.nums, numIndex{best.Field, map[int64][]int32{}})
		}
		for _, v := range best.Ints {
			c.nums[i].of[v] = append(c.nums[i].of[v], t)
		}
	}
}

func weight(f *expression.Equality) int {
	if n := len(f.Strs); n > 0 {
		return n
	}
	return 4 * len(f.Ints)
}

// lookup appends the targets to try for e, in order.
func (m *Matcher) lookup(e *event.Event, out []int32) []int32 {
	c := m.classes[classKey{e.ClassUID, uint32(e.ActivityID)}]
	if c == nil {
		if c = m.classes[classKey{e.ClassUID, anyActivity}]; c == nil {
			return out
		}
	}
	out = append(out, c.always...)
	for i := range c.texts {
		if x := &c.texts[i]; len(x.of) > 0 {
			out = append(out, x.of[x.field.Str(e)]...)
		}
	}
	for i := range c.nums {
		x := &c.nums[i]
		v, _ := x.field.Num(e)
		out = append(out, x.of[v]...)
	}
	if len(c.texts)+len(c.nums) > 0 {
		slices.Sort(out)
	}
	return out
}

// Scratch is one goroutine's workspace for matching, with counters that the engine collects.
type Scratch struct {
	machine *expression.Machine
	tried   []int32
	hits    []event.Hit
	counts  []counts // By rule.
	combos  [][]string
	values  []string
	names   map[string]string
}

// counts are what matching counts for one rule.
type counts struct {
	errors, nulls, wide int64
	nullOf              string
	err                 error
	excepted            []int64 // By exception; nil before the first.
}

func (c *counts) none() bool {
	return c.errors|c.nulls|c.wide == 0 && c.err == nil && c.excepted == nil
}

// NewScratch makes a workspace that reads the given tables.
func (m *Matcher) NewScratch(l expression.Lookups) *Scratch {
	return &Scratch{machine: expression.NewMachine(l), counts: make([]counts, m.rules), names: map[string]string{}}
}

// Match appends the hits of the events at b.Sorted[from:to], in order of event, rule, branch and step. It is pure but for the counters in s.
// An event that no rule listens to costs no allocation. Hits share nothing with b.
func (m *Matcher) Match(s *Scratch, b *event.Batch, from, to int, out []event.Hit) []event.Hit {
	for _, i := range b.Sorted[from:to] {
		out = m.match(s, &b.Events[i], out)
	}
	return out
}

func (m *Matcher) match(s *Scratch, e *event.Event, out []event.Hit) []event.Hit {
	s.tried = m.lookup(e, s.tried[:0])
	var ref *event.Ref
	for _, i := range s.tried {
		t := &m.targets[i]
		if !slices.ContainsFunc(t.Classes, func(c event.ClassRef) bool { return c.Matches(e) }) {
			continue
		}
		if t.Where != nil {
			ok, err := t.Where.Match(s.machine, e)
			if err != nil {
				s.counts[t.index].errors++
				s.counts[t.index].err = err
			}
			if !ok {
				continue
			}
		}
		if t.Excepted != nil && s.excepted(t, e) >= 0 {
			continue
		}
		out, ref = s.hit(t, e, ref, out)
	}
	return out
}

package correlate

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// MaxValues is how many values one variable may take from one event. Beyond it the event is skipped for that step, and counted.
const MaxValues = 8

// Matcher finds the steps that an event satisfies. It is immutable and may be used by several goroutines, each with its own Scratch.
type Matcher struct {
	targets []target // In the order of their hits: rule, branch, step.
	routes  map[classKey]*index
	rules   int
}

// target is one step, guard or until that listens to events.
type target struct {
	rule   *rules.Rule
	index  int // Of the rule, in counters.
	place  int // Of the target, in Matcher.targets.
	branch uint8
	step   uint8
	named  bool           // Listens to activities that only their name tells apart.
	thin   bool           // Hits that say nothing new within a batch may be left out.
	single *rules.Binding // Where one value of the event is all that hits bind.
	*rules.Step
}

// classKey is an OCSF class and activity; anyActivity stands for those no step names.
type classKey struct {
	class    uint32
	activity uint32
}

const anyActivity = 1 << 16

// NewMatcher builds the indexes for a set of rules. Rules that are off are left out.
func NewMatcher(set *rules.Set) *Matcher {
	m := &Matcher{routes: map[classKey]*index{}, rules: len(set.Rules)}
	for i, r := range set.Rules {
		if r.Status == rules.Off {
			continue
		}
		for j := range r.Plan.Branches {
			m.addBranch(target{rule: r, index: i, branch: uint8(j)}, &r.Plan.Branches[j])
		}
	}
	m.route()
	return m
}

func (m *Matcher) addBranch(t target, b *rules.Branch) {
	add := func(x *rules.Step) {
		t.Step, t.place = x, len(m.targets)
		t.thin, t.single = thins(x), single(t.rule, x)
		t.named = slices.ContainsFunc(x.Classes, func(c event.ClassRef) bool { return c.Name != "" })
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

// single is the binding of a step that gives the only variable of its rule one value; nil where there is more to it.
func single(r *rules.Rule, x *rules.Step) *rules.Binding {
	if len(r.Plan.Vars) != 1 || len(x.Bind) != 1 || len(x.BindAny)+len(x.Emit) > 0 {
		return nil
	}
	if b := &x.Bind[0]; b.Field == nil || b.Field.Kind != event.KindStrings {
		return b
	}
	return nil
}

// route makes an index for each class and activity that targets name; those with the same targets share one.
func (m *Matcher) route() {
	witnesses := make([]witness, len(m.targets))
	for i := range m.targets {
		t := &m.targets[i]
		witnesses[i] = t.witness(t.weigher())
		for _, c := range t.Classes {
			m.routes[classKey{c.UID, anyActivity}] = nil
			if !c.Any {
				m.routes[classKey{c.UID, uint32(c.Activity)}] = nil
			}
		}
	}
	shared := map[string]*index{}
	for k := range m.routes {
		var list []int32
		var name []byte
		for i := range m.targets {
			if m.targets[i].listens(k) {
				list, name = append(list, int32(i)), binary.LittleEndian.AppendUint32(name, uint32(i))
			}
		}
		x := shared[string(name)]
		if x == nil {
			x = newIndex(list, witnesses)
			shared[string(name)] = x
		}
		m.routes[k] = x
	}
}

func (t *target) listens(k classKey) bool {
	return slices.ContainsFunc(t.Classes, func(c event.ClassRef) bool {
		return c.UID == k.class && (c.Any || k.activity == uint32(c.Activity))
	})
}

// lookup is the index for the class and activity of e; nil if nothing listens to them.
func (m *Matcher) lookup(e *event.Event) *index {
	if x := m.routes[classKey{e.ClassUID, uint32(e.ActivityID)}]; x != nil {
		return x
	}
	return m.routes[classKey{e.ClassUID, anyActivity}]
}

// latelyBits says how many texts met last a Scratch remembers, as a power of two.
const latelyBits = 10

// Scratch is one goroutine's workspace for matching, with counters that the engine collects.
type Scratch struct {
	machine *expression.Machine
	found   candidates
	hits    []event.Hit
	made    []origin // Of the hits of the last call.
	counts  []counts // By rule.
	combos  [][]string
	first   []string      // Of combos, while it is put together,
	bound   [512][]string // and lists that were bound lately, by their values.
	values  []string
	names   map[string][]string       // Texts that hits share, each as a list of itself alone,
	lately  [1 << latelyBits][]string // and those met last.
	carries []event.FieldValue        // What a hit carries, as it stands in its event,
	carried [256][]event.FieldValue   // and what those made last carry, by the place of their target.
	finding *incident.Finding         // Of the rule listened to, while its hits are made.
	watch   stopwatch
}

// counts are what matching counts for one rule.
type counts struct {
	errors, nulls, wide int64
	tried               int64 // Candidates: events whose condition was asked at a step.
	took                int64 // About how many nanoseconds they took.
	nullOf              string
	err                 error
	excepted            []int64 // By exception; nil before the first.
}

func (c *counts) none() bool {
	return c.tried|c.errors|c.nulls|c.wide == 0 && c.err == nil && c.excepted == nil
}

// NewScratch makes a workspace that reads the given tables.
func (m *Matcher) NewScratch(l expression.Lookups) *Scratch {
	return &Scratch{machine: expression.NewMachine(l), counts: make([]counts, m.rules), names: map[string][]string{}}
}

// Match appends the hits of the events at b.Sorted[from:to], in order of event, rule, branch and step. It is pure but for the counters in s.
// An event that no rule listens to costs no allocation. Hits share nothing with b.
func (m *Matcher) Match(s *Scratch, b *event.Batch, from, to int, out []event.Hit) []event.Hit {
	n := len(out)
	out = m.bare(s, b, from, to, out)
	referAll(b, out[n:], s.made)
	return out
}

// bare is Match without the events of the hits; s.made says which they are.
func (m *Matcher) bare(s *Scratch, b *event.Batch, from, to int, out []event.Hit) []event.Hit {
	s.made = s.made[:0]
	for _, i := range b.Sorted[from:to] {
		out = m.match(s, &b.Events[i], i, out)
	}
	return out
}

func (m *Matcher) match(s *Scratch, e *event.Event, at int32, out []event.Hit) []event.Hit {
	x := m.lookup(e)
	if x == nil {
		return out
	}
	x.find(&s.found, e)
	s.machine.Next()
	s.watch.begin(timedEvents)
	for i, word := range s.found.found {
		for ; word != 0; word &= word - 1 {
			own := x.targets[i<<6|bits.TrailingZeros64(word)]
			t := &m.targets[own]
			s.counts[t.index].tried++
			n := len(out)
			if m.holds(s, t, e) && (t.Excepted == nil || s.excepted(t, e) < 0) {
				out = s.hit(t, e, out)
			}
			for range out[n:] {
				s.made = append(s.made, origin{own, at})
			}
			if s.watch.on {
				s.counts[t.index].took += s.watch.lap()
			}
		}
	}
	return out
}

// holds reports whether an event of the route of t satisfies it.
func (m *Matcher) holds(s *Scratch, t *target, e *event.Event) bool {
	if t.named && !slices.ContainsFunc(t.Classes, func(c event.ClassRef) bool { return c.Matches(e) }) {
		return false
	}
	if t.Where == nil {
		return true
	}
	ok, err := t.Where.Match(s.machine, e)
	if err != nil {
		s.counts[t.index].errors++
		s.counts[t.index].err = err
	}
	return ok
}

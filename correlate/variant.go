package correlate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// Bounds on the runs derived from one test. Below allOrders events every order is tried, above it random ones, and so on.
const (
	allOrders    = 5
	randomOrders = 40
	allCuts      = 6
	randomCuts   = 24
	maxPoints    = 40 // Events that are crashed after, left out or doubled one at a time.
	maxSpans     = 4  // Findings whose span is stretched.
)

// variantKinds are the runs derived from a test, in the order they are made.
var variantKinds = []struct {
	name    string
	meaning string
	derive  func(*course, *Variant)
}{
	{"order", "The events arrive in another order in which none is late: every order of few events, random ones of many.", (*course).orders},
	{"cuts", "The events come in other batches: every cut of few events, random ones of many.", (*course).cuts},
	{"duplicates", "Events come twice: in the same batch, in the next one, at the end, from the same place of the source and from another.", (*course).duplicates},
	{"late", "One event comes after the watermark has passed it: it is counted and never matched, as if it were not there.", (*course).late},
	{"crash", "The engine is restored from a snapshot after each event, and folds the logged hits after it again.", (*course).crashes},
	{"span", "First and last evidence lie exactly as far apart as `within` allows, which fires, and 1 ms further, which does not.", (*course).spans},
}

// VariantDoc describes a kind of runs that is derived from every test.
type VariantDoc struct{ Name, Meaning string }

// Variants lists the kinds of runs derived from a test, in the order they are made.
func Variants() []VariantDoc {
	var out []VariantDoc
	for _, k := range variantKinds {
		out = append(out, VariantDoc{k.name, k.meaning})
	}
	return out
}

// Variant is what came of the runs of one kind that were derived from a test. All of them must end with the findings of the test as written
// (span: with or without one of them).
type Variant struct {
	Name    string
	Runs    int
	Note    string   // Why runs could not be derived; "" if all could.
	Changed string   // What the first run that ended differently changed; "" if none did.
	Wanted  []string // Its final findings as they should be,
	Got     []string // and as they are.
}

// Passed reports whether every run ended as it must.
func (v *Variant) Passed() bool { return v.Changed == "" }

// RunVariants derives runs from a test and holds each against the test as written. Without names all kinds are made; unknown names are
// left out. The same rule and test give the same runs.
func RunVariants(r *rules.Rule, t *rules.Test, names ...string) []Variant {
	if len(t.Events) == 0 {
		return nil
	}
	return newCourse(r, t).variants(names)
}

func (c *course) variants(names []string) []Variant {
	var out []Variant
	for _, k := range variantKinds {
		if len(names) > 0 && !slices.Contains(names, k.name) {
			continue
		}
		v := Variant{Name: k.name}
		k.derive(c, &v)
		out = append(out, v)
	}
	return out
}

// course takes one test through an engine again and again.
type course struct {
	rule    *rules.Rule
	test    *rules.Test
	written []event.Event // As written.
	order   []int         // Their indexes by time.
	engine  *Engine
	marks   []event.Mark       // One for each source of the test.
	plain   []incident.Finding // What the test ends with as written,
	want    []string           // and that in words.

	snapshot func() []byte
}

func newCourse(r *rules.Rule, t *rules.Test) *course {
	live := *r
	live.Status = rules.Live
	c := &course{rule: &live, test: t}
	for i := range t.Events {
		e := t.Events[i].Event
		c.written = append(c.written, *e)
		c.order = append(c.order, i)
		if s := e.Envelope.Position.Source; !slices.ContainsFunc(c.marks, func(m event.Mark) bool { return m.Source == s }) {
			c.marks = append(c.marks, event.Mark{Source: s})
		}
	}
	slices.SortStableFunc(c.order, func(a, b int) int { return compareTimes(c.written[a].Time, c.written[b].Time) })
	c.engine = New(alone(&live), Settings{Lookups: &t.Given, stateEvery: 3})
	c.snapshot = func() []byte { return c.engine.Snapshot(nil) }
	c.plain = c.run([][]event.Event{c.written})
	c.want = c.lines(c.plain)
	return c
}

func compareTimes(a, b int64) int { return int(min(max(a-b, -1), 1)) }

// begin empties the engine.
func (c *course) begin() {
	_ = c.engine.Restore(nil)
	c.engine.seed(c.test)
	for i := range c.marks {
		c.marks[i].Newest = 0
	}
}

// deliver folds a batch and moves its sources' marks. The hits are given too: they are what a log would have.
func (c *course) deliver(events []event.Event) ([]event.Hit, []incident.Finding) {
	b := event.Batch{Events: events}
	b.Sort()
	hits, _ := c.engine.Match(&b)
	c.mark(events)
	return hits, c.engine.Fold(hits, c.marks)
}

func (c *course) mark(events []event.Event) {
	for i := range events {
		for j := range c.marks {
			if m := &c.marks[j]; m.Source == events[i].Envelope.Position.Source {
				m.Newest = max(m.Newest, events[i].Time)
			}
		}
	}
}

// pass moves the watermark to a time or further, without an event.
func (c *course) pass(t int64) []incident.Finding {
	for i := range c.marks {
		c.marks[i].Newest = max(c.marks[i].Newest, t+c.rule.Plan.Lateness)
	}
	return c.engine.Fold(nil, c.marks)
}

// run is a whole course: batches, then the end of time.
func (c *course) run(batches [][]event.Event) []incident.Finding {
	c.begin()
	var all []incident.Finding
	for _, b := range batches {
		_, found := c.deliver(b)
		all = append(all, found...)
	}
	return Finals(append(all, c.engine.Drain()...))
}

// lines write findings so that equal ones are equal.
func (c *course) lines(found []incident.Finding) []string {
	out := make([]string, 0, len(found))
	for i := range found {
		f := &found[i]
		s := describe(c.test, f)
		if f.State != final {
			s += "; " + f.State.String()
		}
		if f.Repeats > 0 {
			s += "; repeats " + strconv.Itoa(int(f.Repeats))
		}
		if len(f.Notes) > 0 {
			s += "; " + strings.Join(f.Notes, "; ")
		}
		for _, v := range f.Collected {
			s += "; " + v.Name + " " + strings.Join(v.Values, " ")
		}
		out = append(out, s+"; "+event.FormatID(event.FindingPrefix, f.ID))
	}
	return out
}

// check holds a run against what it must end with.
func (v *Variant) check(c *course, found []incident.Finding, want []string, changed func() string) {
	v.Runs++
	if !v.Passed() {
		return
	}
	if got := c.lines(found); !slices.Equal(got, want) {
		v.Changed, v.Wanted, v.Got = changed(), want, got
	}
}

// each puts every event into a batch of its own, in some order.
func (c *course) each(order []int) [][]event.Event {
	out := make([][]event.Event, 0, len(order))
	for _, i := range order {
		out = append(out, c.written[i:i+1:i+1])
	}
	return out
}

// points are the places in the order of time at which something is done, all of them or some of many.
func (c *course) points() []int {
	n := len(c.order)
	var out []int
	for i := range min(n, maxPoints) {
		out = append(out, i*n/min(n, maxPoints))
	}
	return out
}

// name says which events are meant, as the author numbers them.
func (c *course) name(order ...int) string {
	var b strings.Builder
	for n, i := range order {
		if n == 20 {
			fmt.Fprintf(&b, " … and %d more", len(order)-n)
			break
		}
		if n > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d (%s)", i+1, offset(c.test.Events[i].At))
	}
	return b.String()
}

func (c *course) orders(v *Variant) {
	n := len(c.written)
	switch {
	case n == 1: // It has one order.
	case c.rule.Plan.Lateness == 0:
		v.Note = "lateness is 0s: an event that arrives after a newer one is late"
	case n <= allOrders:
		c.permute(nil, func(order []int) {
			v.check(c, c.run(c.each(order)), c.want, func() string { return "the events arrived in the order " + c.name(order...) + ", one a batch" })
		})
	default:
		for seed := range uint64(randomOrders) {
			order := c.shuffled(seed + 1)
			v.check(c, c.run(c.each(order)), c.want, func() string {
				return fmt.Sprintf("the events arrived in the order %s, one a batch (seed %d)", c.name(order...), seed+1)
			})
		}
	}
}

// permute visits every order in which no event is late when it arrives.
func (c *course) permute(order []int, visit func([]int)) {
	if len(order) == len(c.written) {
		visit(order)
		return
	}
	for i := range c.marks {
		c.marks[i].Newest = 0
	}
	for _, i := range order {
		c.mark(c.written[i : i+1])
	}
	frontier, ok := event.Frontier(c.marks)
	for _, i := range c.order {
		if slices.Contains(order, i) || ok && c.written[i].Time <= frontier-c.rule.Plan.Lateness {
			continue
		}
		c.permute(append(order[:len(order):len(order)], i), visit)
	}
}

// shuffled is an order in which every event is delayed by less than the lateness, so that none is late.
func (c *course) shuffled(seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, 1))
	at := make([]int64, len(c.written))
	for i := range c.written {
		at[i] = c.written[i].Time + r.Int64N(c.rule.Plan.Lateness)
	}
	order := slices.Clone(c.order)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	slices.SortStableFunc(order, func(a, b int) int { return compareTimes(at[a], at[b]) })
	return order
}

func (c *course) cuts(v *Variant) {
	n := len(c.order)
	try := func(cut func(i int) bool) {
		var batches [][]event.Event
		var sizes []string
		for i, at := range c.order {
			if i == 0 || cut(i) {
				batches = append(batches, nil)
			}
			last := len(batches) - 1
			batches[last] = append(batches[last], c.written[at])
		}
		for _, b := range batches {
			sizes = append(sizes, strconv.Itoa(len(b)))
		}
		v.check(c, c.run(batches), c.want, func() string { return "the events came in batches of " + strings.Join(sizes, ", ") })
	}
	if n <= allCuts {
		for mask := range 1 << (n - 1) {
			try(func(i int) bool { return mask>>(i-1)&1 == 1 })
		}
		return
	}
	for seed := range uint64(randomCuts) {
		r := rand.New(rand.NewPCG(seed+1, 2))
		few := 1 + r.IntN(n)
		try(func(int) bool { return r.IntN(few) == 0 })
	}
}

// again copies an event as a source that sends a body a second time would: the same event from another place.
func again(e event.Event, shift int64) event.Event {
	e.Envelope.Position.Offset += shift
	return e
}

func (c *course) duplicates(v *Variant) {
	for _, shift := range []int64{0, 1 << 32} {
		where := "from the same place"
		if shift != 0 {
			where = "from another place"
		}
		var twice, end []event.Event
		var next [][]event.Event
		for _, i := range c.order {
			e := c.written[i]
			twice = append(twice, e, again(e, shift))
			next = append(next, c.written[i:i+1:i+1], []event.Event{again(e, shift)})
			end = append(end, again(e, shift))
		}
		v.check(c, c.run([][]event.Event{twice}), c.want, func() string { return "every event came twice in one batch, " + where })
		v.check(c, c.run(next), c.want, func() string { return "every event came again in the next batch, " + where })
		v.check(c, c.run(append(c.each(c.order), end)), c.want, func() string { return "all events came again at the end, " + where })
	}
}

func (c *course) late(v *Variant) {
	for _, p := range c.points() {
		i := c.order[p]
		e := c.written[i : i+1 : i+1]
		rest := slices.Delete(slices.Clone(c.order), p, p+1)
		c.begin()
		without := append(c.fold(c.each(rest)), c.pass(e[0].Time)...)
		want := c.lines(Finals(append(without, c.engine.Drain()...)))
		c.begin()
		all := append(c.fold(c.each(rest)), c.pass(e[0].Time)...)
		hits, found := c.deliver(e)
		n, late := int64(len(hits)), int64(0)
		for _, s := range c.engine.Stats().Rules {
			late += s.Late
		}
		all = append(append(all, found...), c.engine.Drain()...)
		v.check(c, Finals(all), want, func() string { return "event " + c.name(i) + " arrived when the watermark had passed it" })
		if v.Passed() && late != n {
			v.Changed = fmt.Sprintf("event %s arrived when the watermark had passed it: its %d hits must be counted as late, and %d were", c.name(i), n, late)
		}
	}
}

// fold delivers batches and collects what is announced.
func (c *course) fold(batches [][]event.Event) []incident.Finding {
	var all []incident.Finding
	for _, b := range batches {
		_, found := c.deliver(b)
		all = append(all, found...)
	}
	return all
}

func (c *course) crashes(v *Variant) {
	type step struct {
		snapshot []byte
		hits     []event.Hit
		marks    []event.Mark
		told     []incident.Finding
	}
	points := c.points()
	steps := make([]step, len(c.order))
	c.begin()
	for p, i := range c.order {
		hits, told := c.deliver(c.written[i : i+1 : i+1])
		steps[p] = step{hits: slices.Clone(hits), marks: slices.Clone(c.marks), told: slices.Clone(told)}
		if slices.Contains(points, p) {
			steps[p].snapshot = c.snapshot()
		}
	}
	end := slices.Clone(c.engine.Drain())
	for _, p := range points {
		changed := func() string {
			return "a crash after event " + c.name(c.order[p]) + ", then the log folded again from the snapshot"
		}
		if err := c.engine.Restore(steps[p].snapshot); err != nil {
			v.Runs, v.Changed = v.Runs+1, changed()+": "+err.Error()
			return
		}
		var want, got []incident.Finding
		for _, s := range steps[p+1:] {
			want = append(want, s.told...)
			got = append(got, c.engine.Fold(s.hits, s.marks)...)
		}
		want, got = append(want, end...), append(got, c.engine.Drain()...)
		v.check(c, got, c.lines(want), changed)
	}
}

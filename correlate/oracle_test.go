package correlate_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// naive is the meaning of a rule written down a second time, as simply as possible: all events of a robot in order, looked at once from the
// first to the last, with no buffer, no stored state and no frontier. It knows sequences and counts, guards, untils and the throttle.
// Times are microseconds; operations are letters.
type naive struct {
	steps           []string // Sequence; each step takes the operations in its string.
	count           int      // Count of steps[0]; 0: a sequence.
	distinct        bool     // Of api.service.name.
	within          int64
	before, after   int64 // G before the first step, H after the completing event.
	between         bool  // I between the first two steps.
	until, throttle int64 // U quiets for so long; −1: there is no until.
}

func (n naive) yaml() string {
	var b strings.Builder
	ops := func(s string) string {
		return `'api.operation in ["` + strings.Join(strings.Split(s, ""), `", "`) + `"]'`
	}
	b.WriteString("lateness: 3m\nmatch:\n")
	if n.count > 0 {
		fmt.Fprintf(&b, "  count: {id: a, class: api_activity, where: %s, bind: {robot: robot}, at_least: %d, within: %dus}\n", ops(n.steps[0]), n.count, n.within)
		if n.distinct {
			s := strings.Replace(b.String(), "within:", "distinct: api.service.name, within:", 1)
			b.Reset()
			b.WriteString(s)
		}
	} else {
		b.WriteString("  sequence:\n")
		for i, s := range n.steps {
			fmt.Fprintf(&b, "    - {id: s%d, class: api_activity, where: %s, bind: {robot: robot}}\n", i, ops(s))
		}
		fmt.Fprintf(&b, "  within: %dus\n", n.within)
	}
	if n.before > 0 || n.after > 0 || n.between {
		b.WriteString("  unless:\n")
	}
	guard := "    - {class: api_activity, where: api.operation == \"%s\", bind: {robot: robot}, %s}\n"
	if n.before > 0 {
		fmt.Fprintf(&b, guard, "G", fmt.Sprintf("before: %dus", n.before))
	}
	if n.after > 0 {
		fmt.Fprintf(&b, guard, "H", fmt.Sprintf("after: %dus", n.after))
	}
	if n.between {
		fmt.Fprintf(&b, guard, "I", "between: [s0, s1]")
	}
	if n.until >= 0 {
		fmt.Fprintf(&b, "  until:\n    - {class: api_activity, where: api.operation == \"U\", bind: {robot: robot}, quiet_for: %dus}\n", n.until)
	}
	if n.throttle > 0 {
		fmt.Fprintf(&b, "throttle: {per: [robot], for: %dus}\n", n.throttle)
	}
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "000us", "ms"), " 0us", " 0s")
}

type found struct {
	at       int64
	evidence []*event.Event
	repeats  int
}

func (n naive) run(events []event.Event) []string {
	robots := map[string][]*event.Event{}
	for i := range events {
		if e := &events[i]; e.Robot != nil {
			robots[e.Robot.UID] = append(robots[e.Robot.UID], e)
		}
	}
	var out []string
	for robot, list := range robots {
		slices.SortFunc(list, func(a, b *event.Event) int {
			p, q := &a.Envelope.Position, &b.Envelope.Position
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(p.Source, q.Source), cmp.Compare(p.Offset, q.Offset))
		})
		matches := n.matches(list)
		var last *found
		for _, m := range matches {
			if n.throttle > 0 && last != nil && m.at-last.at <= n.throttle {
				last.repeats++
				continue
			}
			last = m
		}
		skip := 0
		for _, m := range matches {
			if skip > 0 {
				skip--
				continue
			}
			skip = m.repeats
			s := at(m.at) + " " + robot + " |"
			for _, e := range m.evidence {
				s += " " + at(e.Time) + e.API.Operation
			}
			out = append(out, fmt.Sprint(s, " repeats ", m.repeats))
		}
	}
	slices.Sort(out)
	return out
}

func (n naive) matches(list []*event.Event) (out []*found) {
	chains := make([][]*event.Event, len(n.steps))
	var window []*event.Event
	quiet := int64(-1)
	for i, e := range list {
		op := e.API.Operation
		if op == "U" && n.until >= 0 {
			clear(chains)
			window, quiet = nil, e.Time+n.until
		}
		if op == "I" && n.between {
			chains[0] = nil
		}
		if n.until > 0 && op != "U" && quiet >= e.Time {
			continue
		}
		var m []*event.Event
		if n.count > 0 {
			m, window = n.window(list, i, window)
		} else {
			m = n.chain(list, i, chains)
		}
		if m != nil && !n.followed(list[i+1:], e) {
			out = append(out, &found{at: e.Time, evidence: m})
		}
	}
	return out
}

func (n naive) window(list []*event.Event, i int, window []*event.Event) (match, rest []*event.Event) {
	e := list[i]
	if !strings.Contains(n.steps[0], e.API.Operation) || n.distinct && e.API.Service == "" {
		return nil, window
	}
	var kept []*event.Event
	values := map[string]bool{}
	for _, w := range append(window, e) {
		if w.Time > e.Time-n.within {
			kept = append(kept, w)
			values[w.API.Service] = true
		}
	}
	enough := len(kept) >= n.count
	if n.distinct {
		enough = len(values) >= n.count
	}
	if !enough || n.preceded(list, kept[0]) {
		return nil, kept
	}
	return kept, nil
}

func (n naive) chain(list []*event.Event, i int, chains [][]*event.Event) []*event.Event {
	e := list[i]
	for s := len(n.steps) - 1; s >= 0; s-- {
		if !strings.Contains(n.steps[s], e.API.Operation) {
			continue
		}
		chain := []*event.Event{e}
		if s > 0 {
			prev := chains[s-1]
			if prev == nil || e.Time-prev[0].Time > n.within {
				continue
			}
			chain = append(slices.Clone(prev), e)
		} else if n.preceded(list, e) {
			continue
		}
		if s < len(n.steps)-1 {
			chains[s] = chain
			return nil
		}
		for j := range chains {
			if slices.ContainsFunc(chains[j], func(x *event.Event) bool { return slices.Contains(chain, x) }) {
				chains[j] = nil
			}
		}
		return chain
	}
	return nil
}

func (n naive) preceded(list []*event.Event, first *event.Event) bool {
	for _, g := range list[:slices.Index(list, first)] {
		if n.before > 0 && g.API.Operation == "G" && first.Time-g.Time <= n.before {
			return true
		}
	}
	return false
}

func (n naive) followed(rest []*event.Event, last *event.Event) bool {
	for _, g := range rest {
		if n.after > 0 && g.API.Operation == "H" && g.Time-last.Time <= n.after {
			return true
		}
	}
	return false
}

// randomRule picks the parts of a rule.
func randomRule(r *rand.Rand) naive {
	pick := func(v ...int64) int64 { return v[r.IntN(len(v))] * 1_000_000 }
	n := naive{within: pick(10, 30, 60, 240), until: -1, throttle: pick(0, 0, 20, 60), before: pick(0, 0, 15, 60), after: pick(0, 0, 15, 60)}
	if r.IntN(2) == 0 {
		n.until = pick(0, 10)
	}
	letters := []string{"A", "B", "C", "AB", "BC"}
	if r.IntN(2) == 0 {
		n.steps, n.count, n.distinct = []string{letters[r.IntN(5)]}, 1+r.IntN(4), r.IntN(2) == 0
		return n
	}
	for range 2 + r.IntN(3) {
		n.steps = append(n.steps, letters[r.IntN(5)])
	}
	n.between = r.IntN(3) == 0
	return n
}

func TestEngineAgreesWithANaiveReadingOfTheRules(t *testing.T) {
	total, tries := 0, rounds(500)
	for round := 0; more(round, 500, total >= tries); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 13))
		n := randomRule(r)
		rule := ruleOf(t, n.yaml())
		events := randomEvents(r, 20+r.IntN(100))
		for i := range events {
			events[i].API.Operation = string("AABBCGHIU"[r.IntN(9)])
		}
		got, _ := runBatches(t, &rules.Set{Rules: []*rules.Rule{rule}}, arrival(r, events, 180_000_000), 1, nil)
		byID := map[event.ID]*event.Event{}
		for i := range events {
			byID[events[i].Envelope.ID] = &events[i]
		}
		var lines []string
		for _, f := range correlate.Finals(got) {
			s := at(f.Time) + " " + strings.TrimPrefix(f.Vars[0].Value, "robot:") + " |"
			for _, e := range f.Evidence {
				s += " " + at(e.Event.Time) + byID[e.Event.Event].API.Operation
			}
			lines = append(lines, fmt.Sprint(s, " repeats ", f.Repeats))
		}
		slices.Sort(lines)
		want := n.run(events)
		total += len(want)
		if d := diff.Diff(want, lines); d != "" {
			t.Fatalf("seed %d: engine and naive reading differ (-naive +engine):\n%s\n%s", seed, n.yaml(), d)
		}
	}
	if total < tries {
		t.Errorf("only %d findings in %d rounds: the test shows little", total, tries)
	}
}

package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

// sameHits matches events in three ways: with the indexes, without them, and without them in expr's machine. Hits and errors must be the same, and so
// must hits be when the same events come again to a workspace that remembers their values.
// It gives the number of hits.
func sameHits(t *testing.T, set *rules.Set, l expression.Lookups, events []event.Event) int {
	t.Helper()
	b := &event.Batch{Events: events}
	b.Sort()
	indexed := correlate.NewMatcher(set)
	want, failed := matchedBy(interpreted(t, indexed), l, b)
	for name, m := range map[string]*correlate.Matcher{"with the index": indexed, "without the index": indexed.Exhaustive()} {
		got, errors := matchedBy(m, l, b)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s and in expr's machine: hits differ (-machine +closures):\n%s", name, d)
		}
		if d := cmp.Diff(failed, errors); d != "" {
			t.Errorf("%s and in expr's machine: errors differ (-machine +closures):\n%s", name, d)
		}
	}
	s := indexed.NewScratch(l)
	for round := range 3 {
		if d := cmp.Diff(want, inWords(indexed.Match(s, b, 0, len(b.Sorted), nil))); d != "" {
			t.Errorf("with the index, round %d: hits differ (-machine +closures):\n%s", round+1, d)
		}
	}
	return len(want)
}

// matchedBy are the hits in words, and the rules with as many errors as they have.
func matchedBy(m *correlate.Matcher, l expression.Lookups, b *event.Batch) (hits []string, failed map[int]int64) {
	s := m.NewScratch(l)
	hits = inWords(m.Match(s, b, 0, len(b.Sorted), nil))
	return hits, s.Failures()
}

func inWords(hits []event.Hit) (out []string) {
	for _, h := range hits {
		out = append(out, fmt.Sprintln(h.Rule, h.Branch, h.Step, h.Ref.Event, h.Key, h.Vars))
	}
	return out
}

// interpreted is a matcher whose conditions run in expr's machine.
func interpreted(t testing.TB, m *correlate.Matcher) *correlate.Matcher {
	t.Helper()
	slow, err := m.Interpreted()
	if err != nil {
		t.Fatal(err)
	}
	return slow
}

func TestIndexClosuresAndMachineFindTheSameInTheTestsOfEveryShippedRule(t *testing.T) {
	shipped := shippedRules(t)
	set := &rules.Set{Rules: shipped}
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 41))
	var all []event.Event
	for _, rule := range shipped {
		for i := range rule.Tests {
			for _, x := range rule.Tests[i].Events {
				all = append(all, *x.Event)
			}
		}
	}
	hits := 0
	for i, rule := range shipped {
		for j := range rule.Tests {
			test := &rule.Tests[j]
			var events []event.Event
			for _, x := range test.Events {
				events = append(events, *x.Event, crossed(r, x.Event, &all[r.IntN(len(all))]))
			}
			for range 30 {
				events = append(events, crossed(r, &all[r.IntN(len(all))], &all[r.IntN(len(all))]))
			}
			for k := range events {
				events[k].Envelope.ID = event.NewID("index", fmt.Sprint(i, j, k))
			}
			hits += sameHits(t, set, &test.Given, events)
			if t.Failed() {
				t.Fatalf("seed %d: %s: %s", seed, rule.ID, test.Name)
			}
		}
	}
	if hits < 1000 {
		t.Errorf("%d hits: the test shows little", hits)
	}
	t.Logf("%d hits", hits)
}

// crossed is an event with a third of the fields of another one.
func crossed(r *rand.Rand, e, other *event.Event) event.Event {
	out := *e.Clone()
	for _, f := range event.Fields() {
		if f.Set == nil || f.Flags&event.IsCaption != 0 || r.IntN(3) > 0 || !f.Known(other) || f.Path == "class_uid" {
			continue
		}
		switch f.Kind {
		case event.KindString:
			f.Set(&out, event.Value{Str: f.Str(other)})
		case event.KindInt, event.KindTime:
			v, _ := f.Num(other)
			f.Set(&out, event.Value{Num: v})
		case event.KindFloat:
			v, _ := f.Flt(other)
			f.Set(&out, event.Value{Flt: v})
		case event.KindBool:
			f.Set(&out, event.Value{Tri: f.Tri(other)})
		default:
			f.Set(&out, event.Value{Lst: slices.Clone(f.Lst(other))})
		}
	}
	out.FindEntities()
	return out
}

// TestIndexFindsWhatAFullScanFinds goes through all structures of the index with literals and values from one small vocabulary.
func TestIndexFindsWhatAFullScanFinds(t *testing.T) {
	for range rounds(12) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 42))
		set := ruleSet(t, 150, func(int) string {
			for {
				where := searchOf(r)
				if x, _ := expression.CompileEvent(where); x != nil && !x.Never() {
					return where
				}
			}
		})
		events := make([]event.Event, 120)
		for i := range events {
			events[i] = searchedBy(r, i)
		}
		if n := sameHits(t, set, nil, events); n < 200 || t.Failed() {
			t.Fatalf("seed %d: %d hits", seed, n)
		}
	}
}

var (
	sought = []string{"a", "ab", "abc", "abcd", "abcdabcd", "bcda", `\x.exe`, "\\X.EXE", "Straße", "ſ", "k", "-enc", "mimikatz", "", "1"}
	spoken = append([]string{"A", "dab", `c:\`, "SS", "K", " ", "\xff", "MIMI", "ß"}, sought...)
)

func textOf(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(spoken[r.IntN(len(spoken))])
	}
	return b.String()
}

func searchedBy(r *rand.Rand, i int) event.Event {
	e := event.Event{ClassUID: event.ClassAPI, ActivityID: uint16(1 + r.IntN(3)), Time: start + int64(i)*1000, Count: int32(r.IntN(300)), IsMFA: event.Bool(r.IntN(3))}
	e.API = &event.API{Operation: textOf(r), Service: textOf(r)}
	e.SrcEndpoint.Port = uint16(r.IntN(400))
	e.RiskScore = event.IntOf(int64(r.IntN(20) - 10))
	e.Robot = &event.Robot{UID: "r1"}
	e.User.Roles = []string{textOf(r), textOf(r), textOf(r)}[:r.IntN(4)]
	e.SetRaw([]event.RawField{{Name: "Image", Value: textOf(r)}, {Name: "CommandLine", Value: textOf(r)}, {Name: fmt.Sprint("A", r.IntN(40)), Value: textOf(r)}}[r.IntN(4):])
	e.Envelope.ID = event.NewID("searched", fmt.Sprint(i))
	e.FindEntities()
	return e
}

// searchOf is a random condition that has a witness most of the time.
func searchOf(r *rand.Rand) string {
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	word := func() string { return fmt.Sprintf("%q", one(sought...)) }
	text := func() string {
		return one("api.operation", "api.service.name", `raw("Image")`, `raw("CommandLine")`, `raw("gone")`)
	}
	leaf := func() string {
		return one(
			text()+one(" == ", " contains ", " startsWith ", " endsWith ", " != ")+word(),
			one("iequals", "icontains", "istarts", "iends")+"("+one(text(), "user.roles", "raws()")+", "+word()+", "+word()+")",
			word()+" in user.roles", "any(user.roles, lower(#) startsWith "+word()+")",
			fmt.Sprintf("count %s %d", one("==", ">", "<="), r.IntN(300)), fmt.Sprintf("src_endpoint.port in [%d, %d]", r.IntN(400), r.IntN(400)),
			fmt.Sprintf("risk_score %s %d", one("<", ">="), r.IntN(20)-10), "is_mfa", "known(user.roles)", "known(api.operation)", text()+" != \"\"",
			"int("+text()+") == 1", text()+` matches "(?i)x\\.exe$|^abc"`,
		)
	}
	switch r.IntN(4) {
	case 0:
		return leaf()
	case 1:
		return leaf() + " and " + leaf()
	case 2:
		return "(" + leaf() + " or " + leaf() + ") and not (" + leaf() + ")"
	default:
		return leaf() + " and " + leaf() + " or " + leaf()
	}
}

// ruleSet are n rules of one step on API calls.
func ruleSet(t testing.TB, n int, where func(i int) string) *rules.Set {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\nid: rule-%05d\nversion: 1\ntitle: Rule\nstatus: shadow\nmatch:\n  event: {id: a, class: api_activity, bind: {robot: robot}, where: %s}\n", i, quotedYAML(where(i)))
	}
	return loaded(t, b.String())
}

func quotedYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func loaded(t testing.TB, text string) *rules.Set {
	t.Helper()
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml")
	if set == nil {
		t.Fatal(problems[0])
	}
	return set
}

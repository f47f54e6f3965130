package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
)

// TestValueThatIsRememberedStandsForNoOther sends values of which one hash is made, since they differ in the middle of a half only.
func TestValueThatIsRememberedStandsForNoOther(t *testing.T) {
	set := ruleSet(t, 2, func(i int) string {
		return fmt.Sprintf(`icontains(raw("CommandLine"), %q, "-e")`, []string{"evil", "good"}[i])
	})
	m := correlate.NewMatcher(set)
	s := m.NewScratch(nil)
	long := strings.Repeat("x", 600)
	for i, value := range []string{"good", "good", "good", "evil", "good", "evil", "evil", "evil", "", "", "", "evil" + long, "good" + long, "good" + long, "evil" + long} {
		text := value
		if value != "" && len(value) < 100 {
			text = strings.Repeat("a", 44) + value + strings.Repeat("b", 30)
		}
		e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + int64(i), Robot: &event.Robot{UID: "r1"}}
		e.SetRaw([]event.RawField{{Name: "CommandLine", Value: text}})
		e.FindEntities()
		var want []string
		if value != "" {
			want = []string{map[string]string{"evil": "rule-00000", "good": "rule-00001"}[value[:4]]}
		}
		b := &event.Batch{Events: []event.Event{e}, Sorted: []int32{0}}
		var got []string
		for _, h := range m.Match(s, b, 0, 1, nil) {
			got = append(got, h.Rule)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("event %d, %.10q…: rules %v, want %v", i, value, got, want)
		}
	}
	if n := s.Remembered(); n != 1 {
		t.Errorf("%d values are remembered, want 1: that which was met twice, is not long, and is not taken for another one", n)
	}
}

func TestOnlyValuesThatComeAgainAreRemembered(t *testing.T) {
	m := correlate.NewMatcher(ruleSet(t, 1, func(int) string { return `icontains(raw("CommandLine"), "-e")` }))
	s := m.NewScratch(nil)
	for i := range 5000 {
		e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + int64(i), Robot: &event.Robot{UID: "r1"}}
		e.SetRaw([]event.RawField{{Name: "CommandLine", Value: fmt.Sprint("program -e ", i)}})
		m.Match(s, &event.Batch{Events: []event.Event{e}, Sorted: []int32{0}}, 0, 1, nil)
	}
	if n := s.Remembered(); n != 0 {
		t.Errorf("%d values are remembered of which none came twice", n)
	}
}

// TestLongWordsAreFoundHoweverTheyAreSpelled is about fields in which nothing but long words is looked for: most of their values are passed over
// before they are brought into a canonical form.
func TestLongWordsAreFoundHoweverTheyAreSpelled(t *testing.T) {
	words := []string{"mimikat", "straße-x", "k-long_word", "[abc]defg", "0123456789"}
	spoken := append([]string{"MIMIKAT", "MimiKat", "mimıkat", "STRASSE-X", "STRAßE-X", "\u212a-LONG_WORD", "K-long\x7fword", "{ABC}DEFG", "[ABC]DEFG", "a", "bc", "xyz", "é", "\xff", "\\"}, words...)
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 44))
	set := ruleSet(t, len(words), func(i int) string { return fmt.Sprintf(`icontains(raw("Hashes"), %q)`, words[i]) })
	events := make([]event.Event, 600)
	for i := range events {
		var b strings.Builder
		for range r.IntN(6) {
			b.WriteString(spoken[r.IntN(len(spoken))])
		}
		e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + int64(i), Robot: &event.Robot{UID: "r1"}}
		e.SetRaw([]event.RawField{{Name: "Hashes", Value: b.String()}})
		e.Envelope.ID = event.NewID("spelled", fmt.Sprint(i))
		e.FindEntities()
		events[i] = e
	}
	if n := sameHits(t, set, nil, events); n < 100 || t.Failed() {
		t.Fatalf("seed %d: %d hits", seed, n)
	}
}

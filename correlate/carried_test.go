package correlate_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestHitsCarryWhatTheirEventSaysWhateverOthersCarried(t *testing.T) {
	matcher := correlate.NewMatcher(&rules.Set{Rules: lawfulSet(t)})
	used, shared, own := matcher.NewScratch(nil), 0, 0
	for round := 0; more(round, 4, shared > 0 && own > 0); round++ {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 22))
		b := event.Batch{Events: randomEvents(r, 150)}
		b.Sort()
		lists := map[*event.FieldValue]bool{}
		for i := range b.Sorted {
			want := matcher.Match(matcher.NewScratch(nil), &b, i, i+1, nil)
			got := matcher.Match(used, &b, i, i+1, nil)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
			for _, h := range got {
				if len(h.Fields) == 0 {
					continue
				}
				if lists[&h.Fields[0]] {
					shared++
				} else {
					own++
				}
				lists[&h.Fields[0]] = true
			}
		}
	}
	t.Logf("%d lists were shared, %d were not", shared, own)
}

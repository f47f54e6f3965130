package board

import (
	"cmp"
	"slices"
	"sync"
)

// facetKinds are the properties that cards are counted by.
var facetKinds = [...]string{"status", "severity", "owner", "robot", "zone", "rule", "domain"}

// Facet counts the cards that pass a query by one of their properties.
type Facet struct {
	Name   string // status, severity, owner, robot, zone, rule or domain.
	Counts []Count
	More   int // Values left out: there are more than maxFacet.
}

// Count is how many cards have a value.
type Count struct {
	Value string
	N     int
}

// maxFacet bounds the values of a facet.
const maxFacet = 20

// words numbers the values of facets, each kind its own, so that counting is adding to a slice.
type words struct {
	mu     sync.RWMutex
	number map[word]uint32
	list   []word
}

type word struct {
	kind int // Index into facetKinds.
	text string
}

func newWords() *words { return &words{number: map[word]uint32{}} }

// note numbers the values of a new card.
func (w *words) note(c *Card) {
	s := &c.subject
	w.mu.Lock()
	defer w.mu.Unlock()
	c.facets = make([]uint32, 0, 3+len(s.Robots)+len(s.Zones)+len(s.Rules)+len(s.Domains))
	for kind, values := range [len(facetKinds)][]string{{s.Status}, {c.Severity.String()}, {s.Owner}, s.Robots, s.Zones, s.Rules, s.Domains} {
		for _, v := range values {
			if v == "" {
				continue
			}
			x := word{kind, v}
			n, known := w.number[x]
			if !known {
				n = uint32(len(w.list))
				w.number[x], w.list = n, append(w.list, x)
			}
			c.facets = append(c.facets, n)
		}
	}
}

// tally counts cards.
type tally struct {
	words  *words
	counts []int32
}

func (w *words) tally() *tally {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return &tally{w, make([]int32, len(w.list))}
}

func (t *tally) add(c *Card) {
	for _, n := range c.facets {
		t.counts[n]++
	}
}

// facets gives each property's values, the most frequent first, equal ones by text.
func (t *tally) facets() []Facet {
	t.words.mu.RLock()
	defer t.words.mu.RUnlock()
	out := make([]Facet, len(facetKinds))
	for i, name := range facetKinds {
		out[i].Name = name
	}
	for n, count := range t.counts {
		if x := t.words.list[n]; count > 0 {
			out[x.kind].Counts = append(out[x.kind].Counts, Count{x.text, int(count)})
		}
	}
	for i := range out {
		f := &out[i]
		slices.SortFunc(f.Counts, func(a, b Count) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Value, b.Value)) })
		f.More = max(0, len(f.Counts)-maxFacet)
		f.Counts = f.Counts[:len(f.Counts)-f.More]
	}
	return out
}

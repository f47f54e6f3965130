package correlate

import (
	"cmp"

	"github.com/tocsin-siem/tocsin/rules"
)

// count collects what matching counted.
func (f *fold) count(s *Scratch, set []*rules.Rule) {
	for i := range s.counts {
		c := &s.counts[i]
		if c.none() {
			continue
		}
		if r := f.byID[set[i].ID]; r != nil {
			f.tally(r, c)
		}
		*c = counts{}
	}
}

// tally adds what matching counted to a rule's own, and empties it.
func (f *fold) tally(r *ruleState, c *counts) {
	r.stats.Errors += c.errors
	r.stats.Nulls += c.nulls
	r.stats.Wide += c.wide
	r.stats.Tried += c.tried
	r.stats.MatchTime += c.took
	for j, n := range c.excepted {
		r.excepted = counted(r.excepted, len(c.excepted), j, n)
	}
	r.stats.NullOf = cmp.Or(c.nullOf, r.stats.NullOf)
	if c.err != nil {
		r.stats.LastError = c.err.Error()
	}
	*c = counts{}
}

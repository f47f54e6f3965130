package correlate

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// ruleState is what the fold keeps for one rule.
type ruleState struct {
	*program
	w         int64 // W of the rule; it never goes back.
	since     int64 // Time of the earliest hit: how far back its memory reaches; forever before.
	swap      int64 // Frontier when the rule was started by a swap, to be warmed up.
	filled    bool  // It was, or is no more to be.
	from      handover
	reserved  *int64                // Where the handover to the next version begins, if that was said before the swap.
	parts     map[string]*partition // Working keys.
	rest      *resting              // The others; nil where none may rest.
	absorbing bool                  // Hits out of order need not be scanned; see absorb.go.
	press     *press                // What its packers press runs of hits with.
	shelf     *packer               // Of the older hits of busy keys; nil where they are kept as they are.
	gates     []*gate
	queue     queue
	born      uint64 // How many keys it has had: their order of creation.
	bytes     int64  // Estimate of what its partitions hold,
	gated     int64  // and of what its gates do.
	degraded  bool
	heard     map[heardKey][]*cell // Hits that stand for provisional findings of other rules.
	excepted  []int64              // By exception of the rule; nil before the first.
	stats     RuleStats
	written   written // By the last snapshot.
}

// newRuleState is a rule without state.
func newRuleState(r *rules.Rule, settings Settings) *ruleState {
	s := &ruleState{program: compile(r), w: never, since: forever, swap: never, from: handover{cut: never}, parts: map[string]*partition{}, press: settings.press}
	s.stats = RuleStats{Rule: r.ID, Version: r.Version}
	for i := range s.branches {
		for j := range s.branches[i].Steps {
			if x := &s.branches[i].Steps[j]; x.Gated() {
				s.gates = append(s.gates, newGate(i, j, x, settings.MaxKeys, settings.observe != nil || settings.plain))
			}
		}
	}
	if settings.observe == nil && settings.restAbove < keysWithoutRest {
		s.rest = newResting(s, settings)
	}
	if settings.observe == nil && !settings.plain {
		s.shelf = newShelf(s)
		s.absorbing = s.absorbs()
	}
	return s
}

func (r *ruleState) shadow() bool { return r.rule.Status == rules.Shadow }

func (r *ruleState) gate(h *event.Hit) *gate {
	for _, g := range r.gates {
		if g.branch == int(h.Branch) && g.step == int(h.Step) {
			return g
		}
	}
	return nil
}

package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/rules"
)

// pairMemory is how long the hit before another one still counts as prev in `consecutive`, where `within` is not longer.
const pairMemory = 24 * hour

// Durations in microseconds of event time.
const (
	millisecond = 1000
	second      = 1000 * millisecond
	minute      = 60 * second
	hour        = 60 * minute
)

// program is a plan with what the fold wants to know of it beforehand. It is immutable.
type program struct {
	rule     *rules.Rule
	plan     *rules.Plan
	branches []branch
	guards   int   // Guards and untils of all branches: the length of partition.guards.
	history  int64 // The longest look back of a guard or `new`, for the remark about short histories.
	after    int64 // The longest `after`.
	hold     int64 // How much longer W waits for a drop to be decided.
	joined   []bool
}

// branch is a branch of a plan.
type branch struct {
	*rules.Branch
	index  int
	parts  []part // Steps, then guards, then untils, as Hit.Step counts them.
	simple bool   // Everything that must agree is in the partition key.
	memory int64  // How long a step's hit can matter after its time.
}

// part is a step, guard or until of a branch.
type part struct {
	*rules.Step
	join   []int   // Variables bound that are not in the key: they must agree.
	any    [][]int // Groups of bind_any: one must agree.
	met    bool    // An earlier step binds one of the variables of bind_any.
	guard  *rules.Guard
	memory int // Place in partition.guards; −1 for steps.
	keep   int64
	decide int // Before-guards of sequences: the step at which everything they look at is known.
}

// compile prepares a plan for the fold.
func compile(r *rules.Rule) *program {
	p := &program{rule: r, plan: r.Plan, hold: r.Plan.Waits(), joined: make([]bool, len(r.Plan.Vars))}
	for i := range r.Plan.Branches {
		b := branch{Branch: &r.Plan.Branches[i], index: i, simple: true}
		for j := range b.Steps {
			b.add(p, &b.Steps[j], nil)
		}
		for j := range b.Guards {
			b.add(p, &b.Guards[j].Step, &b.Guards[j])
		}
		for j := range b.Until {
			b.add(p, &b.Until[j].Step, &b.Until[j])
		}
		b.retain(p)
		p.branches = append(p.branches, b)
	}
	return p
}

func (b *branch) add(p *program, s *rules.Step, g *rules.Guard) {
	x := part{Step: s, guard: g, memory: -1}
	for _, v := range s.Bind {
		p.joined[v.Var] = p.joined[v.Var] || g == nil
		if !slices.Contains(p.plan.Key, v.Var) {
			x.join = append(x.join, v.Var)
		}
	}
	for _, group := range s.BindAny {
		var vars []int
		for _, v := range group {
			p.joined[v.Var] = p.joined[v.Var] || g == nil
			vars = append(vars, v.Var)
		}
		x.any = append(x.any, vars)
	}
	x.met = len(x.any) > 0 && slices.ContainsFunc(b.parts, func(y part) bool {
		return y.guard == nil && slices.ContainsFunc(y.variables(), func(v int) bool {
			return slices.ContainsFunc(x.any, func(g []int) bool { return slices.Contains(g, v) })
		})
	})
	if g != nil {
		x.memory = p.guards
		p.guards++
		x.decide = b.decision(&x)
	}
	b.simple = b.simple && len(x.join) == 0 && len(x.any) == 0
	b.parts = append(b.parts, x)
}

func (x *part) variables() []int {
	vars := slices.Clone(x.join)
	for _, g := range x.any {
		vars = append(vars, g...)
	}
	return vars
}

// decision is the first step of a sequence at which a before-guard has all it looks at: the step it is about, the variables it shares with
// others, and with a condition the whole match.
func (b *branch) decision(x *part) int {
	last := len(b.Steps) - 1
	if x.guard.When != nil {
		return last
	}
	at := max(0, x.guard.Of)
	for i := at + 1; i < len(b.Steps); i++ {
		for _, v := range x.variables() {
			first := slices.IndexFunc(b.parts[:len(b.Steps)], func(y part) bool { return slices.Contains(y.variables(), v) })
			if first == i {
				at = i
			}
		}
	}
	return at
}

// retain works out how long hits and guards matter.
func (b *branch) retain(p *program) {
	b.memory = b.Within + b.OrderTolerance*int64(len(b.Steps))
	if b.Kind == rules.Consecutive {
		b.memory = max(b.memory, pairMemory)
	}
	for i := range b.parts {
		x := &b.parts[i]
		p.history = max(p.history, x.History())
		if x.guard == nil {
			continue
		}
		p.history = max(p.history, x.guard.Before)
		p.after = max(p.after, x.guard.After)
		x.keep = max(x.guard.QuietFor, x.guard.Before+b.memory, x.guard.After+b.memory)
		if x.guard.Between {
			x.keep = max(x.keep, b.memory)
		}
	}
}

// agrees reports whether a hit of x may join what already has these variables. Variables of the key agree by construction.
func (x *part) agrees(vars, hit []string) bool {
	if vars == nil {
		return true
	}
	for _, v := range x.join {
		if vars[v] != "" && vars[v] != hit[v] {
			return false
		}
	}
	if len(x.any) == 0 || x.guard == nil && !x.met {
		return true
	}
	return slices.ContainsFunc(x.any, func(group []int) bool {
		shared := false
		for _, v := range group {
			if hit[v] == "" || vars[v] != "" && vars[v] != hit[v] {
				return false
			}
			shared = shared || vars[v] != ""
		}
		return shared
	})
}

// merge gives the variables after a hit of x joined; vars is not changed.
func (x *part) merge(vars, hit []string) []string {
	merged := make([]string, len(hit))
	copy(merged, vars)
	for _, v := range x.join {
		if merged[v] == "" {
			merged[v] = hit[v]
		}
	}
	for _, group := range x.any {
		for _, v := range group {
			if merged[v] == "" {
				merged[v] = hit[v]
			}
		}
	}
	return merged
}

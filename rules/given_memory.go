package rules

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// GivenSeen is the history of a step's `new`: values already seen for an entity, with the learning time over.
type GivenSeen struct {
	Step   string
	Per    []string // Values of the step's per variables, in their order.
	Values []string
}

// GivenUsual is what is usual for an entity at a step's `spike`, or `drop` of an amount: the median at all times, with a deviation of nothing
// and the learning time over.
type GivenUsual struct {
	Step   string
	Per    []string // As for GivenSeen.
	Median float64
}

// seen reads the history of a step's new: {entity: [values]}, with several per values joined by commas.
func (b *builder) seen(g *Given, step, v *yaml.Node) {
	st := b.stepOf(step.Value)
	if st == nil || st.New == nil {
		b.doc.problem(step, codeTests, "no step named "+step.Value+" has new", "")
		return
	}
	b.each(v, "the history of a step", func(k, v *yaml.Node) {
		per, ok := b.givenPer(k, "new of "+step.Value, st.New.Per)
		if !ok {
			return
		}
		g.Seen = append(g.Seen, GivenSeen{Step: step.Value, Per: per, Values: values(b.doc.scalars(v, "the history of a step"))})
	})
}

// usual reads the baseline of a step: {entity: median}.
func (b *builder) usual(g *Given, step, v *yaml.Node) {
	st := b.stepOf(step.Value)
	var vars []int
	switch {
	case st != nil && st.Spike != nil:
		vars = st.Spike.Per
	case st != nil && st.Drop != nil && st.Drop.Volume != nil:
		vars = st.Drop.Per
	default:
		b.doc.problem(step, codeTests, "no step named "+step.Value+" has a baseline", "")
		return
	}
	b.each(v, "the baseline of a step", func(k, v *yaml.Node) {
		per, ok := b.givenPer(k, "the baseline of "+step.Value, vars)
		if !ok {
			return
		}
		median, err := strconv.ParseFloat(b.doc.scalar(v, "a baseline"), 64)
		if err != nil || !(median >= 0) || math.IsInf(median, 0) {
			b.doc.problem(v, codeTests, "a baseline is a number of at least 0: the median over the time of over", "")
			return
		}
		g.Usual = append(g.Usual, GivenUsual{Step: step.Value, Per: per, Median: median})
	})
}

// stepOf finds a step of the finished plan; nil if there is none.
func (b *builder) stepOf(id string) *Step {
	for i := range b.plan.Branches {
		for j := range b.plan.Branches[i].Steps {
			if s := &b.plan.Branches[i].Steps[j]; s.ID == id {
				return s
			}
		}
	}
	return nil
}

// givenPer reads the values of per variables, joined by commas.
func (b *builder) givenPer(k *yaml.Node, what string, vars []int) ([]string, bool) {
	parts := strings.Split(k.Value, ",")
	if len(parts) != len(vars) {
		b.doc.problem(k, codeTests, what+" is per "+strconv.Itoa(len(vars))+" variables", "separate their values by commas")
		return nil, false
	}
	var out []string
	for i, p := range parts {
		out = append(out, canonicalID(b.plan.Vars[vars[i]].Kind, strings.TrimSpace(p)))
	}
	return out, true
}

package rules

// Reach is how far back, in microseconds of event time, the plan can look from an event: the longest window, guard, quiet time, throttle or
// history and the rule's lateness. A rule that starts new knows as much as the live one once it has seen that much.
func (p *Plan) Reach() int64 {
	longest := max(p.Throttle.For, p.Within)
	for i := range p.Branches {
		b := &p.Branches[i]
		reach := b.Within
		for _, g := range b.Guards {
			reach = max(reach, b.Within+g.Before, b.Within+g.After)
		}
		for _, u := range b.Until {
			reach = max(reach, b.Within+u.QuietFor)
		}
		for _, s := range b.Steps {
			reach = max(reach, s.Memory())
		}
		longest = max(longest, reach)
	}
	own := longest
	for _, up := range p.Rule.Upstream {
		longest = max(longest, own+up.Plan.Reach())
	}
	return longest + p.Lateness
}

package rules

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// Description is a rule as `rules list --json` prints it. Lengths of time are written as rules write them; what does not apply is left out.
type Description struct {
	ID         string              `json:"id"`
	Version    int32               `json:"version"`
	Title      string              `json:"title"`
	Severity   string              `json:"severity"`
	Status     string              `json:"status"`
	Tags       []string            `json:"tags,omitempty"`
	Owner      string              `json:"owner,omitempty"`
	File       string              `json:"file"`
	Line       int                 `json:"line"`
	Hash       string              `json:"hash"`
	Tests      int                 `json:"tests"`
	Key        []string            `json:"key"`
	Variables  []string            `json:"variables"`
	AtLeast    int                 `json:"at_least,omitempty"`
	Within     string              `json:"within,omitempty"`
	Lateness   string              `json:"lateness"`
	Throttle   []string            `json:"throttle_per,omitempty"`
	For        string              `json:"throttle_for,omitempty"`
	Score      string              `json:"score,omitempty"`
	Branches   []BranchDescription `json:"branches"`
	SeverityIf []string            `json:"severity_if,omitempty"`
	Words      string              `json:"words"`
}

// BranchDescription is one pattern of a rule.
type BranchDescription struct {
	Kind           string             `json:"kind"`
	Steps          []StepDescription  `json:"steps"`
	Guards         []GuardDescription `json:"unless,omitempty"`
	Until          []GuardDescription `json:"until,omitempty"`
	Within         string             `json:"within,omitempty"`
	OrderTolerance string             `json:"order_tolerance,omitempty"`
	AtLeast        int                `json:"at_least,omitempty"`
	Distinct       string             `json:"distinct,omitempty"`
	Measure        string             `json:"measure,omitempty"` // Of a count, as in sum of traffic.bytes above 5000.
	When           string             `json:"when,omitempty"`
}

// StepDescription is one step: what it waits for and what its hits carry.
type StepDescription struct {
	ID      string            `json:"id,omitempty"`
	Classes []string          `json:"class"`
	Where   string            `json:"where,omitempty"`
	Bind    map[string]string `json:"bind,omitempty"`
	Carries []string          `json:"carries,omitempty"`
	Native  bool              `json:"native"` // The condition runs as closures only.
}

// GuardDescription is one guard.
type GuardDescription struct {
	StepDescription
	Before   string `json:"before,omitempty"`
	After    string `json:"after,omitempty"`
	Between  bool   `json:"between,omitempty"`
	Of       string `json:"of,omitempty"`
	QuietFor string `json:"quiet_for,omitempty"`
	When     string `json:"when,omitempty"` // The part of the condition that cites steps.
}

var kindNames = [...]string{"event", "sequence", "all", "count", "consecutive"}

// String is the kind as rules write it.
func (k Kind) String() string { return kindNames[k] }

var statusNames = [...]string{"off", "shadow", "live"}

// String is the status as rules write it.
func (s Status) String() string { return statusNames[s] }

// Describe gives the rule's plan as data for people and tools.
func (r *Rule) Describe() Description {
	p := r.Plan
	d := Description{
		ID: r.ID, Version: r.Version, Title: r.Title, Severity: r.Severity.String(), Status: r.Status.String(), Tags: r.Tags, Owner: r.Owner,
		File: r.File, Line: r.Line, Hash: r.Hash, Tests: len(r.Tests), Key: p.names(p.Key), Lateness: expression.FormatDuration(p.Lateness),
		Throttle: p.names(p.Throttle.Per), For: length(p.Throttle.For), Within: length(p.Within), Words: r.Words(),
	}
	for _, v := range p.Vars {
		d.Variables = append(d.Variables, v.Name)
	}
	if len(p.Branches) > 1 {
		d.AtLeast = p.AtLeast
	}
	if p.Score != nil {
		d.Score = p.Score.String()
	}
	for _, s := range p.Severity {
		d.SeverityIf = append(d.SeverityIf, s.When.String()+": "+s.Severity.String())
	}
	for i := range p.Branches {
		d.Branches = append(d.Branches, p.describeBranch(&p.Branches[i]))
	}
	return d
}

func (p *Plan) names(vars []int) []string {
	out := make([]string, 0, len(vars))
	for _, v := range vars {
		out = append(out, p.Vars[v].Name)
	}
	return out
}

func length(micros int64) string {
	if micros == 0 {
		return ""
	}
	return expression.FormatDuration(micros)
}

func (p *Plan) describeBranch(b *Branch) BranchDescription {
	d := BranchDescription{Kind: b.Kind.String(), Within: length(b.Within), OrderTolerance: length(b.OrderTolerance)}
	if b.Kind == Count || b.Kind == Consecutive || b.Kind == All {
		d.AtLeast = b.AtLeast
	}
	if b.Distinct >= 0 && b.Distinct < len(b.Steps[0].Fields) {
		d.Distinct = b.Steps[0].Fields[b.Distinct].Path
	}
	if m := b.Measure; m != nil && m.Field < len(b.Steps[0].Fields) {
		d.Measure = m.describe(b.Steps[0].Fields[m.Field].Path)
	}
	if b.When != nil {
		d.When = b.When.String()
	}
	for i := range b.Steps {
		d.Steps = append(d.Steps, p.describeStep(&b.Steps[i]))
	}
	for i := range b.Guards {
		d.Guards = append(d.Guards, p.describeGuard(b, &b.Guards[i]))
	}
	for i := range b.Until {
		d.Until = append(d.Until, p.describeGuard(b, &b.Until[i]))
	}
	return d
}

func (p *Plan) describeStep(s *Step) StepDescription {
	d := StepDescription{ID: s.ID, Classes: s.ClassNames(), Native: s.Where == nil || s.Where.Native()}
	if s.Where != nil {
		d.Where = s.Where.String()
	}
	for _, b := range s.Bind {
		if d.Bind == nil {
			d.Bind = map[string]string{}
		}
		d.Bind[p.Vars[b.Var].Name] = b.source()
	}
	for _, f := range s.Fields {
		d.Carries = append(d.Carries, f.Path)
	}
	for _, v := range s.Values {
		d.Carries = append(d.Carries, v.String())
	}
	return d
}

func (p *Plan) describeGuard(b *Branch, g *Guard) GuardDescription {
	d := GuardDescription{
		StepDescription: p.describeStep(&g.Step), Before: length(g.Before), After: length(g.After), Between: g.Between, QuietFor: length(g.QuietFor),
	}
	if g.Of >= 0 && g.Of < len(b.Steps) {
		d.Of = b.Steps[g.Of].ID
	}
	if g.When != nil {
		d.When = g.When.String()
	}
	return d
}

// source is the binding as rules write it.
func (b Binding) source() string {
	switch {
	case b.Found != "":
		return "vars." + b.Found
	case b.Field != nil:
		return b.Field.Path
	case b.Role != event.RoleNone:
		return b.Role.String() + "." + b.Kind.String()
	}
	return b.Kind.String()
}

// Words is the plan in a few sentences.
func (r *Rule) Words() string {
	p := r.Plan
	var parts []string
	for i := range p.Branches {
		parts = append(parts, p.branchWords(&p.Branches[i]))
	}
	s := parts[0]
	if len(parts) > 1 {
		s = "Any of: " + strings.Join(parts, " Or: ")
		if p.AtLeast > 1 {
			s = "At least " + strconv.Itoa(p.AtLeast) + " within " + length(p.Within) + " of: " + strings.Join(parts, " And: ")
		}
	}
	if len(p.Key) == 0 {
		s += " Kept for the rule as a whole"
	} else {
		s += " Kept per " + strings.Join(p.names(p.Key), " and ")
	}
	s += "; waits " + expression.FormatDuration(p.Lateness) + " for late events"
	if p.Throttle.For > 0 {
		s += "; one finding per " + strings.Join(p.names(p.Throttle.Per), " and ") + " in " + length(p.Throttle.For)
	}
	return s + "."
}

func (p *Plan) branchWords(b *Branch) string {
	var steps []string
	for i := range b.Steps {
		s := b.Steps[i].ID + " (" + strings.Join(b.Steps[i].ClassNames(), " or ") + ")"
		if n := b.Steps[i].AtLeast; n > 1 {
			s = strconv.Itoa(n) + " × " + s
		}
		steps = append(steps, s)
	}
	s := ""
	switch b.Kind {
	case Event:
		s = steps[0]
	case Sequence:
		s = strings.Join(steps, ", then ") + ", within " + length(b.Within)
	case All:
		s = strings.Join(steps, " and ") + ", in any order within " + length(b.Within)
	case Count:
		s = strconv.Itoa(b.AtLeast) + " or more " + steps[0] + " within " + length(b.Within)
	case Consecutive:
		s = steps[0] + ": " + strconv.Itoa(b.AtLeast) + " or more pairs of neighbours that satisfy the condition"
	}
	for i := range b.Guards {
		s += "; unless " + guardWords(b, &b.Guards[i])
	}
	for i := range b.Until {
		s += "; until " + strings.Join(b.Until[i].Step.ClassNames(), " or ")
	}
	return s + "."
}

func guardWords(b *Branch, g *Guard) string {
	s := strings.Join(g.Step.ClassNames(), " or ")
	of := ""
	if g.Of >= 0 && g.Of < len(b.Steps) {
		of = " " + b.Steps[g.Of].ID
	}
	if g.Before > 0 {
		s += " in the " + length(g.Before) + " before" + of
	}
	if g.After > 0 {
		s += " in the " + length(g.After) + " after" + of
	}
	switch {
	case g.Between && g.From >= 0 && g.To >= 0:
		s += " between " + b.Steps[g.From].ID + " and " + b.Steps[g.To].ID
	case g.Between:
		s += " in between"
	}
	return s
}

package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// ruleBook is what the console knows of rules: those in force, what the store has of their findings and verdicts, and what the engine counted.
type ruleBook struct {
	s     *Service
	tries sync.Mutex // One attempt at a time: it takes a core.
}

// ruleMemory is how far back findings are counted.
const ruleMemory = 30 * 24 * time.Hour

// verdictsRight are the verdicts that say there was something; verdictsWrong those that say there was not. The others say neither.
var (
	verdictsRight = []incident.Verdict{incident.Intrusion, incident.Misuse, incident.PolicyViolation, incident.Malfunction}
	verdictsWrong = []incident.Verdict{incident.AuthorisedActivity, incident.RuleFalsePositive}
)

// Rules implements console.Rules.
func (b *ruleBook) Rules(ctx context.Context) ([]console.RuleStanding, error) {
	out, _, err := b.standings(ctx, b.s.keeper.Set().Rules, "")
	return out, err
}

// standings are rules with what they did, and their findings by day; of one rule, or of all where id is empty.
func (b *ruleBook) standings(ctx context.Context, list []*rules.Rule, id string) ([]console.RuleStanding, []console.DayCount, error) {
	var days []console.DayCount
	of := map[string]*console.RuleStanding{}
	out := make([]console.RuleStanding, len(list))
	counted := b.s.metrics.rules.counted()
	for i, r := range list {
		out[i] = standing(r, counted[r.ID])
		if f := b.s.metrics.rules.floodOf(r.ID); f.Folded > 0 {
			out[i].Troubles = append(out[i].Troubles, fmt.Sprintf("it floods: %s stand together in a digest since %s UTC", Count(f.Folded, "finding"), stamp(f.From)))
		}
		of[r.ID] = &out[i]
	}
	for d, err := range b.s.db.RuleDays(ctx, id, b.s.now()-ruleMemory.Microseconds()) {
		if err != nil {
			return nil, nil, err
		}
		if x := of[d.Rule]; x != nil {
			x.Findings += d.Count
			x.Last = max(x.Last, d.Last)
			days = append(days, console.DayCount{Day: d.Day, Count: d.Count})
		}
	}
	for v, err := range b.s.db.RuleVerdicts(ctx, id) {
		if err != nil {
			return nil, nil, err
		}
		x := of[v.Rule]
		switch {
		case x == nil:
		case slices.Contains(verdictsRight, v.Verdict):
			x.Right += v.Count
		case slices.Contains(verdictsWrong, v.Verdict):
			x.Wrong += v.Count
		}
	}
	return out, days, nil
}

func standing(r *rules.Rule, c correlate.RuleStats) console.RuleStanding {
	x := console.RuleStanding{
		ID: r.ID, Version: r.Version, Title: r.Title, Severity: r.Severity, Status: r.Status.String(), Owner: r.Owner, Tags: r.Tags, File: r.File, Line: r.Line,
		Hits: c.Hits, Tried: c.Tried, Keys: c.Keys, Late: c.Late, Errors: c.Errors,
	}
	if info, err := os.Stat(r.File); err == nil && !strings.HasPrefix(r.File, Builtin+"/") {
		x.Edited = info.ModTime().UnixMicro()
	}
	if c.Degraded {
		x.Troubles = append(x.Troubles, "its memory is at a bound: keys were given up, and it may miss matches")
	}
	if c.Errors > 0 {
		x.Troubles = append(x.Troubles, fmt.Sprintf("a condition had no result %d times: %s", c.Errors, c.LastError))
	}
	return x
}

// Rule implements console.Rules.
func (b *ruleBook) Rule(ctx context.Context, id string) (*console.RuleSheet, error) {
	r, err := b.rule(id)
	if err != nil {
		return nil, err
	}
	list, days, err := b.standings(ctx, []*rules.Rule{r}, id)
	if err != nil {
		return nil, err
	}
	d := r.Describe()
	x := &console.RuleSheet{
		RuleStanding: list[0], Description: strings.TrimSpace(r.Description), Response: r.Response, FalsePositives: r.FalsePositives, References: r.References,
		Words: d.Words, Key: d.Key, Tests: len(r.Tests), Days: days, Chains: chainsOf(&d),
	}
	x.Text, err = textOf(r)
	return x, err
}

func (b *ruleBook) rule(id string) (*rules.Rule, error) {
	if r := b.s.keeper.Set().Rule(id); r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("%w: there is no rule %q in force", console.ErrNotFound, id)
}

// textOf is a rule's document out of its file.
func textOf(r *rules.Rule) (string, error) {
	text, err := ruleFile(r.File)
	if err != nil {
		return "", fmt.Errorf("the file of rule %s cannot be read: %w", r.ID, err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	from := min(max(r.Line-1, 0), len(lines))
	to := from
	for to < len(lines) && strings.TrimRight(lines[to], "\r\n ") != "---" {
		to++
	}
	return strings.Join(lines[from:to], ""), nil
}

// chainsOf are the branches of a plan as the console draws them.
func chainsOf(d *rules.Description) []console.Chain {
	var out []console.Chain
	for i := range d.Branches {
		b := &d.Branches[i]
		c := console.Chain{Kind: b.Kind, Within: b.Within}
		if c.Within == "" {
			c.Within = d.Within
		}
		for _, s := range b.Steps {
			c.Steps = append(c.Steps, chainStep("step", &s))
		}
		if n := b.AtLeast; n > 1 && len(c.Steps) == 1 {
			c.Steps[0].Times = n
		}
		for _, g := range b.Guards {
			c.Guards = append(c.Guards, chainGuard("unless", &g))
		}
		for _, g := range b.Until {
			c.Guards = append(c.Guards, chainGuard("until", &g))
		}
		out = append(out, c)
	}
	return out
}

func chainStep(role string, s *rules.StepDescription) console.ChainStep {
	x := console.ChainStep{Name: s.ID, Role: role, Classes: s.Classes, Where: s.Where}
	for _, v := range sortedKeys(s.Bind) {
		x.Binds = append(x.Binds, v+" = "+s.Bind[v])
	}
	return x
}

func chainGuard(role string, g *rules.GuardDescription) console.ChainStep {
	x := chainStep(role, &g.StepDescription)
	var when []string
	for _, w := range []struct{ word, value string }{{"before", g.Before}, {"after", g.After}, {"of", g.Of}, {"quiet for", g.QuietFor}, {"when", g.When}} {
		if w.value != "" {
			when = append(when, w.word+" "+w.value)
		}
	}
	if g.Between {
		when = append(when, "between the steps")
	}
	x.When = strings.Join(when, ", ")
	if x.Name == "" {
		x.Name = role
	}
	return x
}

// Near implements console.Rules.
func (b *ruleBook) Near(ctx context.Context, id string, hours int) (*console.RuleNear, error) {
	if _, err := b.rule(id); err != nil {
		return nil, err
	}
	done, err := b.begin(&ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	core := *b.s.core
	core.Rules = b.s.keeper.Set()
	set := ExplainSettings{Past: PastSettings{Store: b.s.db}, Rule: id, To: b.s.now(), Clock: -1}
	set.From = set.To - int64(hours)*time.Hour.Microseconds()
	x, err := core.Explain(ctx, b.s.cfg, set)
	if err != nil {
		return nil, b.blame(ctx, err)
	}
	out := &console.RuleNear{Hours: hours, Events: x.Events, Steps: nearSteps(x)}
	out.Fates, out.More = nearFates(x, true)
	return out, nil
}

// begin gives an attempt its turn and its time.
func (b *ruleBook) begin(ctx *context.Context) (done func(), err error) {
	if !b.tries.TryLock() {
		return nil, fmt.Errorf("%w: somebody is trying a rule just now; try again in a moment", console.ErrQuestion)
	}
	limited, cancel := context.WithTimeout(*ctx, attemptTime)
	*ctx = limited
	return func() { cancel(); b.tries.Unlock() }, nil
}

// attemptTime bounds one attempt.
const attemptTime = time.Minute

func (b *ruleBook) blame(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: that took longer than %v; ask for a shorter time, or use tocsin rules backtest", console.ErrQuestion, attemptTime)
	}
	return err
}

// shownFates bounds what one answer tells.
const shownFates = 50

func nearSteps(x *correlate.Explanation) []console.NearStep {
	var out []console.NearStep
	for _, s := range x.Steps {
		n := console.NearStep{Name: s.ID, Seen: s.Seen, Matched: s.Matched}
		switch {
		case len(s.Misses) > 0:
			n.Reason = strings.Join(s.Misses[0].Reasons, "; ")
		case s.Unbound > 0:
			n.Reason = fmt.Sprintf("%d had no value for %s", s.Unbound, s.Variable)
		case s.Error != "":
			n.Reason = s.Error
		}
		out = append(out, n)
	}
	return out
}

// nearFates are what became of chains, the last first; those that came close, or all.
func nearFates(x *correlate.Explanation, near bool) (out []console.NearFate, more int) {
	for _, f := range slices.Backward(x.Fates) {
		if near && !f.Near {
			continue
		}
		if len(out) == shownFates {
			more++
			continue
		}
		y := console.NearFate{At: f.At, Key: strings.ReplaceAll(f.Key, "\x1f", ", "), Text: f.Text}
		for _, e := range f.Events {
			y.Events = append(y.Events, e.Event.String())
		}
		out = append(out, y)
	}
	return out, more + x.More
}

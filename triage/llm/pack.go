package llm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Bounds of a pack.
const (
	maxLines  = 96 // of evidence
	maxRules  = 24
	maxRefs   = 6  // of a claim, and of what a sign names
	charsEach = 3  // characters a token has at least, as a safe bound
	lineRoom  = 12 // for a pseudonym that is longer in the end than when the line was measured
)

// Options say what a pack may hold.
type Options struct {
	Chars int               // Most characters of the pack.
	Free  string            // none or excerpt, as triage.ModelConfig.FreeText.
	Names map[string]string // As triage.ModelConfig.Names.
}

// Pack is the closed set of facts that a model may speak about: some lines of evidence under short aliases, what the rules make of them, and
// what was left out. The same incident and options give the same bytes. With Free none and no name in clear, nothing an outsider wrote, and
// nothing that follows from what an outsider wrote, is in it: names are pseudonyms in the order of the events, text is a token, findings
// about text and signs that rest on words of a source are left out.
type Pack struct {
	Text string // What the model is sent.

	Lines      []Line // E1, E2 …, by time.
	Robots     []string
	Others     []string // Users, hosts and addresses.
	Unknowns   []Fact
	Checks     []triage.Check
	Assessment string // By the signs in the pack.
	Confidence string // The most that the balance bears: low, medium or high.
	LeftOut    []triage.Omission

	hasChanges bool
	facts      []string // Sentences we computed, with tokens for names.
	counts     map[string]int
	names      *names
}

// Line is one line of evidence: an event, a run of like ones, or a change.
type Line struct {
	Alias     string
	Class     string // rule, change, authentication, safety or other.
	At, Until int64  // Event time, microseconds.
	Events    []event.ID
	Count     int
	Text      string // As it is sent, after the alias.

	entities []string // tokens
	phrases  []string // words of ours that describe it
	numbers  []string // values in clear
}

// Fact is a statement of ours that the model may choose by its id.
type Fact struct{ ID, Text string }

// Hash identifies the pack.
func (p *Pack) Hash() string {
	sum := sha256.Sum256([]byte(p.Text))
	return hex.EncodeToString(sum[:])
}

// canary is a word that the instructions tell the model never to write.
func (p *Pack) canary() string { return "tcn" + p.Hash()[:10] }

// Build makes the pack of an incident.
func Build(in *incident.Incident, o Options) *Pack {
	in = trusted(in)
	p := &Pack{names: newNames(o.Names), counts: map[string]int{}}
	signs := slices.DeleteFunc(triage.Signs(in), func(s triage.Sign) bool { return s.Worded })
	assessment, balance := triage.Judge(signs)
	p.Assessment, p.Confidence = assessment, bearable(assessment, balance)
	p.Checks = triage.NextChecks(in)
	all := groupsOf(in)
	chosen := p.choose(all, in, o)
	p.render(chosen, in, o)
	p.leftOut(all, chosen)
	p.counted(in)
	p.unknowns(in)
	p.write(in, signs, balance)
	return p
}

// trusted is in without findings of rules about text, with the bounds of what remains.
func trusted(in *incident.Incident) *incident.Incident {
	out := *in
	out.Findings = slices.DeleteFunc(slices.Clone(in.Findings), func(f incident.Finding) bool { return triage.AboutText(f.Rule) })
	if len(out.Findings) == 0 || len(out.Findings) == len(in.Findings) {
		if len(out.Findings) == 0 {
			out.Changed = nil
		}
		return &out
	}
	out.First, out.Last, out.Robots = out.Findings[0].First, 0, nil
	for _, f := range out.Findings {
		out.First = min(out.First, f.First)
		for _, ev := range f.Evidence {
			if ev.Event == nil {
				continue
			}
			out.Last = max(out.Last, ev.Event.Time)
			for _, x := range ev.Event.Entities {
				if x.Kind == event.EntityRobot && x.Role < event.RoleReporter && !slices.Contains(out.Robots, x.ID) {
					out.Robots = append(out.Robots, x.ID)
				}
			}
		}
	}
	const lookback = int64(3600) * 1_000_000
	out.Changed = slices.DeleteFunc(slices.Clone(in.Changed), func(n event.Note) bool { return n.Ref.Time < out.First-lookback || n.Ref.Time > out.Last })
	return &out
}

// bearable is the greatest confidence that a balance bears.
func bearable(assessment string, balance map[string]int) string {
	if assessment == triage.Undetermined {
		return "low"
	}
	next := 0
	for reading, w := range balance {
		if reading != assessment {
			next = max(next, w)
		}
	}
	if w := balance[assessment]; w >= 10 && w-next >= 6 {
		return "high"
	}
	return "medium"
}

// choose picks groups by class until the room is used up, and gives them in order of time.
func (p *Pack) choose(all []group, in *incident.Incident, o Options) []group {
	room := o.Chars - p.overhead(in)
	scratch := newNames(o.Names)
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return all[a].rank() - all[b].rank() })
	taken := make([]bool, len(all))
	for n, i := range order {
		if n == maxLines {
			break
		}
		l := all[i].line(scratch, in, o)
		if room -= len(l.Text) + lineRoom; room < 0 {
			break
		}
		taken[i] = true
	}
	var out []group
	for i := range all {
		if taken[i] {
			out = append(out, all[i])
		}
	}
	return out
}

// overhead is room for everything but evidence.
func (p *Pack) overhead(in *incident.Incident) int {
	n := 1800
	for _, c := range p.Checks {
		n += len(c.Text) + len(c.ID) + 6
	}
	for _, r := range rulesOf(in) {
		n += len(r.title) + 40
	}
	return n
}

// render makes the lines and gives aliases and pseudonyms in their order.
func (p *Pack) render(chosen []group, in *incident.Incident, o Options) {
	for i := range chosen {
		l := chosen[i].line(p.names, in, o)
		l.Alias = fmt.Sprintf("E%d", i+1)
		p.Lines = append(p.Lines, l)
		p.hasChanges = p.hasChanges || l.Class == classChange
	}
	for _, t := range p.names.order {
		if strings.HasPrefix(p.names.id(t), "robot:") {
			p.Robots = append(p.Robots, t)
		} else {
			p.Others = append(p.Others, t)
		}
	}
}

// leftOut counts the events of groups that were not chosen, by class.
func (p *Pack) leftOut(all, chosen []group) {
	kept := map[*event.Ref]bool{}
	for _, g := range chosen {
		kept[g.refs[0]] = true
	}
	counts := map[string]int{}
	for _, g := range all {
		if !kept[g.refs[0]] || g.note != nil && !slices.ContainsFunc(chosen, func(c group) bool { return c.note == g.note }) {
			counts[g.class] += len(g.refs)
		}
	}
	for _, c := range classes {
		if counts[c] > 0 {
			p.LeftOut = append(p.LeftOut, triage.Omission{Class: c, Events: counts[c]})
		}
	}
}

// counted are the numbers a claim may use with these nouns.
func (p *Pack) counted(in *incident.Incident) {
	met := map[event.ID]bool{}
	for i := range in.Findings {
		for _, ev := range in.Findings[i].Evidence {
			if ev.Event != nil {
				met[ev.Event.Event] = true
			}
		}
	}
	p.counts["finding"], p.counts["event"], p.counts["robot"], p.counts["rule"] = len(in.Findings), len(met), len(p.Robots), len(rulesOf(in))
	for _, t := range p.Others {
		kind, _, _ := strings.Cut(p.names.id(t), ":")
		p.counts[map[string]string{"user": "user", "device": "device", "ip": "address", "mac": "device"}[kind]]++
	}
	p.counts["account"], p.counts["host"] = p.counts["user"], p.counts["device"]
	for _, l := range p.Lines {
		if l.Class == classChange {
			p.counts["change"]++
		}
	}
}

// unknowns are what the evidence does not say and an analyst will ask.
func (p *Pack) unknowns(in *incident.Incident) {
	add := func(format string, args ...any) {
		p.Unknowns = append(p.Unknowns, Fact{fmt.Sprintf("U%d", len(p.Unknowns)+1), fmt.Sprintf(format, args...)})
	}
	before := false
	for _, n := range in.Changed {
		before = before || n.Ref.Time < in.First
	}
	if !before {
		add("no change is known from the hour before the first evidence")
	}
	if !slices.ContainsFunc(in.Changed, func(n event.Note) bool { return n.What == "ticket" }) {
		add("no change ticket is known for what was touched")
	}
	for _, l := range p.Lines {
		if l.Class == classChange && !strings.Contains(l.Text, " by ") && len(p.Unknowns) < 8 {
			add("who made the change in %s is not named", l.Alias)
		}
	}
	if p.Assessment == triage.Undetermined {
		add("the balance of the signs does not settle the question")
	}
	for _, u := range p.Unknowns {
		p.facts = append(p.facts, u.Text)
	}
}

// firedRule is a rule with findings in the incident.
type firedRule struct {
	id, title string
	severity  incident.Severity
	findings  int
	completes *event.Ref // The event that completed its first finding.
	last      []event.ID // The completing events.
}

// rulesOf lists the rules by the time of their first finding.
func rulesOf(in *incident.Incident) []firedRule {
	var out []firedRule
	for i := range in.Findings {
		f := &in.Findings[i]
		j := slices.IndexFunc(out, func(r firedRule) bool { return r.id == f.Rule.ID })
		if j < 0 {
			out = append(out, firedRule{id: f.Rule.ID, title: f.Rule.Title})
			j = len(out) - 1
		}
		r := &out[j]
		r.findings++
		r.severity = max(r.severity, f.Severity)
		if ref := completing(f); ref != nil {
			r.last = append(r.last, ref.Event)
			if r.completes == nil {
				r.completes = ref
			}
		}
	}
	return out[:min(len(out), maxRules)]
}

func completing(f *incident.Finding) *event.Ref {
	var last *event.Ref
	for _, ev := range f.Evidence {
		if ev.Event != nil && (last == nil || byTime(last, ev.Event) < 0) {
			last = ev.Event
		}
	}
	return last
}

// aliasesOf are the aliases of the lines that hold any of the events, at most maxRefs.
func (p *Pack) aliasesOf(ids []event.ID) []string {
	var out []string
	for i := range p.Lines {
		if l := &p.Lines[i]; len(out) < maxRefs && slices.ContainsFunc(l.Events, func(id event.ID) bool { return slices.Contains(ids, id) }) {
			out = append(out, l.Alias)
		}
	}
	return out
}

// write puts the pack together and lets lines know what rules and signs say of them.
func (p *Pack) write(in *incident.Incident, signs []triage.Sign, balance map[string]int) {
	var b strings.Builder
	day := func(t int64) string { return time.UnixMicro(t).UTC().Format(time.DateOnly) }
	fmt.Fprintf(&b, "evidence pack 1; times are UTC, first evidence %s %s\n", day(in.First), clockOf(in.First))
	fmt.Fprintf(&b, "the rules' assessment: %s; greatest confidence: %s; weights:", p.Assessment, p.Confidence)
	for _, r := range readings {
		fmt.Fprintf(&b, " %s %d", r, balance[r])
	}
	b.WriteString("\n\nsigns:\n")
	for _, s := range signs {
		refs := p.aliasesOf(s.Refs)
		fmt.Fprintf(&b, "- for %s, weight %d: %s %s\n", s.Reading, s.Weight, s.Text, bracketed(refs))
		p.describe(refs, s.Text)
		p.facts = append(p.facts, s.Text)
	}
	b.WriteString("\nrules with findings:\n")
	for _, r := range rulesOf(in) {
		refs := p.aliasesOf(r.last)
		fmt.Fprintf(&b, "- %s, %s, findings %d: %s %s\n", r.id, r.severity, r.findings, clean(r.title, 160), bracketed(refs))
		p.describe(refs, clean(r.title, 160))
	}
	b.WriteString("\naddresses:\n")
	p.names.legend(&b)
	b.WriteString("\nevidence:\n")
	for _, l := range p.Lines {
		fmt.Fprintf(&b, "%s %s\n", l.Alias, l.Text)
	}
	b.WriteString("\nleft out of this pack:")
	if len(p.LeftOut) == 0 {
		b.WriteString(" nothing")
	}
	for _, o := range p.LeftOut {
		fmt.Fprintf(&b, " %s %d", o.Class, o.Events)
	}
	b.WriteString("\n\nunknowns:\n")
	for _, u := range p.Unknowns {
		fmt.Fprintf(&b, "- %s: %s\n", u.ID, u.Text)
	}
	b.WriteString("\nnext checks:\n")
	for _, c := range p.Checks {
		fmt.Fprintf(&b, "- %s: %s\n", c.ID, c.Text)
	}
	p.Text = b.String()
}

// describe notes words of ours about lines.
func (p *Pack) describe(aliases []string, words string) {
	for i := range p.Lines {
		if slices.Contains(aliases, p.Lines[i].Alias) {
			p.Lines[i].phrases = append(p.Lines[i].phrases, words)
		}
	}
}

func bracketed(refs []string) string { return "[" + strings.Join(refs, " ") + "]" }

// readings in the order in which weights are told.
var readings = []string{triage.Intrusion, triage.Malfunction, triage.Misuse, triage.Authorised}

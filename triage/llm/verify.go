package llm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// mostDropped is the share of claims, in per cent, past which nothing of an answer is shown.
const mostDropped = 30

// Report says what the verifier did with an answer.
type Report struct {
	Claims   int    // That the answer makes.
	Drops    []Drop // Those that were dropped.
	Fallback string // Why nothing of it is shown; "" if the overlay is.
}

// Drop is a claim that was dropped.
type Drop struct {
	Where  string // Which list, such as timeline.
	Text   string // As the model wrote it.
	Reason Reason
	Detail string // The word or value it is about.
}

// Reason says why a claim was dropped.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	ReasonRefs      Reason = "refs"      // It cites a line that does not exist, or none.
	ReasonMarkup    Reason = "markup"    // Markup, a link, a code fence, or a character that plain sentences do not have.
	ReasonCanary    Reason = "canary"    // The word the model was told never to write.
	ReasonOrder     Reason = "order"     // It tells the reader what to do.
	ReasonControl   Reason = "control"   // A word of control over machines, such as isolate.
	ReasonAbsence   Reason = "absence"   // It says that something is not so, and we computed no such fact.
	ReasonCertainty Reason = "certainty" // It is more certain than the balance bears.
	ReasonName      Reason = "name"      // A user, host, robot, address or value that the cited lines do not have.
	ReasonValue     Reason = "value"     // A number, time or version that neither the cited lines nor our counts have.
	ReasonWord      Reason = "word"      // A word that neither plain English nor the cited lines have: it may be a name.
	ReasonEmpty     Reason = "empty"     // It says nothing about what it cites.
)

// Verify holds what a model said against the pack it was asked about, and makes the overlay of what can be proven. It is pure. An answer that is no
// answer, or loses too much, gives no overlay and the report says why.
func Verify(p *Pack, content string) (*triage.Overlay, Report) {
	var rep Report
	content = bare(content)
	if err := check(p, []byte(content)); err != nil {
		rep.Fallback = "the answer does not have the shape that was asked for"
		return nil, rep
	}
	var a answer
	if err := json.Unmarshal([]byte(content), &a); err != nil {
		rep.Fallback = "the answer does not have the shape that was asked for"
		return nil, rep
	}
	if strings.Contains(strings.ToLower(content), p.canary()) {
		rep.Drops = []Drop{{Where: "answer", Reason: ReasonCanary}}
		rep.Fallback = "the answer repeats the instructions"
		return nil, rep
	}
	v := verifier{pack: p, report: &rep}
	o := v.overlay(&a)
	rep.Fallback = v.lost(&a, o)
	if rep.Fallback != "" {
		return nil, rep
	}
	o.Claims, o.Dropped = rep.Claims, len(rep.Drops)
	return o, rep
}

// verifier goes through one answer.
type verifier struct {
	pack   *Pack
	report *Report
}

func (v *verifier) overlay(a *answer) *triage.Overlay {
	p := v.pack
	o := &triage.Overlay{Assessment: a.Reading.Assessment, Confidence: atMost(a.Reading.Confidence, p.Confidence), Rules: p.Assessment, LeftOut: p.LeftOut}
	if heads := v.claims("headline", []claim{{a.Headline.Text, a.Headline.Refs}}); len(heads) == 1 {
		o.Headline = heads[0]
	}
	o.For, o.Against = v.claims("for", a.Reading.For), v.claims("against", a.Reading.Against)
	o.Affected, o.Changed = v.claims("affected", a.Affected.Claims), v.claims("what_changed", a.Changed)
	o.Timeline = v.claims("timeline", a.Timeline)
	slices.SortStableFunc(o.Timeline, func(x, y incident.Claim) int { return int(min(max(x.At-y.At, -1), 1)) })
	for _, t := range unique(a.Affected.Robots) {
		o.Robots = append(o.Robots, p.names.id(t))
	}
	for _, t := range unique(a.Affected.Others) {
		o.Others = append(o.Others, p.names.id(t))
	}
	for _, u := range p.Unknowns {
		if slices.Contains(a.Unknowns, u.ID) {
			o.Unknowns = append(o.Unknowns, p.spoken(u.Text))
		}
	}
	for _, c := range p.Checks {
		if slices.Contains(a.Checks, c.ID) {
			o.Checks = append(o.Checks, c.Text)
		}
	}
	return o
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func atMost(confidence, bound string) string {
	return confidences[min(slices.Index(confidences, confidence), slices.Index(confidences, bound))]
}

// claims keeps what can be proven of a list, each text once.
func (v *verifier) claims(where string, list []claim) []incident.Claim {
	var out []incident.Claim
	for _, c := range list {
		v.report.Claims++
		lines, reason, detail := v.lines(c.Refs)
		if reason == "" {
			reason, detail = v.pack.judge(c.Text, lines)
		}
		if reason != "" {
			v.report.Drops = append(v.report.Drops, Drop{where, c.Text, reason, detail})
			continue
		}
		made := incident.Claim{Text: v.pack.spoken(c.Text), At: lines[0].At}
		for _, l := range lines {
			for _, id := range l.Events[:min(len(l.Events), maxRefs)] {
				if !slices.Contains(made.Refs, id) {
					made.Refs = append(made.Refs, id)
				}
			}
		}
		if !slices.ContainsFunc(out, func(x incident.Claim) bool { return x.Text == made.Text }) {
			out = append(out, made)
		}
	}
	return out
}

// lines are the lines a claim cites, by time.
func (v *verifier) lines(refs []string) (lines []*Line, reason Reason, detail string) {
	for i := range v.pack.Lines {
		if slices.Contains(refs, v.pack.Lines[i].Alias) {
			lines = append(lines, &v.pack.Lines[i])
		}
	}
	for _, r := range refs {
		if !slices.ContainsFunc(lines, func(l *Line) bool { return l.Alias == r }) {
			return nil, ReasonRefs, r
		}
	}
	if len(lines) == 0 || len(refs) > maxRefs {
		return nil, ReasonRefs, fmt.Sprintf("%d references", len(refs))
	}
	return lines, "", ""
}

// lost says why nothing of an answer is shown: too many claims were dropped, or a question has lost its answer.
func (v *verifier) lost(a *answer, o *triage.Overlay) string {
	dropped := len(v.report.Drops)
	switch {
	case dropped*100 > v.report.Claims*mostDropped:
		return fmt.Sprintf("%d of the model's %d claims could not be proven", dropped, v.report.Claims)
	case len(o.For)+len(o.Against) == 0:
		return "no claim about malfunction or intrusion could be proven"
	case len(a.Affected.Robots) == 0 && len(o.Affected) == 0:
		return "no claim about what is affected could be proven"
	case v.pack.hasChanges && len(o.Changed) == 0:
		return "no claim about what changed could be proven"
	}
	return ""
}

// spoken is a text of the model with names in place of tokens and events in place of aliases.
func (p *Pack) spoken(text string) string {
	text = tokenPattern.ReplaceAllStringFunc(text, func(t string) string { return p.names.shown(t) })
	return aliasPattern.ReplaceAllStringFunc(text, func(a string) string {
		for i := range p.Lines {
			if p.Lines[i].Alias == a {
				return clockOf(p.Lines[i].At)
			}
		}
		return a
	})
}

// eventsOf are the events a claim of an overlay may cite.
func (p *Pack) eventsOf() map[event.ID]bool {
	out := map[event.ID]bool{}
	for i := range p.Lines {
		for _, id := range p.Lines[i].Events {
			out[id] = true
		}
	}
	return out
}

// Package triage turns incidents into what people and other programs need of them: the three answers, the timeline and the next checks, which
// are pure functions of an incident; and what is sent out, signed deliveries to endpoints and a live feed of changes. Nothing here acts on
// machines: it explains, asks and tells.
package triage

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// The readings of an incident. Answers.Assessment is one of them, or Undetermined.
const (
	Intrusion    = "intrusion"
	Malfunction  = "malfunction"
	Misuse       = "misuse"
	Authorised   = "authorised_change"
	Undetermined = "undetermined"
)

// readings is the order in which readings are compared and named.
var readings = []string{Intrusion, Malfunction, Misuse, Authorised}

// A reading is chosen if its evidence weighs at least enough, and leads the next one by at least lead.
const (
	enough = 4
	lead   = 3
)

// Answer answers the three questions of an incident from its evidence alone: malfunction or intrusion, which robots, what changed just
// before. It weighs the table of signs in signs.go: For holds the claims for the leading reading, Against those for every other one, by
// weight, each with the events that prove it. With little evidence, or readings close to each other, the assessment is undetermined, and For
// still holds the claims of the leading one. The same incident gives the same answers.
func Answer(in *incident.Incident) incident.Answers { return factsOf(in).answer() }

func (f *facts) answer() incident.Answers {
	claims := f.weigh()
	balance := map[string]int{}
	for reading, list := range claims {
		for _, c := range list {
			balance[reading] += c.Weight
		}
	}
	first, assessment := conclude(balance)
	a := incident.Answers{Assessment: assessment, For: claims[first]}
	for _, reading := range readings {
		if reading != first {
			a.Against = append(a.Against, claims[reading]...)
		}
	}
	slices.SortStableFunc(a.Against, func(x, y incident.Claim) int { return y.Weight - x.Weight })
	a.Affected = f.affected()
	before, during := f.changes()
	a.ChangedBefore = append(before, during...)
	a.Text = f.text(a, balance, first, len(before))
	return a
}

// Judge gives the assessment that signs bear, and the weight for each reading. Signs may be left out by the caller.
func Judge(signs []Sign) (assessment string, balance map[string]int) {
	balance = map[string]int{}
	for _, s := range signs {
		balance[s.Reading] += s.Weight
	}
	_, assessment = conclude(balance)
	return assessment, balance
}

// conclude is the leading reading, and the assessment: that reading, or undetermined.
func conclude(balance map[string]int) (first, assessment string) {
	first, second := leaders(balance)
	if balance[first] < enough || balance[first]-balance[second] < lead {
		return first, Undetermined
	}
	return first, first
}

// leaders are the readings with the most weight and with the next most; in the order of readings where they are equal.
func leaders(balance map[string]int) (first, second string) {
	list := order(balance)
	return list[0], list[1]
}

// order is the readings by weight.
func order(balance map[string]int) []string {
	list := slices.Clone(readings)
	slices.SortStableFunc(list, func(a, b string) int { return balance[b] - balance[a] })
	return list
}

// facts is an incident laid out for the signs.
type facts struct {
	in      *incident.Incident
	events  []fact
	notes   []event.Note
	matched map[string][]*event.Ref // evidence that signs of a group have matched so far
}

// fact is one event of the evidence, as evidence of one finding.
type fact struct {
	finding *incident.Finding
	step    string
	words   string // rule id, title and step in lower case: words of the rule's author, never of the source
	key     string // class and activity, such as robot_state.mode_change
	ref     *event.Ref
}

func factsOf(in *incident.Incident) *facts {
	f := &facts{in: in, notes: in.Changed, matched: map[string][]*event.Ref{}}
	for i := range in.Findings {
		x := &in.Findings[i]
		for _, ev := range x.Evidence {
			if ev.Event == nil {
				continue
			}
			f.events = append(f.events, fact{
				finding: x, step: ev.Step, words: strings.ToLower(x.Rule.ID + " " + x.Rule.Title + " " + ev.Step), key: keyOf(ev.Event), ref: ev.Event,
			})
		}
	}
	slices.SortStableFunc(f.events, func(a, b fact) int { return byTime(a.ref, b.ref) })
	return f
}

func keyOf(r *event.Ref) string {
	return event.ClassName(r.ClassUID) + "." + event.ActivityKey(r.ClassUID, r.Activity, r.ActivityName)
}

// name is a canonical id without its kind, fit for a line of text.
func name(id string) string {
	if _, rest, ok := strings.Cut(id, ":"); ok {
		id = rest
	}
	return plain(id)
}

// plain is s fit for one line of text: what would move the cursor or turn the reading direction is replaced, and it is cut at 120 characters.
func plain(s string) string {
	n := 0
	for i := range s {
		if n++; n > 120 {
			s = s[:i] + "…"
			break
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x20 || r >= 0x7f && r < 0xa0, r == '\u061c', r >= '\u200b' && r <= '\u200f', r >= '\u2028' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\ufeff':
			return '\uFFFD'
		}
		return r
	}, s)
}

// listing joins names as a sentence does: a, b and c; past limit it says how many more there are.
func listing(names []string, limit int) string {
	if more := len(names) - limit; more > 0 {
		return strings.Join(names[:limit], ", ") + " and " + count(more, "more", "more")
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// A rule that floods is not switched off, and its findings are not dropped: they are made, stored and counted as ever. What is damped is incidents:
// once a rule has announced more findings than its breaker allows within a period of event time, all further ones of that period stand together
// as one finding, the digest, in an incident of its own. The next period begins in digest mode as well, until one stays calm. Which period a
// finding belongs to is its own event time's to say, so that the mode follows from findings alone.

// Flood is the breaker of a rule: more than Findings in Per microseconds of event time make it a flood. Findings 0: the configured one.
type Flood struct {
	Findings int
	Per      int64
}

// Digest is what a finding tells that stands for many of one rule.
type Digest struct {
	From, To int64 // The period, event time in microseconds; To is exclusive.
	Count    int   // Findings folded into it.
	Entities []Counted
}

// Counted is a value and in how many findings it is.
type Counted struct {
	Value string
	Count int
}

const (
	maxCountedValues = 4096 // Values of variables that a period counts; further ones are left out.
	topValues        = 10
	digestEvidence   = 10 // Events a digest shows: the first ones and the newest one.
)

// floods counts findings by rule and period.
type floods struct {
	Rules []ruleFlood // By rule.
}

type ruleFlood struct {
	Rule    string
	Periods []period // By number, the newest few.
}

// period is a stretch of event time of one rule.
type period struct {
	Number int64
	Count  int        // Findings announced first in it, withdrawn ones left out.
	Told   int        // Of Folded, when the digest was last renewed.
	Folded []event.ID // Into the digest, in order of their ids.
	Values []Counted  // By value.
	Digest Finding
}

func (f *floods) rule(id string) *ruleFlood {
	i, ok := slices.BinarySearchFunc(f.Rules, id, func(r ruleFlood, id string) int { return strings.Compare(r.Rule, id) })
	if !ok {
		f.Rules = slices.Insert(f.Rules, i, ruleFlood{Rule: id})
	}
	return &f.Rules[i]
}

func (r *ruleFlood) period(n int64) *period {
	i, ok := slices.BinarySearchFunc(r.Periods, n, func(p period, n int64) int { return cmp.Compare(p.Number, n) })
	if !ok {
		r.Periods = slices.Insert(r.Periods, i, period{Number: n})
		if extra := len(r.Periods) - 8; extra > 0 && i >= extra {
			r.Periods = slices.Delete(r.Periods, 0, extra)
			i -= extra
		}
	}
	return &r.Periods[i]
}

// find is a period that is remembered; nil if it is not.
func (r *ruleFlood) find(n int64) *period {
	i, ok := slices.BinarySearchFunc(r.Periods, n, func(p period, n int64) int { return cmp.Compare(p.Number, n) })
	if !ok {
		return nil
	}
	return &r.Periods[i]
}

// breaker is the breaker of a finding's rule; ok is false if there is none.
func (s *Stitcher) breaker(f *Finding) (Flood, bool) {
	b := f.Rule.Flood
	if b.Findings == 0 {
		b = s.cfg.Flood
	}
	return b, b.Findings > 0 && b.Per > 0
}

// damp counts a finding that is not withdrawn, and takes it into the digest of its period if its rule floods. A digest is news when the first is
// folded, whenever their number has doubled, and when the next period begins.
func (s *Stitcher) damp(f *Finding) (news []Finding, folded bool) {
	b, ok := s.breaker(f)
	if !ok || s.findings[f.ID] != nil {
		return nil, false
	}
	r := s.floods.rule(f.Rule.ID)
	p := r.period(f.Time / b.Per)
	at, again := slices.BinarySearchFunc(p.Folded, f.ID, event.ID.Compare)
	if again {
		return nil, true
	}
	if f.Revision > 1 {
		return nil, false // Of one that was counted before, and has been forgotten.
	}
	p.Count++
	before := r.find(p.Number - 1)
	if p.Count == 1 && before != nil && len(before.Folded) > before.Told {
		before.Told = len(before.Folded)
		news = append(news, before.tell(b))
	}
	if p.Count <= b.Findings && (before == nil || before.Count <= b.Findings) {
		return news, false
	}
	p.Folded = slices.Insert(p.Folded, at, f.ID)
	p.fold(f, b)
	if len(p.Folded) < 2*p.Told {
		return news, true
	}
	p.Told = len(p.Folded)
	return append(news, p.tell(b)), true
}

// undamp takes a withdrawn finding out of its digest, which tells with its next renewal; false if it is in none.
func (s *Stitcher) undamp(f *Finding) bool {
	b, ok := s.breaker(f)
	if !ok || s.findings[f.ID] != nil {
		return false
	}
	p := s.floods.rule(f.Rule.ID).find(f.Time / b.Per)
	if p == nil {
		return false
	}
	at, in := slices.BinarySearchFunc(p.Folded, f.ID, event.ID.Compare)
	if in {
		p.Folded = slices.Delete(p.Folded, at, at+1)
		p.Count--
	}
	return in
}

// Flooded is a rule in digest mode.
type Flooded struct {
	Rule   string
	From   int64 // Event time of the first period that overflowed and still counts, microseconds.
	Folded int   // Findings that stand together since then.
}

// Flooded lists the rules that are in digest mode at an event time, by id: those whose breaker opened in the period of that time, or in the one
// before it. A time before that of the newest finding counts as that.
func (s *Stitcher) Flooded(at int64) []Flooded {
	at = max(at, s.newest)
	var out []Flooded
	for i := range s.floods.Rules {
		x := Flooded{Rule: s.floods.Rules[i].Rule}
		for j := range s.floods.Rules[i].Periods {
			p := &s.floods.Rules[i].Periods[j]
			if p.Digest.ID.IsZero() {
				continue // Nothing has been folded.
			}
			b, ok := s.breaker(&p.Digest)
			if now := at / max(1, b.Per); !ok || p.Number < now-1 || p.Number > now || p.Number < now && p.Count <= b.Findings {
				continue
			}
			if x.Folded == 0 {
				x.From = p.Number * b.Per
			}
			x.Folded += len(p.Folded)
		}
		if x.Folded > 0 {
			out = append(out, x)
		}
	}
	return out
}

// fold takes a finding into the digest.
func (p *period) fold(f *Finding, b Flood) {
	d := &p.Digest
	if d.ID.IsZero() {
		*d = *f
		d.ID = event.NewID("digest", f.Rule.ID, fmt.Sprint(b.Per), fmt.Sprint(p.Number))
		d.Revision, d.State, d.Key, d.Vars, d.Collected, d.Notes, d.Repeats, d.Upstream = 0, Final, "", nil, nil, nil, 0, nil
		d.Evidence = nil
	}
	d.First, d.Time, d.Seen = min(d.First, f.First), max(d.Time, f.Time), max(d.Seen, f.Seen)
	d.Score, d.Severity = max(d.Score, f.Score), max(d.Severity, f.Severity)
	if n := len(f.Evidence); n > 0 {
		if len(d.Evidence) == digestEvidence {
			d.Evidence = slices.Delete(slices.Clone(d.Evidence), digestEvidence-1, digestEvidence)
		}
		d.Evidence = append(d.Evidence, f.Evidence[n-1])
	}
	for _, v := range f.Vars {
		i, ok := slices.BinarySearchFunc(p.Values, v.Value, func(c Counted, v string) int { return strings.Compare(c.Value, v) })
		switch {
		case ok:
			p.Values[i].Count++
		case len(p.Values) < maxCountedValues:
			p.Values = slices.Insert(p.Values, i, Counted{v.Value, 1})
		}
	}
}

// tell is the digest as it stands.
func (p *period) tell(b Flood) Finding {
	p.Digest.Revision++
	d := p.Digest
	d.Evidence = slices.Clone(d.Evidence)
	slices.SortStableFunc(d.Evidence, func(x, y Evidence) int { return cmp.Compare(x.Event.Time, y.Event.Time) })
	d.Repeats, d.LastRepeat = int32(len(p.Folded)-1), d.Time
	top := slices.Clone(p.Values)
	slices.SortFunc(top, func(x, y Counted) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), strings.Compare(x.Value, y.Value))
	})
	top = top[:min(topValues, len(top))]
	d.Digest = &Digest{From: p.Number * b.Per, To: (p.Number + 1) * b.Per, Count: len(p.Folded), Entities: top}
	words := make([]string, len(top))
	for i, c := range top {
		words[i] = fmt.Sprintf("%s (%d)", c.Value, c.Count)
	}
	clock := func(t int64) string { return time.UnixMicro(t).UTC().Format("15:04:05") }
	d.Rule.Title = "Flood of findings: " + d.Rule.Title
	d.Notes = []string{
		fmt.Sprintf("digest: the rule announced more than %d findings in %s, and %d of them stand together here, from %s to %s UTC; each is kept, and makes no incident of its own",
			b.Findings, time.Duration(b.Per)*time.Microsecond, len(p.Folded), clock(d.First), clock(d.Time)),
		"most often: " + strings.Join(words, ", "),
	}
	return d
}

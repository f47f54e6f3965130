package correlate

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// scores are what a finding counts where its rule has no score of its own, by severity.
var scores = [...]int{0, 10, 30, 50, 70, 90, 95}

// evaluator runs fold-side expressions. It belongs to one engine.
type evaluator struct {
	machine *expression.Machine
	in      expression.Match
	hits    []*event.Hit // Arena of in.Hits.
	errors  func(error)
}

// match fills the scratch match with evidence; it is valid until the next call.
func (e *evaluator) match(p *program, found []evidence, vars []string) *expression.Match {
	if len(e.in.Hits) < p.plan.Slots {
		e.in.Hits = make([][]*event.Hit, p.plan.Slots)
	}
	clear(e.in.Hits)
	e.hits = e.hits[:0]
	n := 0
	for _, f := range found {
		n += len(f.hits)
	}
	e.hits = slices.Grow(e.hits, n)
	for _, f := range found {
		slot := p.plan.Branches[f.branch].Steps[f.step].Slot
		if slot < 0 || slot >= len(e.in.Hits) {
			continue
		}
		start := len(e.hits)
		for _, c := range f.hits {
			e.hits = append(e.hits, &c.Hit)
		}
		e.in.Hits[slot] = e.hits[start:len(e.hits):len(e.hits)]
	}
	if vars == nil {
		vars = p.merged(found)
	}
	e.in.Vars, e.in.Own, e.in.Prev = vars, nil, nil
	return &e.in
}

func (e *evaluator) bool(x *expression.Fold, in *expression.Match, own, prev *event.Hit) bool {
	in.Own, in.Prev = own, prev
	ok, err := x.Bool(e.machine, in)
	if err != nil {
		e.errors(err)
	}
	return ok
}

// merged gives the values of all variables over the evidence: of a joining one the first bound, of an emitted one the newest.
func (p *program) merged(found []evidence) []string {
	vars := make([]string, len(p.plan.Vars))
	for _, f := range found {
		for _, c := range f.hits {
			for i, v := range c.Vars {
				if v != "" && (vars[i] == "" || !p.joined[i]) {
					vars[i] = v
				}
			}
		}
	}
	return vars
}

// values gives the values of all variables of a match.
func (p *program) values(m *match) []string { return p.merged(m.steps) }

// build makes the finding of a match, without identity, state and repeats.
func (f *fold) build(r *ruleState, k *partition, m *match) *incident.Finding {
	vars := r.values(m)
	in := f.eval.match(r.program, m.steps, vars)
	out := &incident.Finding{
		Rule: r.rule.Ref(), Shadow: r.shadow(), Key: k.key, Time: m.time(), First: m.first, Seen: m.at.Ref.Received,
		Severity: r.rule.Severity,
	}
	for i, v := range r.plan.Vars {
		if vars[i] != "" {
			out.Vars = append(out.Vars, incident.Var{Name: v.Name, Value: vars[i]})
		}
	}
	for _, s := range r.plan.Severity {
		if f.eval.bool(s.When, in, nil, nil) {
			out.Severity = s.Severity
			break
		}
	}
	out.Score = scores[min(int(out.Severity), len(scores)-1)]
	if r.plan.Score != nil {
		n, err := r.plan.Score.Int(f.eval.machine, in)
		if err != nil {
			f.eval.errors(err)
		} else {
			out.Score = int(min(max(n, 0), 100))
		}
	}
	f.evidence(r, m, out)
	return out
}

// evidence fills in the events of a match in order of time, and what the steps collect. Beyond the bound the first and the newest stay.
func (f *fold) evidence(r *ruleState, m *match, out *incident.Finding) {
	for _, e := range m.steps {
		step := &r.plan.Branches[e.branch].Steps[e.step]
		for _, c := range e.hits {
			if len(step.Listens) > 0 && f.behind(step.ID, c, out) {
				continue
			}
			out.Evidence = append(out.Evidence, incident.Evidence{Step: step.ID, Event: c.Ref})
		}
		for _, c := range step.Collect {
			got := incident.Collected{Name: c.Name}
			for _, h := range e.hits {
				if v, ok := text(h.Fields[c.Field]); ok && !slices.Contains(got.Values, v) && len(got.Values) < c.Max {
					got.Values = append(got.Values, v)
				}
			}
			out.Collected = append(out.Collected, got)
		}
	}
	slices.SortStableFunc(out.Evidence, func(a, b incident.Evidence) int { return compareRefs(a.Event, b.Event) })
	if extra := len(out.Evidence) - f.settings.MaxEvidence; extra > 0 {
		out.Evidence = slices.Delete(out.Evidence, 1, 1+extra)
		out.Truncated += int32(extra)
	}
}

// notes are the remarks a finding carries.
func (r *ruleState) notes(k *partition, m *match) []string {
	var notes []string
	if m.swapped {
		var d int64
		for i := range r.plan.Branches {
			d = max(d, r.plan.Branches[i].OrderTolerance)
		}
		notes = append(notes, "order not certain within "+span(d))
	}
	if had, want := r.shortest(m); want > 0 {
		notes = append(notes, "history: "+span(had)+" of "+span(want))
	}
	notes = append(notes, r.changes(m)...)
	if k.degraded || r.degraded {
		notes = append(notes, "degraded: the rule's memory was full and hits were shed")
	}
	return notes
}

// changes says what the modifiers of the steps have found: the newest hit of each.
func (r *ruleState) changes(m *match) (notes []string) {
	for _, e := range m.steps {
		x := &r.branches[e.branch].Steps[e.step]
		if x.Gated() {
			notes = append(notes, outputNotes(x, e.hits[len(e.hits)-1])...)
		}
	}
	return notes
}

// outputNotes says what the values mean that a hit has got from the modifiers of its step.
func outputNotes(x *rules.Step, c *cell) (notes []string) {
	out := c.Fields[len(c.Fields)-x.Outputs():]
	if x.Changed != nil {
		if out[0].Known {
			notes = append(notes, x.Fields[x.Changed.Value].Path+" changed from "+readable(out[0])+" to "+readable(c.Fields[x.Changed.Value]))
		}
		out = out[1:]
	}
	if x.Spike != nil {
		notes = append(notes, "amount "+amountWords(out[0])+" in "+span(x.Spike.Over)+", usual "+amountWords(out[1]))
		out = out[2:]
	}
	if x.Beacon != nil {
		notes = append(notes, "contacts every "+span(out[0].Num*millisecond)+", jitter "+strconv.FormatFloat(out[1].Flt, 'f', 2, 64))
		out = out[2:]
	}
	if x.Drop != nil {
		if v := x.Drop.Volume; v != nil {
			notes = append(notes, "amount "+amountWords(out[0])+" in "+span(v.Over)+" until "+clock(out[2].Num*millisecond)+", usual "+amountWords(out[1]))
		} else {
			notes = append(notes, "nothing followed within "+span(x.Drop.For))
		}
	}
	return notes
}

// amountWords writes an amount for people, never with an exponent.
func amountWords(v event.FieldValue) string { return strconv.FormatFloat(v.Flt, 'f', -1, 64) }

// readable writes a value for people.
func readable(v event.FieldValue) string {
	if v.Kind == event.KindStrings {
		return strings.Join(v.Lst, ", ")
	}
	return display(v)
}

// shortest gives, of the histories the match was decided by that were not there in full, the longest and what there was of it; 0 if all were.
func (r *ruleState) shortest(m *match) (had, want int64) {
	if r.history == 0 {
		return 0, 0
	}
	look := func(t, length int64) {
		if length > want && t-r.since < length {
			had, want = max(0, t-r.since), length
		}
	}
	for _, e := range m.steps {
		b := &r.branches[e.branch]
		look(e.hits[0].time(), b.Steps[e.step].History())
		for i := range b.Guards {
			if of := max(0, b.Guards[i].Of); of == e.step {
				look(e.hits[0].time(), b.Guards[i].Before)
			}
		}
	}
	return had, want
}

// span writes a duration in microseconds with its two largest units.
func span(micros int64) string {
	units := []struct {
		name string
		size int64
	}{{"d", 24 * hour}, {"h", hour}, {"m", minute}, {"s", second}, {"ms", millisecond}}
	s, parts := "", 0
	for _, u := range units {
		if n := micros / u.size; n > 0 {
			s += strconv.FormatInt(n, 10) + u.name
			micros -= n * u.size
			parts++
		} else if parts > 0 {
			break
		}
		if parts == 2 {
			break
		}
	}
	if s == "" {
		return "0s"
	}
	return s
}

// display writes a known value as text.
func display(v event.FieldValue) string {
	switch v.Kind {
	case event.KindInt, event.KindTime:
		return strconv.FormatInt(v.Num, 10)
	case event.KindFloat:
		return strconv.FormatFloat(v.Flt, 'g', -1, 64)
	case event.KindBool:
		return strconv.FormatBool(v.Num != 0)
	case event.KindStrings:
		return strconv.Quote(joinList(v.Lst))
	default:
		return v.Str
	}
}

func joinList(list []string) string {
	s := ""
	for i, v := range list {
		if i > 0 {
			s += "\x1f"
		}
		s += v
	}
	return s
}

// clock writes an event time for people, UTC.
func clock(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02 15:04:05.000")
}

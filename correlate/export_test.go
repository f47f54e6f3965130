package correlate

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
)

// StateEvery makes the fold store states more often, so that short tests meet them.
func (s Settings) StateEvery(n int) Settings {
	s.stateEvery = n
	return s
}

// PackAllBut is Pack with so many bytes left to be compressed later.
func (e *Engine) PackAllBut(later int64) *Packed { return e.pack(later, e.sections()) }

// Seed gives the histories that a rule's test takes as given.
func (e *Engine) Seed(t *rules.Test) { e.seed(t) }

// RunVariantsOn derives runs from a test of r as RunVariants does, and makes them with an engine that runs another rule.
func RunVariantsOn(other, r *rules.Rule, t *rules.Test, names ...string) []Variant {
	c := newCourse(r, t)
	c.engine = New(&rules.Set{Rules: []*rules.Rule{other}}, Settings{Lookups: &t.Given})
	return c.variants(names)
}

// RunForgetfulVariants makes the crash variants with snapshots that hold nothing.
func RunForgetfulVariants(r *rules.Rule, t *rules.Test) []Variant {
	c := newCourse(r, t)
	c.snapshot = func() []byte { return nil }
	return c.variants([]string{"crash"})
}

// NewMachine is a machine without tables.
func NewMachine() *expression.Machine { return expression.NewMachine(nil) }

// Failures are the errors counted since the workspace was made, by rule.
func (s *Scratch) Failures() map[int]int64 {
	out := map[int]int64{}
	for i := range s.counts {
		if n := s.counts[i].errors; n > 0 {
			out[i] = n
		}
	}
	return out
}

// Tried names the steps that the index leaves to try for an event.
func (m *Matcher) Tried(s *Scratch, e *event.Event) (steps []string) {
	x := m.lookup(e)
	if x == nil {
		return nil
	}
	x.find(&s.found, e)
	for i, t := range x.targets {
		if s.found.found[i>>6]>>(i&63)&1 != 0 {
			steps = append(steps, m.targets[t].rule.ID)
		}
	}
	return steps
}

// Remembered is how many values of raw fields the workspace remembers.
func (s *Scratch) Remembered() (n int) {
	if s.found.values != nil {
		for i := range s.found.values.slots {
			if s.found.values.slots[i].in != nil {
				n++
			}
		}
	}
	return n
}

// Saved waits until no checkpoint is under way.
func (w *Worker) Saved() { w.saving.Wait() }

// StageBytes sets how much the rules of a stage of a checkpoint hold.
func (w *Worker) StageBytes(n int64) { w.atATime = n }

// StagesOf tells of a checkpoint how many stages were taken before the last one, and how many of their rules were taken again.
func StagesOf(checkpoint []byte) (stages, again int) {
	parts, err := splitCheckpoint(checkpoint)
	x := &resuming{}
	if err != nil || len(parts.stages) == 0 || x.read(parts.stages, event.BatchID{Epoch: 1 << 60}) != nil {
		return 0, 0
	}
	met := map[string]bool{}
	for _, state := range append(x.steps, saved{state: parts.engine}) {
		body, _, _ := openSnapshot(state.state)
		for i := 0; len(body) > 0; i++ {
			section, rest, _ := cutSection(body)
			raw, _ := unpackPieces(nil, section)
			if id := (&reader{b: raw}).string; i > 0 {
				if name := id(); met[name] {
					again++
				} else {
					met[name] = true
				}
			}
			body = rest
		}
	}
	return len(x.steps), again
}

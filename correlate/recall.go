package correlate

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// maxRecalled bounds the values that Memory lists of one register.
const maxRecalled = 1000

// Memory is what one modifier of a step remembers for one set of per values. What does not apply is zero. Times are microseconds of event time.
type Memory struct {
	Rule, Step, Modifier string
	Per                  []Recalled // Variables and their values, in the order of per.
	Family               bool       // Of new with inherit: what a whole family has seen; Per has its one value.
	Since                int64      // First event learned from.
	Learning             int64      // Until when there is no answer; 0 if that is over.
	Values               []Recalled // new: values, and changed: the last one; with the time they were last seen.
	Known                int        // How many values there are; Values may list fewer.
	Hashed               int        // How many of these are kept without their text.
	Baseline             bool       // Amount, Usual and Deviation say something.
	Amount               float64    // Of the last `over` now.
	Usual, Deviation     float64    // Median and median absolute deviation for now.
	Contacts             int        // beacon: within `over`.
	Gap                  int64      // Median, microseconds.
	Jitter               float64
	Last                 int64 // Last event.
	Passed               int64 // When an event passed last; 0 if none did, or it is not remembered.
}

// Recalled is a name or value with what belongs to it.
type Recalled struct {
	Name, Value string
	Time        int64
}

// Recall gives what the modifiers of a rule ("" for all) remember of an entity, a canonical id or the key behind its kind. It is for people
// and not meant to be fast.
func (e *Engine) Recall(entity, rule string) []Memory {
	about := func(name string) bool {
		for v := range strings.SplitSeq(name, keySeparator) {
			if _, key, _ := strings.Cut(v, ":"); v != "" && (v == entity || key == entity) {
				return true
			}
		}
		return false
	}
	var out []Memory
	for _, r := range e.fold.rules {
		if rule != "" && r.rule.ID != rule {
			continue
		}
		for _, g := range r.gates {
			step := &r.plan.Branches[g.branch].Steps[g.step]
			for _, m := range g.mods {
				for _, x := range m.recall(max(0, e.fold.frontier), about) {
					x.Rule, x.Step = r.rule.ID, step.ID
					x.name(r)
					out = append(out, x)
				}
			}
		}
	}
	return out
}

// name gives the per values their variables; until then their names are the indexes of these.
func (m *Memory) name(r *ruleState) {
	for i := range m.Per {
		if v := &m.Per[i]; len(v.Name) == 1 {
			v.Name = r.plan.Vars[v.Name[0]].Name
		}
	}
}

// perOf takes the name of a register apart again.
func perOf(name string, per []int) []Recalled {
	var out []Recalled
	parts := strings.Split(name, keySeparator)
	for i, v := range per {
		if i < len(parts) {
			out = append(out, Recalled{Name: string([]byte{byte(v)}), Value: parts[i]})
		}
	}
	return out
}

// recalled are the registers that are asked for, by name.
func recalled[R any](of map[string]R, about func(string) bool) func(func(string, R) bool) {
	return func(yield func(string, R) bool) {
		for _, name := range namesOf(of) {
			if about(name) && !yield(name, of[name]) {
				return
			}
		}
	}
}

func since(first int64) int64 {
	if first == forever {
		return 0
	}
	return first
}

func past(t int64) int64 { return max(0, t) }

// learning is until when there is no answer; 0 if that is over.
func learning(first, learn, now int64) int64 {
	if first == forever || now-first >= learn {
		return 0
	}
	return first + learn
}

func (m *changedMemory) recall(_ int64, about func(string) bool) (out []Memory) {
	for name, r := range recalled(m.all.of, about) {
		x := Memory{Modifier: "changed", Per: perOf(name, m.Per)}
		last, value, seen := int64(0), m.names.list[r.name], r.seen
		if n := len(r.held); n > 0 {
			last, value, seen = r.held[n-1].time, m.names.list[r.held[n-1].mark], true
		}
		if seen {
			x.Values, x.Known, x.Last = []Recalled{{Value: value, Time: last}}, 1, last
		}
		out = append(out, x)
	}
	return out
}

func (m *newMemory) recall(now int64, about func(string) bool) (out []Memory) {
	seen := map[string]bool{} // Families of the entity's held hits.
	for name, r := range recalled(m.all.of, about) {
		out = append(out, m.recallOne(r, perOf(name, m.Per), now))
		for _, v := range r.values {
			for _, e := range v.held {
				if m.Inherit >= 0 {
					family, _ := text(m.held.field(e.hit, m.Inherit))
					seen[family] = true
				}
			}
		}
	}
	for _, family := range slices.Sorted(maps.Keys(seen)) {
		if r := m.families.of[family]; r != nil {
			x := m.recallOne(r, []Recalled{{Name: "family", Value: family}}, now)
			x.Family = true
			out = append(out, x)
		}
	}
	return out
}

func (m *newMemory) recallOne(r *newRegister, per []Recalled, now int64) Memory {
	x := Memory{Modifier: "new", Per: per, Since: since(r.first), Learning: learning(r.first, m.Learn, now)}
	x.Known, x.Hashed = r.known()
	for _, t := range r.packed.of {
		x.Last = max(x.Last, t)
	}
	for value, s := range r.values {
		t := s.time
		if n := len(s.held); n > 0 {
			t = s.held[n-1].time
		}
		x.Values = append(x.Values, Recalled{Value: value, Time: past(t)})
		x.Last = max(x.Last, t)
	}
	slices.SortFunc(x.Values, func(a, b Recalled) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), strings.Compare(a.Value, b.Value))
	})
	x.Values = x.Values[:min(len(x.Values), maxRecalled)]
	return x
}

// recall fills in what a history says of now.
func (m *yardstick) recall(x *Memory, h *history, now int64) {
	x.Since, x.Learning = since(h.first), learning(h.first, m.Learn, now)
	if h.first == forever {
		return
	}
	from := m.bucketOf(now) + 1 - m.Over/m.Bucket
	amount, _ := h.total(from, m.bucketOf(now)+1)
	usual := m.usual(h, from)
	x.Baseline, x.Amount = true, amountValue(amount)
	x.Usual, x.Deviation = amountValue(usual.median), amountValue(usual.deviation)
}

func (m *spikeMemory) recall(now int64, about func(string) bool) (out []Memory) {
	for name, r := range recalled(m.all.of, about) {
		x := Memory{Modifier: "spike", Per: perOf(name, m.spike.Per), Passed: past(r.newest)}
		m.yardstick.recall(&x, &r.history, now)
		if n := len(r.held); n > 0 {
			x.Last = r.held[n-1].time
		}
		out = append(out, x)
	}
	return out
}

func (m *beaconMemory) recall(_ int64, about func(string) bool) (out []Memory) {
	for name, r := range recalled(m.all.of, about) {
		x := Memory{Modifier: "beacon", Per: perOf(name, m.Per), Passed: past(r.newest), Last: past(r.last)}
		if n := len(r.held); n > 0 {
			x.Last = r.held[n-1].time
		}
		if len(r.contacts) > 0 {
			found, _ := m.regular(r)
			x.Contacts, x.Gap, x.Jitter = len(m.gaps)+1, found.gap, found.jitter
			if found == (rhythm{}) {
				x.Contacts = len(r.contacts)
			}
		}
		out = append(out, x)
	}
	return out
}

func (m *beatMemory) recall(_ int64, about func(string) bool) (out []Memory) {
	for name, r := range recalled(m.all.of, about) {
		x := Memory{Modifier: "drop", Per: perOf(name, m.Per)}
		if n := len(r.before); n > 0 {
			x.Last = r.before[n-1]
		}
		if n := len(r.held); n > 0 {
			x.Last = r.held[n-1].time
		}
		out = append(out, x)
	}
	return out
}

func (m *fallMemory) recall(now int64, about func(string) bool) (out []Memory) {
	for name, r := range recalled(m.all.of, about) {
		x := Memory{Modifier: "drop", Per: perOf(name, m.drop.Per), Passed: past(r.passed)}
		m.yardstick.recall(&x, &r.history, now)
		if n := len(r.held); n > 0 {
			x.Last = r.held[n-1].time
		}
		out = append(out, x)
	}
	return out
}

package app

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// taken remembers what conditions took from the tables of the plant: what a test of the same events needs as given.
type taken struct {
	lookups
	lists  map[string][]string          // Values that were in a list.
	opened map[string]string            // Kinds of windows that were open, by entity.
	assets map[string]map[string]string // What was known of assets, as YAML.
}

func newTaken(l lookups) *taken {
	return &taken{l, map[string][]string{}, map[string]string{}, map[string]map[string]string{}}
}

// InList implements expression.Lookups.
func (a *taken) InList(list, value string) bool {
	in := a.lookups.InList(list, value)
	if in && !slices.Contains(a.lists[list], value) {
		a.lists[list] = append(a.lists[list], value)
	}
	return in
}

// InWindow implements expression.Lookups.
func (a *taken) InWindow(kind, entity string, at int64) bool {
	in := a.lookups.InWindow(kind, entity, at)
	if in {
		a.opened[entity] = kind
	}
	return in
}

// AssetField implements expression.Lookups.
func (a *taken) AssetField(id, field string) event.FieldValue {
	v := a.lookups.AssetField(id, field)
	text := ""
	switch {
	case !v.Known:
		return v
	case v.Kind == event.KindString:
		text = strconv.QuoteToASCII(v.Str)
	case v.Kind == event.KindInt:
		text = strconv.FormatInt(v.Num, 10)
	case v.Kind == event.KindFloat:
		text = strconv.FormatFloat(v.Flt, 'g', -1, 64)
	case v.Kind == event.KindBool:
		text = strconv.FormatBool(v.Num == 1)
	default:
		return v
	}
	if a.assets[id] == nil {
		a.assets[id] = map[string]string{}
	}
	a.assets[id][field] = text
	return v
}

// given are the lines of a test's given: what was taken from tables, which addresses stood for which machines, and for steps with a memory one that
// lets the events pass.
func (a *taken) given(r *rules.Rule, f *incident.Finding) []string {
	var out []string
	flow := func(key string, m map[string]string) {
		if len(m) == 0 {
			return
		}
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, strconv.QuoteToASCII(k)+": "+m[k])
		}
		out = append(out, key+": {"+strings.Join(parts, ", ")+"}")
	}
	lists, assets := map[string]string{}, map[string]string{}
	for name, values := range a.lists {
		slices.Sort(values)
		lists[name] = "[" + strings.Join(mapped(values, strconv.QuoteToASCII), ", ") + "]"
	}
	for id, fields := range a.assets {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			parts = append(parts, k+": "+fields[k])
		}
		assets[id] = "{" + strings.Join(parts, ", ") + "}"
	}
	flow("lists", lists)
	flow("assets", assets)
	var windows []string
	for _, entity := range slices.Sorted(maps.Keys(a.opened)) {
		windows = append(windows, fmt.Sprintf("{kind: %s, entity: %s}", a.opened[entity], strconv.QuoteToASCII(entity)))
	}
	if len(windows) > 0 {
		out = append(out, "schedules: ["+strings.Join(windows, ", ")+"]")
	}
	if bound := boundIn(f); len(bound) > 0 {
		out = append(out, "bindings: ["+strings.Join(bound, ", ")+"]")
	}
	fresh, usual := memories(r, f)
	flow("new", fresh)
	flow("baseline", usual)
	return out
}

func mapped(list []string, do func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = do(s)
	}
	return out
}

// boundIn are the addresses that stood for a machine in the evidence.
func boundIn(f *incident.Finding) []string {
	found := map[string]bool{}
	for _, ev := range f.Evidence {
		if ev.Event == nil {
			continue
		}
		for _, ip := range ev.Event.Entities {
			for _, x := range ev.Event.Entities {
				if ip.Kind == event.EntityIP && x.Role == ip.Role && x.Role < event.RoleReporter && (x.Kind == event.EntityDevice || x.Kind == event.EntityRobot) {
					found[fmt.Sprintf("{ip: %s, entity: %s}", strconv.QuoteToASCII(strings.TrimPrefix(ip.ID, "ip:")), strconv.QuoteToASCII(x.ID))] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// memories are histories of a rule's steps for what the finding is about: something else was seen before, and next to nothing is usual. A finding
// does not keep what its rule remembered.
func memories(r *rules.Rule, f *incident.Finding) (fresh, usual map[string]string) {
	fresh, usual = map[string]string{}, map[string]string{}
	for i := range r.Plan.Branches {
		for _, st := range r.Plan.Branches[i].Steps {
			var per []int
			switch {
			case st.New != nil:
				per = st.New.Per
			case st.Spike != nil:
				per = st.Spike.Per
			case st.Drop != nil && st.Drop.Volume != nil:
				per = st.Drop.Per
			default:
				continue
			}
			var values []string
			for _, v := range per {
				at := slices.IndexFunc(f.Vars, func(x incident.Var) bool { return x.Name == r.Plan.Vars[v].Name })
				if at >= 0 {
					values = append(values, f.Vars[at].Value)
				}
			}
			if len(values) != len(per) {
				continue
			}
			key := strconv.QuoteToASCII(strings.Join(values, ","))
			if st.New != nil {
				fresh[st.ID] = "{" + key + `: ["something else"]}`
			}
			if st.Spike != nil {
				usual[st.ID] = "{" + key + ": 1}"
			}
		}
	}
	return fresh, usual
}

// copied is the file of a rule with a test that is tried.
const copied = "finding.yaml"

// Reproduces implements console.Explainer.
func (x explainer) Reproduces(f *incident.Finding, test string) string {
	r, foreign := ruleOf(x.service.keeper.Set(), f)
	if foreign != "" {
		return foreign
	}
	return reproduces(r, test)
}

// reproduces runs a test of a rule that is not in its file; "" if it passes, else why not.
func reproduces(r *rules.Rule, test string) string {
	text, err := textOf(r)
	if err != nil {
		return err.Error()
	}
	body, others := splitTests(text)
	if strings.HasPrefix(others, "- ") {
		test = strings.ReplaceAll(strings.TrimPrefix(test, "  "), "\n  ", "\n")
	}
	set, problems := rules.Load(rules.Texts{copied: []byte(body + "tests:\n" + test + others)}, copied)
	if set == nil {
		for _, p := range problems {
			if p.Severity == rules.Error {
				return "the rule's checks refuse it: " + p.Message
			}
		}
		return "the rule cannot be read alone"
	}
	alone := set.Rule(r.ID)
	if alone == nil || len(alone.Tests) == 0 {
		return "the rule cannot be read alone"
	}
	if got := correlate.RunTest(alone, &alone.Tests[0]); !got.Passed {
		return strings.Join(strings.Fields(got.Difference), " ")
	}
	return ""
}

// splitTests parts a rule's document into what stands without its key tests, and the tests below it.
func splitTests(text string) (body, tests string) {
	var out, below strings.Builder
	inside := false
	for line := range strings.Lines(strings.TrimRight(text, "\r\n") + "\n") {
		switch {
		case strings.HasPrefix(line, "tests:"):
			inside = true
			continue
		case inside && strings.TrimSpace(line) != "" && !strings.ContainsAny(line[:1], " \t#-"):
			inside = false
		}
		if inside {
			below.WriteString(line)
		} else {
			out.WriteString(line)
		}
	}
	return out.String(), below.String()
}

package sigma_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// TestEveryRuleIsReadAlikeTwice makes events out of each public rule's own values, some of which satisfy it and some of which nearly do, and
// compares the imported rule's condition with the second reading.
func TestEveryRuleIsReadAlikeTwice(t *testing.T) {
	files := corpus(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	oracles := map[string]*oracle{}
	for _, f := range files {
		o := newOracle(t, f.Name, f.Text)
		oracles["sigma-"+o.id] = o
	}
	machine := expression.NewMachine(nil)
	tried, holds, never := 0, 0, 0
	for _, r := range publicSet(t, files).Rules {
		o := oracles[r.ID]
		all := maker{rnd: rnd, fixed: constraint(r.Plan.Branches[0].Steps[0].Where.String())}
		wanted := maker{rnd: rnd, fixed: all.fixed}
		for _, name := range o.order {
			all.gather(o.detection[name])
			if !strings.HasPrefix(name, "filter") {
				wanted.gather(o.detection[name])
			}
		}
		held := false
		for i := range 8 {
			g := []maker{all, wanted}[i%2]
			e, fields := g.event()
			want := o.matches(fields)
			got, err := r.Plan.Branches[0].Steps[0].Where.Match(machine, e)
			if got != want || err != nil {
				t.Errorf("%s: got %v (%v), the second reading says %v\n%v", o.file, got, err, want, fields)
				break
			}
			tried++
			if want {
				holds, held = holds+1, true
			}
		}
		if !held {
			never++
		}
	}
	t.Logf("%d events, of which %d satisfy their rule; %d rules were satisfied by none", tried, holds, never)
	if holds*10 < tried {
		t.Error("too few events satisfy the rule they are made of")
	}
}

// constraint reads the fields that a log source fixes off the start of a condition.
func constraint(where string) map[string]string {
	out := map[string]string{}
	if strings.HasPrefix(where, `rawKnown("Channel")`) {
		out["Channel"] = "Application"
	}
	for _, m := range fixedField.FindAllStringSubmatch(where, -1) {
		if name := m[1] + m[2]; out[name] == "" {
			out[name] = m[3]
		}
	}
	return out
}

var fixedField = regexp.MustCompile(`(?:raw\("(Channel|EventID|Provider_Name)"\)|(metadata\.[a-z_.]+)) (?:==|in) \[?"([^"]*)"`)

// maker makes events out of the values of a rule.
type maker struct {
	rnd    *rand.Rand
	fixed  map[string]string
	fields []string
	values map[string][]string
}

// gather takes in the values of a search.
func (g *maker) gather(x any) {
	switch x := x.(type) {
	case []any:
		for _, one := range x {
			g.gather(one)
		}
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			name, mods, _ := strings.Cut(k, "|")
			g.add(name, mods, x[k])
		}
	default:
		g.add("", "", x)
	}
}

func (g *maker) add(name, mods string, v any) {
	if list, ok := v.([]any); ok {
		all := ""
		for _, one := range list {
			g.add(name, mods, one)
			if s, ok := one.(string); ok {
				all += " " + literal(s)
			}
		}
		if strings.Contains(mods, "all") {
			g.put(name, all)
			g.put(name, all)
		}
		return
	}
	if name == "" {
		name = "param1"
	}
	s := literal(fmt.Sprint(v))
	switch {
	case v == nil:
		return
	case strings.Contains(mods, "base64offset"):
		s = base64.StdEncoding.EncodeToString([]byte("ab"[:g.rnd.IntN(3)] + s + "z"))
	case strings.Contains(mods, "cidr"):
		s, _, _ = strings.Cut(s, "/")
	}
	switch {
	case strings.Contains(mods, "contains"):
		s = "a" + s + "b"
	case strings.Contains(mods, "startswith"):
		s += "b"
	case strings.Contains(mods, "endswith"):
		s = "a" + s
	}
	g.put(name, s)
}

func (g *maker) put(name, s string) {
	if g.values == nil {
		g.values = map[string][]string{}
	}
	if g.values[name] == nil {
		g.fields = append(g.fields, name)
	}
	g.values[name] = append(g.values[name], s)
}

// event makes one event: mostly with values of the rule, now and then changed, put together or left out.
func (g *maker) event() (*event.Event, raws) {
	fields := raws{}
	e := &event.Event{}
	for name, v := range g.fixed {
		if path, ok := strings.CutPrefix(name, "metadata."); ok {
			event.FieldByPath("metadata."+path).Set(e, event.Value{Str: v})
			continue
		}
		fields[name] = v
	}
	for _, name := range g.fields {
		if _, fixed := fields[name]; fixed || g.rnd.IntN(5) == 0 {
			continue
		}
		list := g.values[name]
		s := list[g.rnd.IntN(len(list))]
		if g.rnd.IntN(4) == 0 {
			s = strings.Join(list, " ")
		}
		switch g.rnd.IntN(8) {
		case 0:
			s = changed(g.rnd, s)
		case 1:
			s += list[g.rnd.IntN(len(list))]
		case 2:
			s = strings.ToUpper(s)
		}
		fields[name] = strings.ToValidUTF8(s, "")
	}
	var raw []event.RawField
	for name, v := range fields {
		raw = append(raw, event.RawField{Name: name, Value: v})
	}
	e.SetRaw(raw)
	return e, fields
}

// literal is a text that a pattern of Sigma matches.
func literal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case s[i] == '*':
			b.WriteString("qq")
		case s[i] == '?':
			b.WriteByte('q')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

package rules

import (
	"slices"
	"strconv"

	"github.com/tocsin-siem/tocsin/event"
)

// Need is what a step, guard or until wants of the events it listens to.
type Need struct {
	Step    string // Its id; guards and untils are named by their place, as in unless[0].
	Classes []event.ClassRef
	Fields  []FieldNeed
}

// FieldNeed is a field or an entity that a step reads.
type FieldNeed struct {
	Path  string // Of the field, raw.Name for one of the source's own, or an entity as bind writes it: user, target.user.
	For   string // bind: without it there is no hit. where, carried: read by the condition, or kept for expressions over the match.
	field *event.Field
	bind  Binding
}

// Known reports whether an event has it.
func (n *FieldNeed) Known(e *event.Event) bool {
	if n.field != nil {
		return n.field.Known(e)
	}
	return e.PrimaryEntity(n.bind.Kind, n.bind.Role) != ""
}

// Needs lists what the rule wants of events, step by step.
func (r *Rule) Needs() []Need {
	var out []Need
	for i := range r.Plan.Branches {
		b := &r.Plan.Branches[i]
		for j := range b.Steps {
			out = append(out, b.Steps[j].needs(b.Steps[j].ID))
		}
		for j := range b.Guards {
			out = append(out, b.Guards[j].Step.needs(place("unless", j)))
		}
		for j := range b.Until {
			out = append(out, b.Until[j].Step.needs(place("until", j)))
		}
	}
	return out
}

func place(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

func (s *Step) needs(name string) Need {
	n := Need{Step: name, Classes: s.Classes}
	add := func(f FieldNeed) {
		if !slices.ContainsFunc(n.Fields, func(x FieldNeed) bool { return x.Path == f.Path }) {
			n.Fields = append(n.Fields, f)
		}
	}
	for _, group := range append([][]Binding{s.Bind}, s.BindAny...) {
		for _, b := range group {
			add(FieldNeed{Path: b.source(), For: "bind", field: b.Field, bind: b})
		}
	}
	if s.Where != nil {
		for _, f := range s.Where.Fields() {
			add(FieldNeed{Path: f.Path, For: "where", field: f})
		}
	}
	for _, f := range s.Fields {
		add(FieldNeed{Path: f.Path, For: "carried", field: f})
	}
	for _, v := range s.Values {
		for _, f := range v.Fields() {
			add(FieldNeed{Path: f.Path, For: "carried", field: f})
		}
	}
	return n
}

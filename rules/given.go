package rules

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// farAway is the end of what has no end: about the year 2112, in microseconds.
const farAway = int64(1) << 52

// given reads what a test takes as given.
func (b *builder) given(f *fields, start int64) Given {
	var g Given
	b.each(f.get("lists"), "lists", func(k, v *yaml.Node) {
		l := GivenList{Name: k.Value}
		for _, e := range b.doc.scalars(v, "a list") {
			l.Values = append(l.Values, e.Value)
		}
		g.Lists = append(g.Lists, l)
	})
	b.each(f.get("assets"), "assets", func(k, v *yaml.Node) {
		a := GivenAsset{ID: k.Value}
		b.each(v, "an asset", func(k, v *yaml.Node) {
			if field, ok := b.assetField(k, v); ok {
				a.Fields = append(a.Fields, field)
			}
		})
		g.Assets = append(g.Assets, a)
	})
	for _, n := range f.items("schedules") {
		if s := b.doc.mapping(n, "a window", false, InSchedule); s != nil {
			s.need("kind", "a window")
			s.need("entity", "a window")
			from, to := b.span(s, start)
			g.Windows = append(g.Windows, GivenWindow{Kind: s.text("kind"), Entity: s.text("entity"), From: from / 1000, To: to / 1000})
		}
	}
	for _, n := range f.items("bindings") {
		if s := b.doc.mapping(n, "a binding", false, InBinding); s != nil {
			b.binding(&g, s, start)
		}
	}
	b.each(f.get("new"), "new", func(step, v *yaml.Node) { b.seen(&g, step, v) })
	b.each(f.get("baseline"), "baseline", func(step, v *yaml.Node) { b.usual(&g, step, v) })
	return g
}

// each visits the pairs of a mapping in the order written.
func (b *builder) each(n *yaml.Node, what string, visit func(k, v *yaml.Node)) {
	if n == nil || b.doc.mapping(n, what, true) == nil {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		visit(n.Content[i], n.Content[i+1])
	}
}

// span reads from and to in microseconds since the Unix epoch.
func (b *builder) span(f *fields, start int64) (from, to int64) {
	from, to = 0, farAway
	if v, ok := b.doc.offset(f.get("from"), "from"); ok {
		from = start + v
	}
	if v, ok := b.doc.offset(f.get("to"), "to"); ok {
		to = start + v
	}
	if from >= to {
		b.doc.problem(f.node, codeValue, "from is not before to", "")
	}
	return from, to
}

func (b *builder) binding(g *Given, f *fields, start int64) {
	bind := GivenBinding{Entity: f.text("entity")}
	f.need("entity", "a binding")
	switch {
	case f.get("ip") != nil:
		bind.Kind, bind.Key = event.EntityIP, event.CanonicalKey(event.EntityIP, f.text("ip"))
	case f.get("mac") != nil:
		bind.Kind, bind.Key = event.EntityMAC, event.CanonicalKey(event.EntityMAC, f.text("mac"))
	}
	if bind.Key == "" {
		b.doc.problem(f.node, codeValue, "a binding needs an ip or a mac", "as in {ip: 10.0.0.5, entity: device:lap-7}")
		return
	}
	kind, key, _ := strings.Cut(bind.Entity, ":")
	if event.EntityKindOf(kind) == event.EntityNone || key == "" {
		b.doc.problem(f.get("entity"), codeValue, "entity is not a canonical id", "as in device:lap-7 or user:ana")
		return
	}
	bind.From, bind.To = b.span(f, start)
	g.Bindings = append(g.Bindings, bind)
}

// bind applies the bindings to an event: what the address stands for is named beside it, in its role, as enrichment does.
func (g *Given) bind(e *event.Event) {
	for _, b := range g.Bindings {
		if e.Time < b.From || e.Time >= b.To {
			continue
		}
		kind, key, _ := strings.Cut(b.Entity, ":")
		for i := range len(e.Entities) {
			x := e.Entities[i]
			if x.Kind != b.Kind || x.Key != b.Key || x.Role >= event.RoleReporter {
				continue
			}
			e.Entities = append(e.Entities, event.EntityRef{
				Kind: event.EntityKindOf(kind), Role: x.Role, Strength: event.Strong, Object: x.Object, Key: key, ID: b.Entity,
			})
		}
	}
}

// assetField reads one attribute of an inventory entry.
func (b *builder) assetField(k, v *yaml.Node) (GivenField, bool) {
	names, kinds := expression.AssetFields()
	i := slices.Index(names, k.Value)
	if i < 0 {
		hint := "they have " + strings.Join(names, ", ")
		if near := expression.Nearest(k.Value, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		b.doc.problem(k, codeUnknownKey, "assets have no "+k.Value, hint)
		return GivenField{}, false
	}
	out := GivenField{Name: k.Value, Value: event.FieldValue{Kind: kinds[i], Known: true}}
	text := b.doc.scalar(v, k.Value)
	var err error
	switch kinds[i] {
	case event.KindString:
		out.Value.Str = text
	case event.KindInt:
		out.Value.Num, err = strconv.ParseInt(text, 10, 64)
	case event.KindFloat:
		out.Value.Flt, err = strconv.ParseFloat(text, 64)
	case event.KindBool:
		var set bool
		if set, err = strconv.ParseBool(text); set {
			out.Value.Num = 1
		}
	}
	if err != nil {
		b.doc.problem(v, codeValue, k.Value+" is "+article(kinds[i].String()), "")
	}
	return out, err == nil
}

package expression

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Test is how a predicate compares what it reads with its constant.
type Test uint8

// The tests. Those named after spelling compare canonical forms (Canon), and their Text is one.
const (
	Equal     Test = iota // A text equals Text, a number equals Num, a boolean is known to be true.
	Spelled               // The text equals Text but for spelling.
	Contains              // The text holds Text but for spelling.
	Prefix                // The text begins with Text but for spelling.
	Suffix                // The text ends with Text but for spelling.
	AtLeast               // The number is Num or more; Flt for floats.
	AtMost                // The number is Num or less; Flt for floats.
	Present               // The field has a value.
	testCount = int(Present) + 1
)

var testNames = [testCount]string{"==", "spelled", "contains", "startsWith", "endsWith", ">=", "<=", "known"}

// String is the test's name in reports.
func (t Test) String() string { return testNames[t] }

// Predicate is one simple question to an event. Of a list it asks whether any element satisfies it. An unknown field reads as "", 0 or nothing.
type Predicate struct {
	Field *event.Field
	Test  Test
	Text  string
	Num   int64
	Flt   float64
}

// String is the predicate as a report shows it.
func (p *Predicate) String() string {
	of := p.Field.Path
	switch {
	case p.Test == Present:
		return "known(" + of + ")"
	case p.Field.Kind == event.KindBool:
		return of
	case p.Field.Kind == event.KindFloat:
		return of + " " + p.Test.String() + " " + strconv.FormatFloat(p.Flt, 'g', -1, 64)
	case p.Field.Kind == event.KindString || p.Field.Kind == event.KindStrings:
		return of + " " + p.Test.String() + " " + strconv.Quote(p.Text)
	}
	return of + " " + p.Test.String() + " " + strconv.FormatInt(p.Num, 10)
}

// Holds answers the question for one event. It is the definition that an index has to agree with, and slow.
func (p *Predicate) Holds(e *event.Event) bool {
	fd := p.Field
	if p.Test == Present {
		return fd.Known(e)
	}
	switch fd.Kind {
	case event.KindString:
		return p.holdsText(fd.Str(e))
	case event.KindStrings:
		for _, s := range fd.Lst(e) {
			if p.holdsText(s) {
				return true
			}
		}
		return false
	case event.KindBool:
		return fd.Tri(e) == event.True
	case event.KindFloat:
		v, _ := fd.Flt(e)
		return p.Test == AtLeast && v >= p.Flt || p.Test == AtMost && v <= p.Flt
	default:
		v, _ := fd.Num(e)
		return p.Test == Equal && v == p.Num || p.Test == AtLeast && v >= p.Num || p.Test == AtMost && v <= p.Num
	}
}

func (p *Predicate) holdsText(s string) bool {
	if p.Test == Equal {
		return s == p.Text
	}
	v, text := Canon(nil, s), []byte(p.Text)
	switch p.Test {
	case Spelled:
		return bytes.Equal(v, text)
	case Contains:
		return bytes.Contains(v, text)
	case Prefix:
		return bytes.HasPrefix(v, text)
	case Suffix:
		return bytes.HasSuffix(v, text)
	}
	return false
}

// Witness gives predicates of which at least one holds of every event for which the condition is true or fails: where none holds the condition
// is false, without an error, and need not be evaluated. Among the sets that can be read off the condition it is the one for which weigh has
// the least sum. ok is false if there is none; with ok and no predicates the condition is never true.
func (x *Event) Witness(weigh func(*Predicate) float64) (list []Predicate, ok bool) {
	if x.need == nil {
		return nil, false
	}
	list, _ = x.need.cheapest(weigh)
	return list, true
}

// need is what must hold for a condition to be true or to fail. Nil says nothing. A need without parts never holds.
type need struct {
	any    []Predicate // One of these,
	union  []*need     // or one of the needs of one of these;
	choice []*need     // or, alone: each of these is a need by itself.
}

// never is the need of what is never true.
var never = &need{}

func (n *need) cheapest(weigh func(*Predicate) float64) (list []Predicate, cost float64) {
	for i, c := range n.choice {
		l, w := c.cheapest(weigh)
		if i == 0 || w < cost {
			list, cost = l, w
		}
	}
	for i := range n.any {
		cost += weigh(&n.any[i])
	}
	list = append(list, n.any...)
	for _, u := range n.union {
		l, w := u.cheapest(weigh)
		list, cost = append(list, l...), cost+w
	}
	return list, cost
}

// needOne is the need of something that needs every one of list, any of which may be nil.
func needOne(list ...*need) *need {
	var known []*need
	for _, n := range list {
		if n != nil {
			known = append(known, n)
		}
	}
	switch len(known) {
	case 0:
		return nil
	case 1:
		return known[0]
	}
	return &need{choice: known}
}

// needAny is the need of something that is true if one of those with these needs is.
func needAny(list ...*need) *need {
	out := &need{}
	for _, n := range list {
		switch {
		case n == nil:
			return nil
		case n.choice != nil:
			out.union = append(out.union, n)
		default:
			out.any, out.union = append(out.any, n.any...), append(out.union, n.union...)
		}
	}
	return out
}

// origin is where a text, or the elements of a list of texts, comes from.
type origin struct {
	field *event.Field
	elem  bool // The element of the list that the predicate around it goes through, in place of field.
	how   relation
}

// relation is what is between a text and its origin.
type relation uint8

const (
	whole   relation = iota // The same text.
	spelled                 // The same but for spelling.
	part                    // A part of it, but for spelling.
)

// as is the origin with a further step between.
func (o *origin) as(how relation) *origin {
	if o == nil {
		return nil
	}
	x := *o
	x.how = max(x.how, how)
	return &x
}

// textNeed is the need of a text that passes a test against a constant; nil where the constant says nothing.
func (o *origin) textNeed(test Test, text string) *need {
	if o == nil || !indexable(text) {
		return nil
	}
	if o.how == part {
		test = Contains
	} else if test == Equal && o.how == spelled {
		test = Spelled
	}
	if test != Equal {
		text = string(Canon(nil, text))
		if text == "" && test != Spelled {
			return nil
		}
	}
	p := Predicate{Field: o.field, Test: test, Text: text}
	if o.elem {
		p.Field = elementOf
	}
	return &need{any: []Predicate{p}}
}

// elementOf stands in predicates for the element of the list around it, until the list is known.
var elementOf = &event.Field{Path: "#", Kind: event.KindString}

// AnyRaw stands in predicates for the values of all raw fields of an event.
var AnyRaw = &event.Field{Path: "raws()", Kind: event.KindStrings, Lst: func(e *event.Event) (out []string) {
	for i := range e.Raw {
		out = append(out, e.Raw[i].Value)
	}
	return out
}}

// indexable tells texts whose canonical form is that of no other: expressions may hold bytes that are no UTF-8, which all look alike.
func indexable(s string) bool {
	return strings.ToValidUTF8(s, "�") == s && !strings.ContainsRune(s, '�')
}

// of puts the origin of a list in the place of its element.
func (n *need) of(list *origin) *need {
	if n == nil {
		return nil
	}
	if len(n.choice) > 0 {
		out := make([]*need, 0, len(n.choice))
		for _, c := range n.choice {
			out = append(out, c.of(list))
		}
		return needOne(out...)
	}
	parts := make([]*need, 0, len(n.any)+len(n.union))
	for i := range n.any {
		p := n.any[i]
		if p.Field != elementOf {
			parts = append(parts, &need{any: []Predicate{p}})
			continue
		}
		parts = append(parts, list.textNeed(p.Test, p.Text))
	}
	for _, u := range n.union {
		parts = append(parts, u.of(list))
	}
	return needAny(parts...)
}

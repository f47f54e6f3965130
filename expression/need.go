package expression

import (
	"math"

	"github.com/tocsin-siem/tocsin/event"
)

// fieldNeed is the need of a boolean field: to be known and true.
func fieldNeed(fd *event.Field) *need { return &need{any: []Predicate{{Field: fd, Num: 1}}} }

// knownNeed is the need of a field's having a value.
func knownNeed(fd *event.Field) *need { return &need{any: []Predicate{{Field: fd, Test: Present}}} }

// comparisonNeed is the need of an operator between two codes. Where one of them can fail there is none: the failure itself must be found too.
func comparisonNeed(op string, a, b code) *need {
	if a.fails || b.fails {
		return nil
	}
	if a.constant && !b.constant {
		back, ok := mirrored[op]
		if !ok {
			return nil
		}
		op, a, b = back, b, a
	}
	if !b.constant || a.constant {
		return nil
	}
	switch op {
	case "==":
		return equalNeed(a, b.val)
	case "!=":
		if a.field != nil && a.isString() && b.val.Str == "" {
			return knownNeed(a.field)
		}
	case "<", ">", "<=", ">=":
		return boundNeed(op, a, b)
	case "contains":
		return a.from.textNeed(Contains, b.val.Str)
	case "startsWith":
		return a.from.textNeed(Prefix, b.val.Str)
	case "endsWith":
		return a.from.textNeed(Suffix, b.val.Str)
	case "matches":
		return regexNeed(a.from, b.val.Str)
	}
	return nil
}

// mirrored are the operators that mean another with their sides exchanged.
var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

func equalNeed(a code, v event.FieldValue) *need {
	switch {
	case a.isBool() && v.Kind == event.KindBool && v.Num != 0:
		return a.need
	case a.isString() && v.Kind == event.KindString:
		if fd, id := captionID(a, v.Str); fd != nil {
			return &need{any: []Predicate{{Field: fd, Num: id}}}
		}
		return a.from.textNeed(Equal, v.Str)
	case a.isInt() && a.field != nil && (v.Kind == event.KindInt || v.Kind == event.KindTime):
		return &need{any: []Predicate{{Field: a.field, Num: v.Num}}}
	}
	return nil
}

// boundNeed is the need of a comparison of a field with a number.
func boundNeed(op string, a, b code) *need {
	if a.field == nil || !a.isNumber() || !b.isNumber() {
		return nil
	}
	if math.IsNaN(b.val.Flt) {
		return never
	}
	p := Predicate{Field: a.field, Test: AtMost}
	if op == ">" || op == ">=" {
		p.Test = AtLeast
	}
	switch {
	case !a.isInt(): // An open bound is taken for a closed one: it lets one value more through.
		if p.Flt = b.val.Flt; b.isInt() {
			p.Flt = float64(b.val.Num)
		}
	case !b.isInt():
		return nil
	case op == "<" && b.val.Num == math.MinInt64, op == ">" && b.val.Num == math.MaxInt64:
		return never
	case op == "<":
		p.Num = b.val.Num - 1
	case op == ">":
		p.Num = b.val.Num + 1
	default:
		p.Num = b.val.Num
	}
	return &need{any: []Predicate{p}}
}

// memberNeed is the need of x in elems, where nothing can fail.
func memberNeed(x code, elems []code) *need {
	if x.fails || x.constant {
		return nil
	}
	list := make([]*need, len(elems))
	for i, e := range elems {
		if !e.constant {
			return nil
		}
		list[i] = equalNeed(x, e.val)
	}
	return needAny(list...)
}

// conditionNeed is the need of cond ? a : b.
func conditionNeed(cond, a, b code) *need {
	then := cond.need
	if !cond.fails {
		then = needOne(cond.need, a.need)
	}
	return needAny(then, b.need)
}

// builtinNeed is what the result of a function of expr over texts says about them: its need, or where it comes from.
func builtinNeed(name string, args []code, from *origin) (*need, *origin) {
	if len(args) == 2 && !args[1].constant || args[0].constant || args[0].fails {
		return nil, from
	}
	switch name {
	case "lower", "upper":
		return nil, args[0].from.as(spelled)
	case "trim", "trimPrefix", "trimSuffix":
		return nil, args[0].from.as(part)
	case "string":
		if args[0].isString() {
			return nil, args[0].from
		}
	case "hasPrefix":
		return args[0].from.textNeed(Prefix, args[1].val.Str), nil
	case "hasSuffix":
		return args[0].from.textNeed(Suffix, args[1].val.Str), nil
	}
	return nil, from
}

// callNeed is builtinNeed for our own functions.
func callNeed(name string, args []code) (*need, *origin) {
	if name == "raws" {
		return nil, &origin{field: AnyRaw}
	}
	test, ok := textTestNeeds[name]
	if !ok || args[0].fails {
		return nil, nil
	}
	list := make([]*need, 0, len(args)-1)
	for _, a := range args[1:] {
		list = append(list, test(args[0].from, a.val.Str))
	}
	return needAny(list...), nil
}

// textTestNeeds are the needs of textTests.
var textTestNeeds = map[string]func(of *origin, constant string) *need{
	"iequals":   func(of *origin, c string) *need { return of.textNeed(Spelled, c) },
	"icontains": func(of *origin, c string) *need { return of.textNeed(Contains, c) },
	"istarts":   func(of *origin, c string) *need { return of.textNeed(Prefix, c) },
	"iends":     func(of *origin, c string) *need { return of.textNeed(Suffix, c) },
	"ilike":     likeNeed,
	"imatches":  regexNeed,
}

// likeNeed is the need of a pattern: each stretch without wildcards, the first and the last where the pattern has them.
func likeNeed(of *origin, pattern string) *need {
	l := parseLike(pattern)
	pieces := stretches(l.head)
	if !l.star && len(pieces) == 1 {
		return of.textNeed(Spelled, pieces[0])
	}
	for _, m := range l.middle {
		pieces = append(pieces, stretches(m)...)
	}
	if l.star {
		pieces = append(pieces, stretches(l.tail)...)
	}
	choice := make([]*need, len(pieces)) // head and tail have at least one stretch each, the start and the end of the text.
	for i, text := range pieces {
		switch i {
		case 0:
			choice[i] = of.textNeed(Prefix, text)
		case len(pieces) - 1:
			choice[i] = of.textNeed(Suffix, text)
		default:
			choice[i] = of.textNeed(Contains, text)
		}
	}
	return needOne(choice...)
}

// stretches cuts a folded text at its wildcards; empty stretches stay.
func stretches(w folded) []string {
	out := []string{""}
	for _, r := range w {
		if r == anyRune {
			out = append(out, "")
			continue
		}
		out[len(out)-1] += string(r)
	}
	return out
}

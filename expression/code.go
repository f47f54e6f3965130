package expression

import (
	"math"

	"github.com/tocsin-siem/tocsin/event"
)

// code is a compiled expression: the closure of its kind. Times are integers.
type code struct {
	kind     event.Kind
	constant bool             // The closure reads nothing and cannot fail; val is its result.
	val      event.FieldValue // Meaningful if constant.
	field    *event.Field     // Set where the code is one field of the event, so that comparisons can read it directly.
	from     *origin          // Where a text or the elements of a list come from; nil where that is not known.
	need     *need            // What must hold for a condition to be true or to fail.
	fails    bool             // The closure may report an error.
	cost     int              // What running it costs, roughly in nanoseconds.
	b        func(*frame) bool
	i        func(*frame) int64
	f        func(*frame) float64
	s        func(*frame) string
	l        func(*frame) []string
	joined   []func(*frame) string // Of texts joined by +: the parts of s.
}

// integer evaluates a number as an integer, rounding floats.
func (c *code) integer(f *frame) int64 {
	if c.kind == event.KindFloat {
		return int64(math.Round(c.f(f)))
	}
	return c.i(f)
}

// number gives the closure of a number as a float.
func (c *code) number() func(*frame) float64 {
	if c.kind == event.KindFloat {
		return c.f
	}
	i := c.i
	return func(f *frame) float64 { return float64(i(f)) }
}

func (c *code) isInt() bool     { return c.kind == event.KindInt || c.kind == event.KindTime }
func (c *code) isNumber() bool  { return c.isInt() || c.kind == event.KindFloat }
func (c *code) isString() bool  { return c.kind == event.KindString }
func (c *code) isBool() bool    { return c.kind == event.KindBool }
func (c *code) isStrings() bool { return c.kind == event.KindStrings }

// value evaluates an expression of any kind as a hit carries it. Computed values are always known.
func (c *code) value(f *frame) event.FieldValue {
	v := event.FieldValue{Kind: c.kind, Known: true}
	switch c.kind {
	case event.KindBool:
		if c.b(f) {
			v.Num = 1
		}
	case event.KindInt, event.KindTime:
		v.Num = c.i(f)
	case event.KindFloat:
		v.Flt = c.f(f)
	case event.KindString:
		v.Str = c.s(f)
	default:
		v.Lst = c.l(f)
	}
	return v
}

func boolCode(b func(*frame) bool) code        { return code{kind: event.KindBool, b: b} }
func intCode(i func(*frame) int64) code        { return code{kind: event.KindInt, i: i} }
func floatCode(f func(*frame) float64) code    { return code{kind: event.KindFloat, f: f} }
func stringCode(s func(*frame) string) code    { return code{kind: event.KindString, s: s} }
func stringsCode(l func(*frame) []string) code { return code{kind: event.KindStrings, l: l} }

// constantCode is a code that always gives v.
func constantCode(v event.FieldValue) code {
	c := code{kind: v.Kind, constant: true, val: v}
	switch v.Kind {
	case event.KindBool:
		b := v.Num != 0
		c.b = func(*frame) bool { return b }
		if !b {
			c.need = never
		}
	case event.KindInt, event.KindTime:
		n := v.Num
		c.i = func(*frame) int64 { return n }
	case event.KindFloat:
		x := v.Flt
		c.f = func(*frame) float64 { return x }
	case event.KindString:
		s := v.Str
		c.s = func(*frame) string { return s }
	default:
		l := v.Lst
		c.l = func(*frame) []string { return l }
	}
	return c
}

// fieldCode reads a field of the event.
func fieldCode(fd *event.Field) code {
	c := code{kind: fd.Kind, field: fd, from: &origin{field: fd}}
	switch fd.Kind {
	case event.KindBool:
		c.need = fieldNeed(fd)
		get := fd.Tri
		c.b = func(f *frame) bool { return get(f.event) == event.True }
	case event.KindInt, event.KindTime:
		get := fd.Num
		c.i = func(f *frame) int64 { v, _ := get(f.event); return v }
	case event.KindFloat:
		get := fd.Flt
		c.f = func(f *frame) float64 { v, _ := get(f.event); return v }
	case event.KindString:
		get := fd.Str
		c.s = func(f *frame) string { return get(f.event) }
	default:
		get := fd.Lst
		c.l = func(f *frame) []string { return get(f.event) }
	}
	return c
}

// carriedCode reads a value that a hit carries. A missing hit and an unknown value read as the zero value.
func carriedCode(kind event.Kind, get func(*frame) *event.FieldValue) code {
	switch kind {
	case event.KindBool:
		return boolCode(func(f *frame) bool { v := get(f); return v != nil && v.Known && v.Num != 0 })
	case event.KindInt, event.KindTime:
		return intCode(func(f *frame) int64 {
			if v := get(f); v != nil && v.Known {
				return v.Num
			}
			return 0
		})
	case event.KindFloat:
		return floatCode(func(f *frame) float64 {
			if v := get(f); v != nil && v.Known {
				return v.Flt
			}
			return 0
		})
	case event.KindString:
		return stringCode(func(f *frame) string {
			if v := get(f); v != nil && v.Known {
				return v.Str
			}
			return ""
		})
	default:
		return stringsCode(func(f *frame) []string {
			if v := get(f); v != nil && v.Known {
				return v.Lst
			}
			return nil
		})
	}
}

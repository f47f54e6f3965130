package expression

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

func hitsAt(f *frame, slot int) []*event.Hit {
	if slot >= len(f.match.Hits) {
		return nil
	}
	return f.match.Hits[slot]
}

// aggregateCode compiles distinct, sum, min and max over the known values that a step's hits carry at index i; ok is false where the kind of
// the field does not fit.
func aggregateCode(name string, kind event.Kind, slot, i int) (c code, ok bool) {
	if name == "distinct" {
		return intCode(func(f *frame) int64 { return distinct(hitsAt(f, slot), i) }), true
	}
	switch kind {
	case event.KindInt, event.KindTime:
		get := func(v *event.FieldValue) int64 { return v.Num }
		return intCode(func(f *frame) int64 { return combine(name, hitsAt(f, slot), i, get) }), true
	case event.KindFloat:
		get := func(v *event.FieldValue) float64 { return v.Flt }
		return floatCode(func(f *frame) float64 { return combine(name, hitsAt(f, slot), i, get) }), true
	}
	return code{}, false
}

func combine[T int64 | float64](name string, hits []*event.Hit, i int, get func(*event.FieldValue) T) T {
	var acc T
	seen := false
	for _, h := range hits {
		fv := carriedAt(h, i)
		if fv == nil || !fv.Known {
			continue
		}
		v := get(fv)
		switch {
		case name == "sum":
			acc += v
		case !seen, name == "min" && v < acc, name == "max" && v > acc:
			acc = v
		}
		seen = true
	}
	return acc
}

// distinct counts different known values; a list counts by its values in their order.
func distinct(hits []*event.Hit, i int) int64 {
	keys := make([]event.FieldValue, 0, len(hits))
	for _, h := range hits {
		if v := carriedAt(h, i); v != nil && v.Known {
			keys = append(keys, *v)
		}
	}
	slices.SortFunc(keys, compareValues)
	return int64(len(slices.CompactFunc(keys, func(a, b event.FieldValue) bool { return compareValues(a, b) == 0 })))
}

func compareValues(a, b event.FieldValue) int {
	if c := strings.Compare(a.Str, b.Str); c != 0 {
		return c
	}
	switch {
	case a.Num != b.Num:
		if a.Num < b.Num {
			return -1
		}
		return 1
	case a.Flt != b.Flt:
		if a.Flt < b.Flt {
			return -1
		}
		return 1
	}
	return slices.Compare(a.Lst, b.Lst)
}

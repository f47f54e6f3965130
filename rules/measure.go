package rules

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MeasureKind is what a measure makes of the numbers in a window.
type MeasureKind uint8

// The kinds of measure.
const (
	Sum MeasureKind = iota
	Avg
	Median
	Percentile
)

// Measure lets a count be decided by a number that its hits carry: the match is complete once the measure over the window is above, or reaches,
// a limit.
type Measure struct {
	Kind  MeasureKind
	Field int     // Index into Hit.Fields. A text counts as the decimal number it is; a hit without a number is not counted.
	Rank  float64 // Percentile: above 0, up to 100.
	Limit float64
	Above bool // Above the limit; else at least it.
}

var measureKeys = []string{"sum", "avg", "median", "percentile"}

// String is the key that asks for the kind.
func (k MeasureKind) String() string { return measureKeys[k] }

// measure reads the measure of a count; nil if there is none.
func (b *builder) measure(f *fields, s *stepSpec) *Measure {
	var m *Measure
	for i, key := range measureKeys {
		n := f.get(key)
		if n == nil {
			continue
		}
		if m != nil || f.get("distinct") != nil {
			b.doc.problem(n, codeMatchKinds, "a count has at most one of distinct, "+strings.Join(measureKeys, ", "), "")
		}
		m = &Measure{Kind: MeasureKind(i), Rank: 95}
		if fd := b.doc.path(n, key); fd != nil {
			m.Field = s.scope.Need(fd)
		}
	}
	above, reaches, rank := f.get("above"), f.get("reaches"), f.get("rank")
	if m == nil {
		for _, key := range []string{"above", "reaches", "rank"} {
			if n := f.get(key); n != nil {
				b.doc.problem(n, codeUnknownKey, key+" says nothing without one of "+strings.Join(measureKeys, ", "), "at_least is how many events")
			}
		}
		return nil
	}
	if (above == nil) == (reaches == nil) {
		b.doc.problem(f.node, codeMissing, m.Kind.String()+" needs one of above and reaches", "")
	}
	if rank != nil {
		m.Rank = b.doc.number(rank, "rank")
		if m.Kind != Percentile {
			b.doc.problem(rank, codeUnknownKey, "rank says nothing without percentile", "")
		} else if m.Rank <= 0 || m.Rank > 100 {
			b.doc.problem(rank, codeSpan, "rank must be above 0 and up to 100", "")
		}
	}
	if m.Above = above != nil; m.Above {
		m.Limit = b.doc.number(above, "above")
	} else if reaches != nil {
		m.Limit = b.doc.number(reaches, "reaches")
	}
	return m
}

// number reads a finite number.
func (d *document) number(n *yaml.Node, what string) float64 {
	v, err := strconv.ParseFloat(d.scalar(n, what), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		d.problem(n, codeShape, what+" must be a number", "")
		return 0
	}
	return v
}

func (m *Measure) describe(path string) string {
	s := m.Kind.String()
	if m.Kind == Percentile {
		s += " " + strconv.FormatFloat(m.Rank, 'f', -1, 64)
	}
	s += " of " + path
	if m.Above {
		return s + " above " + strconv.FormatFloat(m.Limit, 'f', -1, 64)
	}
	return s + " reaches " + strconv.FormatFloat(m.Limit, 'f', -1, 64)
}

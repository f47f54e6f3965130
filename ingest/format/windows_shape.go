package format

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// A winShape remembers in what order the names of one kind of event stand when they are sorted, and where each is found: there are few kinds, and
// each always has the same fields in the same order.
type winShape struct {
	names  []string // In the order of the record; not its memory.
	order  []uint16 // Indexes of names in their order, the first of each name.
	places []uint16 // One more than the place of a name in order, by its hash; 0: none.
}

// shapeSlots is how many shapes are remembered, each in the slot that its hash gives.
const shapeSlots = 256

// sorted is the fields by name, each name once, in memory that is not the record's.
func (w *winRecord) sorted() []event.RawField {
	if len(w.fields) > 4*event.MaxRawFields { // Nothing that Windows writes: not worth remembering.
		w.kind = nil
		out := slices.Clone(w.fields)
		slices.SortStableFunc(out, func(a, b event.RawField) int { return strings.Compare(a.Name, b.Name) })
		return slices.CompactFunc(out, func(a, b event.RawField) bool { return a.Name == b.Name })
	}
	s := w.shape()
	w.kind = s
	out := w.room.Take(len(s.order))
	for i, from := range s.order {
		out[i].Name, out[i].Value = s.names[from], w.fields[from].Value
	}
	return out
}

func (w *winRecord) shape() *winShape {
	if w.shapes == nil {
		w.shapes = make([]winShape, shapeSlots)
	}
	hash := uint32(len(w.fields))
	for i := range w.fields {
		name := w.fields[i].Name
		hash = hash*31 + uint32(len(name))
		if name != "" {
			hash = hash*31 + uint32(name[0])<<8 + uint32(name[len(name)-1])
		}
	}
	hash ^= hash >> 15
	s := &w.shapes[hash%shapeSlots]
	if !s.fits(w.fields) {
		s.learn(w.fields)
	}
	return s
}

func (s *winShape) fits(fields []event.RawField) bool {
	if len(s.names) != len(fields) {
		return false
	}
	for i := range fields {
		if s.names[i] != fields[i].Name {
			return false
		}
	}
	return true
}

func (s *winShape) learn(fields []event.RawField) {
	*s = winShape{names: make([]string, len(fields)), order: make([]uint16, len(fields))}
	var all strings.Builder // The names in one piece of memory.
	for i := range fields {
		all.WriteString(fields[i].Name)
	}
	rest := all.String()
	for i := range fields {
		n := len(fields[i].Name)
		s.names[i], rest = rest[:n], rest[n:]
		s.order[i] = uint16(i)
	}
	slices.SortStableFunc(s.order, func(a, b uint16) int { return strings.Compare(s.names[a], s.names[b]) })
	s.order = slices.CompactFunc(s.order, func(a, b uint16) bool { return s.names[a] == s.names[b] })
	s.tabulate()
}

// tabulate builds the table of places, less than half full: of as many as an event keeps.
func (s *winShape) tabulate() {
	kept := s.order[:min(len(s.order), event.MaxRawFields)]
	size := 16
	for size < 3*len(kept) {
		size *= 2
	}
	s.places = make([]uint16, size)
	for i, from := range kept {
		at := placeHash(s.names[from]) & uint(size-1)
		for s.places[at] != 0 {
			at = (at + 1) & uint(size-1)
		}
		s.places[at] = uint16(i + 1)
	}
}

// placeHash is a hash of a few bytes of a name that tells apart those of one kind of event.
func placeHash(name string) uint {
	n := uint(len(name))
	if n == 0 {
		return 0
	}
	h := n*0x9E3779B1 + uint(name[0])*0x85EBCA77 + uint(name[n/2])*0xC2B2AE3D + uint(name[n-1])*0x27D4EB2F
	return h ^ h>>15
}

// value is the raw field of that name, as the record has it; ok is false where there is none.
func (w *winRecord) value(name string) (value string, ok bool) {
	s := w.kind
	if s == nil {
		i, found := slices.BinarySearchFunc(w.raw, name, func(f event.RawField, name string) int { return strings.Compare(f.Name, name) })
		if !found {
			return "", false
		}
		return w.raw[i].Value, true
	}
	mask := uint(len(s.places) - 1)
	for at := placeHash(name) & mask; s.places[at] != 0; at = (at + 1) & mask {
		if i := int(s.places[at]) - 1; i < len(w.raw) && w.raw[i].Name == name {
			return w.raw[i].Value, true
		}
	}
	return "", false
}

// said is a raw field without placeholders.
func (w *winRecord) said(name string) string {
	v, _ := w.value(name)
	return meant(v)
}

// number is a raw field that is a number.
func (w *winRecord) number(name string) event.Int { return flagInt(winNumber(w.said(name))) }

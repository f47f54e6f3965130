package event

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// RawField is one field of the source's own record under the name it has there, such as Image of a Sysmon event. The value is its text: of a
// number or a boolean as it was written. What the record says is null is no field at all; an empty text is one.
type RawField struct{ Name, Value string }

// The bounds of the raw fields of one event: how many, and the bytes of one value. What is beyond is left out and the event is flagged Truncated.
const (
	MaxRawFields = 512
	MaxRawValue  = 64 << 10
)

// SetRaw makes fields the raw fields of e, which keeps the slice: sorted by name, each name once (the first of a name in the order given stays)
// and within the bounds.
func (e *Event) SetRaw(fields []RawField) {
	slices.SortStableFunc(fields, func(a, b RawField) int { return strings.Compare(a.Name, b.Name) })
	e.SetSortedRaw(slices.CompactFunc(fields, func(a, b RawField) bool { return a.Name == b.Name }))
}

// SetSortedRaw is SetRaw for fields that are sorted by name already and have each name once.
func (e *Event) SetSortedRaw(fields []RawField) {
	if len(fields) > MaxRawFields {
		fields = fields[:MaxRawFields]
		e.Envelope.Quality |= Truncated
	}
	for i := range fields {
		if v := fields[i].Value; len(v) > MaxRawValue {
			n := MaxRawValue
			for n > MaxRawValue-utf8.UTFMax && !utf8.RuneStart(v[n]) {
				n--
			}
			fields[i].Value = v[:n]
			e.Envelope.Quality |= Truncated
		}
	}
	e.Raw = fields
}

// RawValue is the value of the raw field of that name; ok is false where the record has none.
func (e *Event) RawValue(name string) (value string, ok bool) {
	if name == "" {
		if len(e.Raw) > 0 && e.Raw[0].Name == "" {
			return e.Raw[0].Value, true
		}
		return "", false
	}
	from, to, first := 0, len(e.Raw), name[0]
	for from < to {
		mid := int(uint(from+to) >> 1)
		at := e.Raw[mid].Name
		if at == "" || at[0] < first || at[0] == first && at < name { // Most names differ in their first byte.
			from = mid + 1
		} else {
			to = mid
		}
	}
	if from < len(e.Raw) && e.Raw[from].Name == name {
		return e.Raw[from].Value, true
	}
	return "", false
}

// rawPrefix is what stands before the name of a raw field in a path.
const rawPrefix = "raw."

// namedRaw holds the fields that FieldNamed made: one for each name that a rule asks for.
var namedRaw sync.Map // name to *Field

// FieldNamed is the field of a path as rules write it: that of FieldByPath, or for raw.NAME the raw field of that name, one Field for each name. nil
// if there is none. It is for paths that a rule's author writes, not for those of records: what it makes is kept.
func FieldNamed(path string) *Field {
	if f := FieldByPath(path); f != nil {
		return f
	}
	name, ok := strings.CutPrefix(path, rawPrefix)
	if !ok || name == "" {
		return nil
	}
	if f, ok := namedRaw.Load(name); ok {
		return f.(*Field)
	}
	f, _ := namedRaw.LoadOrStore(name, &Field{
		Path: path, Kind: KindString, Doc: "The source's own field " + name + ".", Flags: Taint, Attr: name,
		Str: func(e *Event) string { v, _ := e.RawValue(name); return v },
		Set: func(e *Event, v Value) { e.SetRaw(append([]RawField{{Name: name, Value: v.Str}}, e.Raw...)) },
	})
	return f.(*Field)
}

// RawName is the name of the raw field that f reads; ok is false where f is another.
func (f *Field) RawName() (name string, ok bool) { return strings.CutPrefix(f.Path, rawPrefix) }

// The numbers inside the group of raw fields in the compact form: a name, then its value.
const (
	rawName  = 1
	rawValue = 2
)

func appendRaw(b []byte, num int, fields []RawField) []byte {
	if len(fields) == 0 {
		return b
	}
	b = openGroup(b, num)
	for i := range fields {
		b = appendText(b, rawName, fields[i].Name)
		b = appendText(b, rawValue, fields[i].Value)
	}
	return append(b, 0)
}

func readRaw(r *reader, wire int, fields []RawField) []RawField {
	if !r.group(wire) {
		return fields
	}
	name := ""
	for {
		num, wire := r.tag()
		switch num {
		case 0:
			return fields
		case rawName:
			name = r.text(wire)
		case rawValue:
			fields = append(fields, RawField{Name: name, Value: r.text(wire)})
		default:
			r.skip(wire)
		}
	}
}

// rawFields writes the raw fields as one object under unmapped.
func (d *document) rawFields() {
	if len(d.event.Raw) == 0 {
		return
	}
	n := d.root.member("unmapped").member("raw")
	n.value = nil
	for i := range d.event.Raw {
		f := &d.event.Raw[i]
		n.members = append(n.members, &node{name: f.Name, value: quoted(f.Value)})
	}
}

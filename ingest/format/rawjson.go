package format

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Bounds of what is made raw fields of a document, before event.MaxRawFields: the places looked at, and how deep objects and lists stand of which
// the JSON itself is a field as well.
const (
	maxFlat  = 4 * event.MaxRawFields
	maxPath  = 512 // Bytes of a path.
	flatJSON = 2
)

// flatFields are the fields of a JSON document by their paths, as rules of others name them: userIdentity.type. What stands at one path several
// times, within lists, is one field with a line for each. Objects and lists near the top are also fields as they are written, for rules that search
// in them. Null is no field.
func flatFields(members func(yield func(string, jsonscan.Value) bool)) []event.RawField {
	var f flattened
	for name, v := range members {
		f.add(strings.Clone(name), v, 1)
	}
	return f.fields()
}

type flattened struct {
	list []event.RawField
}

func (f *flattened) add(path string, v jsonscan.Value, depth int) {
	if len(f.list) >= maxFlat || len(path) > maxPath {
		return
	}
	switch v.Kind() {
	case jsonscan.Missing, jsonscan.Null:
	case jsonscan.Object:
		if depth <= flatJSON {
			f.put(path, textOf(v.Raw()))
		}
		for name, x := range v.Members() {
			if len(name) <= maxPath {
				f.add(path+"."+name, x, depth+1)
			}
		}
	case jsonscan.Array:
		f.elements(path, v, depth)
	default:
		f.put(path, v.Text())
	}
}

func (f *flattened) elements(path string, list jsonscan.Value, depth int) {
	whole := depth > flatJSON
	for v := range list.Elements() {
		if k := v.Kind(); !whole && (k == jsonscan.Object || k == jsonscan.Array) {
			f.put(path, textOf(list.Raw()))
			whole = true
		}
		f.add(path, v, max(depth, flatJSON)+1)
	}
}

func (f *flattened) put(name, value string) {
	f.list = append(f.list, event.RawField{Name: name, Value: value})
}

// fields joins what stands at one path. The bytes are those of the document, so joining is bounded by it.
func (f *flattened) fields() []event.RawField {
	slices.SortStableFunc(f.list, func(a, b event.RawField) int { return strings.Compare(a.Name, b.Name) })
	out := f.list[:0]
	for i := 0; i < len(f.list); {
		n := i + 1
		for n < len(f.list) && f.list[n].Name == f.list[i].Name {
			n++
		}
		x := f.list[i]
		if n > i+1 {
			x.Value = joinValues(f.list[i:n])
		}
		out, i = append(out, x), n
	}
	return out
}

func joinValues(list []event.RawField) string {
	var b strings.Builder
	for i, x := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(x.Value)
	}
	return b.String()
}

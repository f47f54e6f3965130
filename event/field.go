package event

import (
	"strconv"
	"strings"
)

// Kind is the type of a field as rules, columns and documents see it.
type Kind uint8

// The kinds of field. A time is an integer of OCSF milliseconds since the Unix epoch to everyone but Go code, which sees microseconds.
const (
	KindString Kind = iota
	KindInt
	KindFloat
	KindBool
	KindStrings
	KindTime
)

var kindNames = [...]string{"string", "int", "float", "bool", "[]string", "timestamp"}

// String is the name of the kind in documents and messages.
func (k Kind) String() string { return kindNames[k] }

// Flags mark properties of a field.
type Flags uint8

// The field flags.
const (
	Taint     Flags = 1 << iota // An outsider can write it: never trusted, never shown unescaped, kept from models.
	Enriched                    // Added by enrichment; written to OCSF under enrichments.
	Enum                        // A number with a caption.
	IsCaption                   // The caption of an enum; derived.
	Derived                     // Computed from other fields; cannot be set.
)

// Value carries a value into Field.Set; only the member of the field's kind is read. A time is in milliseconds.
type Value struct {
	Str string
	Num int64
	Flt float64
	Tri Bool
	Lst []string
}

// Field describes one path of the event. Exactly one getter is set, by Kind: Str, Num (ints and times), Flt, Tri or Lst; the second result
// of Num and Flt is false while the value is unknown. Getters allocate nothing and may be called concurrently.
type Field struct {
	Path   string // As rules and OCSF write it, such as src_endpoint.ip.
	Kind   Kind
	Doc    string
	Flags  Flags
	Object string // OCSF object the attribute belongs to; "" is the class.
	Attr   string // Last part of the path, with _id for captions.

	Str func(*Event) string
	Num func(*Event) (int64, bool)
	Flt func(*Event) (float64, bool)
	Tri func(*Event) Bool
	Lst func(*Event) []string
	Set func(*Event, Value)
}

// Known reports whether the field has a value in e.
func (f *Field) Known(e *Event) bool {
	switch f.Kind {
	case KindString:
		return f.Str(e) != ""
	case KindInt, KindTime:
		_, ok := f.Num(e)
		return ok
	case KindFloat:
		_, ok := f.Flt(e)
		return ok
	case KindBool:
		return f.Tri(e).Known()
	default:
		return len(f.Lst(e)) > 0
	}
}

// millis is a time as OCSF writes it.
func millis(micros int64) (int64, bool) { return micros / 1000, micros != 0 }

// Text is the field's value in words, "" while it is unknown. Lists are joined by commas, times are in milliseconds.
func (f *Field) Text(e *Event) string {
	if !f.Known(e) {
		return ""
	}
	switch f.Kind {
	case KindString:
		return f.Str(e)
	case KindInt, KindTime:
		n, _ := f.Num(e)
		return strconv.FormatInt(n, 10)
	case KindFloat:
		v, _ := f.Flt(e)
		return strconv.FormatFloat(v, 'g', -1, 64)
	case KindBool:
		return strconv.FormatBool(f.Tri(e) == True)
	default:
		return strings.Join(f.Lst(e), ",")
	}
}

// Package cef reads CEF 0/1 and LEEF 1/2 events, also where senders do not escape.
//
// Neither format has a reliable grammar once a sender forgets to escape '=' in a value, and attackers can
// reach such values. The reader therefore keeps to three rules: a key is a word right after white space
// and right before '='; of a repeated key the first value counts; and every repair is reported in Quality.
// Where the sender's keys are known, a Dialect narrows what may be a key.
//
// Strings alias the message, which must not change while they are in use, unless a value had escapes.
// Everything is pure; a Parser may be shared, an Event belongs to one goroutine.
package cef

import (
	"errors"
	"iter"
	"strings"
)

// ErrHeader means that the message has no CEF or LEEF header, or a damaged one. Its text is the reject code.
var ErrHeader = errors.New("cef_header")

// ErrSize means that the message is larger than MaxBytes. Its text is the reject code.
var ErrSize = errors.New("cef_size")

// Limits of one message. Fields beyond MaxFields stay part of the last value.
const (
	MaxBytes  = 1 << 20
	MaxFields = 1024
)

// Quality says what had to be repaired; zero means the event was clean.
type Quality uint8

const (
	Recovered Quality = 1 << iota // an unescaped '=' or delimiter was taken as part of a value
	Repeated                      // a key occurred twice with different values; the first one counts
	Truncated                     // the header ended early, or the extension has more than MaxFields fields
)

// Header is the fixed part of an event, unescaped and trimmed.
type Header struct {
	Format   string // "CEF" or "LEEF"
	Version  string // "0", "1", "1.0", "2.0"
	Vendor   string
	Product  string
	Release  string // version of the product
	EventID  string // CEF: device event class id; LEEF: event id
	Name     string // CEF only
	Severity string // CEF: as sent ("0" to "10", "Low"…); LEEF: its sev attribute
}

// Event is one parsed event. The zero Event is empty.
type Event struct {
	Header  Header
	Prefix  []byte // what preceded "CEF:" or "LEEF:", usually a syslog header; nil where nothing did
	Quality Quality
	fields  []field
}

type field struct{ key, value string }

// Get returns the first value of a key of the extension, unescaped and without surrounding white space.
// Line breaks inside stay; see OneLine.
func (e *Event) Get(key string) (string, bool) {
	for i := range e.fields {
		if e.fields[i].key == key {
			return e.fields[i].value, true
		}
	}
	return "", false
}

// Str is Get without the flag: "" where the key is missing.
func (e *Event) Str(key string) string {
	v, _ := e.Get(key)
	return v
}

// First returns the first value that is not empty among several spellings of one key ("src", "sourceAddress").
func (e *Event) First(keys ...string) string {
	for _, key := range keys {
		if v := e.Str(key); v != "" {
			return v
		}
	}
	return ""
}

const labelSuffix = "Label"

// Label returns the value of the custom field that carries this label: cs1 where cs1Label=label. It works
// for every pair of keys of that shape (cs, cn, cfp, c6a, flexString, flexNumber, flexDate,
// deviceCustomDate). A label that matches in another case is taken where none matches exactly.
func (e *Event) Label(label string) (string, bool) {
	for _, same := range [...]func(a, b string) bool{equal, strings.EqualFold} {
		for i := range e.fields {
			base, isLabel := strings.CutSuffix(e.fields[i].key, labelSuffix)
			if !isLabel || base == "" || !same(e.fields[i].value, label) {
				continue
			}
			if v, ok := e.Get(base); ok {
				return v, true
			}
		}
	}
	return "", false
}

func equal(a, b string) bool { return a == b }

// LabelOf returns the label of a custom field ("Risk" for "cs1"), or "".
func (e *Event) LabelOf(key string) string {
	for i := range e.fields {
		if base, isLabel := strings.CutSuffix(e.fields[i].key, labelSuffix); isLabel && base == key {
			return e.fields[i].value
		}
	}
	return ""
}

// Len is the number of fields, repeated ones included.
func (e *Event) Len() int { return len(e.fields) }

// All yields every key and value in order, repeated keys included.
func (e *Event) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range e.fields {
			if !yield(e.fields[i].key, e.fields[i].value) {
				return
			}
		}
	}
}

// noteRepeats sets Repeated where a key has two values. Small events are compared pair by pair.
func (e *Event) noteRepeats() {
	const small = 48
	if len(e.fields) <= small {
		for i := range e.fields {
			for j := range i {
				if e.fields[j].key == e.fields[i].key && e.fields[j].value != e.fields[i].value {
					e.Quality |= Repeated
					return
				}
			}
		}
		return
	}
	first := make(map[string]string, len(e.fields))
	for _, f := range e.fields {
		if v, ok := first[f.key]; ok && v != f.value {
			e.Quality |= Repeated
			return
		} else if !ok {
			first[f.key] = f.value
		}
	}
}

// OneLine replaces every line break in a value, with the white space around it, by a single space.
func OneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	b := make([]byte, 0, len(s))
	for line := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, line...)
	}
	return string(b)
}

package format

import (
	"bytes"
	"slices"
	"unsafe"

	"github.com/tocsin-siem/tocsin/event"
)

// redactRaw sets the event's raw bytes to a copy of the record in which the given parts, each a slice of the record, are overwritten. Without
// a part that says something nothing happens.
func redactRaw(e *event.Event, rec *event.Record, parts ...[]byte) {
	mark := "[redacted]"
	if i := firstVisible(rec.Value); i >= 0 && rec.Value[i] == '{' {
		mark = `"[redacted]"`
	}
	if raw := masked(rec.Value, mark, parts); raw != nil {
		e.Envelope.Raw = raw
		e.Envelope.Quality |= event.Redacted
	}
}

// masked is a copy of whole with mark in place of the given parts, each a slice of it; nil where no part says something.
func masked(whole []byte, mark string, parts [][]byte) []byte {
	slices.SortFunc(parts, func(a, b []byte) int { return offsetIn(whole, a) - offsetIn(whole, b) })
	var out []byte
	from := 0
	for _, part := range parts {
		at := offsetIn(whole, part)
		if at < from || bytes.Equal(part, []byte(`""`)) || bytes.Equal(part, []byte("null")) {
			continue
		}
		out = append(append(out, whole[from:at]...), mark...)
		from = at + len(part)
	}
	if from == 0 {
		return nil
	}
	return append(out, whole[from:]...)
}

// redactEvents is redactRaw for all events of one record.
func redactEvents(events []event.Event, rec *event.Record, parts [][]byte) {
	if len(parts) == 0 {
		return
	}
	for i := range events {
		if i == 0 {
			redactRaw(&events[0], rec, parts...)
			continue
		}
		events[i].Envelope.Raw = events[0].Envelope.Raw
		events[i].Envelope.Quality |= event.Redacted
	}
}

// offsetIn is where part, a slice of whole, begins in it; -1 if it is none.
func offsetIn(whole, part []byte) int {
	if len(part) == 0 || len(whole) < len(part) {
		return -1
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(part))) - uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	if at > uintptr(len(whole)-len(part)) {
		return -1
	}
	return int(at)
}

// bytesOf is the memory of s, to be read only.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

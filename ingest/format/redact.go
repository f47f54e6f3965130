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
	slices.SortFunc(parts, func(a, b []byte) int { return offsetIn(rec.Value, a) - offsetIn(rec.Value, b) })
	var raw []byte
	from := 0
	for _, part := range parts {
		at := offsetIn(rec.Value, part)
		if at < from || bytes.Equal(part, []byte(`""`)) || bytes.Equal(part, []byte("null")) {
			continue
		}
		raw = append(append(raw, rec.Value[from:at]...), mark...)
		from = at + len(part)
	}
	if from > 0 {
		e.Envelope.Raw = append(raw, rec.Value[from:]...)
		e.Envelope.Quality |= event.Redacted
	}
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

package format

import (
	"errors"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// isArray reports whether a record's first character opens a JSON array, as the answers of polled interfaces do.
func isArray(value []byte) bool {
	for _, c := range value {
		if c > ' ' {
			return c == '['
		}
	}
	return false
}

// decodeDocument decodes one document of a record, which the format's plan has scanned into s.JSON. Doc is the document where the record holds
// several, and missing where it is the whole record.
type decodeDocument func(s *Scratch, dst []event.Event, rec *event.Record, doc jsonscan.Value) ([]event.Event, error)

// appendList decodes the elements of a list of documents, each scanned into s.JSON. An element that is none of the format's becomes a base
// event that says why, so that one bad document does not take the others of its record with it; a list without a single good one is a reject.
func appendList(
	s *Scratch, dst []event.Event, rec *event.Record, list jsonscan.Value, plan *jsonscan.Plan, one decodeDocument,
) ([]event.Event, error) {
	from, good := len(dst), 0
	var first error
	for v := range list.Elements() {
		var err error
		if v.Kind() != jsonscan.Object {
			err = Rejectf("wrong_format", "the list holds a %s where a document belongs", v.Kind())
		} else {
			plan.ScanValue(v, &s.JSON)
			dst, err = one(s, dst, rec, v)
		}
		if err == nil {
			good++
			continue
		}
		if first == nil {
			first = err
		}
		dst = append(dst, event.Event{
			ActivityID: event.ActivityOther, Activity: "Unreadable Document", SeverityID: 1, Message: err.Error(),
			Envelope: event.Envelope{Quality: event.SchemaOdd},
		})
	}
	if good > 0 {
		return dst, nil
	}
	clear(dst[from:])
	if first == nil {
		first = Rejectf("no_event", "the list of documents is empty")
	}
	return dst[:from], first
}

// appendArray is appendList for a record that is a JSON array itself.
func appendArray(s *Scratch, dst []event.Event, rec *event.Record, plan *jsonscan.Plan, one decodeDocument) ([]event.Event, error) {
	root, err := jsonscan.ParseInto(rec.Value, &s.Nested)
	if err != nil {
		if e, ok := errors.AsType[*jsonscan.Error](err); ok {
			return dst, Rejectf(string(e.Code), "the record is not one strict JSON document: %s", e.Error())
		}
		return dst, err
	}
	return appendList(s, dst, rec, root, plan, one)
}

// unmappedOf makes the Unmapped function of a format that reads one document by one plan.
func unmappedOf(plan *jsonscan.Plan) func(rec *event.Record) []string {
	return func(rec *event.Record) []string {
		if isArray(rec.Value) {
			return nil
		}
		paths, err := jsonscan.Unmapped(rec.Value, plan)
		if err != nil {
			return nil
		}
		return paths
	}
}

// scanBody scans a document, or the record it is the whole of, by a further plan into s.Nested.
func scanBody(s *Scratch, rec *event.Record, doc jsonscan.Value, plan *jsonscan.Plan) {
	if doc.Exists() {
		plan.ScanValue(doc, &s.Nested)
		return
	}
	if plan.Scan(rec.Value, &s.Nested) != nil { // It was scanned before, so this cannot be.
		plan.ScanValue(jsonscan.Value{}, &s.Nested)
	}
}

package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// winRecord is one Windows event as every form of it gives it: what System says, and the fields of EventData and UserData in their order.
type winRecord struct {
	winSystem
	fields  []event.RawField
	late    []event.RawField // Of XML: System is taken first, wherever it stands.
	unnamed []string         // Data elements without a name.
	text    []byte           // Memory of texts that had to be unescaped; never written twice.
	shapes  []winShape
	kind    *winShape        // Of the record; nil where it has too many fields.
	raw     []event.RawField // Of the event, by name.
	room    *FieldMemory     // For those of the event.
	own     FieldMemory      // For those of events that are kept; never reset.
}

// winSystem is the System part of an event, as text.
type winSystem struct {
	provider, guid, id, version, level, task, opcode, keywords, time, record string
	activity, related, process, thread, channel, computer, user              string
	message                                                                  string // As the shipper rendered it.
	agent                                                                    string // The host whose shipper read the log.
}

// reset makes w ready for a record whose event has its raw fields in room, or, where that is nil, in memory that is not used again.
func (w *winRecord) reset(room *FieldMemory) {
	if w.room = room; room == nil {
		w.own.chunks, w.own.next = nil, 0
		w.room = &w.own
	}
	w.winSystem = winSystem{}
	w.fields, w.late, w.unnamed = w.fields[:0], w.late[:0], w.unnamed[:0]
	w.kind, w.raw = nil, nil
}

// identify adds the fields that no field of EventData may replace. It comes before EventData.
func (w *winRecord) identify() {
	w.addKnown("Provider_Name", w.provider)
	w.addKnown("EventID", w.id)
	w.addKnown("Computer", w.computer)
}

func (w *winRecord) add(name, value string) {
	w.fields = append(w.fields, event.RawField{Name: name, Value: value})
}

func (w *winRecord) addKnown(name, value string) {
	if value != "" {
		w.add(name, value)
	}
}

// finish adds what of System gives way to a field of EventData with the same name, and the elements of EventData that have no name.
func (w *winRecord) finish() {
	if len(w.unnamed) > 0 {
		w.add("Data", strings.Join(w.unnamed, "\n"))
		for i, v := range w.unnamed {
			if i < len(paramNames) {
				w.add(paramNames[i], v)
			}
		}
	}
	w.addKnown("Channel", w.channel) // Of a log that was cleared EventData names that log so; metadata.log_name is always where the event stands.
	w.addKnown("Provider_Guid", w.guid)
	w.addKnown("Version", w.version)
	w.addKnown("Level", w.level)
	w.addKnown("Task", w.task)
	w.addKnown("Opcode", w.opcode)
	w.addKnown("Keywords", w.keywords)
	w.addKnown("EventRecordID", w.record)
	w.addKnown("TimeCreated", w.time)
	w.addKnown("ActivityID", w.activity)
	w.addKnown("RelatedActivityID", w.related)
	w.addKnown("Execution_ProcessID", w.process)
	w.addKnown("Execution_ThreadID", w.thread)
	w.addKnown("Security_UserID", w.user)
	w.addKnown("Message", w.message)
}

// paramNames are the names under which Windows and winlogbeat know elements of EventData that have none.
var paramNames = [...]string{
	"param1", "param2", "param3", "param4", "param5", "param6", "param7", "param8", "param9", "param10",
	"param11", "param12", "param13", "param14", "param15", "param16", "param17", "param18", "param19", "param20",
}

// json adds a field by its JSON value: null is no field, the elements of a list are lines.
func (w *winRecord) json(name string, v jsonscan.Value) {
	if text, ok := w.textOf(v); ok {
		w.add(name, text)
	}
}

// textOf is the text of a value; of an object its JSON.
func (w *winRecord) textOf(v jsonscan.Value) (string, bool) {
	switch v.Kind() {
	case jsonscan.Missing, jsonscan.Null:
		return "", false
	case jsonscan.Object:
		return textOf(v.Raw()), true
	case jsonscan.Array:
		return w.lines(v), true
	}
	return v.TextIn(&w.text), true
}

func (w *winRecord) lines(list jsonscan.Value) string {
	var parts []string
	for v := range list.Elements() {
		if text, ok := w.textOf(v); ok && len(parts) < event.MaxRawFields {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n")
}

// lower is a text with the capitals of ASCII made small, in memory of w.text where there are any.
func (w *winRecord) lower(s string) string {
	if !hasCapital(s) {
		return s
	}
	if cap(w.text)-len(w.text) < len(s) {
		w.text = make([]byte, 0, max(textChunk, len(s)))
	}
	from := len(w.text)
	w.text = appendLower(w.text, s)
	return textOf(w.text[from:])
}

// textChunk is how much memory for texts is taken at once.
const textChunk = 4 << 10

// word is the text of a value of System; "" where there is none.
func (w *winRecord) word(v jsonscan.Value) string {
	if k := v.Kind(); k == jsonscan.Object || k == jsonscan.Array {
		return ""
	}
	return v.TextIn(&w.text)
}

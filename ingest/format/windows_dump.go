package format

import (
	"iter"
	"strings"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// The JSON of converters of .evtx files: the XML's elements as members. An element's attributes stand in "#attributes", or as members whose name
// begins with @, or beside it in NAME_attributes; its text, where it also has attributes, in "#text".

// readEvent reads the most frequent spelling, {"Event": {"System": …}} with "#attributes", from its places; others are searched.
func (w *winRecord) readEvent(r *jsonscan.Result) {
	if !r.Exists(wdProvider) {
		w.readDump(r.Value(wiEvent))
		return
	}
	w.provider, w.guid, w.version = w.word(r.Value(wdProvider)), w.word(r.Value(wdGUID)), w.word(r.Value(wdVersion))
	w.element(r.Value(wdID), &w.id)
	w.level, w.task, w.opcode, w.keywords = w.word(r.Value(wdLevel)), w.word(r.Value(wdTask)), w.word(r.Value(wdOpcode)), w.word(r.Value(wdKeywords))
	w.time, w.record, w.activity, w.related = w.word(r.Value(wdTime)), w.word(r.Value(wdRecord)), w.word(r.Value(wdActivity)), w.word(r.Value(wdRelated))
	w.process, w.thread, w.user = w.word(r.Value(wdProcess)), w.word(r.Value(wdThread)), w.word(r.Value(wdUser))
	w.channel, w.computer, w.message = w.word(r.Value(wdChannel)), w.word(r.Value(wdComputer)), w.word(r.Value(wdMessage))
	w.identify()
	if r.Kind(wdData) == jsonscan.Array {
		w.dataElements(r.Value(wdData))
	} else {
		w.dumpData(r.Members(wdFields))
	}
	w.dumpUser(r.Value(wdUserData), 0)
	w.finish()
}

func (w *winRecord) readDump(doc jsonscan.Value) {
	var data, user, rendering jsonscan.Value
	for name, v := range doc.Members() {
		switch name {
		case "System":
			w.dumpSystem(v)
		case "EventData":
			data = v
		case "UserData":
			user = v
		case "RenderingInfo":
			rendering = v
		}
	}
	w.message = w.word(rendering.Get("Message"))
	w.identify()
	if data.Kind() == jsonscan.Array {
		w.dataElements(data)
	} else {
		w.dumpData(data.Members())
	}
	w.dumpUser(user, 0)
	w.finish()
}

func (w *winRecord) dumpSystem(system jsonscan.Value) {
	for name, v := range system.Members() {
		name, _ = strings.CutSuffix(name, "_attributes")
		switch name {
		case "Provider":
			w.attributes(v, "Name", &w.provider, "Guid", &w.guid)
		case "EventID":
			w.element(v, &w.id)
		case "Version":
			w.element(v, &w.version)
		case "Level":
			w.element(v, &w.level)
		case "Task":
			w.element(v, &w.task)
		case "Opcode":
			w.element(v, &w.opcode)
		case "Keywords":
			w.element(v, &w.keywords)
		case "TimeCreated":
			w.attributes(v, "SystemTime", &w.time, "", nil)
		case "EventRecordID":
			w.element(v, &w.record)
		case "Correlation":
			w.attributes(v, "ActivityID", &w.activity, "RelatedActivityID", &w.related)
		case "Execution":
			w.attributes(v, "ProcessID", &w.process, "ThreadID", &w.thread)
		case "Channel":
			w.element(v, &w.channel)
		case "Computer":
			w.element(v, &w.computer)
		case "Security":
			w.attributes(v, "UserID", &w.user, "", nil)
		}
	}
}

// element is the text of an element, with attributes or without.
func (w *winRecord) element(v jsonscan.Value, to *string) {
	if v.Kind() == jsonscan.Object {
		v = elementText(v)
	}
	if text := w.word(v); text != "" {
		*to = text
	}
}

// elementText is the member that holds the text of an element with attributes; missing where it has none.
func elementText(v jsonscan.Value) jsonscan.Value {
	for _, name := range [...]string{"#text", "$", "_text", "Value"} {
		if text := v.Get(name); text.Exists() {
			return text
		}
	}
	return jsonscan.Value{}
}

// attributes reads up to two attributes of an element.
func (w *winRecord) attributes(v jsonscan.Value, first string, to *string, second string, and *string) {
	if inner := v.Get("#attributes"); inner.Exists() {
		v = inner
	}
	for name, v := range v.Members() {
		switch strings.TrimPrefix(name, "@") {
		case first:
			*to = w.word(v)
		case second:
			if and != nil {
				*and = w.word(v)
			}
		}
	}
}

// dumpData adds the fields of EventData.
func (w *winRecord) dumpData(data iter.Seq2[string, jsonscan.Value]) {
	for name, v := range data {
		switch {
		case name == "#attributes" || strings.HasPrefix(name, "@") || strings.HasPrefix(name, "xmlns"):
		case name == "Data":
			w.dataElement(v)
		case v.Kind() == jsonscan.Object:
			w.json(name, elementOr(v))
		default:
			w.json(name, v)
		}
	}
}

// elementOr is the text of an element with attributes, or the object it is where it has no text.
func elementOr(v jsonscan.Value) jsonscan.Value {
	if text := elementText(v); text.Exists() {
		return text
	}
	return v
}

func (w *winRecord) dataElements(list jsonscan.Value) {
	for v := range list.Elements() {
		w.dataElement(v)
	}
}

// dataElement adds a Data element: by its name where it has one, else among those that have none.
func (w *winRecord) dataElement(v jsonscan.Value) {
	switch v.Kind() {
	case jsonscan.Array:
		w.dataElements(v)
	case jsonscan.Object:
		name := ""
		w.attributes(v, "Name", &name, "", nil)
		text := elementText(v)
		if name != "" {
			w.json(name, text)
			return
		}
		if text.Kind() == jsonscan.Array {
			w.dataElements(text)
			return
		}
		w.addUnnamed(elementOr(v))
	default:
		w.addUnnamed(v)
	}
}

func (w *winRecord) addUnnamed(v jsonscan.Value) {
	if text, ok := w.textOf(v); ok {
		w.unnamed = append(w.unnamed, text)
	}
}

// maxUserDepth bounds how deep UserData is looked into; its schemas nest once or twice.
const maxUserDepth = 8

// dumpUser adds the leaves of UserData by their own names.
func (w *winRecord) dumpUser(v jsonscan.Value, depth int) {
	for name, v := range v.Members() {
		switch {
		case name == "#attributes" || strings.HasPrefix(name, "@") || strings.HasPrefix(name, "xmlns") || depth > maxUserDepth:
		case v.Kind() == jsonscan.Object:
			if text := elementText(v); text.Exists() && text.Kind() != jsonscan.Object {
				w.json(name, text)
				continue
			}
			w.dumpUser(v, depth+1)
		default:
			w.json(name, v)
		}
	}
}

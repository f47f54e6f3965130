package format

import "github.com/tocsin-siem/tocsin/ingest/format/jsonscan"

// readBeat reads the document of winlogbeat 7 and later, or of Elastic Agent: the event stands in winlog.
func (w *winRecord) readBeat(r *jsonscan.Result, winlog jsonscan.Value) {
	var data, user jsonscan.Value
	for name, v := range winlog.Members() {
		switch name {
		case "provider_name":
			w.provider = w.word(v)
		case "provider_guid":
			w.guid = w.word(v)
		case "event_id":
			w.id = w.word(v)
		case "version":
			w.version = w.word(v)
		case "task":
			w.task = w.word(v)
		case "opcode":
			w.opcode = w.word(v)
		case "keywords":
			w.keywords, _ = w.textOf(v)
		case "record_id":
			w.record = w.word(v)
		case "activity_id":
			w.activity = w.word(v)
		case "related_activity_id":
			w.related = w.word(v)
		case "process":
			w.process, w.thread = w.word(v.Get("pid")), w.word(v.Get("thread", "id"))
		case "channel":
			w.channel = w.word(v)
		case "computer_name":
			w.computer = w.word(v)
		case "user":
			w.user = w.word(v.Get("identifier"))
		case "time_created":
			w.time = w.word(v)
		case "event_data":
			data = v
		case "user_data":
			user = v
		}
	}
	if w.time == "" {
		w.time = r.Value(wiTimestamp).TextIn(&w.text)
	}
	if w.id == "" {
		w.id = r.Value(wiCode).TextIn(&w.text)
	}
	w.level, w.message = r.Value(wiLevel).TextIn(&w.text), r.Value(wiMessage).TextIn(&w.text)
	if w.agent = r.Value(wiAgent).TextIn(&w.text); w.agent == "" {
		w.agent = r.Value(wiHost).TextIn(&w.text)
	}
	w.identify()
	w.beatData(data)
	w.dumpUser(user, 0)
	w.finish()
}

// beatData adds the fields of event_data. What has no name in the log is called param1, param2 … there; together they are Data.
func (w *winRecord) beatData(data jsonscan.Value) {
	from := len(w.fields)
	for name, v := range data.Members() {
		w.json(name, v)
	}
	for i, name := range paramNames {
		found := false
		for _, f := range w.fields[from:] {
			if f.Name == name {
				w.unnamed = append(w.unnamed, f.Value)
				found = true
				break
			}
		}
		if !found {
			if i == 0 {
				return
			}
			break
		}
	}
}

package format

import (
	"iter"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// readBeat reads the document of winlogbeat 7 and later, or of Elastic Agent: the event stands in winlog.
func (w *winRecord) readBeat(r *jsonscan.Result) {
	w.provider, w.guid, w.id, w.version = w.word(r.Value(wbProvider)), w.word(r.Value(wbGUID)), w.word(r.Value(wbID)), w.word(r.Value(wbVersion))
	w.task, w.opcode, w.time, w.record = w.word(r.Value(wbTask)), w.word(r.Value(wbOpcode)), w.word(r.Value(wbTime)), w.word(r.Value(wbRecord))
	w.keywords, _ = w.textOf(r.Value(wbKeywords))
	w.activity, w.related, w.process, w.thread = w.word(r.Value(wbActivity)), w.word(r.Value(wbRelated)), w.word(r.Value(wbProcess)), w.word(r.Value(wbThread))
	w.channel, w.computer, w.user = w.word(r.Value(wbChannel)), w.word(r.Value(wbComputer)), w.word(r.Value(wbUser))
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
	w.beatData(r.Members(wbFields))
	w.dumpUser(r.Value(wbUserData), 0)
	w.finish()
}

// beatData adds the fields of event_data. What has no name in the log is called param1, param2 … there; together they are Data.
func (w *winRecord) beatData(data iter.Seq2[string, jsonscan.Value]) {
	from := len(w.fields)
	for name, v := range data {
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

package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
)

type eventPage struct {
	layout
	Event  *event.Event
	Fields []fieldRow
	Raw    string
	OCSF   string
}

// fieldRow is a known field. Caption says what a number or a time means.
type fieldRow struct {
	Path, Value, Caption, Doc string
	Taint                     bool
}

func (s *server) oneEvent(r *http.Request) (*event.Event, error) {
	id, err := idOf(r, event.EventPrefix)
	if err != nil {
		return nil, err
	}
	e, err := s.set.Reader.Event(r.Context(), id)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", id, err)
	}
	return e, nil
}

func (s *server) eventRoutes() []route {
	return []route{
		{"GET /events/{id}", access.Viewer, s.event},
		{"GET /api/v1/events/{id}", access.Viewer, s.apiEvent},
	}
}

func (s *server) event(w http.ResponseWriter, r *http.Request) {
	e, err := s.oneEvent(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := eventPage{
		layout: s.layout(r, "Event "+e.Envelope.ID.String(), ""), Event: e, Fields: fieldsOf(e),
		Raw: string(visible(e.Envelope.Raw)), OCSF: indent(event.AppendOCSF(nil, e, false)),
	}
	s.page(w, "event", http.StatusOK, p)
}

// fieldsOf are the fields that e has, numbers with their captions and times as people read them.
func fieldsOf(e *event.Event) []fieldRow {
	var out []fieldRow
	for _, f := range event.Fields() {
		if f.Flags&event.IsCaption != 0 || !f.Known(e) {
			continue
		}
		row := fieldRow{Path: f.Path, Value: f.Text(e), Doc: f.Doc, Taint: f.Flags&event.Taint != 0}
		switch {
		case f.Flags&event.Enum != 0:
			n, _ := f.Num(e)
			row.Caption = event.Caption(f.Object, f.Attr, int(n))
		case f.Kind == event.KindTime:
			n, _ := f.Num(e)
			row.Caption = stamp(n*1000, dateTime+".000") + " UTC"
		}
		out = append(out, row)
	}
	return out
}

func indent(doc []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, doc, "", "  "); err != nil {
		return string(doc)
	}
	return b.String()
}

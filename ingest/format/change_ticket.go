package format

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// changeTicket reads changes and maintenance windows as ticket systems export them.
func changeTicket() Format {
	return Format{
		Name:    "change_ticket",
		Title:   "Change tickets and maintenance windows",
		Domain:  "change",
		Classes: []string{"change_ticket"},
		Doc: "Exports of a ticket system: JSON (ServiceNow's table interface, Jira issues, plain objects; one ticket or a list) or CSV with a header line. " +
			"The activity follows state and approval. A ticket for several robots gives one event for each, with the whole list in change_ticket.resource_uids.",
		Framing:  Columns,
		Append:   appendChangeTicket,
		Unmapped: unmappedTicket,
	}
}

// maxTickets bounds the events of one record.
const maxTickets = 4096

func appendChangeTicket(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	text := strings.TrimLeft(textOf(rec.Value), " \t\r\n\ufeff")
	if text == "" {
		return dst, Rejectf("no_event", "the record is empty")
	}
	if text[0] == '{' || text[0] == '[' {
		return appendTicketJSON(s, dst, rec, text)
	}
	return appendTicketCSV(dst, rec, text)
}

// appendTicketCSV reads one row, or several with their header line where the record brings its own.
func appendTicketCSV(dst []event.Event, rec *event.Record, text string) ([]event.Event, error) {
	header := strings.TrimPrefix(textOf(rec.Context), "\ufeff")
	if strings.TrimSpace(header) == "" {
		found := false
		if header, text, found = strings.Cut(text, "\n"); !found || !strings.ContainsAny(header, ",;\t|") {
			return dst, Rejectf("no_header", "the row has no header line that names its columns")
		}
	}
	comma := csvComma(header)
	names, err := csvRow(newCSV(header, comma))
	if err != nil {
		return dst, Rejectf("csv_syntax", "the header line is not CSV: %v", err)
	}
	rows, from := newCSV(text, comma), len(dst)
	for n := 1; ; n++ {
		row, err := csvRow(rows)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return cutTickets(dst, from), Rejectf("csv_syntax", "row %d is not CSV: %v", n, err)
		}
		if len(row) != len(names) {
			return cutTickets(dst, from), Rejectf("csv_columns", "row %d has %d columns, the header line has %d", n, len(row), len(names))
		}
		var t ticket
		for i, name := range names {
			t.set(name, row[i])
		}
		if dst, err = t.append(dst, rec, from); err != nil {
			return cutTickets(dst, from), err
		}
	}
	if len(dst) == from {
		return dst, Rejectf("no_event", "the record has no row")
	}
	return dst, nil
}

func cutTickets(dst []event.Event, from int) []event.Event {
	clear(dst[from:])
	return dst[:from]
}

func newCSV(s string, comma rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(s))
	r.Comma, r.FieldsPerRecord = comma, -1
	return r
}

// maxCSVColumns bounds a row.
const maxCSVColumns = 1000

func csvRow(r *csv.Reader) ([]string, error) {
	row, err := r.Read()
	if err == nil && len(row) > maxCSVColumns {
		return nil, errors.New("more than 1000 columns")
	}
	return row, err
}

// csvComma tells the separator from the header line, which holds no text of people.
func csvComma(header string) rune {
	best, count := ',', 0
	for _, c := range ",;\t|" {
		if n := strings.Count(header, string(c)); n > count {
			best, count = c, n
		}
	}
	return best
}

func appendTicketJSON(s *Scratch, dst []event.Event, rec *event.Record, text string) ([]event.Event, error) {
	root, err := jsonscan.ParseInto(bytesOf(text), &s.JSON)
	if err != nil {
		if e, ok := errors.AsType[*jsonscan.Error](err); ok {
			return dst, Rejectf(string(e.Code), "the record is not one strict JSON document: %s", e.Error())
		}
		return dst, err
	}
	from := len(dst)
	for v := range ticketList(root) {
		if v.Kind() != jsonscan.Object {
			return cutTickets(dst, from), Rejectf("wrong_format", "the list holds a %s where a ticket belongs", v.Kind())
		}
		var t ticket
		t.setObject(v, root.Get("names"))
		if dst, err = t.append(dst, rec, from); err != nil {
			return cutTickets(dst, from), err
		}
		if len(dst)-from > maxTickets {
			return cutTickets(dst, from), Rejectf("too_many", "the record has more than %d tickets", maxTickets)
		}
	}
	if len(dst) == from {
		return dst, Rejectf("no_event", "the document holds no ticket")
	}
	return dst, nil
}

// ticketList yields the tickets of a document: its elements, those of the list that an interface wraps them in, or itself.
func ticketList(root jsonscan.Value) func(yield func(jsonscan.Value) bool) {
	if root.Kind() == jsonscan.Array {
		return root.Elements()
	}
	for _, key := range [...]string{"result", "records", "issues", "changes", "tickets", "items"} {
		switch v := root.Get(key); v.Kind() {
		case jsonscan.Array:
			return v.Elements()
		case jsonscan.Object:
			return func(yield func(jsonscan.Value) bool) { yield(v) }
		}
	}
	return func(yield func(jsonscan.Value) bool) { yield(root) }
}

// append makes the events of one ticket.
func (t *ticket) append(dst []event.Event, rec *event.Record, from int) ([]event.Event, error) {
	if err := t.check(); err != nil {
		return dst, err
	}
	robots := t.robots()
	for i := range max(1, len(robots)) {
		dst = append(dst, event.Event{})
		e := &dst[len(dst)-1]
		e.Envelope.Index = uint16(min(len(dst)-1-from, 1<<16-1))
		t.fill(e, rec)
		if i < len(robots) {
			e.Robot = &event.Robot{UID: robots[i]}
			e.Envelope.ID = event.NewID("change_ticket", t.uid, t.state, t.approval, t.updated, robots[i])
		}
	}
	return dst, nil
}

// check refuses what is no ticket: other documents have identifiers and states too.
func (t *ticket) check() error {
	switch {
	case t.uid == "":
		return Rejectf("no_event", "the record is no ticket: it has neither number nor key nor id")
	case t.state == "" && t.approval == "" && (t.start == "" || t.end == ""):
		return Rejectf("no_event", "ticket %s has neither a state nor an approval nor a window (start_date, end_date)", clip(t.uid, 40))
	case t.approval == "" && t.start == "" && t.title == "":
		return Rejectf("no_event", "ticket %s has neither a title nor a window nor an approval", clip(t.uid, 40))
	}
	return nil
}

func (t *ticket) fill(e *event.Event, rec *event.Record) {
	e.ClassUID, e.ActivityID = event.ClassChangeTicket, t.activity()
	if e.ActivityID == event.ActivityOther {
		e.Activity = firstKnown(t.state, t.approval, "Other")
		e.Envelope.Quality |= event.UnmappedEnum
	}
	e.SeverityID, e.StatusID = severityInfo, statusSuccess
	e.Metadata.Product, e.Metadata.LogName, e.Metadata.EventCode = "Change tickets", t.kind, firstKnown(t.state, t.approval)
	e.Metadata.OriginalUID = t.uid
	e.Message, e.StatusDetail = t.title, t.approval
	e.ChangeTicket = &event.ChangeTicket{
		UID: t.uid, Title: t.title, State: firstKnown(t.state, t.approval), Scope: t.scopeOf(), Requester: t.requester, Approver: t.approver,
		Resources: t.resources, Site: t.site, Zone: t.zone,
		Start: t.stamp(e, t.start, rec.Location), End: t.stamp(e, t.end, rec.Location),
	}
	if c := e.ChangeTicket; c.Start != 0 && c.End != 0 && c.End < c.Start {
		e.Envelope.Quality |= event.SchemaOdd
	}
	for _, text := range [...]string{t.approved, t.updated, t.created} {
		if e.Time == 0 && text != "" {
			setStamp(e, text, rec.Location)
		}
	}
	e.Envelope.ID = event.NewID("change_ticket", t.uid, t.state, t.approval, t.updated)
	actor := t.requester
	if e.ActivityID == ticketApproved || e.ActivityID == ticketRejected {
		actor = firstKnown(t.approver, t.requester)
	}
	setLogin(&e.Actor.User, actor)
	t.name(e)
}

func (t *ticket) stamp(e *event.Event, text string, zone *time.Location) int64 {
	if text == "" {
		return 0
	}
	micros, _, ok := kv.TimeIn(text, zone)
	if !ok {
		e.Envelope.Quality |= event.SchemaOdd
		return 0
	}
	return micros
}

// name notes what the ticket is for. Where nothing says what a resource is, it may be a robot or another device.
func (t *ticket) name(e *event.Event) {
	scope := e.ChangeTicket.Scope
	for i, r := range t.resources {
		object := event.ObjectExtra + uint8(min(i, 200))
		if scope != "robot" && !t.ofRobots {
			e.AddEntity(event.EntityDevice, event.RoleTarget, event.Medium, object, r)
		}
		if scope == "" && !t.ofRobots {
			e.AddEntity(event.EntityRobot, event.RoleTarget, event.Weak, object, r)
		}
	}
	for _, user := range [...]string{t.requester, t.approver} {
		e.AddEntity(event.EntityUser, event.RoleContext, event.Context, event.ObjectExtra, user)
	}
}

// robots are the resources where the ticket is for robots.
func (t *ticket) robots() []string {
	if t.ofRobots || t.scopeOf() == "robot" {
		return t.resources
	}
	return nil
}

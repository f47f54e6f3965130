// Package format turns records into events: one file per source format, and the table of them. A format is a pure function of the
// record; it keeps no state, has no configuration and does no I/O. What needs memory (headers of a column file, segments of a split
// message) is done before, by the Framing and the Joiner the format names.
package format

import (
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	schema "github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/ingest/format/cef"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Format describes one source format.
type Format struct {
	Name    string   // As configuration writes it, such as cisco_ise.
	Title   string   // For people, such as Cisco ISE.
	Domain  string   // identity, network_access, endpoint, device_management, network, ot, robot, change or any.
	Classes []string // Every class (class.activity where fixed) it can emit, sorted.
	Doc     string   // One or two sentences: transport, versions, what becomes what.
	Framing Framing  // How a byte stream is cut into records.
	Join    Segment  // Set where one message may be split over several records; nil otherwise.

	// Append decodes rec and appends its events to dst. Events alias rec.Value. A format sets what it knows of the event; the pipeline sets
	// the position, the id if the format has not, the receive time, and the entities that the fields name. An error (best a *Reject) means
	// that the record is stored as a reject and dst is returned as it was. Several goroutines may call Append, each with its own Scratch.
	Append func(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error)
	// Unmapped lists the paths of the record that Append does not read, in order of appearance; nil where the format has no notion of it.
	// It is for `formats try` and sampling, not for every record.
	Unmapped func(rec *event.Record) []string
}

// Framing says how a byte stream becomes records.
type Framing uint8

// The framings. Each bounds a record's size; the source gives the bound.
const (
	Lines      Framing = iota // One record per line; empty lines are skipped.
	LinesDense                // As Lines; lines that start with white space continue the record before (RADIUS detail, tracebacks).
	Columns                   // Zeek TSV or CSV: header lines become the Context of the records after them.
	JSONValues                // One JSON value per record, over any number of lines; a top-level array gives its elements.
)

// Segment recognises a part of a split message: parts with the same key are joined in order of index. ok is false for whole messages.
type Segment func(rec *event.Record) (key string, index, total int, body []byte, ok bool)

// Scratch is the reusable memory of one decoding goroutine. What it hands out must not be kept in events.
type Scratch struct {
	JSON   jsonscan.Result // The document.
	Nested jsonscan.Result // One element inside it.
	Buf    []byte
	// Fields is memory for the raw fields of events, which are gone when it is reset; nil gives every event memory that lasts as long as it does.
	Fields *FieldMemory

	schema  schema.Validator // Keeps its tables of patterns between events.
	columns zeekColumns      // The header of the log that the last row belonged to.
	windows winRecord
	cef     cef.Event
}

// Reject is the reason why a record cannot become an event.
type Reject struct {
	Code   string // Stable and documented, such as json_syntax or no_event.
	Reason string // A sentence that names the field and what was found.
}

// Error implements error.
func (r *Reject) Error() string { return r.Code + ": " + r.Reason }

// Rejectf makes a Reject.
func Rejectf(code, format string, args ...any) *Reject {
	return &Reject{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// ByName finds a format.
func ByName(name string) (*Format, bool) {
	all := All()
	i := slices.IndexFunc(all, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return &all[i], true
}

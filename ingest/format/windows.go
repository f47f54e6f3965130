package format

import (
	"bytes"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func windows() Format {
	return Format{
		Name: "windows", Title: "Windows and Sysmon event logs", Domain: "endpoint",
		Classes: []string{
			"account_change", "authentication", "authorize_session", "base_event", "detection_finding", "dns_activity", "event_log_actvity.clear", "file_activity",
			"group_management", "kernel_extension_activity.load", "module_activity.load", "network_activity", "process_activity", "rdp_activity",
			"registry_key_activity", "registry_value_activity", "scheduled_job_activity", "script_activity.execute", "smb_activity.file_open",
			"windows_service_activity.create",
		},
		Doc: "Events of any Windows log, Sysmon's included, as winlogbeat (ECS) and nxlog (flat) write them to JSON, as the usual converters of .evtx files write them to JSON " +
			"(Event with System and EventData; one, or an array), and as Event XML; each also behind a syslog header. The form is told by the record. Every field of " +
			"EventData and UserData, and those of System, stay as raw fields under their own names; what has no class becomes a base event.",
		Framing: Lines,
		Append:  appendWindows,
	}
}

// Slots of winPlan: what tells the forms apart, and what winlogbeat says outside winlog.
const (
	wiEvent = iota
	wiSystem
	wiWinlog
	wiTimestamp
	wiMessage
	wiHost
	wiAgent
	wiLevel
	wiCode
	wiEventID
	wiOldID
	wiChannel
	wiSource
	wiProvider
	wiOldChannel
	wiOldSource
)

var winPlan = jsonscan.Compile(
	"Event", "System", "winlog", "@timestamp", "message", "host.name", "agent.name", "log.level", "event.code", "EventID", "event_id",
	"Channel", "SourceName", "Provider_Name", "log_name", "source_name",
)

func appendWindows(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	value := bytes.TrimLeft(bytes.TrimPrefix(rec.Value, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(value) == 0:
		return dst, Rejectf("no_event", "the record is empty")
	case value[0] == '{', value[0] == '[':
		return appendWindowsJSON(s, dst, rec, value, "")
	case isEventXML(value):
		return appendWindowsXML(s, dst, rec, value, "")
	}
	m, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	sender := m.Hostname
	for i := range len(body) {
		switch {
		case body[i] == '{':
			return appendWindowsJSON(s, dst, rec, bytesOf(body[i:]), sender)
		case body[i] == '<' && isEventXML(bytesOf(body[i:])):
			return appendWindowsXML(s, dst, rec, bytesOf(body[i:]), sender)
		}
	}
	return dst, Rejectf("wrong_format", "neither JSON nor Event XML, not even behind a syslog header")
}

func isEventXML(value []byte) bool {
	return bytes.HasPrefix(value, []byte("<Event")) || bytes.HasPrefix(value, []byte("<?xml")) || bytes.HasPrefix(value, []byte("<!"))
}

func appendWindowsJSON(s *Scratch, dst []event.Event, rec *event.Record, value []byte, sender string) ([]event.Event, error) {
	one := func(s *Scratch, dst []event.Event, rec *event.Record, doc jsonscan.Value) ([]event.Event, error) {
		if !doc.Exists() {
			doc = s.JSON.Object()
		}
		w := &s.windows
		w.reset()
		if !w.readJSON(&s.JSON, doc) {
			return dst, Rejectf("wrong_format", "no Windows event: the document has neither Event, System or winlog, nor EventID with Channel or SourceName")
		}
		return w.append(dst, rec, sender)
	}
	if value[0] == '[' {
		whole := *rec
		whole.Value = value
		return appendArray(s, dst, &whole, winPlan, one)
	}
	if err := scanObject(s, winPlan, value); err != nil {
		return dst, err
	}
	return one(s, dst, rec, jsonscan.Value{})
}

// readJSON reads a document in whichever of the forms it is; false where it is in none.
func (w *winRecord) readJSON(r *jsonscan.Result, doc jsonscan.Value) bool {
	switch {
	case r.Kind(wiEvent) == jsonscan.Object:
		w.readDump(r.Value(wiEvent))
	case r.Kind(wiSystem) == jsonscan.Object:
		w.readDump(doc)
	case r.Kind(wiWinlog) == jsonscan.Object:
		w.readBeat(r, r.Value(wiWinlog))
	case r.Exists(wiEventID) && (r.Exists(wiChannel) || r.Exists(wiSource) || r.Exists(wiProvider)), r.Exists(wiOldID) && (r.Exists(wiOldChannel) || r.Exists(wiOldSource)):
		w.readFlat(doc)
	default:
		return false
	}
	return true
}

// lastName is the last part of a path with backslashes or slashes.
func lastName(path string) string {
	return path[strings.LastIndexAny(path, `\/`)+1:]
}

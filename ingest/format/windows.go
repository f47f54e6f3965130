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

// Slots of winPlan: what tells the forms apart, what the two most frequent ones say in fixed places, and the fields of the event.
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
	wiAll

	wdProvider
	wdGUID
	wdID
	wdVersion
	wdLevel
	wdTask
	wdOpcode
	wdKeywords
	wdTime
	wdRecord
	wdActivity
	wdRelated
	wdProcess
	wdThread
	wdChannel
	wdComputer
	wdUser
	wdSystem
	wdMessage
	wdData
	wdFields
	wdUserData

	wbProvider
	wbGUID
	wbID
	wbVersion
	wbTask
	wbOpcode
	wbKeywords
	wbTime
	wbRecord
	wbActivity
	wbRelated
	wbProcess
	wbThread
	wbChannel
	wbComputer
	wbUser
	wbFields
	wbUserData
)

var winPlan = jsonscan.Compile(
	"Event", "System", "winlog", "@timestamp", "message", "host.name", "agent.name", "log.level", "event.code", "EventID", "event_id",
	"Channel", "SourceName", "Provider_Name", "log_name", "source_name", "{}",

	"Event.System.Provider.#attributes.Name", "Event.System.Provider.#attributes.Guid", "Event.System.EventID", "Event.System.Version", "Event.System.Level",
	"Event.System.Task", "Event.System.Opcode", "Event.System.Keywords", "Event.System.TimeCreated.#attributes.SystemTime", "Event.System.EventRecordID",
	"Event.System.Correlation.#attributes.ActivityID", "Event.System.Correlation.#attributes.RelatedActivityID", "Event.System.Execution.#attributes.ProcessID",
	"Event.System.Execution.#attributes.ThreadID", "Event.System.Channel", "Event.System.Computer", "Event.System.Security.#attributes.UserID", "Event.System",
	"Event.RenderingInfo.Message", "Event.EventData", "Event.EventData{}", "Event.UserData",

	"winlog.provider_name", "winlog.provider_guid", "winlog.event_id", "winlog.version", "winlog.task", "winlog.opcode", "winlog.keywords", "winlog.time_created",
	"winlog.record_id", "winlog.activity_id", "winlog.related_activity_id", "winlog.process.pid", "winlog.process.thread.id", "winlog.channel", "winlog.computer_name",
	"winlog.user.identifier", "winlog.event_data{}", "winlog.user_data",
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
		w.reset(s.Fields)
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
		w.readEvent(r)
	case r.Kind(wiSystem) == jsonscan.Object:
		w.readDump(doc)
	case r.Kind(wiWinlog) == jsonscan.Object:
		w.readBeat(r)
	case r.Exists(wiEventID) && (r.Exists(wiChannel) || r.Exists(wiSource) || r.Exists(wiProvider)), r.Exists(wiOldID) && (r.Exists(wiOldChannel) || r.Exists(wiOldSource)):
		w.readFlat(r)
	default:
		return false
	}
	return true
}

// lastName is the last part of a path with backslashes or slashes.
func lastName(path string) string {
	return path[strings.LastIndexAny(path, `\/`)+1:]
}

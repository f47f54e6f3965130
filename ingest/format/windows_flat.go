package format

import "github.com/tocsin-siem/tocsin/ingest/format/jsonscan"

// readFlat reads an event whose fields all stand side by side: nxlog's JSON, where those of System have names of nxlog's, winlogbeat's before version
// 7, where the event's own stand in event_data, and records that name them as rules do.
func (w *winRecord) readFlat(r *jsonscan.Result) {
	var data, user jsonscan.Value
	for name, v := range r.Members(wiAll) {
		switch to := w.flatName(name); {
		case to != nil && (*to == "" || name == "@timestamp"): // It has a zone.
			*to, _ = w.textOf(v)
		case name == "event_data" || name == "EventData":
			data = v
		case name == "user_data" || name == "UserData":
			user = v
		}
	}
	w.identify()
	for name, v := range r.Members(wiAll) {
		switch name {
		case "EventID", "event_id", "log_name", "Computer", "computer_name", "event_data", "EventData", "user_data", "UserData":
		default:
			if v.Kind() != jsonscan.Object { // Those are what a shipper says of itself.
				w.json(name, v)
			}
		}
	}
	if data.Kind() == jsonscan.Object {
		w.beatData(data.Members())
	} else {
		w.json("EventData", data)
	}
	w.dumpUser(user, 0)
	w.finish()
}

// flatName is the part of System that a field is; nil for the event's own fields.
func (w *winRecord) flatName(name string) *string {
	switch name {
	case "SourceName", "Provider_Name", "ProviderName", "Provider", "source_name":
		return &w.provider
	case "ProviderGuid", "Provider_Guid", "provider_guid":
		return &w.guid
	case "EventID", "event_id":
		return &w.id
	case "Level", "Severity", "level":
		return &w.level
	case "OpcodeValue":
		return &w.opcode
	case "Keywords", "keywords":
		return &w.keywords
	case "TimeCreated", "SystemTime", "EventTime", "UtcTimeCreated", "@timestamp":
		return &w.time
	case "RecordNumber", "EventRecordID", "record_number":
		return &w.record
	case "ActivityID", "activity_id":
		return &w.activity
	case "RelatedActivityID":
		return &w.related
	case "ExecutionProcessID", "Execution_ProcessID":
		return &w.process
	case "ExecutionThreadID", "Execution_ThreadID":
		return &w.thread
	case "Channel", "log_name":
		return &w.channel
	case "Computer", "Hostname", "computer_name":
		return &w.computer
	case "UserID", "Security_UserID":
		return &w.user
	case "Message", "message":
		return &w.message
	}
	return nil
}

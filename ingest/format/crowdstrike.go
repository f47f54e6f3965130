package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

func crowdStrike() Format {
	return Format{
		Name: "crowdstrike", Title: "CrowdStrike Falcon", Domain: "endpoint",
		Classes: []string{
			"account_change", "api_activity", "authentication", "base_event", "detection_finding", "device_config_state_change",
			"entity_management", "inventory_info", "network_activity", "process_activity", "user_access",
		},
		Doc: "Falcon Event Streams (detections of every product, audit, firewall, remote response), threat graph vertices, alert documents of the alerts interface and " +
			"host documents of the devices interface (one, an array, or resources of an answer), which tell the posture of the agent. Falcon Data " +
			"Replicator telemetry is not read.",
		Framing:  Lines,
		Append:   appendCrowdStrike,
		Unmapped: crowdUnmapped,
	}
}

// Slots of crowdPlan: the envelope of a stream event, and what tells a host document.
const (
	csType = iota
	csCreated
	csOffset
	csCustomer
	csVersion
	csVertexSeverity
	csDetectionID
	csEvent
	csDeviceID
	csAgentVersion
	csLastSeen
	csHostname
	csResources
	csFDR
	csComposite
	csAlertTime
)

var crowdPlan = jsonscan.Compile(
	"metadata.eventType", "metadata.eventCreationTime", "metadata.offset", "metadata.customerIDString", "metadata.version",
	"metadata.severity.name", "metadata.detectionIdString", "event", "device_id", "agent_version", "last_seen", "hostname", "resources", "event_simpleName",
	"composite_id", "created_timestamp",
)

func appendCrowdStrike(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if isArray(rec.Value) {
		return appendArray(s, dst, rec, crowdPlan, crowdDocument)
	}
	if err := scanObject(s, crowdPlan, rec.Value); err != nil {
		return dst, err
	}
	if s.JSON.Kind(csResources) == jsonscan.Array {
		return appendList(s, dst, rec, s.JSON.Value(csResources), crowdPlan, crowdDocument)
	}
	return crowdDocument(s, dst, rec, jsonscan.Value{})
}

func crowdDocument(s *Scratch, dst []event.Event, rec *event.Record, doc jsonscan.Value) ([]event.Event, error) {
	r := &s.JSON
	kind := r.Str(csType)
	switch {
	case kind != "" && r.Kind(csEvent) == jsonscan.Object:
		return crowdStreamEvent(s, dst, kind), nil
	case r.Str(csDeviceID) != "" && (r.Exists(csAgentVersion) || r.Exists(csLastSeen) || r.Exists(csHostname)) && !r.Exists(csFDR):
		scanBody(s, rec, doc, crowdHostPlan)
		return crowdHost(&s.Nested, dst), nil
	case r.Str(csComposite) != "" && r.Exists(csAlertTime):
		scanBody(s, rec, doc, crowdAlertPlan)
		return crowdAlert(s, dst), nil
	case r.Exists(csFDR):
		return dst, Rejectf("wrong_format", "Falcon Data Replicator telemetry (event_simpleName) is not read by this format")
	}
	return dst, Rejectf("wrong_format", "neither a Falcon stream event (metadata.eventType with event) nor a host (device_id) or alert (composite_id) document")
}

// crowdKinds are the stream events by how they are decoded. A type that is not here is tried as a detection or as an audit by its fields.
var crowdKinds = map[string]func(s *Scratch, e *event.Event, kind string){
	"APIActivityAuditEvent":            crowdAPICall,
	"AuthActivityAuditEvent":           crowdAudit,
	"UserActivityAuditEvent":           crowdAudit,
	"RemoteResponseSessionStartEvent":  crowdRemote,
	"RemoteResponseSessionEndEvent":    crowdRemote,
	"FirewallMatchEvent":               crowdFirewall,
	"ScheduledReportNotificationEvent": crowdReport,
	"Vertex":                           crowdVertex,
}

func crowdStreamEvent(s *Scratch, dst []event.Event, kind string) []event.Event {
	r := &s.JSON
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.SeverityID = severityInfo
	m := &e.Metadata
	m.Product, m.Vendor, m.EventCode, m.LogName = "Falcon", "CrowdStrike", kind, "Event Streams"
	if created, ok := r.LooseInt64(csCreated); ok {
		if micros, ok := kv.EpochMicros(created); ok {
			e.Time, e.Envelope.TimeSource = micros, event.TimeParsed
		}
	}
	customer, offset := r.Str(csCustomer), r.Text(csOffset)
	if customer != "" && offset != "" {
		e.Envelope.ID = event.NewID("crowdstrike", customer, kind, offset)
		m.OriginalUID = offset
	}
	decode, ok := crowdKinds[kind]
	if !ok {
		decode = crowdByFields
	}
	decode(s, e, kind)
	return dst
}

// crowdByFields decodes types by what they carry: detections of all products share their fields, and so do audits.
func crowdByFields(s *Scratch, e *event.Event, kind string) {
	body := s.JSON.Value(csEvent)
	crowdDetectionPlan.ScanValue(body, &s.Nested)
	if strings.Contains(kind, "Detection") || strings.Contains(kind, "Incident") || s.Nested.Exists(cdName) || s.Nested.Exists(cdDetectName) ||
		s.Nested.Exists(cdCompositeID) || s.Nested.Exists(cdDetectID) || s.Nested.Exists(cdSeverityName) || s.Nested.Exists(cdIncidentType) {
		crowdDetection(s, e, kind)
		return
	}
	crowdAuditPlan.ScanValue(body, &s.Nested)
	if s.Nested.Str(caOperation) != "" {
		crowdAudit(s, e, kind)
		return
	}
	e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, kind
}

// crowdSeverity is the OCSF severity of a name, or of a number on Falcon's scale of 0 to 100.
func crowdSeverity(name string, number int64, ok bool) uint8 {
	switch strings.ToLower(name) {
	case "informational", "info":
		return severityInfo
	case "low":
		return severityLow
	case "medium":
		return severityMedium
	case "high":
		return severityHigh
	case "critical":
		return 5
	}
	switch {
	case !ok, number < 20:
		return severityInfo
	case number < 40:
		return severityLow
	case number < 60:
		return severityMedium
	case number < 80:
		return severityHigh
	}
	return 5
}

// crowdMicros is a time that Falcon writes as seconds, milliseconds, Windows file time or text; 0 where there is none.
func crowdMicros(r *jsonscan.Result, slot int) int64 {
	if n, ok := r.LooseInt64(slot); ok {
		micros, _ := kv.EpochMicros(n)
		return micros
	}
	return stampMicros(r.Str(slot), nil)
}

// baseName is the last part of a path of either system.
func baseName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// crowdImage is the full path of an image: FilePath names the folder in older events and the file in newer ones.
func crowdImage(folder, file string) string {
	folder, file = meant(folder), meant(file)
	switch {
	case folder == "" || file == "" || strings.EqualFold(baseName(folder), file):
		if folder == "" {
			return ""
		}
		return folder
	case strings.HasSuffix(folder, `\`) || strings.HasSuffix(folder, "/"):
		return folder + file
	case strings.Contains(folder, "/"):
		return folder + "/" + file
	}
	return folder + `\` + file
}

// setCrowdHost names the device by agent, host name, address and hardware address.
func setCrowdHost(d *event.Device, agent, host, ip, mac string) {
	d.UID = meant(agent)
	if host = meant(host); host != "" {
		d.Name, d.Hostname = host, strings.ToLower(host)
	}
	d.IP = plainIP(meant(ip))
	if m, ok := event.MAC(meant(mac)); ok && !kv.NoMAC(m) {
		d.MAC = m
	}
	if d.UID == "" && d.Name == "" && d.IP == "" {
		d.MAC = ""
	}
}

func crowdUnmapped(rec *event.Record) []string {
	var s Scratch
	if isArray(rec.Value) || scanObject(&s, crowdPlan, rec.Value) != nil {
		return nil
	}
	plan, body, prefix := crowdHostPlan, rec.Value, ""
	if s.JSON.Exists(csComposite) {
		plan = crowdAlertPlan
	}
	if s.JSON.Kind(csEvent) == jsonscan.Object {
		plan, body, prefix = crowdDetectionPlan, s.JSON.Raw(csEvent), "event."
		switch s.JSON.Str(csType) {
		case "AuthActivityAuditEvent", "UserActivityAuditEvent", "APIActivityAuditEvent":
			plan = crowdAuditPlan
		case "FirewallMatchEvent":
			plan = crowdFirewallPlan
		case "Vertex":
			plan = crowdVertexPlan
		}
	}
	paths, err := jsonscan.Unmapped(body, plan)
	if err != nil {
		return nil
	}
	for i := range paths {
		paths[i] = prefix + paths[i]
	}
	return paths
}

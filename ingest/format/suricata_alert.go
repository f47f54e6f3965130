package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// maxNames bounds the lists read out of one record.
const maxNames = 64

// suricataSeverity turns a signature's priority (1 most urgent, by classification.config) into OCSF severity.
func suricataSeverity(priority int64) uint8 {
	switch priority {
	case 1:
		return 4
	case 2:
		return 3
	case 3:
		return 2
	}
	return 1
}

// suricataAlert reads an alert with the transaction that Suricata adds to it.
func suricataAlert(s *Scratch, e *event.Event) {
	r := &s.JSON
	e.ClassUID, e.ActivityID = event.ClassDetection, 1
	sid, _ := r.Int64(suAlertSID)
	priority, _ := r.Int64(suAlertSeverity)
	e.SeverityID = suricataSeverity(priority)
	f := &event.Finding{
		Title: r.Str(suAlertName), AnalyticUID: r.Text(suAlertSID), AnalyticName: r.Str(suAlertName), AnalyticType: 1, IsAlert: event.True,
		CreatedAt: e.Time,
	}
	f.UID = strings.Join([]string{e.Connection.UID, r.Text(suAlertGID), f.AnalyticUID, r.Text(suTxID), r.Text(suTime)}, ":")
	if category := r.Str(suAlertCategory); category != "" {
		f.Types = []string{category}
	}
	f.Tactics, f.Techniques = textList(r, suAlertTactics), textList(r, suAlertTechniques)
	e.Finding = f
	e.Message = f.Title
	if sid == 0 {
		e.Envelope.Quality |= event.SchemaOdd
	}
	for v := range r.Each(suAlertConfidence) {
		e.ConfidenceID = confidence(v.Str())
	}
	switch r.Str(suAlertAction) {
	case "allowed":
		e.ActionID, e.DispositionID = 1, 1
	case "blocked":
		e.ActionID, e.DispositionID = 2, 2
	}
	if r.Str(suVerdict) == "drop" {
		e.ActionID, e.DispositionID = 2, 6
	}
	suricataContext(s, e)
}

// suricataContext adds the transaction an alert was raised on.
func suricataContext(s *Scratch, e *event.Event) {
	r := &s.JSON
	if r.Exists(suHTTPURL) || r.Exists(suHTTPHost) || r.Exists(suHTTPMethod) {
		e.HTTPRequest, e.HTTPResponse = suricataHTTPParts(r)
	}
	if r.Exists(suTLSVersion) || r.Exists(suTLSSNI) || r.Exists(suTLSSubject) {
		suricataTLS(e, r)
	}
	if r.Kind(suDNS) == jsonscan.Object {
		e.DNS = suricataDNSParts(s, e)
	}
	if r.Exists(suFileName) {
		e.File = suricataFileParts(r)
	} else {
		for v := range r.Each(suFiles) {
			e.File = &event.File{Name: v.Get("filename").Str(), SHA256: v.Get("sha256").Str(), MD5: v.Get("md5").Str(), SHA1: v.Get("sha1").Str()}
			e.File.Size = flagInt(v.Get("size").Int64())
			break
		}
	}
	if v := r.Value(suSMB); v.Exists() {
		setNTLM(&e.Actor.User, v)
	}
	if r.Kind(suMQTT) == jsonscan.Object {
		suricataMQTTContext(e, r.Value(suMQTT))
	}
	if r.Kind(suModbus) == jsonscan.Object {
		e.OT = suricataModbusParts(s, e)
	}
}

func confidence(s string) uint8 {
	switch strings.ToLower(s) {
	case "low":
		return 1
	case "medium":
		return 2
	case "high":
		return 3
	}
	return 0
}

// textList is a slot's texts, whether it is an array or a single value.
func textList(r *jsonscan.Result, slot int) []string {
	var out []string
	for v := range r.Each(slot) {
		if t := v.Text(); t != "" && len(out) < maxNames {
			out = append(out, t)
		}
	}
	return out
}

// suricataFlow reads a flow's end. A TCP flow that never left its opening is a failed attempt.
func suricataFlow(e *event.Event, r *jsonscan.Result) {
	e.StatusCode, e.StatusDetail = r.Str(suFlowState), r.Str(suFlowReason)
	e.Connection.Flags = r.Str(suTCPState)
	switch {
	case e.Connection.Protocol == "tcp" && (e.Connection.Flags == "syn_sent" || e.Connection.Flags == "syn_recv" || e.StatusCode == "new"):
		e.ActivityID, e.StatusID = 4, 2
	case e.StatusCode != "":
		e.StatusID = 1
	}
}

// suricataNetflow reads one direction of a flow.
func suricataNetflow(s *Scratch, e *event.Event) {
	v := s.JSON.Value(suNetflow)
	bytes, packets := flagInt(v.Get("bytes").Int64()), flagInt(v.Get("pkts").Int64())
	e.Traffic = &event.Traffic{BytesOut: bytes, PacketsOut: packets, Bytes: bytes, Packets: packets}
	e.StartTime, e.EndTime = stampMicros(v.Get("start").Str(), nil), stampMicros(v.Get("end").Str(), nil)
}

func suricataAnomaly(e *event.Event, r *jsonscan.Result) {
	e.SeverityID = 2
	e.StatusCode = r.Text(suAnomalyCode)
	e.StatusDetail = r.Str(suAnomalyType)
	if name := r.Str(suAnomalyEvent); name != "" {
		e.Metadata.EventCode, e.Message = name, name
	}
	if app := r.Str(suAnomalyProto); app != "" && app != "failed" {
		e.AppProtocol = lowerWord(app)
	}
}

// suricataStats keeps of the counters those that tell whether the sensor still sees everything.
func suricataStats(e *event.Event, v jsonscan.Value) {
	for _, path := range [...][]string{{"uptime"}, {"capture", "kernel_packets"}, {"capture", "kernel_drops"}, {"decoder", "pkts"}, {"detect", "alert"}} {
		if n := v.Get(path...).Text(); n != "" {
			e.Unmapped = append(e.Unmapped, event.Attribute{Key: "stats." + strings.Join(path, "."), Value: n})
		}
	}
}

package format

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/cef"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// nozomiCEF reads what Nozomi Networks Guardian and CMC (N2OS) send as CEF: alerts, audit records and health records.
func nozomiCEF() Format {
	return Format{
		Name:   "nozomi_cef",
		Title:  "Nozomi Networks N2OS (CEF)",
		Domain: "ot",
		Classes: []string{
			"authentication", "base_event", "detection_finding", "entity_management",
		},
		Doc: "CEF over syslog from Guardian and CMC. Alerts become Detection Finding under the alert's own id, with the alert type as analytic; audit " +
			"records Authentication or Entity Management; health records stay base events. The sensor (dvc, dvchost) is the reporter.",
		Framing:  LinesDense,
		Append:   appendNozomi,
		Unmapped: unmappedNozomi,
	}
}

// nozomiParser takes only the CEF dictionary and N2OS's own keys for keys: alert texts quote what attackers send.
var nozomiParser = cef.NewParser(cef.Dialect{
	Keys:   []string{"flexString3", "flexString3Label", "srcZone", "dstZone", "srcRoles", "dstRoles", "srcLabel", "dstLabel", "status", "ruleName", "playbook"},
	Closed: true,
})

func appendNozomi(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	c := &s.cef
	if err := nozomiParser.ParseInto(rec.Value, c); err != nil {
		return dst, Rejectf(err.Error(), "the record is not one CEF event: it needs CEF:0|vendor|product|version|type|name|severity|")
	}
	if !strings.HasPrefix(c.Header.Vendor, "Nozomi") {
		return dst, Rejectf("wrong_product", "the CEF event is of %q %q, not of Nozomi Networks", clip(c.Header.Vendor, 40), clip(c.Header.Product, 40))
	}
	if c.Header.EventID == "" {
		return dst, Rejectf("cef_truncated", "the CEF header ends before the type of the event")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	n := nozomiRecord{Event: c}
	n.setTime(e, rec)
	n.describe(e)
	n.setEnds(e)
	switch code := c.Header.EventID; {
	case strings.HasPrefix(strings.ToUpper(code), "AUDIT"):
		n.audit(e)
	case strings.HasPrefix(strings.ToUpper(code), "HEALTH"):
		n.health(e)
	default:
		n.alert(e)
	}
	return dst, nil
}

// unmappedNozomi lists the keys of an event that decoding does not read; a custom field under its label.
func unmappedNozomi(rec *event.Record) []string {
	var c cef.Event
	if nozomiParser.ParseInto(rec.Value, &c) != nil {
		return nil
	}
	var keys []string
	for key := range c.All() {
		if strings.HasSuffix(key, "Label") {
			continue
		}
		if label := c.LabelOf(key); label != "" {
			key = label
		}
		if !slices.Contains(nozomiKeys, key) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// nozomiKeys are the keys and labels that decoding reads.
var nozomiKeys = []string{
	"start", "rt", "end", "Id", "externalId", "msg", "dvc", "dvchost", "deviceExternalId", "src", "shost", "smac", "spt", "srcZone", "srcRoles", "srcLabel",
	"dst", "dhost", "dmac", "dpt", "dstZone", "dstRoles", "dstLabel", "app", "proto", "status", "mitre_attack_techniques", "mitre_attack_tactics", "Parents",
	"Detail", "Risk", "fileHash", "suser", "duser", "User",
}

// nozomiRecord is one CEF event of N2OS.
type nozomiRecord struct{ *cef.Event }

// text is the first known value among keys and labels of custom fields, in one line.
func (n nozomiRecord) text(keys ...string) string {
	for _, key := range keys {
		if v := kv.Known(n.Str(key)); v != "" {
			return cef.OneLine(v)
		}
		if v, ok := n.Label(key); ok && !kv.Placeholder(v) {
			return cef.OneLine(v)
		}
	}
	return ""
}

// setTime takes the start of what the record is about, else the time it was made, else the relay's stamp.
func (n nozomiRecord) setTime(e *event.Event, rec *event.Record) {
	for _, key := range [...]string{"start", "rt", "end"} {
		if text := n.Str(key); text != "" && e.Time == 0 {
			setStamp(e, text, rec.Location)
		}
	}
	e.StartTime, e.EndTime = stampMicros(n.Str("start"), rec.Location), stampMicros(n.Str("end"), rec.Location)
	e.Metadata.LoggedTime = stampMicros(n.Str("rt"), rec.Location)
	ctx := syslog.Context{Location: rec.Location}
	if rec.Received != 0 {
		ctx.Received = time.UnixMicro(rec.Received)
	}
	h, err := syslog.Parse(n.Prefix, ctx)
	if err != nil || len(n.Prefix) == 0 {
		return
	}
	if e.Time == 0 {
		setHeaderTime(e, &h)
	}
	setReporterHost(e, h.Hostname)
}

// describe fills what every record has.
func (n nozomiRecord) describe(e *event.Event) {
	e.Metadata.Product, e.Metadata.Vendor, e.Metadata.Version = "Nozomi "+n.Header.Product, "Nozomi Networks", n.Header.Release
	e.Metadata.EventCode = n.Header.EventID
	e.Metadata.OriginalUID = n.text("Id", "externalId")
	e.Message = n.text("msg")
	if e.Message == "" {
		e.Message = n.Header.Name
	}
	e.SeverityID = cefSeverity(n.Header.Severity)
	if n.Quality != 0 {
		e.Envelope.Quality |= event.Recovered
	}
	if n.Quality&cef.Truncated != 0 {
		e.Envelope.Quality |= event.Truncated
	}
	r := &e.Metadata.Extend().Reporter
	if host := n.text("dvchost"); host != "" {
		r.Hostname = strings.ToLower(host)
	}
	if ip := plainIP(n.text("dvc")); ip != "" {
		r.IP = ip
	}
	r.UID = n.text("deviceExternalId")
}

// cefSeverity is OCSF severity_id of a CEF severity, 0 to 10 or a word (ArcSight Common Event Format, "Severity").
func cefSeverity(s string) uint8 {
	switch strings.ToLower(s) {
	case "low":
		return severityLow
	case "medium":
		return severityMedium
	case "high":
		return severityHigh
	case "very-high":
		return 5
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || f < 0 || f > 10:
		return 0
	case f == 0:
		return severityInfo
	case f < 4:
		return severityLow
	case f < 7:
		return severityMedium
	case f < 9:
		return severityHigh
	}
	return 5
}

func (n nozomiRecord) setEnds(e *event.Event) {
	n.setEnd(&e.SrcEndpoint, "src", "shost", "smac", "spt", "srcZone", "srcRoles", "srcLabel")
	n.setEnd(&e.DstEndpoint, "dst", "dhost", "dmac", "dpt", "dstZone", "dstRoles", "dstLabel")
	e.AppProtocol = strings.ToLower(n.text("app"))
	switch proto := strings.ToLower(n.text("proto")); proto {
	case "":
	case "tcp", "udp", "icmp":
		e.Connection.Protocol = proto
	default:
		if e.AppProtocol == "" {
			e.AppProtocol = proto
		}
	}
}

func (n nozomiRecord) setEnd(p *event.Endpoint, ip, host, mac, port, zone, roles, label string) {
	setHost(p, n.text(ip))
	if name := n.text(host); name != "" && p.Hostname == "" {
		p.Hostname = name
	}
	p.Hostname = strings.ToLower(p.Hostname)
	setMAC(p, n.text(mac))
	p.Port = portText(n.text(port))
	p.Zone = n.text(zone)
	p.Name = n.text(label)
	if all := n.text(roles); all != "" {
		// "producer, engineering_station": the first is the main one.
		first, _, _ := strings.Cut(all, ",")
		p.Type, p.TypeID = strings.TrimSpace(first), event.ActivityOther
	}
}

// alert is a finding of the sensor. N2OS names no accounts in alerts: a suser in one would be a quotation.
func (n nozomiRecord) alert(e *event.Event) {
	e.ClassUID, e.ActivityID = event.ClassDetection, 1
	e.StatusID = 1 // New
	switch strings.ToLower(n.text("status")) {
	case "closed", "resolved":
		e.ActivityID, e.StatusID = 3, 4
	case "ack", "acknowledged", "updated":
		e.ActivityID, e.StatusID = 2, 2
	}
	uid := e.Metadata.OriginalUID
	if uid != "" {
		e.Envelope.ID = event.NewID("nozomi_cef", uid, n.Header.EventID, n.Str("start"), n.Str("end"), n.text("status"))
	} else {
		uid = n.Header.EventID + "/" + n.Str("start")
	}
	family, _, _ := strings.Cut(n.Header.EventID, ":")
	e.Finding = &event.Finding{
		UID: uid, Title: n.Header.Name, Desc: e.Message, Types: []string{family},
		AnalyticUID: n.Header.EventID, AnalyticName: n.Header.Name, AnalyticType: nozomiAnalytic(family),
		Techniques: nozomiList(n.text("mitre_attack_techniques")), Tactics: nozomiList(n.text("mitre_attack_tactics")),
		Related: nozomiList(n.text("Parents")), CreatedAt: e.StartTime, IsAlert: event.True,
	}
	if detail := n.text("Detail"); detail != "" {
		e.StatusDetail = detail
	}
	if risk, err := strconv.ParseFloat(n.text("Risk"), 64); err == nil && risk >= 0 && risk <= 10 {
		e.RiskScore = event.IntOf(int64(risk * 10))
	}
	if hash := n.text("fileHash"); hash != "" {
		e.AddEntity(event.EntityHash, event.RoleContext, event.Context, event.ObjectExtra, hash)
	}
}

// nozomiAnalytic is OCSF analytic.type_id of a family of alert types: signatures and assertions are rules, deviations from the learned
// network and process are behavioural.
func nozomiAnalytic(family string) uint8 {
	switch family {
	case "SIGN", "ASRT", "GENERIC":
		return 1
	case "VI", "PROC":
		return 2
	case "INCIDENT":
		return 99
	}
	return 0
}

// nozomiList reads "T0843, T0855", "[T0843]" and `["a","b"]`.
func nozomiList(s string) []string {
	s = strings.Trim(s, "[] ")
	var out []string
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' }) {
		if part = strings.Trim(part, `" '`); part != "" && !kv.Placeholder(part) && len(out) < 64 {
			out = append(out, part)
		}
	}
	return out
}

// audit is what a person did on the sensor or its console.
func (n nozomiRecord) audit(e *event.Event) {
	what := strings.ToUpper(n.Header.EventID + " " + n.Header.Name)
	user := n.text("suser", "duser", "User")
	e.StatusID = statusSuccess
	if strings.Contains(what, "FAIL") || strings.Contains(what, "DENIED") {
		e.StatusID = statusFailure
	}
	e.DstEndpoint = event.Endpoint{}
	if strings.Contains(what, "SESSION") || strings.Contains(what, "SIGN IN") || strings.Contains(what, "SIGN_IN") || strings.Contains(what, "LOGIN") ||
		strings.Contains(what, "LOGOUT") {
		e.ClassUID, e.ActivityID = event.ClassAuthentication, authLogon
		if strings.Contains(what, "DESTROY") || strings.Contains(what, "OUT") || strings.Contains(what, "DELETE") {
			e.ActivityID = authLogoff
		}
		setLogin(&e.User, user)
		e.Service.Name = "Nozomi " + n.Header.Product
		return
	}
	e.ClassUID, e.ActivityID, e.Activity = event.ClassEntityManagement, event.ActivityOther, n.Header.EventID
	for _, v := range nozomiVerbs {
		if strings.Contains(what, v.word) {
			e.ActivityID, e.Activity = v.activity, ""
			break
		}
	}
	setLogin(&e.Actor.User, user)
	parts := strings.Split(n.Header.EventID, ":")
	kind := parts[len(parts)-1]
	if len(parts) > 2 {
		kind = parts[1]
	}
	e.Entity = &event.Entity{Name: n.Header.Name, Type: strings.ToLower(kind)}
}

var nozomiVerbs = []struct {
	word     string
	activity uint16
}{
	{"CREATE", 1},
	{"ADD", 1},
	{"DELETE", 4},
	{"DESTROY", 4},
	{"REMOVE", 4},
	{"DISABLE", 9},
	{"ENABLE", 8},
	{"UPDATE", 3},
	{"CHANGE", 3},
	{"EDIT", 3},
}

// health is about the sensor itself: a link down, a disk full, no traffic.
func (n nozomiRecord) health(e *event.Event) {
	e.ClassUID = event.ClassBase
	e.StatusDetail = n.Header.Name
	e.StatusID = statusFailure
	text := strings.ToLower(n.Header.Name + " " + e.Message)
	if strings.Contains(text, "link_up") || strings.Contains(text, "link up") || strings.Contains(text, "back to normal") || strings.Contains(text, "recovered") {
		e.StatusID = statusSuccess
	}
}

package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// isSecurityLog reports whether the message is of DDS:Security:LogTopic (DDS Security 1.1, 9.6: BuiltinLoggingTypeV2).
func (m *rosMessage) isSecurityLog() bool {
	r := m.r
	return strings.HasPrefix(m.topic, "DDS:Security:Log") || r.Exists(roPluginClass) || r.Exists(roStructured) && r.Exists(roSeverity) ||
		r.Exists(roFacility) && r.Exists(roSeverity) && r.Kind(roMessage) == jsonscan.String
}

// ddsLog is one message of the DDS security log.
type ddsLog struct {
	class, method, guid, domain string
	app, text                   string
	level                       int64 // Of syslog: 0 emergency to 7 debug.
}

func (m *rosMessage) security(dst []event.Event) []event.Event {
	r := m.r
	l := ddsLog{
		class: r.Str(roPluginClass), method: r.Str(roPluginMethod), guid: r.Text(roGUID), domain: r.Text(roDomainID), app: r.Str(roAppName),
		text: r.Str(roMessage), level: 6,
	}
	if l.text == "" {
		l.text = r.Str(roMsg)
	}
	if l.class == "" {
		l.class = r.Str(roCategory)
	}
	if n, ok := r.LooseInt64(roSeverity); ok {
		l.level = n
	} else if n, ok := ddsLevels[plainWord(r.Str(roSeverity))]; ok {
		l.level = n
	}
	l.structured(r.Value(roStructured))
	dst = m.next(dst, event.ClassRobotState, stateLog, "dds_security", l.app)
	l.fill(&dst[len(dst)-1])
	return dst
}

// structured reads the name-value pairs of the element DDS: as a list of {name, value}, or as an object.
func (l *ddsLog) structured(v jsonscan.Value) {
	if inner := v.Get("DDS"); inner.Exists() {
		v = inner
	}
	for key, member := range v.Members() {
		l.set(key, member.Text())
	}
	for pair := range v.Elements() {
		l.set(pair.Get("name").Str(), pair.Get("value").Text())
	}
}

func (l *ddsLog) set(name, value string) {
	switch name {
	case "guid":
		l.guid = value
	case "domain_id":
		l.domain = value
	case "plugin_class":
		l.class = value
	case "plugin_method":
		l.method = value
	}
}

// ddsLevels are the levels by name: DDS Security 1.1, table 38, with and without _LEVEL.
var ddsLevels = map[string]int64{
	"emergency": 0, "emergencylevel": 0, "alert": 1, "alertlevel": 1, "critical": 2, "criticallevel": 2, "error": 3, "errorlevel": 3,
	"warning": 4, "warninglevel": 4, "notice": 5, "noticelevel": 5, "informational": 6, "informationallevel": 6, "info": 6, "debug": 7, "debuglevel": 7,
}

// securityLine is a DDS security log line in syslog.
func (m *rosMessage) securityLine(dst []event.Event, h *syslog.Message, class, body string) []event.Event {
	l := ddsLog{class: class, app: h.App, text: body, level: 6}
	if h.Severity >= 0 {
		l.level = int64(h.Severity)
	}
	for p := range h.Structured.Params() {
		if p.ID == "DDS" {
			l.set(p.Name, p.Value)
		}
	}
	dst = m.nextLine(dst, h, event.ClassRobotState, stateLog, "dds_security", l.app)
	l.fill(&dst[len(dst)-1])
	return dst
}

// fill makes a failed authentication or access check of a participant a failed logon, a passed one a logon, and anything else a log
// message, from error upwards a fault.
func (l *ddsLog) fill(e *event.Event) {
	e.Message = clip(l.text, maxPayload)
	e.Metadata.EventCode = strings.Trim(l.class+"."+l.method, ".")
	if e.Metadata.EventCode == "" {
		e.Metadata.EventCode = "dds_security"
	}
	e.SeverityID = ddsSeverity(l.level)
	word := strings.ToLower(l.class + " " + l.method + " " + l.text)
	about := hasAny(word, "auth", "handshake", "identity", "permission", "access", "certificate")
	failed := l.level <= 4 || hasAny(word, "fail", "denied", "reject", "not allowed")
	settled := failed || hasAny(word, "success", "authenticated", "established")
	if !about || !settled || l.guid == "" && l.app == "" {
		if l.level <= 3 {
			e.ActivityID = stateFault
			e.Fault = &event.Fault{Name: e.Metadata.EventCode, Desc: e.Message, LevelID: 3}
		}
		return
	}
	e.ClassUID, e.ActivityID = event.ClassAuthentication, 1
	e.AuthProtocolID, e.AuthProtocol = event.ActivityOther, "DDS Security"
	e.Service.Name = "DDS"
	if l.domain != "" {
		e.Service.Name = "DDS domain " + clip(l.domain, 16)
	}
	e.User.Type = "DDS participant"
	e.StatusID, e.StatusDetail = 1, e.Message
	if failed {
		e.StatusID = 2
		e.SeverityID = max(e.SeverityID, 3)
	}
	// The GUID is that of the participant that writes the log: the one that was checked only where the check was of itself.
	if strings.Contains(word, "remote") {
		e.DstEndpoint.IP, e.DstEndpoint.Hostname = e.Robot.IP, e.Robot.Hostname
		e.User.Name = "remote participant"
		return
	}
	e.User.UID, e.User.Name = clip(l.guid, 64), clip(l.app, 128)
	e.SrcEndpoint.IP, e.SrcEndpoint.Hostname = e.Robot.IP, e.Robot.Hostname
}

// hasAny reports whether s has one of the parts in it.
func hasAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func ddsSeverity(level int64) uint8 {
	switch {
	case level <= 1:
		return 5
	case level == 2:
		return 4
	case level == 3:
		return 3
	case level == 4:
		return 2
	}
	return 1
}
